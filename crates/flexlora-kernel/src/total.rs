//! A sum of panels in float64: what thousands of columns add up to would lose digits in float32.

use crate::machine::Machine;
use crate::product::{Panel, WIDTH};

/// Rows that one thread adds at a time.
const ROWS: usize = 256;

/// rows x 48.
pub struct Total(Vec<f64>);

impl Total {
    pub fn zeros(rows: usize) -> Self {
        Self(vec![0.0; rows * WIDTH])
    }

    pub fn rows(&self) -> usize {
        self.0.len() / WIDTH
    }

    pub fn row(&self, index: usize) -> &[f64] {
        &self.0[index * WIDTH..(index + 1) * WIDTH]
    }

    pub fn add(&mut self, machine: &Machine, panel: &Panel) {
        let jobs = self.0.chunks_mut(ROWS * WIDTH).zip(panel.as_slice().chunks(ROWS * WIDTH)).collect();
        machine.threads().for_each(jobs, |_, (totals, values): (&mut [f64], &[f32])| {
            for (total, value) in totals.iter_mut().zip(values) {
                *total += f64::from(*value);
            }
        });
    }

    pub fn scale(&mut self, factor: f64) {
        self.0.iter_mut().for_each(|total| *total *= factor);
    }

    /// Rounded once.
    pub fn panel(&self) -> Panel {
        let mut panel = Panel::zeros(self.rows());
        for (value, total) in panel.as_mut_slice().iter_mut().zip(&self.0) {
            *value = *total as f32;
        }
        panel
    }
}
