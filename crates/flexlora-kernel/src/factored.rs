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

/// Columns that the first pass takes between two looks at the cancellation; a multiple of `CHUNK`.
const STRETCH: usize = 8 * CHUNK;

pub struct FactoredSum<S> {
    pub columns: Columns<S>,
    pub first: FirstPass,
    /// Columns that are in the image of the first pass, at the scale of `exponent`.
    passed: usize,
}

/// `B diag(c) A` of some columns.
pub struct Factors<'a> {
    pieces: Vec<TallPiece<'a>>,
    rows: Vec<WideRow<'a>>,
    coefficients: Vec<f32>,
    shape: (usize, usize),
}

impl<S: AsRef<[u8]>> FactoredSum<S> {
    pub fn new(out_rows: usize, in_cols: usize) -> Self {
        Self { columns: Columns::new(), first: FirstPass::new(out_rows, in_cols), passed: 0 }
    }

    /// Takes the first product with the columns that are complete chunks, or with all.
    pub fn pass(&mut self, exponent: i32, is_last: bool, machine: &Machine, cancel: &Cancel, module: &str) -> Result<()> {
        let end = if is_last { self.columns.end() } else { self.columns.end() / CHUNK * CHUNK };
        while self.passed < end {
            let range = self.passed..end.min(self.passed + STRETCH);
            self.passed = range.end;
            let shape = (self.first.image.rows(), self.first.signs.rows());
            let factors = Factors::new(&self.columns, range, exponent, shape);
            factors.add_times(machine, &self.first.signs, &mut self.first.image);
            cancel.check(module)?;
        }
        Ok(())
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

    /// `y += B (c A x)`.
    pub fn add_times(&self, machine: &Machine, x: &Panel, y: &mut Panel) {
        let (threads, (out_rows, in_cols)) = (machine.threads(), self.shape);
        let mut t = [Panel::zeros(self.rows.len())];
        wide_times(threads, &self.rows, in_cols, std::slice::from_ref(x), &mut t);
        scale_rows(threads, &mut t, &self.coefficients);
        tall_times(threads, &self.pieces, out_rows, &t, std::slice::from_mut(y), Keep::Add);
    }
}

impl Operator for Factors<'_> {
    fn times(&self, machine: &Machine, x: &Panel) -> Panel {
        let mut y = Panel::zeros(self.shape.0);
        self.add_times(machine, x, &mut y);
        y
    }

    fn transposed_times(&self, machine: &Machine, y: &Panel) -> Panel {
        let (threads, (out_rows, in_cols)) = (machine.threads(), self.shape);
        let mut s = [Panel::zeros(self.rows.len())];
        tall_transposed_times(threads, &self.pieces, out_rows, std::slice::from_ref(y), &mut s);
        scale_rows(threads, &mut s, &self.coefficients);
        let mut z = Panel::zeros(in_cols);
        wide_transposed_times(threads, &self.rows, in_cols, &s, std::slice::from_mut(&mut z), Keep::Overwrite);
        z
    }
}
