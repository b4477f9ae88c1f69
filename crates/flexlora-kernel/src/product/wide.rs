//! `T = [A_1; …; A_K] X`.

use super::panel::{Panel, assert_rows, blocks};
use super::pieces::{WideRow, assert_wide};
use super::threads::Threads;
use super::tile::{ALONG, CHUNK, HEIGHT, Keep, Layout, Tile, multiply_each};

/// Rows of the factors in one job: a job reads all of `X` once.
const ROWS_MAX: usize = 512;

/// `T = A X`: the R rows of `A` have `cols` elements, panels of `X` have `cols` rows, panels of `T` R.
///
/// The reduction goes over `cols`. Panics when a shape does not fit.
pub fn wide_times(threads: &Threads, a: &[WideRow<'_>], cols: usize, x: &[Panel], t: &mut [Panel]) {
    assert!(x.len() == t.len(), "X has {} panels and T has {}", x.len(), t.len());
    assert_wide(a, cols);
    assert_rows("X", x, cols);
    assert_rows("T", t, a.len());
    if cols == 0 {
        t.iter_mut().for_each(|panel| panel.as_mut_slice().fill(0.0));
    }
    let rows_per_job = threads.rows_per_job(a.len(), HEIGHT, ROWS_MAX);
    let jobs = a.chunks(rows_per_job).zip(blocks(t, rows_per_job)).collect();
    threads.for_each(jobs, |scratch, (a, mut t)| {
        let (floats, ahead) = scratch.split(HEIGHT * ALONG);
        for col in (0..cols).step_by(CHUNK) {
            let steps = CHUNK.min(cols - col);
            let keep = if col == 0 { Keep::Overwrite } else { Keep::Add };
            for (number, rows) in a.chunks(HEIGHT).enumerate() {
                for (row, floats) in rows.iter().zip(floats.chunks_mut(ALONG)) {
                    threads.kernels().convert(row.dtype, row.elements(col, steps), &mut floats[..steps]);
                }
                ahead.clear();
                let (next, next_col) = match a.chunks(HEIGHT).nth(number + 1) {
                    Some(next) => (next, col),
                    None => (&a[..a.len().min(HEIGHT)], col + CHUNK),
                };
                for row in next {
                    ahead.push(row.elements(next_col.min(cols), CHUNK.min(cols.saturating_sub(next_col))));
                }
                let tile = Tile { layout: Layout::Along, height: rows.len(), steps, floats };
                multiply_each(threads.kernels(), tile, (x, col), (&mut t, number * HEIGHT), keep, ahead.share(0, 1));
            }
        }
    });
}
