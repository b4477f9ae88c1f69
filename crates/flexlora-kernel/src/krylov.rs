//! A block Krylov iteration with Rayleigh–Ritz on the whole space (Golub, Luk and Overton 1981; Musco and Musco 2015), full
//! re-orthogonalisation ("twice is enough"), blocks in float32 and the small problem in float64.

use faer::Mat;

use crate::basis::{columns, combine, gram, orthonormalise, project_out};
use crate::cancel::Cancel;
use crate::convergence::{Convergence, Verdict};
use crate::decomposition::Decomposition;
use crate::error::{ErrorCode, KernelError, Result};
use crate::first_pass::{FirstPass, energy_of_probes, random_signs};
use crate::machine::Machine;
use crate::operator::Operator;
use crate::product::{Panel, WIDTH};
use crate::ritz::Ritz;
use crate::sum::Sum;
use crate::thin_qr::ThinQr;

/// Directions of a block with less energy than this share of the largest squared value are rounding noise of float32: 2^-21, squared. Not more: the
/// residuals of small values, which the next block lives on, are hardly larger.
const NOISE_SQUARED: f64 = 1.0 / (1u64 << 42) as f64;

/// A block whose largest direction has less energy than this is nothing but noise, and so is what the probes see outside of the basis when it is
/// less than this share of what they saw of W: 2e-6, squared.
const EXHAUSTED_SQUARED: f64 = 4e-12;

/// Values up to this share of the largest are not told from that noise: 5e-7, squared.
const ABSENT_SQUARED: f64 = 2.5e-13;

/// After one projection and orthonormalisation the second takes away rounding, unless a direction was noise before: one that loses half of its
/// energy was, and would not be independent of the others.
const SECOND_DROP: f64 = 0.5;

/// The signs that fill a block have numbers from here on, those of a new start smaller ones.
const FILL_NUMBER: u64 = 1 << 32;

/// Up to this order the Ritz values are looked at after every block, above it when the basis has grown by a tenth.
const EVERY_BLOCK_ORDER: usize = 384;

/// W has nothing outside the space.
const EXHAUSTED: Verdict = Verdict { is_converged: true, excess: 0.0 };

/// Where the iteration came to.
pub struct Iterated {
    pub decomposition: Decomposition,
    /// The standard error of the decomposition's total energy.
    pub energy_error: f64,
    pub blocks: usize,
    pub excess: f64,
    /// Whether the tolerance is met; the decomposition is the best so far in any case.
    pub is_converged: bool,
}

/// The basis Q (out x m), its image `Z = Wᵀ Q` (in x m), and W on it.
struct Space {
    q: Vec<Panel>,
    z: Vec<Panel>,
    ritz: Ritz,
    /// Columns of Q that are not zeros.
    directions: usize,
}

pub fn iterate(
    operator: &dyn Operator,
    first: &FirstPass,
    sum: &Sum<'_>,
    (tolerance, blocks_max): (f64, usize),
    machine: &Machine,
    cancel: &Cancel,
) -> Result<Iterated> {
    let mut space = Space { q: Vec::new(), z: Vec::new(), ritz: Ritz::new(), directions: 0 };
    let mut convergence = Convergence::new(sum.rank, tolerance);
    let mut verdict = Verdict { is_converged: false, excess: f64::INFINITY };
    let (mut y, mut probes) = (first.start(), first.probes());
    let (mut largest, mut looked_at, mut is_fresh) = (0.0f64, 0, false);
    let rounding_outside = EXHAUSTED_SQUARED * energy_of_probes(&probes).0;
    loop {
        cancel.check(sum.module)?;
        let directions = space.make_orthonormal(machine, &mut y, largest, sum.module)?;
        if directions == 0 {
            if is_fresh || energy_of_probes(&probes).0 <= rounding_outside {
                verdict = EXHAUSTED;
                break;
            }
            // W repeats values more often than the block has columns: the space takes no more of them from this start, but from another.
            y = operator.times(machine, &random_signs(sum.in_cols, 1 + space.q.len() as u64));
            is_fresh = true;
            continue;
        }
        is_fresh = false;
        project_out(machine, std::slice::from_ref(&y), &mut probes);
        let z = operator.transposed_times(machine, &y);
        space.extend(machine, y, z, directions);
        let order = space.order();
        if space.directions >= sum.out_rows.min(sum.in_cols) && energy_of_probes(&probes).0 <= rounding_outside {
            verdict = EXHAUSTED;
            break;
        }
        let is_last = space.q.len() == blocks_max;
        if is_last || order <= EVERY_BLOCK_ORDER || order * 10 >= looked_at * 11 {
            looked_at = order;
            let values = space.ritz.values(sum.module)?;
            largest = values[0];
            if space.directions >= sum.rank {
                let (outside, error) = energy_of_probes(&probes);
                // Two standard errors below the estimate: a tail that is taken for too large would end the iteration too early.
                verdict = convergence.look(&values, (outside - 2.0 * error).max(0.0));
            }
        }
        if is_last || verdict.is_converged {
            break;
        }
        cancel.check(sum.module)?;
        let mut x = space.z[space.z.len() - 1].clone();
        let alive = orthonormalise(machine, &mut x, largest, NOISE_SQUARED, sum.module)?;
        fill(&mut x, alive, space.q.len());
        y = operator.times(machine, &x);
    }
    cancel.check(sum.module)?;
    let (outside, energy_error) = energy_of_probes(&probes);
    let blocks = space.q.len();
    let decomposition = space.decompose(machine, sum, outside)?;
    Ok(Iterated { decomposition, energy_error, blocks, excess: verdict.excess, is_converged: verdict.is_converged })
}

