//! `S = [B_1 … B_K]ᵀ Q`.

use super::panel::{Panel, assert_rows, blocks};
use super::pieces::{TallPiece, chunks, total_cols};
use super::threads::Threads;
use super::tile::{ACROSS, CHUNK, HEIGHT, Keep, Layout, Tile, multiply_each};

/// Columns of the factors in one job: a job reads all of `Q` once.
const COLS_MAX: usize = 512;
/// Columns that are packed together: whole cache lines of a wide factor, and 64 KiB of tiles.
const PACKED_COLS: usize = 32;

/// `S = [B_1 … B_K]ᵀ Q`: the pieces have `rows` rows and R columns in total, panels of `Q` have `rows` rows, panels of `S` R.
///
/// The reduction goes over `rows`. Panics when a shape does not fit.
pub fn tall_transposed_times(threads: &Threads, pieces: &[TallPiece<'_>], rows: usize, q: &[Panel], s: &mut [Panel]) {
    assert!(q.len() == s.len(), "Q has {} panels and S has {}", q.len(), s.len());
    assert_rows("Q", q, rows);
    assert_rows("S", s, total_cols(pieces));
    if rows == 0 {
        s.iter_mut().for_each(|panel| panel.as_mut_slice().fill(0.0));
    }
    let cols_per_job = threads.rows_per_job(total_cols(pieces), PACKED_COLS, COLS_MAX);
    let groups = chunks(pieces, rows, cols_per_job, PACKED_COLS);
    let jobs = groups.iter().zip(blocks(s, cols_per_job)).collect();
    threads.for_each(jobs, |scratch, (group, mut s)| {
        let (floats, ahead) = scratch.split(PACKED_COLS / HEIGHT * ACROSS);
        for row in (0..rows).step_by(CHUNK) {
            let steps = CHUNK.min(rows - row);
            let keep = if row == 0 { Keep::Overwrite } else { Keep::Add };
            for (index, cut) in group.cuts.iter().enumerate() {
                threads.kernels().pack_columns(cut, row, steps, floats, ACROSS);
                let (next, next_row) = group.cuts.get(index + 1).map_or((&group.cuts[0], row + CHUNK), |next| (next, row));
                ahead.clear();
                if next_row < rows {
                    next.push_rows(ahead, next_row, CHUNK.min(rows - next_row));
                }
                let tiles = cut.cols().div_ceil(HEIGHT);
                for (number, floats) in floats.chunks(ACROSS).take(tiles).enumerate() {
                    let height = HEIGHT.min(cut.cols() - number * HEIGHT);
                    let tile = Tile { layout: Layout::Across, height, steps, floats };
                    let ahead = ahead.share(number, tiles);
                    multiply_each(threads.kernels(), tile, (q, row), (&mut s, cut.at() + number * HEIGHT), keep, ahead);
                }
            }
        }
    });
}
