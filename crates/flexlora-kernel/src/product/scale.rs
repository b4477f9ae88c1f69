//! `diag(c) T`.

use super::panel::{Panel, WIDTH, assert_rows, blocks};
use super::threads::Threads;

const ROWS_MAX: usize = 512;

/// Multiplies row `i` of every panel by `coefficients[i]`. Panics when a panel has another number of rows.
pub fn scale_rows(threads: &Threads, panels: &mut [Panel], coefficients: &[f32]) {
    assert_rows("T", panels, coefficients.len());
    let jobs = coefficients.chunks(ROWS_MAX).zip(blocks(panels, ROWS_MAX)).collect();
    threads.for_each(jobs, |_, (coefficients, blocks)| {
        for block in blocks {
            for (row, coefficient) in block.chunks_mut(WIDTH).zip(coefficients) {
                threads.kernels().scale(row, *coefficient);
            }
        }
    });
}
