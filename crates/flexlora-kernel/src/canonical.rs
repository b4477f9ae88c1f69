//! From a decomposition to the one answer: components that are there, their signs, and rows for those that are not.

use faer::Mat;

use crate::completion::complete_rows;
use crate::decomposition::Decomposition;
use crate::error::{ErrorCode, KernelError, Result};
use crate::scale::times_power_of_two;
use crate::sum::Sum;

/// Rounding errors of the sum are of the order of its unit roundoff times `Sum::magnitude`; this is the margin above that. What cancels
/// between terms leaves noise of that size, which must not be handed out as a direction.
const CANCELLATION_MARGIN: f64 = 16.0;

/// Entries this close to the largest magnitude of a row count as equal to it, so that the last bits of two entries that are equal
/// in exact arithmetic do not decide a sign.
const EQUAL_MAGNITUDE: f64 = 1e-6;

/// Everything about W that is handed out, still at the scale of the sum.
pub struct Canonical {
    /// rank x out, row-major.
    pub u: Vec<f32>,
    pub values: Vec<f64>,
    /// rank x in, row-major.
    pub v: Vec<f32>,
    pub energy_kept: f64,
    pub energy_total: f64,
}

pub fn canonical(found: &Decomposition, sum: &Sum<'_>) -> Result<Canonical> {
    let present = count_present(found, sum);
    let mut u = vec![0.0f32; sum.rank * sum.out_rows];
    let mut rows: Vec<Vec<f64>> = (0..present).map(|j| column(&found.v, j)).collect();
    complete_rows(&mut rows, sum.rank, sum.in_cols, sum.completion_seed, sum.module)?;
    let mut v = vec![0.0f32; sum.rank * sum.in_cols];
    for (j, row) in rows.iter().enumerate() {
        let sign = sign_of_largest(row);
        write_row(&mut v, j, row, sign);
        if j < present {
            write_row(&mut u, j, &column(&found.u, j), sign);
        }
    }
    let mut values = vec![0.0; sum.rank];
    values[..present].copy_from_slice(&found.values[..present]);
    let energy_total = if found.values.is_empty() || is_noise(found.values[0], sum) { 0.0 } else { found.energy_total };
    let energy_kept = values.iter().map(|s| s * s).sum::<f64>().min(energy_total);
    check_range(energy_total, sum)?;
    Ok(Canonical { u, values, v, energy_kept, energy_total })
}

/// A value below the accuracy of the decomposition, or of the sum itself, is not there.
fn count_present(found: &Decomposition, sum: &Sum<'_>) -> usize {
    let largest = found.values.first().copied().unwrap_or(0.0);
    let side = sum.out_rows.max(sum.in_cols) as f64;
    let there = |s: f64| s > side * f64::EPSILON * largest && !is_noise(s, sum) && times_power_of_two(s, sum.exponent) > 0.0;
    found.values.iter().take(sum.rank).take_while(|s| there(**s)).count()
}

fn is_noise(value: f64, sum: &Sum<'_>) -> bool {
    value <= CANCELLATION_MARGIN * sum.roundoff * sum.magnitude
}

fn check_range(energy_total: f64, sum: &Sum<'_>) -> Result<()> {
    if times_power_of_two(energy_total, 2 * sum.exponent).is_finite() {
        return Ok(());
    }
    Err(KernelError::new(
        ErrorCode::NotFinite,
        format!(
            "module {:?}: the squared norm of the sum is above {:e}, the largest number: scale the coefficients down",
            sum.module,
            f64::MAX
        ),
    ))
}

fn column(matrix: &Mat<f64>, j: usize) -> Vec<f64> {
    matrix.col(j).iter().copied().collect()
}

fn sign_of_largest(row: &[f64]) -> f64 {
    let largest = row.iter().fold(0.0f64, |most, x| most.max(x.abs()));
    match row.iter().find(|x| x.abs() >= largest * (1.0 - EQUAL_MAGNITUDE)) {
        Some(x) if *x < 0.0 => -1.0,
        _ => 1.0,
    }
}

fn write_row(matrix: &mut [f32], j: usize, row: &[f64], sign: f64) {
    let start = j * row.len();
    for (to, from) in matrix[start..start + row.len()].iter_mut().zip(row) {
        *to = (sign * from) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::sign_of_largest;

    #[test]
    fn the_first_of_entries_equal_up_to_rounding_decides_the_sign() {
        assert_eq!(sign_of_largest(&[-0.5, 0.5 + 1e-12, 0.1]), -1.0);
        assert_eq!(sign_of_largest(&[0.5, -0.5 - 1e-12, 0.1]), 1.0);
        assert_eq!(sign_of_largest(&[0.5, -0.6, 0.1]), -1.0);
        assert_eq!(sign_of_largest(&[0.0, 0.0]), 1.0);
    }
}
