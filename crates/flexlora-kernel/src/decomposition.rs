//! Singular vectors and values in float64, and the SVD that gives them.

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::svd::{ComputeSvdVectors, svd, svd_scratch};
use faer::{Mat, MatRef, Par};

use crate::error::{ErrorCode, KernelError, Result};

/// `W = u * diag(values) * vᵀ + (what was cut off)`, values descending.
pub struct Decomposition {
    /// out x k.
    pub u: Mat<f64>,
    pub values: Vec<f64>,
    /// in x k.
    pub v: Mat<f64>,
    /// The squared Frobenius norm of all of W, not only of what is kept.
    pub energy_total: f64,
}

impl Decomposition {
    /// W = 0: no components at all.
    pub fn zero(out_rows: usize, in_cols: usize) -> Self {
        Self { u: Mat::zeros(out_rows, 0), values: Vec::new(), v: Mat::zeros(in_cols, 0), energy_total: 0.0 }
    }
}

/// The thin SVD of a matrix of any shape. A long matrix goes through a QR first (inside faer).
pub fn thin_svd(matrix: MatRef<'_, f64>, module: &str) -> Result<(Mat<f64>, Vec<f64>, Mat<f64>)> {
    let (m, n) = matrix.shape();
    let side = m.min(n);
    let (mut u, mut v) = (Mat::zeros(m, side), Mat::zeros(n, side));
    let mut values = Diag::<f64>::zeros(side);
    let thin = ComputeSvdVectors::Thin;
    let scratch = svd_scratch::<f64>(m, n, thin, thin, Par::Seq, Default::default());
    svd(
        matrix,
        values.as_mut(),
        Some(u.as_mut()),
        Some(v.as_mut()),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    )
    .map_err(|_| {
        KernelError::new(
            ErrorCode::NotConverged,
            format!("module {module:?}: the SVD of a {m} x {n} matrix did not converge: report this input"),
        )
    })?;
    let values = values.column_vector().iter().map(|s| s.abs()).collect();
    Ok((u, values, v))
}
