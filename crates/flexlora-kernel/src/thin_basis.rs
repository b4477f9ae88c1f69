//! An orthonormal basis of the columns of a tall matrix, `matrix = Q R` with R square: by the eigenvectors of the Gram matrix where that
//! is accurate enough, which is several times faster than Householder reflections, and by those otherwise.

use faer::linalg::matmul::matmul;
use faer::linalg::matmul::triangular::{BlockStructure, matmul as triangular_matmul};
use faer::{Accum, Mat, MatRef, Par};

use crate::eigen::eigen;
use crate::error::Result;
use crate::thin_qr::ThinQr;

/// The smallest eigenvalue of a Gram matrix, relative to the largest, down to which its eigenvectors serve: Q is then orthonormal to
/// `epsilon / SMALLEST` = 2e-8, below the rounding of the float32 that is handed out, and R is accurate to `epsilon * |matrix|`.
const SMALLEST: f64 = 1e-8;

pub enum ThinBasis {
    /// `Q = transposedᵀ * weights`, `R = r`.
    Gram {
        transposed: Mat<f64>,
        weights: Mat<f64>,
        r: Mat<f64>,
    },
    Householder(ThinQr),
}

impl ThinBasis {
    /// Of the transpose of a matrix that has no more rows than columns.
    pub fn of_transposed(transposed: Mat<f64>, module: &str) -> Result<Self> {
        let order = transposed.nrows();
        let mut gram = Mat::zeros(order, order);
        let (lower, whole) = (BlockStructure::TriangularLower, BlockStructure::Rectangular);
        triangular_matmul(gram.as_mut(), lower, Accum::Replace, transposed.as_ref(), whole, transposed.transpose(), whole, 1.0, Par::Seq);
        let solved = eigen(gram.as_ref(), module)?;
        let is_accurate = order > 0 && solved.values[order - 1] > SMALLEST * solved.values[0];
        if !is_accurate {
            return Ok(Self::Householder(ThinQr::new(transposed.transpose().to_owned())));
        }
        let roots: Vec<f64> = solved.values.iter().map(|value| value.sqrt()).collect();
        let weights = Mat::from_fn(order, order, |i, j| solved.vectors[(i, j)] / roots[j]);
        let r = Mat::from_fn(order, order, |i, j| solved.vectors[(j, i)] * roots[i]);
        Ok(Self::Gram { transposed, weights, r })
    }

    pub fn r(&self) -> Mat<f64> {
        match self {
            Self::Gram { r, .. } => r.clone(),
            Self::Householder(qr) => qr.r(),
        }
    }

    /// `Q * x`, as many rows as the matrix has.
    pub fn apply_q(&self, x: MatRef<'_, f64>) -> Mat<f64> {
        match self {
            Self::Gram { transposed, weights, .. } => {
                let mut inner = Mat::zeros(weights.nrows(), x.ncols());
                matmul(inner.as_mut(), Accum::Replace, weights.as_ref(), x, 1.0, Par::Seq);
                let mut product = Mat::zeros(transposed.ncols(), x.ncols());
                matmul(product.as_mut(), Accum::Replace, transposed.transpose(), inner, 1.0, Par::Seq);
                product
            }
            Self::Householder(qr) => qr.apply_q(x),
        }
    }
}
