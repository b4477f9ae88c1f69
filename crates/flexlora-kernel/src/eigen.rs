//! Symmetric eigenproblems in float64: the small ones that the iteration comes down to.

use faer::{Mat, MatRef, Side};

use crate::error::{ErrorCode, KernelError, Result};

/// `matrix = vectors * diag(values) * vectorsᵀ`, values descending.
pub struct Eigen {
    pub values: Vec<f64>,
    /// A column for each value.
    pub vectors: Mat<f64>,
}

/// Reads the lower triangle of a symmetric positive semidefinite matrix. Rows of zeros, which dropped directions leave, are kept out of
/// the solver: they are eigenvectors of value 0 as they stand.
pub fn eigen(matrix: MatRef<'_, f64>, module: &str) -> Result<Eigen> {
    let order = matrix.nrows();
    let live = live_rows(matrix);
    if live.is_empty() {
        return Ok(Eigen { values: vec![0.0; order], vectors: Mat::identity(order, order) });
    }
    let solved = compact(matrix, &live).self_adjoint_eigen(Side::Lower).map_err(|_| not_converged(module, order))?;
    let mut values = vec![0.0; order];
    let mut vectors = Mat::zeros(order, order);
    for j in 0..live.len() {
        // The solver's values ascend.
        let from = live.len() - 1 - j;
        values[j] = solved.S()[from].max(0.0);
        for (i, row) in live.iter().enumerate() {
            vectors[(*row, j)] = solved.U()[(i, from)];
        }
    }
    for (j, row) in (0..order).filter(|row| !live.contains(row)).enumerate() {
        vectors[(row, live.len() + j)] = 1.0;
    }
    Ok(Eigen { values, vectors })
}

/// The values alone, descending.
pub fn eigenvalues(matrix: MatRef<'_, f64>, module: &str) -> Result<Vec<f64>> {
    let order = matrix.nrows();
    let live = live_rows(matrix);
    let mut values = compact(matrix, &live).self_adjoint_eigenvalues(Side::Lower).map_err(|_| not_converged(module, order))?;
    values.iter_mut().for_each(|value| *value = value.max(0.0));
    values.sort_by(|a, b| b.total_cmp(a));
    values.resize(order, 0.0);
    Ok(values)
}

fn live_rows(matrix: MatRef<'_, f64>) -> Vec<usize> {
    (0..matrix.nrows()).filter(|i| matrix[(*i, *i)] > 0.0).collect()
}

fn compact(matrix: MatRef<'_, f64>, rows: &[usize]) -> Mat<f64> {
    Mat::from_fn(rows.len(), rows.len(), |i, j| matrix[(rows[i.max(j)], rows[i.min(j)])])
}

fn not_converged(module: &str, order: usize) -> KernelError {
    let message = format!("module {module:?}: the eigenvalues of a matrix of order {order} did not converge: report this input");
    KernelError::new(ErrorCode::NotConverged, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_zeros_are_eigenvectors_and_the_rest_is_solved() {
        let matrix = Mat::from_fn(3, 3, |i, j| {
            if i == 1 || j == 1 {
                0.0
            } else if i == j {
                2.0
            } else {
                1.0
            }
        });
        let Eigen { values, vectors } = eigen(matrix.as_ref(), "m").expect("a small matrix");
        assert!((values[0] - 3.0).abs() < 1e-15 && (values[1] - 1.0).abs() < 1e-15 && values[2] == 0.0);
        assert_eq!((vectors[(1, 0)], vectors[(1, 1)], vectors[(1, 2)]), (0.0, 0.0, 1.0));
        assert_eq!(eigenvalues(matrix.as_ref(), "m").expect("a small matrix").len(), 3);
        assert_eq!(eigenvalues(Mat::zeros(2, 2).as_ref(), "m").expect("zeros"), [0.0, 0.0]);
        let nothing = eigen(Mat::zeros(2, 2).as_ref(), "m").expect("zeros");
        assert!(nothing.values == [0.0, 0.0] && nothing.vectors == Mat::<f64>::identity(2, 2));
    }
}
