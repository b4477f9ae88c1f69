//! What every answer promises, held against the dense sum in float64.

use flexlora_kernel::{Method, TruncatedSum};

use super::{Case, dot, singular_values};

/// What the rounding of u and v to float32 may cost, as a share of `|W|_F`.
const ROUNDING: f64 = 1e-6;

/// The dense sum and its singular values, both times a power of two that keeps every square a normal number.
pub struct Truth {
    rows: usize,
    cols: usize,
    scale: f64,
    w: Vec<f64>,
    pub values: Vec<f64>,
    total: f64,
    magnitude: f64,
}

impl Truth {
    /// By one-sided Jacobi.
    pub fn of(case: &Case) -> Self {
        Self::with(case, |w| singular_values(w, case.out_rows, case.in_cols))
    }

    /// By the method dense, for sizes where Jacobi takes too long: `tests/exactness.rs` holds it against Jacobi.
    pub fn by_dense(case: &Case) -> Self {
        let rank = case.out_rows.min(case.in_cols);
        let answer = case.truncate_with(rank, Method::Dense).expect("finite input");
        let mut truth = Self::with(case, |_| Vec::new());
        truth.values = answer.singular_values.iter().map(|s| s * truth.scale).collect();
        truth
    }

    fn with(case: &Case, values_of: impl FnOnce(&[f64]) -> Vec<f64>) -> Self {
        let mut w = case.dense();
        let largest = w.iter().fold(0.0f64, |most, x| most.max(x.abs()));
        let scale = if largest > 0.0 { 2f64.powi(-largest.log2().round() as i32) } else { 1.0 };
        w.iter_mut().for_each(|x| *x *= scale);
        let total = w.iter().map(|x| x * x).sum();
        let values = values_of(&w);
        Self { rows: case.out_rows, cols: case.in_cols, scale, w, values, total, magnitude: case.magnitude() * scale }
    }

    pub fn norm(&self) -> f64 {
        self.total.sqrt()
    }

    /// The smallest error that any matrix of this rank has.
    pub fn best(&self, rank: usize) -> f64 {
        self.values[rank..].iter().map(|s| s * s).sum::<f64>().sqrt()
    }

    /// `|W - (the first r components)|_F` for every r from 0.
    pub fn errors(&self, answer: &TruncatedSum) -> Vec<f64> {
        let mut rest = self.w.clone();
        let mut errors = vec![self.norm()];
        for j in 0..answer.rank {
            let (u, v) = (wide(&answer.u, j, self.rows), wide(&answer.v, j, self.cols));
            let value = answer.singular_values[j] * self.scale;
            for (row, u) in rest.chunks_exact_mut(self.cols).zip(&u) {
                row.iter_mut().zip(&v).for_each(|(x, v)| *x -= value * u * v);
            }
            errors.push(dot(&rest, &rest).sqrt());
        }
        errors
    }

    /// How much larger than the smallest the error of the answer is, where the smallest stands out of the rounding.
    pub fn excess(&self, answer: &TruncatedSum) -> Option<f64> {
        let best = self.best(answer.rank);
        let error = *self.errors(answer).last()?;
        (best > 1e-3 * self.norm()).then(|| error / best - 1.0)
    }

    /// Rounding errors of the sum itself, which only matter where terms cancel.
    fn roundoff(&self, method: Method) -> f64 {
        self.magnitude * if method.iterates() { f64::from(f32::EPSILON) / 2.0 } else { f64::EPSILON }
    }

    /// Values down to here are not told from noise and may be left out: see "What is not there" in `docs/internals/kernel-maths.md`.
    fn noise(&self, method: Method) -> f64 {
        let largest = self.values.first().copied().unwrap_or(0.0);
        let of_solver = if method.iterates() { 2e-6 } else { self.rows.max(self.cols) as f64 * f64::EPSILON };
        1.1 * (of_solver * largest).max(16.0 * self.roundoff(method))
    }

    /// The smallest error of this rank without the values that are noise.
    fn best_above_noise(&self, rank: usize, method: Method) -> f64 {
        let noise = self.noise(method);
        self.best(rank.min(self.values.iter().take_while(|s| **s > noise).count()))
    }

