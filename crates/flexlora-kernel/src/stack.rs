//! The factors of several terms side by side, in float64: `sum of c_k B_k A_k = b * aᵀ`.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};

use crate::request::Term;
use crate::scale::scale_by_power_of_two;

/// Columns that the dense method multiplies at once: enough for a fast product, few enough that the copies in float64 stay small
/// beside W.
pub const GROUP_COLUMNS: usize = 256;

/// Room for a fixed number of columns, filled from the left.
pub struct Stack {
    /// columns x out: as B's rows come, each column of B already multiplied by its term's coefficient.
    b_transposed: Mat<f64>,
    /// in x columns.
    a_transposed: Mat<f64>,
    filled: usize,
}

impl Stack {
    pub fn new(out_rows: usize, in_cols: usize, columns: usize) -> Self {
        Self { b_transposed: Mat::zeros(columns, out_rows), a_transposed: Mat::zeros(in_cols, columns), filled: 0 }
    }

    pub fn is_full(&self) -> bool {
        self.filled == self.b_transposed.nrows()
    }

    /// Takes the term's columns from `from` on, as many as there is room for, and says how many.
    pub fn push(&mut self, term: &Term<'_, &[u8]>, coefficient: f64, from: usize) -> usize {
        let rank = term.a.rows;
        let taken = (rank - from).min(self.b_transposed.nrows() - self.filled);
        let mut row_values = vec![0.0; rank];
        for row in 0..self.b_transposed.ncols() {
            term.b.read_row(row, &mut row_values);
            if let Some(column) = self.b_transposed.col_mut(row).try_as_col_major_mut() {
                for (to, value) in column.as_slice_mut()[self.filled..].iter_mut().zip(&row_values[from..from + taken]) {
                    *to = coefficient * value;
                }
            }
        }
        for j in 0..taken {
            if let Some(column) = self.a_transposed.col_mut(self.filled + j).try_as_col_major_mut() {
                term.a.read_row(from + j, column.as_slice_mut());
            }
        }
        self.filled += taken;
        taken
    }

    /// `sum * 2^power`.
    pub fn scale(&mut self, power: i32) {
        scale_by_power_of_two(self.b_transposed.as_mut().subrows_mut(0, self.filled), power);
    }

    /// Adds `b * aᵀ` of the filled columns to `w`, and is empty again.
    pub fn flush_into(&mut self, w: &mut Mat<f64>) {
        let (b, a) = (self.b_transposed.subrows(0, self.filled), self.a_transposed.subcols(0, self.filled));
        matmul(w.as_mut(), Accum::Add, b.transpose(), a.transpose(), 1.0, Par::Seq);
        self.filled = 0;
    }

    /// `bᵀ` and `aᵀ` of a full stack.
    pub fn into_factors(self) -> (Mat<f64>, Mat<f64>) {
        debug_assert!(self.is_full());
        (self.b_transposed, self.a_transposed)
    }
}
