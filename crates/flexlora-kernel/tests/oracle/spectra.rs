//! Sums whose singular values are chosen.

use super::{Case, Draw, OwnedTerm, dot};

/// Weights of the terms: signs, and magnitudes that differ.
const COEFFICIENTS: [f64; 4] = [0.5, -2.0, 0.125, 1.5];

/// `P diag(spectrum) Qᵀ` with random orthonormal P and Q, as the sum of terms of these ranks, whose columns are all mixed:
/// `B = P S^½ G` and `A = Gᵀ S^½ Qᵀ` with `G Gᵀ = 1`. Needs as many values as the shape and the ranks allow, or fewer.
pub fn case_of(draw: &mut Draw, (out_rows, in_cols): (usize, usize), spectrum: &[f64], ranks: &[usize]) -> Case {
    let rank_sum: usize = ranks.iter().sum();
    let count = spectrum.len();
    assert!(count <= rank_sum.min(out_rows).min(in_cols), "{count} values do not fit");
    let [p, q, g] = [out_rows, in_cols, rank_sum].map(|length| orthonormal(draw, count, length));
    let roots: Vec<f64> = spectrum.iter().map(|value| value.sqrt()).collect();
    let mut first = 0;
    let terms = ranks.iter().enumerate().map(|(k, &rank)| {
        let coefficient = COEFFICIENTS[k % COEFFICIENTS.len()];
        let (mut b, mut a) = (vec![0.0; out_rows * rank], vec![0.0; rank * in_cols]);
        for column in 0..rank {
            let mixed: Vec<f64> = (0..count).map(|j| roots[j] * g[j][first + column]).collect();
            let along_p = combined(&p, &mixed, out_rows);
            (0..out_rows).for_each(|i| b[i * rank + column] = (along_p[i] / coefficient) as f32);
            let along_q = combined(&q, &mixed, in_cols);
            (0..in_cols).for_each(|i| a[column * in_cols + i] = along_q[i] as f32);
        }
        first += rank;
        OwnedTerm { label: format!("agent-{k}"), coefficient, rank, b, a }
    });
    let terms = terms.collect();
    Case { out_rows, in_cols, terms }
}

/// What federated adapters look like: a common part that decays, and to each client's factors a noise of a share of their size.
pub fn common_and_noise(draw: &mut Draw, shape: (usize, usize), ranks: &[usize], share: f64) -> Case {
    let count = ranks.iter().sum::<usize>().min(shape.0).min(shape.1);
    let mut case = case_of(draw, shape, &geometric(count, 0.85), ranks);
    for term in &mut case.terms {
        for factor in [&mut term.b, &mut term.a] {
            let norm = factor.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>();
            // Uniform in [-1, 1) has a variance of a third.
            let size = share * (3.0 * norm / factor.len() as f64).sqrt();
            factor.iter_mut().for_each(|x| *x += (size * draw.signed()) as f32);
        }
    }
    case
}

pub fn geometric(count: usize, ratio: f64) -> Vec<f64> {
    (0..count).map(|j| ratio.powi(j as i32)).collect()
}

pub fn power_law(count: usize, exponent: f64) -> Vec<f64> {
    (0..count).map(|j| (1.0 + j as f64).powf(-exponent)).collect()
}

/// So many of each value.
pub fn steps(of: &[(usize, f64)]) -> Vec<f64> {
    of.iter().flat_map(|(count, value)| std::iter::repeat_n(*value, *count)).collect()
}

fn orthonormal(draw: &mut Draw, count: usize, length: usize) -> Vec<Vec<f64>> {
    let mut rows: Vec<Vec<f64>> = Vec::with_capacity(count);
    while rows.len() < count {
        let mut row: Vec<f64> = (0..length).map(|_| draw.signed()).collect();
        for _twice in 0..2 {
            for other in &rows {
                let along = dot(other, &row);
                row.iter_mut().zip(other).for_each(|(x, o)| *x -= along * o);
            }
        }
        let norm = dot(&row, &row).sqrt();
        row.iter_mut().for_each(|x| *x /= norm);
        rows.push(row);
    }
    rows
}

fn combined(rows: &[Vec<f64>], weights: &[f64], length: usize) -> Vec<f64> {
    let mut sum = vec![0.0; length];
    for (row, weight) in rows.iter().zip(weights) {
        sum.iter_mut().zip(row).for_each(|(x, value)| *x += weight * value);
    }
    sum
}