    /// The error at every rank, the values, the energies, the residual, orthonormal rows and their signs, the reported excess.
    pub fn assert_promise(&self, answer: &TruncatedSum, context: &str) {
        let (norm, tolerance) = (self.norm(), answer.tolerance);
        let floor = ROUNDING * norm + self.roundoff(answer.method);
        let tolerated = if answer.method.iterates() { tolerance } else { 1.0 };
        let errors = self.errors(answer);
        for (rank, error) in errors.iter().enumerate() {
            let best = self.best_above_noise(rank, answer.method);
            assert!(*error <= tolerated * best + floor, "{context}: rank {rank} leaves {error}, best is {best} of {norm}");
        }
        self.assert_values(answer, tolerated, floor, context);
        let (total, kept) = (self.total, answer.energy_kept * self.scale * self.scale);
        let (got, error) = (answer.energy_total * self.scale * self.scale, answer.energy_total_error * self.scale * self.scale);
        // Squares below the smallest normal number cannot be handed out.
        let is_number = total / self.scale / self.scale > f64::MIN_POSITIVE || total == 0.0;
        assert!(!is_number || (got - total).abs() <= 5.0 * error + 2.0 * floor * norm, "{context}: energy {got} +- {error}, want {total}");
        assert!(error == 0.0 || answer.method == Method::Factored, "{context}: the energy is known, yet has an error of {error}");
        assert!(kept <= got, "{context}: {kept} of {got} kept");
        let share = errors.last().map_or(0.0, |error| if norm > 0.0 { error / norm } else { 0.0 });
        let slack = if norm > 0.0 { floor / norm } else { 0.0 };
        assert!(
            answer.residual <= 2.5 * share + 2.0 * slack && answer.residual >= 0.3 * share - 2.0 * slack,
            "{context}: residual {} for a share of {share}",
            answer.residual
        );
        assert!(
            (0.0..=tolerated - 1.0 + 1e-15).contains(&answer.excess),
            "{context}: an excess of {} where {tolerated} is allowed",
            answer.excess
        );
        assert_orthonormal(answer, self.rows, self.cols, context);
    }

    /// None is above the true one in its place, and what all of them miss is what the tolerance allows.
    fn assert_values(&self, answer: &TruncatedSum, tolerated: f64, floor: f64, context: &str) {
        let noise = self.noise(answer.method);
        let mut missed = 0.0;
        for (j, (got, want)) in answer.singular_values.iter().map(|s| s * self.scale).zip(&self.values).enumerate() {
            assert!(got <= want + floor, "{context}: value {j} is {got}, want {want}");
            assert!(j == 0 || answer.singular_values[j] <= answer.singular_values[j - 1], "{context}: value {j} is above the one before");
            missed += if *want > noise { (want * want - got * got).max(0.0) } else { 0.0 };
        }
        let best = self.best_above_noise(answer.rank, answer.method);
        let allowed = (tolerated * tolerated - 1.0) * best * best + 2.0 * floor * self.norm();
        assert!(missed <= allowed, "{context}: the values miss an energy of {missed}, {allowed} is allowed");
    }
}

/// Rows of v orthonormal with positive leading entries; rows of u orthonormal, or zero where the value is.
pub fn assert_orthonormal(answer: &TruncatedSum, rows: usize, cols: usize, context: &str) {
    super::assert_rows_orthonormal(answer, cols, context);
    let u: Vec<Vec<f64>> = (0..answer.rank).map(|j| wide(&answer.u, j, rows)).collect();
    for (p, left) in u.iter().enumerate() {
        if answer.singular_values[p] == 0.0 {
            assert!(left.iter().all(|x| *x == 0.0), "{context}: u row {p} of a value of 0");
            continue;
        }
        for (q, right) in u[..=p].iter().enumerate() {
            let want = if p == q { 1.0 } else { 0.0 };
            assert!((dot(left, right) - want).abs() <= 1e-6, "{context}: u rows {p} and {q}: {}", dot(left, right));
        }
    }
}

fn wide(values: &[f32], j: usize, length: usize) -> Vec<f64> {
    values[j * length..(j + 1) * length].iter().map(|x| f64::from(*x)).collect()
}
