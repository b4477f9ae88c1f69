//! The first product of the iteration, taken as the terms come in: `W [X G]`, with X where the iteration starts and G the probes that
//! measure what it leaves. Both are fixed before the first term is there.

use faer::Mat;

use crate::product::{Panel, WIDTH};
use crate::proof::PROBES;
use crate::random::SplitMix64;
use crate::scale::times_power_of_two;
use crate::total::Total;

/// The same for every call: the same input gives the same bytes.
const SIGNS_SEED: u64 = 0x6b72_796c_6f76_3438;

const START_COLUMNS: usize = WIDTH - PROBES;

pub struct FirstPass {
    /// in x 48, independent random signs: 40 columns of X, then 8 of G. `E g gᵀ = 1`, so `|M g|²` estimates `|M|_F²` without bias.
    pub signs: Panel,
    /// out x 48.
    pub image: Total,
}

impl FirstPass {
    pub fn new(out_rows: usize, in_cols: usize) -> Self {
        let signs = random_signs(in_cols, 0);
        Self { signs, image: Total::zeros(out_rows) }
    }

    /// out, in.
    pub fn shape(&self) -> (usize, usize) {
        (self.image.rows(), self.signs.rows())
    }

    /// `image * 2^power`.
    pub fn scale(&mut self, power: i32) {
        self.image.scale(times_power_of_two(1.0, power));
    }

    /// `W X`, zeros in place of the probes.
    pub fn start(&self) -> Panel {
        self.masked(0..START_COLUMNS)
    }

    /// `W G`, zeros in place of the start.
    pub fn probes(&self) -> Panel {
        self.masked(START_COLUMNS..WIDTH)
    }

    /// G (in x 8) and `W G` (out x 8) in float64.
    pub fn proof(&self) -> (Mat<f64>, Mat<f64>) {
        let (out_rows, in_cols) = self.shape();
        let probes = Mat::from_fn(in_cols, PROBES, |i, j| f64::from(self.signs.row(i)[START_COLUMNS + j]));
        (probes, Mat::from_fn(out_rows, PROBES, |i, j| self.image.row(i)[START_COLUMNS + j]))
    }

    fn masked(&self, kept: std::ops::Range<usize>) -> Panel {
        let mut panel = self.image.panel();
        for row in panel.as_mut_slice().chunks_exact_mut(WIDTH) {
            for (j, x) in row.iter_mut().enumerate() {
                if !kept.contains(&j) {
                    *x = 0.0;
                }
            }
        }
        panel
    }
}

/// rows x 48, independent random signs; another number gives others.
pub fn random_signs(rows: usize, number: u64) -> Panel {
    let mut signs = Panel::zeros(rows);
    let seed = SIGNS_SEED.wrapping_add(number);
    for (row, values) in signs.as_mut_slice().chunks_exact_mut(WIDTH).enumerate() {
        let bits = SplitMix64::stream(seed, row as u64).next_u64();
        for (j, x) in values.iter_mut().enumerate() {
            *x = if bits >> j & 1 == 0 { 1.0 } else { -1.0 };
        }
    }
    signs
}

/// The mean of `|column|²` over the probes' columns, and its standard error.
pub fn energy_of_probes(panel: &Panel) -> (f64, f64) {
    let mut energies = [0.0f64; PROBES];
    for row in panel.as_slice().chunks_exact(WIDTH) {
        for (energy, x) in energies.iter_mut().zip(&row[START_COLUMNS..]) {
            *energy += f64::from(*x) * f64::from(*x);
        }
    }
    let count = PROBES as f64;
    let mean = energies.iter().sum::<f64>() / count;
    let spread: f64 = energies.iter().map(|energy| (energy - mean) * (energy - mean)).sum();
    (mean, (spread / (count * (count - 1.0))).sqrt())
}
