//! The factors stay where the caller has them; every product of the iteration reads them again.

use std::ops::Range;

use crate::cancel::Cancel;
use crate::columns::{CHUNK, Columns};
use crate::error::Result;
use crate::first_pass::FirstPass;
use crate::machine::Machine;
use crate::operator::Operator;
use crate::product::{
    Keep, Panel, TallPiece, WideRow, add_outer, scale_rows, tall_times, tall_transposed_times, wide_times, wide_transposed_times,
};
use crate::total::Total;

/// Columns that are multiplied at once. Sums in float32 go over so many; the sums of these are added in float64. A multiple of `CHUNK`.
const COLUMNS_AT_ONCE: usize = 4 * CHUNK;

pub struct FactoredSum<S> {
    pub columns: Columns<S>,
    pub first: FirstPass,
    /// Columns that are in the image of the first pass.
    passed: usize,
}

/// `B diag(c) A` of some columns.
pub struct Factors<'a> {
    pieces: Vec<TallPiece<'a>>,
    rows: Vec<WideRow<'a>>,
    coefficients: Vec<f32>,
    /// out, in.
    shape: (usize, usize),
}

/// `B diag(c) A` of all columns, as the sum of groups of them.
pub struct Factored<'a>(Vec<Factors<'a>>, (usize, usize));

impl<S: AsRef<[u8]>> FactoredSum<S> {
    pub fn new(out_rows: usize, in_cols: usize) -> Self {
        Self { columns: Columns::new(), first: FirstPass::new(out_rows, in_cols), passed: 0 }
    }

    /// Takes the first product with the columns that are complete groups, or with all.
    pub fn pass(&mut self, exponent: i32, is_last: bool, machine: &Machine, cancel: &Cancel, module: &str) -> Result<()> {
        let end = if is_last { self.columns.end() } else { self.columns.end() / COLUMNS_AT_ONCE * COLUMNS_AT_ONCE };
        while self.passed < end {
            let range = self.passed..end.min(self.passed + COLUMNS_AT_ONCE);
            self.passed = range.end;
            let factors = Factors::new(&self.columns, range, exponent, self.first.shape());
            self.first.image.add(machine, &factors.times(machine, &self.first.signs));
            cancel.check(module)?;
        }
        Ok(())
    }

    pub fn operator(&self, exponent: i32) -> Factored<'_> {
        let (end, shape) = (self.columns.end(), self.first.shape());
        let starts = (0..end).step_by(COLUMNS_AT_ONCE);
        let group = |start: usize| Factors::new(&self.columns, start..end.min(start + COLUMNS_AT_ONCE), exponent, shape);
        Factored(starts.map(group).collect(), shape)
    }
}

impl<'a> Factors<'a> {
    pub fn new<S: AsRef<[u8]>>(columns: &'a Columns<S>, range: Range<usize>, exponent: i32, shape: (usize, usize)) -> Self {
        let coefficients = columns.coefficients(range.clone(), exponent);
        Self { pieces: columns.pieces(range.clone()), rows: columns.rows(range), coefficients, shape }
    }

    /// `w += B c A`, w out x in, row-major.
    pub fn add_to(&self, machine: &Machine, w: &mut [f32]) {
        add_outer(machine.threads(), &self.pieces, &self.rows, &self.coefficients, w, self.shape.0, self.shape.1);
    }

    /// `B (c A x)`.
    pub fn times(&self, machine: &Machine, x: &Panel) -> Panel {
        let (threads, (out_rows, in_cols)) = (machine.threads(), self.shape);
        let (mut t, mut y) = ([Panel::zeros(self.rows.len())], [Panel::zeros(out_rows)]);
        wide_times(threads, &self.rows, in_cols, std::slice::from_ref(x), &mut t);
        scale_rows(threads, &mut t, &self.coefficients);
        tall_times(threads, &self.pieces, out_rows, &t, &mut y, Keep::Overwrite);
        let [y] = y;
        y
    }

    /// `Aᵀ (c Bᵀ y)`.
    fn transposed_times(&self, machine: &Machine, y: &Panel) -> Panel {
        let (threads, (out_rows, in_cols)) = (machine.threads(), self.shape);
        let (mut s, mut z) = ([Panel::zeros(self.rows.len())], [Panel::zeros(in_cols)]);
        tall_transposed_times(threads, &self.pieces, out_rows, std::slice::from_ref(y), &mut s);
        scale_rows(threads, &mut s, &self.coefficients);
        wide_transposed_times(threads, &self.rows, in_cols, &s, &mut z, Keep::Overwrite);
        let [z] = z;
        z
    }
}

impl Operator for Factored<'_> {
    fn times(&self, machine: &Machine, x: &Panel) -> Panel {
        let Self(groups, (out_rows, _)) = self;
        let mut total = Total::zeros(*out_rows);
        groups.iter().for_each(|group| total.add(machine, &group.times(machine, x)));
        total.panel()
    }

    fn transposed_times(&self, machine: &Machine, y: &Panel) -> Panel {
        let Self(groups, (_, in_cols)) = self;
        let mut total = Total::zeros(*in_cols);
        groups.iter().for_each(|group| total.add(machine, &group.transposed_times(machine, y)));
        total.panel()
    }
}
