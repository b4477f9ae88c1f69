//! Orthonormal rows for components that W does not have, so that they can still be trained.

use crate::error::{ErrorCode, KernelError, Result};
use crate::random::SplitMix64;

/// Draws before giving up. A draw fails only if it lies within `INDEPENDENT_MIN` of the rows that are already there, which has a
/// probability of about that number, so eight failures in a row are a bug.
const DRAWS_MAX: u64 = 8;

/// The share of a draw that must lie outside the rows so far. Two passes of Gram-Schmidt bring any such draw to full accuracy
/// (Giraud, Langou, Rozložník 2005).
const INDEPENDENT_MIN: f64 = 1e-6;

/// Appends orthonormal rows until there are `count`. Row j depends on the seed, on j and on the rows before it.
pub fn complete_rows(rows: &mut Vec<Vec<f64>>, count: usize, length: usize, seed: u64, module: &str) -> Result<()> {
    while rows.len() < count {
        let next = (0..DRAWS_MAX).find_map(|attempt| draw_row(rows, length, seed, attempt));
        let Some(row) = next else {
            return Err(KernelError::new(
                ErrorCode::Internal,
                format!("module {module:?}: no row of length {length} is orthogonal to {} others: report this input", rows.len()),
            ));
        };
        rows.push(row);
    }
    Ok(())
}

fn draw_row(rows: &[Vec<f64>], length: usize, seed: u64, attempt: u64) -> Option<Vec<f64>> {
    let mut random = SplitMix64::stream(seed, rows.len() as u64 * DRAWS_MAX + attempt);
    let mut row: Vec<f64> = (0..length).map(|_| random.next_signed_unit()).collect();
    let drawn = norm(&row);
    for _pass in 0..2 {
        for other in rows {
            let along = dot(other, &row);
            for (x, o) in row.iter_mut().zip(other) {
                *x -= along * o;
            }
        }
    }
    let left = norm(&row);
    if left.is_nan() || left <= INDEPENDENT_MIN * drawn {
        return None;
    }
    for x in &mut row {
        *x /= left;
    }
    Some(row)
}

fn norm(row: &[f64]) -> f64 {
    dot(row, row).sqrt()
}

/// Eight sums side by side, so that the processor's vectors can be used; their order is fixed.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        for (sum, (x, y)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += x * y;
        }
    }
    sums.iter().sum::<f64>() + a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum::<f64>()
}
