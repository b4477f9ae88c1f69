//! The skinny blocks that an iteration multiplies with.

use super::lines::Lines;
use super::pieces::TallPiece;
use crate::factor::Dtype;

/// Columns of a panel: three vectors of sixteen, so that eight rows of sums fill the registers of AVX-512.
pub const WIDTH: usize = 48;

/// A rows x `WIDTH` float32 matrix, row-major, on a boundary of 64 bytes. A block of more columns is several panels.
#[derive(Clone)]
pub struct Panel {
    rows: usize,
    lines: Lines,
}

impl Panel {
    pub fn zeros(rows: usize) -> Self {
        Self { rows, lines: Lines::zeros(rows * WIDTH) }
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    /// rows x `WIDTH`, row-major.
    pub fn as_slice(&self) -> &[f32] {
        self.lines.as_slice()
    }

    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        self.lines.as_mut_slice()
    }

    pub fn row(&self, index: usize) -> &[f32] {
        &self.as_slice()[index * WIDTH..(index + 1) * WIDTH]
    }

    pub fn row_mut(&mut self, index: usize) -> &mut [f32] {
        &mut self.as_mut_slice()[index * WIDTH..(index + 1) * WIDTH]
    }

    /// The panel as the left operand of a product, for instance of `Qᵀ Y`: its first `cols` columns.
    pub fn piece(&self, cols: usize) -> TallPiece<'_> {
        TallPiece { dtype: Dtype::F32, bytes: self.lines.as_bytes(), stride: WIDTH, first: 0, cols }
    }
}

/// Blocks of `rows` rows, the same of every panel: what one job writes.
pub(super) fn blocks(panels: &mut [Panel], rows: usize) -> Vec<Vec<&mut [f32]>> {
    let count = panels.first().map_or(0, |panel| panel.rows.div_ceil(rows));
    let mut of_job: Vec<Vec<&mut [f32]>> = (0..count).map(|_| Vec::with_capacity(panels.len())).collect();
    for panel in panels {
        for (job, block) in of_job.iter_mut().zip(panel.as_mut_slice().chunks_mut(rows * WIDTH)) {
            job.push(block);
        }
    }
    of_job
}

/// Panics unless each of the panels has this number of rows: shapes are the caller's to get right.
pub(super) fn assert_rows(name: &str, panels: &[Panel], rows: usize) {
    for (index, panel) in panels.iter().enumerate() {
        assert!(panel.rows == rows, "panel {index} of {name} has {} rows, the product needs {rows}", panel.rows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panel_starts_on_a_cache_line_and_so_does_its_copy() {
        let panel = Panel::zeros(5);
        assert_eq!(panel.as_slice().len(), 5 * WIDTH);
        assert_eq!(panel.as_slice().as_ptr().addr() % 64, 0);
        assert_eq!(panel.clone().as_slice().as_ptr().addr() % 64, 0);
        assert!(Panel::zeros(0).as_slice().is_empty());
    }

    #[test]
    fn a_row_is_where_the_slice_says_and_a_piece_reads_it() {
        let mut panel = Panel::zeros(3);
        panel.row_mut(2)[1] = 1.5;
        assert_eq!(panel.as_slice()[2 * WIDTH + 1], 1.5);
        let at = (2 * WIDTH + 1) * 4;
        assert_eq!(panel.piece(2).bytes[at..at + 4], 1.5f32.to_le_bytes());
    }

    #[test]
    fn blocks_divide_the_rows_of_every_panel() {
        let mut panels = [Panel::zeros(5), Panel::zeros(5)];
        let lengths: Vec<Vec<usize>> = blocks(&mut panels, 2).iter().map(|job| job.iter().map(|b| b.len() / WIDTH).collect()).collect();
        assert_eq!(lengths, [[2, 2], [2, 2], [1, 1]]);
    }
}
