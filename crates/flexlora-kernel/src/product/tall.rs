//! `Y (+)= [B_1 … B_K] T`.

use super::ahead::Ahead;
use super::panel::{Panel, assert_rows, blocks};
use super::pieces::{Chunk, TallPiece, chunks, total_cols};
use super::threads::Threads;
use super::tile::{ALONG, CHUNK, HEIGHT, Keep, Layout, Tile, multiply_each};

/// Rows of the result in one job, which reads all of `T` once: with the rows of `T` that a chunk needs and the packed tiles, they stay in a
/// second-level cache of a megabyte.
const ROWS_MAX: usize = 512;
/// Rows that are packed together: with fewer, the short rows of a factor of small rank cost more to find than to convert.
const PACKED_ROWS: usize = 32;

/// `Y (+)= [B_1 … B_K] T`: the pieces have `rows` rows and R columns in total, panels of `T` have R rows, panels of `Y` `rows`.
///
/// A call may be split over R at a multiple of `CHUNK`, the second part with `Keep::Add`, and gives the same bytes.
/// Panics when a shape does not fit.
pub fn tall_times(threads: &Threads, pieces: &[TallPiece<'_>], rows: usize, t: &[Panel], y: &mut [Panel], keep: Keep) {
    assert!(t.len() == y.len(), "T has {} panels and Y has {}", t.len(), y.len());
    assert_rows("T", t, total_cols(pieces));
    assert_rows("Y", y, rows);
    let chunks = chunks(pieces, rows, CHUNK, CHUNK);
    if chunks.is_empty() && keep == Keep::Overwrite {
        y.iter_mut().for_each(|panel| panel.as_mut_slice().fill(0.0));
    }
    let rows_per_job = threads.rows_per_job(rows, HEIGHT, ROWS_MAX);
    let jobs = blocks(y, rows_per_job).into_iter().enumerate().collect();
    threads.for_each(jobs, |scratch, (job, mut y)| {
        let (floats, ahead) = scratch.split(PACKED_ROWS * ALONG);
        let first = job * rows_per_job;
        let end = rows.min(first + rows_per_job);
        for (index, chunk) in chunks.iter().enumerate() {
            let keep = if index == 0 { keep } else { Keep::Add };
            for start in (first..end).step_by(PACKED_ROWS) {
                let packed = PACKED_ROWS.min(end - start);
                threads.kernels().pack_rows(&chunk.cuts, start, packed, floats);
                // What is packed next; each tile fetches its share.
                ahead.clear();
                if start + packed < end {
                    push_rows(ahead, chunk, start + packed, PACKED_ROWS.min(end - start - packed));
                } else if let Some(next) = chunks.get(index + 1) {
                    push_rows(ahead, next, first, PACKED_ROWS.min(end - first));
                }
                let tiles = packed.div_ceil(HEIGHT);
                for (number, floats) in floats.chunks(HEIGHT * ALONG).take(tiles).enumerate() {
                    let height = HEIGHT.min(packed - number * HEIGHT);
                    let row = start - first + number * HEIGHT;
                    let tile = Tile { layout: Layout::Along, height, steps: chunk.cols, floats };
                    multiply_each(threads.kernels(), tile, (t, chunk.start), (&mut y, row), keep, ahead.share(number, tiles));
                }
            }
        }
    });
}

fn push_rows(ahead: &mut Ahead, chunk: &Chunk<'_>, row: usize, count: usize) {
    for cut in &chunk.cuts {
        cut.push_rows(ahead, row, count);
    }
}
