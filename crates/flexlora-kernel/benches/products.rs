//! How near the products come to the processor's peak, at the largest case that is planned for: `cargo bench -p flexlora-kernel --bench
//! products`. Plain timing without a framework: each product takes long, and what counts is the share of a peak that is measured beside it.

use std::time::Instant;

use flexlora_kernel::Dtype;
use flexlora_kernel::product::{
    Keep, Panel, TallPiece, Threads, WIDTH, WideRow, add_outer, measured_peak, scan, tall_times, tall_transposed_times, wide_times,
    wide_transposed_times,
};

const ROWS: usize = 4096;
const COLS: usize = 4096;
const TERMS: usize = 1020;
/// Columns of the concatenation that `add_outer` is timed on: enough to be in its stride.
const OUTER_COLUMNS: usize = 8192;
const REPETITIONS: usize = 5;

struct Term {
    rank: usize,
    b: Vec<u8>,
    a: Vec<u8>,
}

fn main() {
    for dtype in [Dtype::F32, Dtype::Bf16] {
        let terms = terms(dtype);
        for count in [1, 2] {
            let threads = Threads::new(count).expect("threads");
            for panels in [1, 2] {
                println!("\n{dtype:?}, {count} threads, {} columns, {:?}", panels * WIDTH, threads.isa());
                time_all(&threads, dtype, &terms, panels);
            }
        }
    }
}

/// Of ten terms eight have rank 8, one 30 and one 200.
fn terms(dtype: Dtype) -> Vec<Term> {
    let rank = |index: usize| match index % 10 {
        3 => 30,
        7 => 200,
        _ => 8,
    };
    let bytes = |elements: usize| {
        // Finite in every type: exponents from 2^-7 to 1.
        let mut bits = 0x9e37_79b9u32;
        let mut next = || {
            bits = bits.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (0.5 - (bits >> 8) as f32 / (1 << 24) as f32).to_bits()
        };
        let of_element = |bits: u32| bits.to_le_bytes().into_iter().skip(4 - dtype.bytes());
        (0..elements).flat_map(|_| of_element(next())).collect()
    };
    (0..TERMS).map(rank).map(|rank| Term { rank, b: bytes(ROWS * rank), a: bytes(rank * COLS) }).collect()
}

fn time_all(threads: &Threads, dtype: Dtype, terms: &[Term], panels: usize) {
    let pieces: Vec<TallPiece<'_>> =
        terms.iter().map(|term| TallPiece { dtype, bytes: &term.b, stride: term.rank, first: 0, cols: term.rank }).collect();
    let a: Vec<WideRow<'_>> =
        terms.iter().flat_map(|term| term.a.chunks(COLS * dtype.bytes())).map(|bytes| WideRow { dtype, bytes }).collect();
    let of_rows = |rows: usize| {
        let mut block = vec![Panel::zeros(rows); panels];
        block.iter_mut().flat_map(|panel| panel.as_mut_slice()).enumerate().for_each(|(index, entry)| *entry = (index % 97) as f32 / 97.0);
        block
    };
    let (x, mut t, mut y, mut s, mut z) = (of_rows(COLS), of_rows(a.len()), of_rows(ROWS), of_rows(a.len()), of_rows(COLS));
    let columns = panels * WIDTH;
    report(threads, "wide_times", a.len() * COLS * columns, || wide_times(threads, &a, COLS, &x, &mut t));
    report(threads, "tall_times", a.len() * ROWS * columns, || tall_times(threads, &pieces, ROWS, &t, &mut y, Keep::Overwrite));
    report(threads, "tall_transposed_times", a.len() * ROWS * columns, || tall_transposed_times(threads, &pieces, ROWS, &y, &mut s));
    report(threads, "wide_transposed_times", a.len() * COLS * columns, || {
        wide_transposed_times(threads, &a, COLS, &s, &mut z, Keep::Overwrite);
    });
    if panels == 1 {
        let mut w = vec![0.0; ROWS * COLS];
        let (pieces, columns) = prefix(&pieces, OUTER_COLUMNS);
        let coefficients = vec![1.0 / 1024.0; columns];
        report(threads, "add_outer", columns * ROWS * COLS, || {
            add_outer(threads, &pieces, &a[..columns], &coefficients, &mut w, ROWS, COLS);
        });
        let start = Instant::now();
        let found = terms.iter().filter(|term| scan(dtype, &term.a).first_not_finite.is_some()).count();
        let seconds = start.elapsed().as_secs_f64();
        assert_eq!(found, 0, "the elements are finite");
        let bytes: usize = terms.iter().map(|term| term.a.len()).sum();
        println!("{:<22} {seconds:8.4} s  {:7.2} GB/s on one thread", "scan of A", bytes as f64 / seconds / 1e9);
    }
}

/// The first pieces that have no more than `columns` columns.
fn prefix<'a>(pieces: &[TallPiece<'a>], columns: usize) -> (Vec<TallPiece<'a>>, usize) {
    let mut total = 0;
    let fits = |piece: &&TallPiece<'_>| {
        total += piece.cols;
        total <= columns
    };
    let taken: Vec<TallPiece<'a>> = pieces.iter().take_while(fits).copied().collect();
    let columns = taken.iter().map(|piece| piece.cols).sum();
    (taken, columns)
}

/// The fastest of a few runs beside the peak that is measured around them.
fn report(threads: &Threads, name: &str, multiplications: usize, mut run: impl FnMut()) {
    run();
    let (mut fastest, mut peak) = (f64::INFINITY, 0.0f64);
    for _ in 0..REPETITIONS {
        peak = peak.max(measured_peak(threads));
        let start = Instant::now();
        run();
        fastest = fastest.min(start.elapsed().as_secs_f64());
    }
    let rate = 2.0 * multiplications as f64 / fastest;
    println!("{name:<22} {fastest:8.4} s  {:7.1} Gop/s  {:3.0} % of {:.1}", rate / 1e9, 100.0 * rate / peak, peak / 1e9);
}
