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
    /// out x columns, each column already multiplied by its term's coefficient.
    b: Mat<f64>,
    /// in x columns.
    a_transposed: Mat<f64>,
    filled: usize,
}

impl Stack {
    pub fn new(out_rows: usize, in_cols: usize, columns: usize) -> Self {
        Self { b: Mat::zeros(out_rows, columns), a_transposed: Mat::zeros(in_cols, columns), filled: 0 }
    }

    pub fn is_full(&self) -> bool {
        self.filled == self.b.ncols()
    }

    /// Takes the term's columns from `from` on, as many as there is room for, and says how many.
    pub fn push(&mut self, term: &Term<'_, &[u8]>, coefficient: f64, from: usize) -> usize {
        let rank = term.a.rows;
        let taken = (rank - from).min(self.b.ncols() - self.filled);
        let mut row_values = vec![0.0; rank];
        for row in 0..self.b.nrows() {
            term.b.read_row(row, &mut row_values);
            for (j, value) in row_values[from..from + taken].iter().enumerate() {
                self.b[(row, self.filled + j)] = coefficient * value;
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
        scale_by_power_of_two(self.b.as_mut().subcols_mut(0, self.filled), power);
    }

    /// Adds `b * aᵀ` of the filled columns to `w`, and is empty again.
    pub fn flush_into(&mut self, w: &mut Mat<f64>) {
        let (b, a) = (self.b.subcols(0, self.filled), self.a_transposed.subcols(0, self.filled));
        matmul(w.as_mut(), Accum::Add, b, a.transpose(), 1.0, Par::Seq);
        self.filled = 0;
    }

    /// `b` and `aᵀ` of a full stack.
    pub fn into_factors(self) -> (Mat<f64>, Mat<f64>) {
        debug_assert!(self.is_full());
        (self.b, self.a_transposed)
    }
}
