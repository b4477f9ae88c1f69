//! The measured residual: the answer that is handed out against the terms themselves, on random vectors. Nothing of the
//! decomposition enters the left side, so a mistake there shows.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};

use crate::canonical::Canonical;
use crate::random::SplitMix64;
use crate::request::Sum;

/// Random vectors: the relative sampling error of a squared norm is at most about sqrt(2 / 8).
const PROBES: usize = 8;

/// The probes are the same for every call: a residual can be reproduced, and the same input gives the same bytes.
const PROBE_SEED: u64 = 0x666c_6578_6c6f_7261;

/// `|W G - U S Vᵀ G|_F / |W G|_F`, 0 where W is zero.
pub fn measure_residual(sum: &Sum<'_>, answer: &Canonical) -> f64 {
    if answer.energy_total == 0.0 {
        return 0.0;
    }
    let probes = draw_probes(sum.in_cols);
    let mut image = apply_terms(sum, probes.as_ref());
    let total = image.norm_l2();
    let mut weights = Mat::zeros(sum.rank, PROBES);
    let v = widen(&answer.v, sum.rank, sum.in_cols);
    matmul(weights.as_mut(), Accum::Replace, v, probes, 1.0, Par::Seq);
    for j in 0..sum.rank {
        for probe in 0..PROBES {
            weights[(j, probe)] *= answer.values[j];
        }
    }
    let u = widen(&answer.u, sum.rank, sum.out_rows);
    matmul(image.as_mut(), Accum::Add, u.transpose(), weights, -1.0, Par::Seq);
    if total > 0.0 { image.norm_l2() / total } else { 0.0 }
}

fn draw_probes(length: usize) -> Mat<f64> {
    let mut probes = Mat::zeros(length, PROBES);
    for probe in 0..PROBES {
        let mut random = SplitMix64::stream(PROBE_SEED, probe as u64);
        for row in 0..length {
            probes[(row, probe)] = random.next_signed_unit();
        }
    }
    probes
}

/// `sum of c_k B_k (A_k x)`, one term at a time.
fn apply_terms(sum: &Sum<'_>, x: MatRef<'_, f64>) -> Mat<f64> {
    let mut y = Mat::zeros(sum.out_rows, x.ncols());
    for term in &sum.terms {
        let mut inner = Mat::zeros(term.a.rows, x.ncols());
        matmul(inner.as_mut(), Accum::Replace, read(&term.a), x, term.coefficient, Par::Seq);
        matmul(y.as_mut(), Accum::Add, read(&term.b), inner, 1.0, Par::Seq);
    }
    y
}

fn read(factor: &crate::factor::Factor<'_>) -> Mat<f64> {
    let mut matrix = Mat::zeros(factor.rows, factor.cols);
    let mut values = vec![0.0; factor.cols];
    for row in 0..factor.rows {
        factor.read_row(row, &mut values);
        for (col, value) in values.iter().enumerate() {
            matrix[(row, col)] = *value;
        }
    }
    matrix
}

fn widen(values: &[f32], rows: usize, cols: usize) -> Mat<f64> {
    Mat::from_fn(rows, cols, |i, j| f64::from(values[i * cols + j]))
}
