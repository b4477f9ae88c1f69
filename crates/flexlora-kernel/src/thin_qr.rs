//! Householder QR of a tall matrix, in place; Q is only ever applied, never formed.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::householder::{
    apply_block_householder_sequence_on_the_left_in_place_scratch as apply_scratch,
    apply_block_householder_sequence_on_the_left_in_place_with_conj as apply,
};
use faer::linalg::qr::no_pivoting::factor::{qr_in_place, qr_in_place_scratch, recommended_block_size};
use faer::{Conj, Mat, MatRef, Par};

pub struct ThinQr {
    /// The reflectors below the diagonal, R on and above it.
    factored: Mat<f64>,
    coefficients: Mat<f64>,
}

impl ThinQr {
    /// `matrix` must not have more columns than rows.
    pub fn new(mut matrix: Mat<f64>) -> Self {
        let (m, n) = matrix.shape();
        let block = recommended_block_size::<f64>(m, n);
        let mut coefficients = Mat::zeros(block, n);
        let scratch = qr_in_place_scratch::<f64>(m, n, block, Par::Seq, Default::default());
        qr_in_place(matrix.as_mut(), coefficients.as_mut(), Par::Seq, MemStack::new(&mut MemBuffer::new(scratch)), Default::default());
        Self { factored: matrix, coefficients }
    }

    /// The square upper triangular factor, zeros below.
    pub fn r(&self) -> Mat<f64> {
        let n = self.factored.ncols();
        Mat::from_fn(n, n, |i, j| if i <= j { self.factored[(i, j)] } else { 0.0 })
    }

    /// `Q * [x; 0]`, as many rows as the matrix that was factored.
    pub fn apply_q(&self, x: MatRef<'_, f64>) -> Mat<f64> {
        let mut y = Mat::zeros(self.factored.nrows(), x.ncols());
        y.as_mut().subrows_mut(0, x.nrows()).copy_from(x);
        let scratch = apply_scratch::<f64>(y.nrows(), self.coefficients.nrows(), y.ncols());
        apply(
            self.factored.as_ref(),
            self.coefficients.as_ref(),
            Conj::No,
            y.as_mut(),
            Par::Seq,
            MemStack::new(&mut MemBuffer::new(scratch)),
        );
        y
    }
}
