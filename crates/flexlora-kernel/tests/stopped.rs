//! A cancel from another thread ends a running call, wherever it is. The storage of the terms counts how often it is read, so that the
//! moment is the same in every run.

mod oracle;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use flexlora_kernel::{Cancel, Dtype, ErrorCode, Factor, Machine, Method, SumRequest, Term, TruncatingSum};
use oracle::spectra::common_and_noise;
use oracle::{Case, Draw};

/// Bytes that call for another thread at one of their reads, and wait until it has done its work.
#[derive(Clone)]
struct Watched {
    bytes: Vec<u8>,
    reads: Arc<AtomicUsize>,
    stop_at: usize,
    ask: SyncSender<()>,
    done: Arc<std::sync::Mutex<Receiver<()>>>,
}

impl AsRef<[u8]> for Watched {
    fn as_ref(&self) -> &[u8] {
        if self.reads.fetch_add(1, Ordering::SeqCst) == self.stop_at {
            self.ask.send(()).expect("the other thread listens");
            self.done.lock().expect("no panic").recv().expect("the other thread answers");
        }
        &self.bytes
    }
}

fn case() -> Case {
    common_and_noise(&mut Draw(7), (180, 160), &[30, 40, 16, 50], 0.1)
}

/// How the call ended, and how often the storage was read in all.
fn stopped_at(case: &Case, method: Method, stop_at: usize) -> (Option<ErrorCode>, usize) {
    let (ask, asked) = sync_channel(0);
    let (answer, done) = sync_channel(0);
    let done = Arc::new(std::sync::Mutex::new(done));
    let reads = Arc::new(AtomicUsize::new(0));
    let cancel = Cancel::default();
    let watched = |factor: Factor<Vec<u8>>| Factor {
        dtype: factor.dtype,
        rows: factor.rows,
        cols: factor.cols,
        bytes: Watched { bytes: factor.bytes, reads: reads.clone(), stop_at, ask: ask.clone(), done: done.clone() },
    };
    let terms: Vec<Term<'_, Watched>> = case
        .owned_terms(Dtype::F32)
        .into_iter()
        .map(|Term { label, coefficient, b, a }| Term { label, coefficient, b: watched(b), a: watched(a) })
        .collect();
    drop(ask);
    std::thread::scope(|scope| {
        let theirs = cancel.clone();
        scope.spawn(move || {
            // Ends when the last of the terms is let go.
            while asked.recv().is_ok() {
                theirs.cancel();
                answer.send(()).expect("the reader waits");
            }
        });
        let machine = Machine::new(2).expect("two threads");
        let request = SumRequest { method: Some(method), ..case.request(10) };
        let mut sum = TruncatingSum::new(request).expect("good sizes");
        let ended = match sum.add(terms, &machine, &cancel) {
            Ok(()) => sum.truncate(&machine, &cancel).err(),
            Err(error) => {
                assert_eq!(sum.truncate(&machine, &Cancel::default()).expect_err("part of a batch").code, ErrorCode::Internal);
                Some(error)
            }
        };
        (ended.map(|error| error.code), reads.load(Ordering::SeqCst))
    })
}

#[test]
fn a_cancel_from_another_thread_ends_the_call_at_every_step() {
    let case = case();
    for method in [Method::Stacked, Method::Factored, Method::Accumulated, Method::Dense] {
        let (ended, reads) = stopped_at(&case, method, usize::MAX);
        assert_eq!(ended, None, "{method:?}");
        for stop_at in [0, reads / 3, reads / 2, reads - 1] {
            let (ended, until) = stopped_at(&case, method, stop_at);
            assert_eq!(ended, Some(ErrorCode::Cancelled), "{method:?}, cancelled at read {stop_at} of {reads}");
            assert!(until <= reads && until > stop_at, "{method:?}: {until} of {reads} reads");
        }
    }
}

#[test]
fn an_iteration_that_is_cancelled_reads_the_factors_no_more_than_its_step_does() {
    let case = case();
    let (_, reads) = stopped_at(&case, Method::Factored, usize::MAX);
    let a_pass = 4 * 2 * case.terms.len();
    let (_, until) = stopped_at(&case, Method::Factored, reads / 2);
    assert!(until <= reads / 2 + a_pass, "{until} reads, cancelled at {} of {reads}", reads / 2);
}
