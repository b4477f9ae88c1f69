//! `scratch_bytes` bounds what a sum allocates, and is not uselessly loose. A test binary of its own: it counts every allocation.

mod oracle;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Barrier, Mutex, OnceLock};

use faer::Mat;
use flexlora_kernel::{Cancel, Dtype, Factor, Machine, Method, SumRequest, Term, TruncatingSum};
use oracle::{Case, Draw, bytes};

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
/// One measurement at a time.
static COUNTING: Mutex<()> = Mutex::new(());

struct Counting;

fn add(size: usize) {
    let live = LIVE.fetch_add(size, SeqCst) + size;
    PEAK.fetch_max(live, SeqCst);
}

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), SeqCst);
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Makes every thread allocate what `faer` keeps for it from call to call.
fn warm(machine: &Machine, threads: usize) {
    let all_busy = Barrier::new(threads);
    machine.threads().for_each(vec![(); threads], |_, ()| {
        warm_here();
        all_busy.wait();
    });
}

fn warm_here() {
    let square = Mat::<f64>::identity(64, 64);
    assert_eq!(&square * &square, square);
}

/// Of one thread and of three, for the whole run: a thread that ends frees what it kept at a moment that nobody knows.
fn machines() -> &'static [Machine; 2] {
    static MACHINES: OnceLock<[Machine; 2]> = OnceLock::new();
    MACHINES.get_or_init(|| {
        [1, 3].map(|threads| {
            let machine = Machine::new(threads).expect("few threads");
            warm(&machine, threads);
            machine
        })
    })
}

struct Bytes {
    planned: usize,
    /// The most that was allocated between `new` and the end. The terms are the caller's.
    peak: usize,
}

fn measured(machine: &Machine, method: Method, (out_rows, in_cols): (usize, usize), rank: usize, ranks: &[usize]) -> Bytes {
    let _alone = COUNTING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    warm_here();
    let held: Vec<(Vec<u8>, Vec<u8>)> = ranks
        .iter()
        .enumerate()
        .map(|(k, rank)| {
            // Terms come again, so that a sum of more of them has the same spectrum and takes the same blocks.
            let mut draw = Draw(1 + (k % DISTINCT) as u64);
            let scale = 0.9f64.powi((k % DISTINCT) as i32 % 10);
            let mut values = |count: usize| bytes(&(0..count).map(|_| (scale * draw.signed()) as f32).collect::<Vec<f32>>());
            (values(out_rows * rank), values(rank * in_cols))
        })
        .collect();
    let factor = |rows, cols, bytes| Factor { dtype: Dtype::F32, rows, cols, bytes };
    let term = |(rank, (b, a)): (&usize, &'static (Vec<u8>, Vec<u8>))| Term {
        label: "t",
        coefficient: 0.5,
        b: factor(out_rows, *rank, b.as_slice()),
        a: factor(*rank, in_cols, a.as_slice()),
    };
    let held: &'static [(Vec<u8>, Vec<u8>)] = held.leak();
    let case = Case { out_rows, in_cols, terms: vec![] };
    let request = SumRequest { method: Some(method), rank_sum: ranks.iter().sum(), ..case.request(rank) };
    let of_dense = request.scratch_bytes(Method::Dense);
    let cancel = Cancel::default();
    let terms: Vec<Term<'_, &[u8]>> = ranks.iter().zip(held).map(term).collect();
    let before = LIVE.load(SeqCst);
    PEAK.store(before, SeqCst);
    let mut sum = TruncatingSum::new(request).expect("good sizes");
    let planned = sum.plan().scratch_bytes;
    sum.add(terms, machine, &cancel).expect("good terms");
    let answer = sum.truncate(machine, &cancel).expect("all terms are there");
    let peak = PEAK.load(SeqCst) - before;
    // Where another method takes the place of the planned one, it takes its bytes too.
    let planned = planned + if answer.method == method { 0 } else { of_dense };
    Bytes { planned, peak }
}

/// Terms that differ.
const DISTINCT: usize = 40;

const METHODS: [Method; 4] = [Method::Stacked, Method::Factored, Method::Accumulated, Method::Dense];

fn applies(method: Method, (out_rows, in_cols): (usize, usize), ranks: &[usize]) -> bool {
    method != Method::Stacked || ranks.iter().sum::<usize>() < out_rows.min(in_cols)
}

/// One test, because a thread that ends frees what `faer` kept for it, and every test is a thread.
#[test]
fn scratch_bytes_bound_what_is_allocated_closely_whatever_the_number_of_terms() {
    no_more_is_allocated_than_was_planned();
    no_more_than_twelve_times_is_planned();
    memory_does_not_grow_with_the_number_of_terms();
}

fn no_more_is_allocated_than_was_planned() {
    let shapes = [(64, 64), (150, 120), (300, 280), (64, 600), (600, 64), (1, 600), (600, 1), (8, 3)];
    for machine in machines() {
        for shape in shapes {
            for ranks in [&[8; 4][..], &[30; 9], &[1; 360], &[700, 1]] {
                for method in METHODS.into_iter().filter(|method| applies(*method, shape, ranks)) {
                    for rank in if method.iterates() { &[4, 100][..] } else { &[100] } {
                        let Bytes { planned, peak } = measured(machine, method, shape, *rank, ranks);
                        let context = format!("{method:?}, {shape:?}, {} terms, rank {rank}", ranks.len());
                        assert!(peak <= planned, "{context}: {peak} bytes were allocated, {planned} were planned");
                    }
                }
            }
        }
    }
}

fn no_more_than_twelve_times_is_planned() {
    for machine in machines() {
        for (shape, ranks) in [((300, 320), &[20; 6][..]), ((300, 320), &[60; 8]), ((360, 340), &[15; 24])] {
            for method in METHODS.into_iter().filter(|method| applies(*method, shape, ranks)) {
                let Bytes { planned, peak } = measured(machine, method, shape, 60, ranks);
                assert!(planned <= 12 * peak, "{method:?}, {shape:?}, {} terms: {planned} planned, {peak} allocated", ranks.len());
            }
        }
    }
}

fn memory_does_not_grow_with_the_number_of_terms() {
    let machine = &machines()[0];
    for method in [Method::Stacked, Method::Accumulated, Method::Dense] {
        let of = |ranks: &[usize]| measured(machine, method, (310, 300), 20, ranks).peak;
        let (few, many) = (of(&[72; 4]), of(&[1; 288]));
        assert!(many <= few + few / 10, "{method:?}: {many} bytes for 288 terms, {few} for 4 of the same sum of ranks");
        if method != Method::Stacked {
            let (few, more) = (of(&[18; DISTINCT]), of(&[18; 4 * DISTINCT]));
            assert!(more <= few + few / 10, "{method:?}: {more} bytes for 160 terms, {few} for 40");
        }
    }
}
