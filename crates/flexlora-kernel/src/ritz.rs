//! The small problem of the iteration: W on the basis, in float64, with what float32 leaves of the basis' orthonormality worked in.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};

use crate::eigen::{Eigen, eigen, eigenvalues};
use crate::error::Result;
use crate::product::WIDTH;

/// `H = QᵀWWᵀQ` and `E = QᵀQ - 1`, m x m. Columns of Q that are zeros have zeros in both.
///
/// The Ritz values are those of the pencil `H s = t (1 + E) s`. E is of the order of 2^-24, so `(1 + E)^(-1/2) = 1 - E/2` to 1e-14: the
/// values are the eigenvalues of `H - (EH + HE)/2`, and `s = (1 - E/2) x` with its eigenvectors x. Left out, every direction that is hardly
/// more than noise would take 1e-7 of the large ones with it.
pub struct Ritz {
    h: Mat<f64>,
    e: Mat<f64>,
}

impl Ritz {
    pub fn new() -> Self {
        Self { h: Mat::zeros(0, 0), e: Mat::zeros(0, 0) }
    }

    /// The columns that a new block adds: `h` = Zᵀ Z_new and `gram` = Qᵀ Q_new, both m x 48, m with the new block.
    pub fn extend(&mut self, h: &Mat<f64>, gram: &Mat<f64>) {
        let before = self.h.nrows();
        let is_live = |j: usize| gram[(before + j, j)] > 0.0;
        let e = Mat::from_fn(gram.nrows(), WIDTH, |i, j| gram[(i, j)] - if i == before + j && is_live(j) { 1.0 } else { 0.0 });
        self.h = grown(&self.h, h);
        self.e = grown(&self.e, &e);
    }

    /// Descending.
    pub fn values(&self, module: &str) -> Result<Vec<f64>> {
        eigenvalues(self.corrected().as_ref(), module)
    }

    /// Descending, with the coefficients s of each in the columns of Q.
    pub fn solve(&self, module: &str) -> Result<Eigen> {
        let Eigen { values, mut vectors } = eigen(self.corrected().as_ref(), module)?;
        let correction = times(self.e.as_ref(), vectors.as_ref());
        vectors = Mat::from_fn(vectors.nrows(), vectors.ncols(), |i, j| vectors[(i, j)] - correction[(i, j)] / 2.0);
        Ok(Eigen { values, vectors })
    }

    fn corrected(&self) -> Mat<f64> {
        let product = times(self.e.as_ref(), self.h.as_ref());
        let order = self.h.nrows();
        Mat::from_fn(order, order, |i, j| self.h[(i, j)] - (product[(i, j)] + product[(j, i)]) / 2.0)
    }
}

fn times(left: MatRef<'_, f64>, right: MatRef<'_, f64>) -> Mat<f64> {
    let mut product = Mat::zeros(left.nrows(), right.ncols());
    matmul(product.as_mut(), Accum::Replace, left, right, 1.0, Par::Seq);
    product
}

/// A symmetric matrix with the columns of a new block; the old block stays as it is, bit for bit.
fn grown(old: &Mat<f64>, added: &Mat<f64>) -> Mat<f64> {
    let before = old.nrows();
    Mat::from_fn(before + WIDTH, before + WIDTH, |i, j| match (i < before, j < before) {
        (true, true) => old[(i, j)],
        (true, false) => added[(i, j - before)],
        (false, true) => added[(j, i - before)],
        (false, false) => added[(i.max(j), i.min(j) - before)],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Q with one overlap of 1e-4 between its columns; W Wᵀ = diag(4, 1, 0 …) on the space that they span.
    #[test]
    fn an_overlap_in_the_basis_does_not_move_the_values() {
        let overlap = 1e-4;
        let mut q = Mat::zeros(WIDTH, WIDTH);
        (q[(0, 0)], q[(0, 1)], q[(1, 1)]) = (1.0, overlap, 1.0);
        let energies = Mat::from_fn(WIDTH, WIDTH, |i, j| if i != j { 0.0 } else { [4.0, 1.0][i.min(1)] * f64::from(i < 2) });
        let gram = times(q.transpose(), q.as_ref());
        let h = times(q.transpose(), times(energies.as_ref(), q.as_ref()).as_ref());
        let mut ritz = Ritz::new();
        ritz.extend(&h, &gram);
        let Eigen { values, vectors } = ritz.solve("m").expect("a small matrix");
        assert!((values[0] - 4.0).abs() < 1e-7 && (values[1] - 1.0).abs() < 1e-7 && values[2] == 0.0, "{:?}", &values[..3]);
        assert!((eigenvalues(h.as_ref(), "m").expect("a small matrix")[1] - 1.0).abs() < 1e-7);
        let direction = times(q.as_ref(), vectors.as_ref());
        assert!(direction[(1, 0)].abs() < 1e-7, "the first direction leans {}", direction[(1, 0)]);
    }
}
