//! Blocks of orthonormal columns in float32, and the float64 arithmetic that keeps them so.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};

use crate::eigen::eigen;
use crate::error::Result;
use crate::machine::Machine;
use crate::product::{Keep, Panel, TallPiece, WIDTH, tall_times, tall_transposed_times};

/// Rows that are converted to float64 at once.
const GRAM_ROWS: usize = 512;

/// `y - Q (Qᵀ y)`.
pub fn project_out(machine: &Machine, q: &[Panel], y: &mut Panel) {
    if q.is_empty() {
        return;
    }
    let (threads, rows) = (machine.threads(), y.rows());
    let pieces: Vec<TallPiece<'_>> = q.iter().map(|panel| panel.piece(WIDTH)).collect();
    let mut along = Panel::zeros(q.len() * WIDTH);
    tall_transposed_times(threads, &pieces, rows, std::slice::from_ref(y), std::slice::from_mut(&mut along));
    along.as_mut_slice().iter_mut().for_each(|x| *x = -*x);
    tall_times(threads, &pieces, rows, std::slice::from_ref(&along), std::slice::from_mut(y), Keep::Add);
}

/// Columns times coefficients: `[q_0 q_1 …] * c`, with `c` of `48 * q.len()` rows, in panels.
pub fn combine(machine: &Machine, q: &[Panel], coefficients: MatRef<'_, f64>) -> Vec<Panel> {
    let rows = q[0].rows();
    let pieces: Vec<TallPiece<'_>> = q.iter().map(|panel| panel.piece(WIDTH)).collect();
    let narrow: Vec<Panel> = (0..coefficients.ncols().div_ceil(WIDTH)).map(|panel| narrowed(coefficients, panel * WIDTH)).collect();
    let mut product: Vec<Panel> = narrow.iter().map(|_| Panel::zeros(rows)).collect();
    tall_times(machine.threads(), &pieces, rows, &narrow, &mut product, Keep::Overwrite);
    product
}

/// Makes the columns of `y` orthonormal by the eigenvectors of their Gram matrix. Directions whose energy is at most `drop` times
/// the larger of `scale_squared` and the largest energy become columns of zeros. Says how many are left.
pub fn orthonormalise(machine: &Machine, y: &mut Panel, scale_squared: f64, drop: f64, module: &str) -> Result<usize> {
    let gram = gram(machine, std::slice::from_ref(y), y);
    let solved = eigen(gram.as_ref(), module)?;
    let floor = drop * solved.values[0].max(scale_squared);
    let alive = solved.values.iter().filter(|value| **value > floor && **value > 0.0).count();
    let weights = Mat::from_fn(WIDTH, WIDTH, |i, j| if j < alive { solved.vectors[(i, j)] / solved.values[j].sqrt() } else { 0.0 });
    if let Some(orthonormal) = combine(machine, std::slice::from_ref(y), weights.as_ref()).pop() {
        *y = orthonormal;
    }
    Ok(alive)
}

/// `[q_0 q_1 …]ᵀ y` in float64, where products of float32 are exact; the sums of groups of rows are added in their order.
pub fn gram(machine: &Machine, q: &[Panel], y: &Panel) -> Mat<f64> {
    let groups = y.rows().div_ceil(GRAM_ROWS).max(1);
    let parts = machine.map(q.len() * groups, |job| {
        let (panel, first) = (&q[job / groups], job % groups * GRAM_ROWS);
        let count = GRAM_ROWS.min(y.rows() - first);
        let range = first * WIDTH..(first + count) * WIDTH;
        let (left, right) = (widened(&panel.as_slice()[range.clone()]), widened(&y.as_slice()[range]));
        // Row-major rows x 48 is column-major 48 x rows.
        let left = MatRef::from_column_major_slice(&left, WIDTH, count);
        let right = MatRef::from_column_major_slice(&right, WIDTH, count);
        let mut part = Mat::zeros(WIDTH, WIDTH);
        matmul(part.as_mut(), Accum::Replace, left, right.transpose(), 1.0, Par::Seq);
        part
    });
    Mat::from_fn(q.len() * WIDTH, WIDTH, |i, j| parts[i / WIDTH * groups..][..groups].iter().map(|part| part[(i % WIDTH, j)]).sum())
}

/// The first `cols` columns of panels, in float64.
pub fn columns(panels: &[Panel], cols: usize) -> Mat<f64> {
    Mat::from_fn(panels[0].rows(), cols, |i, j| f64::from(panels[j / WIDTH].row(i)[j % WIDTH]))
}

fn narrowed(coefficients: MatRef<'_, f64>, first: usize) -> Panel {
    let mut panel = Panel::zeros(coefficients.nrows());
    let cols = WIDTH.min(coefficients.ncols() - first);
    for (i, row) in panel.as_mut_slice().chunks_exact_mut(WIDTH).enumerate() {
        for (j, x) in row[..cols].iter_mut().enumerate() {
            *x = coefficients[(i, first + j)] as f32;
        }
    }
    panel
}

fn widened(values: &[f32]) -> Vec<f64> {
    values.iter().map(|x| f64::from(*x)).collect()
}