impl Space {
    fn order(&self) -> usize {
        self.q.len() * WIDTH
    }

    /// How many directions of `y` lie outside the basis; `y` becomes these, orthonormal.
    fn make_orthonormal(&self, machine: &Machine, y: &mut Panel, largest: f64, module: &str) -> Result<usize> {
        project_out(machine, &self.q, y);
        let energy = energy_of_columns(y);
        if !energy.is_finite() {
            return Err(KernelError::new(
                ErrorCode::NotFinite,
                format!(
                    "module {module:?}: the sum is beyond the numbers of float32 at its own scale: ask for the method dense, which says more"
                ),
            ));
        }
        if energy <= EXHAUSTED_SQUARED * largest || orthonormalise(machine, y, largest, NOISE_SQUARED, module)? == 0 {
            return Ok(0);
        }
        project_out(machine, &self.q, y);
        orthonormalise(machine, y, 1.0, SECOND_DROP, module)
    }

    fn extend(&mut self, machine: &Machine, y: Panel, z: Panel, directions: usize) {
        self.directions += directions;
        self.q.push(y);
        self.z.push(z);
        let newest = self.q.len() - 1;
        self.ritz.extend(&gram(machine, &self.z, &self.z[newest]), &gram(machine, &self.q, &self.q[newest]));
    }

    /// `W ≈ Q S (Z S)ᵀ` with the leading Ritz vectors S; its error is `|W|² - sum of the values kept`, exactly.
    fn decompose(self, machine: &Machine, sum: &Sum<'_>, outside: f64) -> Result<Decomposition> {
        if self.q.is_empty() {
            return Ok(Decomposition::zero(sum.out_rows, sum.in_cols));
        }
        let solved = self.ritz.solve(sum.module)?;
        let energy_total = solved.values.iter().sum::<f64>() + outside;
        let present = solved.values.iter().take(sum.rank).filter(|value| **value > ABSENT_SQUARED * solved.values[0]).count();
        if present == 0 {
            return Ok(Decomposition { energy_total, ..Decomposition::zero(sum.out_rows, sum.in_cols) });
        }
        let vectors = solved.vectors.subcols(0, present);
        let values: Vec<f64> = solved.values[..present].iter().map(|value| value.sqrt()).collect();
        let scaled = Mat::from_fn(vectors.nrows(), present, |i, j| vectors[(i, j)] / values[j]);
        let u = columns(&combine(machine, &self.q, vectors), present);
        let v = orthonormal_in_order(columns(&combine(machine, &self.z, scaled.as_ref()), present));
        Ok(Decomposition { u, values, v, energy_total })
    }
}

/// Random signs of norm one in the columns from `alive` on: a product takes as long with empty columns as with a new start in them.
fn fill(x: &mut Panel, alive: usize, block: usize) {
    if alive == WIDTH {
        return;
    }
    let signs = random_signs(x.rows(), FILL_NUMBER + block as u64);
    let norm = 1.0 / (x.rows() as f32).sqrt();
    for (row, signs) in x.as_mut_slice().chunks_exact_mut(WIDTH).zip(signs.as_slice().chunks_exact(WIDTH)) {
        for (x, sign) in row[alive..].iter_mut().zip(&signs[alive..]) {
            *x = sign * norm;
        }
    }
}

/// What float32 leaves of orthogonality in directions of small values is put right, each direction against those of larger values.
fn orthonormal_in_order(v: Mat<f64>) -> Mat<f64> {
    let cols = v.ncols();
    let qr = ThinQr::new(v);
    let r = qr.r();
    qr.apply_q(
        Mat::from_fn(cols, cols, |i, j| {
            if i != j {
                0.0
            } else if r[(i, i)] < 0.0 {
                -1.0
            } else {
                1.0
            }
        })
        .as_ref(),
    )
}

/// The largest `|column|²`; not a number where an entry is not.
fn energy_of_columns(y: &Panel) -> f64 {
    let mut energies = [0.0f64; WIDTH];
    for row in y.as_slice().chunks_exact(WIDTH) {
        for (energy, x) in energies.iter_mut().zip(row) {
            *energy += f64::from(*x) * f64::from(*x);
        }
    }
    energies.into_iter().fold(0.0, |most, energy| if energy > most || energy.is_nan() { energy } else { most })
}
