//! `Z (+)= [A_1; …; A_K]ᵀ S`.

use super::panel::{Panel, assert_rows, blocks};
use super::pieces::{WideRow, assert_wide};
use super::threads::Threads;
use super::tile::{CHUNK, HEIGHT, Keep, Layout, Tile, multiply_each};

/// Entries of the reduction index in one chain of sums of this product, a part of `CHUNK`: few, so that these rows of `S` stay in the
/// first-level cache while every tile passes by, and so that a job can take long rows of `A`.
pub const BAND: usize = 64;
const _: () = assert!(CHUNK.is_multiple_of(BAND));
/// Columns of `A` in one job: a page of float32 of each row. Each visit of a page costs a walk of the page table.
const COLS_MAX: usize = 1024;
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
            threads.kernels().pack_across(rows, first, width, floats, TILE);
            let next = a.chunks(BAND).nth(band + 1).unwrap_or_default();
            ahead.clear();
            next.iter().for_each(|row| ahead.push(row.elements(first, width)));
            for (number, floats) in floats.chunks(TILE).take(tiles).enumerate() {
                let height = HEIGHT.min(width - number * HEIGHT);
                let tile = Tile { layout: Layout::Across, height, steps: rows.len(), floats };
                let ahead = ahead.share(number, tiles);
                multiply_each(threads.kernels(), tile, (s, band * BAND), (&mut z, number * HEIGHT), keep, ahead);
            }
        }
    });
}
