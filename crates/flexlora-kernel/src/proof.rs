//! The measured residual: the answer that is handed out against the terms themselves, on random vectors. Nothing of the
//! decomposition enters the left side, so a mistake there shows.

use std::ops::Range;

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};

use crate::canonical::Canonical;
use crate::factor::Factor;
use crate::random::SplitMix64;
use crate::request::Term;
use crate::scale::scale_by_power_of_two;
use crate::sum::Sum;

/// Random vectors: the relative sampling error of a squared norm is at most about sqrt(2 / 8).
pub const PROBES: usize = 8;

/// The probes are the same for every call: a residual can be reproduced, and the same input gives the same bytes.
const PROBE_SEED: u64 = 0x666c_6578_6c6f_7261;

/// G and, as the terms come in, `W G`.
pub struct Proof {
    /// in x PROBES.
    probes: Mat<f64>,
    /// out x PROBES.
    image: Mat<f64>,
}

impl Proof {
    /// From `W G` that was taken on the way.
    pub fn of(probes: Mat<f64>, image: Mat<f64>) -> Self {
        Self { probes, image }
    }

    pub fn new(out_rows: usize, in_cols: usize) -> Self {
        Self { probes: draw_probes(in_cols), image: Mat::zeros(out_rows, PROBES) }
    }

    /// `image += coefficient * B (A G)`.
    pub fn push(&mut self, term: &Term<'_, &[u8]>, coefficient: f64) {
        let mut inner = Mat::zeros(term.a.rows, PROBES);
        for rows in groups(term.a.rows) {
            let values = read(&term.a, rows.clone());
            let part = inner.as_mut().subrows_mut(rows.start, rows.len());
            matmul(part, Accum::Replace, row_major(&values, term.a.cols), &self.probes, coefficient, Par::Seq);
        }
        for rows in groups(term.b.rows) {
            let values = read(&term.b, rows.clone());
            let part = self.image.as_mut().subrows_mut(rows.start, rows.len());
            matmul(part, Accum::Add, row_major(&values, term.b.cols), &inner, 1.0, Par::Seq);
        }
    }

    pub fn scale(&mut self, power: i32) {
        scale_by_power_of_two(self.image.as_mut(), power);
    }

    /// `|W G - U S Vᵀ G|_F / |W G|_F`, 0 where W is zero.
    pub fn residual(self, sum: &Sum<'_>, answer: &Canonical) -> f64 {
        if answer.energy_total == 0.0 {
            return 0.0;
        }
        let Self { probes, mut image } = self;
        let total = image.norm_l2();
        let mut weights = Mat::zeros(sum.rank, PROBES);
        let v = widen(&answer.v);
        matmul(weights.as_mut(), Accum::Replace, row_major(&v, sum.in_cols), probes, 1.0, Par::Seq);
        for j in 0..sum.rank {
            for probe in 0..PROBES {
                weights[(j, probe)] *= answer.values[j];
            }
        }
        let u = widen(&answer.u);
        matmul(image.as_mut(), Accum::Add, row_major(&u, sum.out_rows).transpose(), weights, -1.0, Par::Seq);
        if total > 0.0 { image.norm_l2() / total } else { 0.0 }
    }
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

/// Rows of a factor that are held in float64 at once.
pub const READ_ROWS: usize = 256;

fn groups(rows: usize) -> impl Iterator<Item = Range<usize>> {
    (0..rows).step_by(READ_ROWS).map(move |first| first..rows.min(first + READ_ROWS))
}

/// Some rows, row-major.
fn read(factor: &Factor<&[u8]>, rows: Range<usize>) -> Vec<f64> {
    let mut values = vec![0.0; rows.len() * factor.cols];
    for (values, row) in values.chunks_exact_mut(factor.cols).zip(rows) {
        factor.read_row(row, values);
    }
    values
}

fn widen(values: &[f32]) -> Vec<f64> {
    values.iter().map(|x| f64::from(*x)).collect()
}

fn row_major(values: &[f64], cols: usize) -> MatRef<'_, f64> {
    MatRef::from_row_major_slice(values, values.len() / cols, cols)
}
