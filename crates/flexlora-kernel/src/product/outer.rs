//! `W += [B_1 … B_K] diag(c) [A_1; …; A_K]`: the one product that is not skinny.

use super::kernels::Kernels;
use super::panel::WIDTH;
use super::pieces::{Chunk, TallPiece, WideRow, assert_wide, chunks, total_cols};
use super::threads::Threads;
use super::tile::{ALONG, CHUNK, HEIGHT, Keep, Layout, Product, Tile};

/// Columns of the concatenation in one chain of sums; the caller may split a call at a multiple of it.
pub const GROUP: usize = CHUNK;
/// Rows of `W` in one job. Each job finds and converts all of `A` for itself; this many rows make that a small part of its work.
const ROWS_MAX: usize = 512;
/// Floats of one tile of `B`.
const TILE: usize = HEIGHT * ALONG;

/// `W += B diag(c) A`: the pieces have `rows` rows and R columns in total, the R rows of `A` have `cols` elements, `coefficients` has R
/// entries, `w` is rows x cols, row-major. `c_k A_k` is rounded to float32 first.
///
/// A call may be split over R at a multiple of `GROUP` and gives the same bytes. Panics when a shape does not fit.
pub fn add_outer(
    threads: &Threads,
    pieces: &[TallPiece<'_>],
    a: &[WideRow<'_>],
    coefficients: &[f32],
    w: &mut [f32],
    rows: usize,
    cols: usize,
) {
    let rank_sum = total_cols(pieces);
    assert!(a.len() == rank_sum, "A has {} rows and B has {rank_sum} columns", a.len());
    assert!(coefficients.len() == rank_sum, "{} coefficients for {rank_sum} columns", coefficients.len());
    assert!(w.len() == rows * cols, "W has {} entries, {rows} x {cols} are needed", w.len());
    assert_wide(a, cols);
    let chunks = chunks(pieces, rows, GROUP, GROUP);
    if w.is_empty() {
        return;
    }
    let rows_per_job = threads.rows_per_job(rows, HEIGHT, ROWS_MAX);
    let jobs = w.chunks_mut(rows_per_job * cols).enumerate().collect();
    threads.for_each(jobs, |scratch, (job, w)| {
        let first = job * rows_per_job;
        let (floats, _) = scratch.split(rows_per_job / HEIGHT * TILE + GROUP * WIDTH);
        let (left, right) = floats.split_at_mut(rows_per_job / HEIGHT * TILE);
        for chunk in &chunks {
            let range = chunk.start..chunk.start + chunk.cols;
            add_chunk(threads.kernels(), chunk, first, (&a[range.clone()], &coefficients[range]), (w, cols), (left, right));
        }
    });
}

/// `w` are the rows of `W` from `first`.
fn add_chunk(
    kernels: Kernels,
    chunk: &Chunk<'_>,
    first: usize,
    (a, coefficients): (&[WideRow<'_>], &[f32]),
    (w, cols): (&mut [f32], usize),
    (left, right): (&mut [f32], &mut [f32]),
) {
    let rows = w.len() / cols;
    for (tile, row) in left.chunks_mut(TILE).zip((0..rows).step_by(HEIGHT)) {
        kernels.pack_rows(&chunk.cuts, first + row, HEIGHT.min(rows - row), tile);
    }
    for col in (0..cols).step_by(WIDTH) {
        let width = WIDTH.min(cols - col);
        for ((row, coefficient), right) in a.iter().zip(coefficients).zip(right.chunks_mut(WIDTH)) {
            kernels.convert(row.dtype, row.elements(col, width), &mut right[..width]);
            kernels.scale(&mut right[..width], *coefficient);
        }
        for (floats, row) in left.chunks(TILE).zip((0..rows).step_by(HEIGHT)) {
            let tile = Tile { layout: Layout::Along, height: HEIGHT.min(rows - row), steps: chunk.cols, floats };
            add_tile(kernels, tile, right, &mut w[row * cols + col..], cols, width);
        }
    }
}

/// `out (+)= tile * right` for the first `width` columns only.
fn add_tile(kernels: Kernels, tile: Tile<'_>, right: &[f32], out: &mut [f32], stride: usize, width: usize) {
    if width == WIDTH {
        return kernels.multiply(Product { tile, right, out, stride, keep: Keep::Add, ahead: &[] });
    }
    let mut sums = [0.0; HEIGHT * WIDTH];
    kernels.multiply(Product { tile, right, out: &mut sums, stride: WIDTH, keep: Keep::Overwrite, ahead: &[] });
    for (out, sums) in out.chunks_mut(stride).zip(sums.chunks(WIDTH)).take(tile.height) {
        for (out, sum) in out[..width].iter_mut().zip(sums) {
            *out += sum;
        }
    }
}
