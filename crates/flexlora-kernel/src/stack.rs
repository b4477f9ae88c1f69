//! The factors of several terms side by side, in float64: `sum of c_k B_k A_k = b * aᵀ`.

use faer::Mat;

use crate::request::Term;

pub struct Stack {
    /// out x R, each column already multiplied by its term's coefficient.
    pub b: Mat<f64>,
    /// in x R.
    pub a_transposed: Mat<f64>,
}

pub fn stack(out_rows: usize, in_cols: usize, terms: &[Term<'_>]) -> Stack {
    let columns = terms.iter().map(|term| term.a.rows).sum();
    let mut b = Mat::zeros(out_rows, columns);
    let mut a_transposed = Mat::zeros(in_cols, columns);
    let mut first = 0;
    for term in terms {
        let rank = term.a.rows;
        let mut row_values = vec![0.0; rank];
        for row in 0..out_rows {
            term.b.read_row(row, &mut row_values);
            for (j, value) in row_values.iter().enumerate() {
                b[(row, first + j)] = term.coefficient * value;
            }
        }
        for j in 0..rank {
            if let Some(column) = a_transposed.col_mut(first + j).try_as_col_major_mut() {
                term.a.read_row(j, column.as_slice_mut());
            }
        }
        first += rank;
    }
    Stack { b, a_transposed }
}
