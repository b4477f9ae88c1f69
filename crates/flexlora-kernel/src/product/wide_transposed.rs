//! `Z (+)= [A_1; …; A_K]ᵀ S`.

use super::panel::{Panel, assert_rows, blocks};
use super::pieces::{WideRow, assert_wide};
use super::threads::Threads;
use super::tile::{HEIGHT, Keep, Layout, Tile, multiply_each};

/// Entries of the reduction index in one chain of sums of this product: a quarter of `CHUNK`, so that a job can take rows long enough to be
/// worth fetching from memory and still has all its tiles in the second-level cache.
pub const BAND: usize = 128;
/// Columns of `A` in one job, the length of what is read of each row.
const COLS_MAX: usize = 256;
/// A job begins on a cache line of every element type.
const COLS_UNIT: usize = 32;
/// Floats from one tile to the next: sixteen more than it has, so that the tiles do not compete for the same lines of the cache.
const TILE: usize = HEIGHT * BAND + 16;

/// `Z (+)= Aᵀ S`: the R rows of `A` have `cols` elements, panels of `S` have R rows, panels of `Z` `cols`.
///
/// A call may be split over R at a multiple of `CHUNK`, the second part with `Keep::Add`, and gives the same bytes.
/// Panics when a shape does not fit.
pub fn wide_transposed_times(threads: &Threads, a: &[WideRow<'_>], cols: usize, s: &[Panel], z: &mut [Panel], keep: Keep) {
    assert!(s.len() == z.len(), "S has {} panels and Z has {}", s.len(), z.len());
    assert_wide(a, cols);
    assert_rows("S", s, a.len());
    assert_rows("Z", z, cols);
    if a.is_empty() && keep == Keep::Overwrite {
        z.iter_mut().for_each(|panel| panel.as_mut_slice().fill(0.0));
    }
    let cols_per_job = threads.rows_per_job(cols, COLS_UNIT, COLS_MAX);
    let jobs = blocks(z, cols_per_job).into_iter().enumerate().collect();
    threads.for_each(jobs, |scratch, (job, mut z)| {
        let (floats, ahead) = scratch.split(cols_per_job / HEIGHT * TILE);
        let first = job * cols_per_job;
        let width = cols_per_job.min(cols - first);
        let tiles = width.div_ceil(HEIGHT);
        for (band, rows) in a.chunks(BAND).enumerate() {
            let keep = if band == 0 { keep } else { Keep::Add };
            for (step, row) in rows.iter().enumerate() {
                threads.kernels().pack_across(row.dtype, row.elements(first, width), step, floats, TILE);
            }
            let next = a.chunks(BAND).nth(band + 1).unwrap_or_default();
            let mut shares = next.chunks(next.len().div_ceil(tiles).max(1));
            for (number, floats) in floats.chunks(TILE).take(tiles).enumerate() {
                ahead.clear();
                for row in shares.next().unwrap_or_default() {
                    ahead.push(row.elements(first, width));
                }
                let height = HEIGHT.min(width - number * HEIGHT);
                let tile = Tile { layout: Layout::Across, height, steps: rows.len(), floats };
                multiply_each(threads.kernels(), tile, (s, band * BAND), (&mut z, number * HEIGHT), keep, ahead);
            }
        }
    });
}
