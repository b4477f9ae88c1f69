//! W is accumulated in float32 as the terms come in, in groups of columns that only the columns' numbers decide; then it is multiplied.

use faer::Mat;

use crate::cancel::Cancel;
use crate::columns::Columns;
use crate::dense::DenseSum;
use crate::error::Result;
use crate::factor::Dtype;
use crate::factored::Factors;
use crate::first_pass::FirstPass;
use crate::machine::Machine;
use crate::operator::Operator;
use crate::product::{GROUP, Keep, Panel, WideRow, wide_times, wide_transposed_times};
use crate::scale::times_power_of_two;
use crate::sum::Sum;

pub struct AccumulatedSum<S> {
    /// Those that are not in W yet: fewer than `GROUP` columns between two calls.
    pub columns: Columns<S>,
    pub first: FirstPass,
    /// out x in, row-major.
    w: Vec<f32>,
    added: usize,
}

/// W, ready to be multiplied.
pub struct Accumulated<'a> {
    w: &'a [f32],
    shape: (usize, usize),
}

impl Operator for Accumulated<'_> {
    fn times(&self, machine: &Machine, x: &Panel) -> Panel {
        let mut y = Panel::zeros(self.shape.0);
        wide_times(machine.threads(), &self.rows(), self.shape.1, std::slice::from_ref(x), std::slice::from_mut(&mut y));
        y
    }

    fn transposed_times(&self, machine: &Machine, y: &Panel) -> Panel {
        let mut z = Panel::zeros(self.shape.1);
        let (y, out) = (std::slice::from_ref(y), std::slice::from_mut(&mut z));
        wide_transposed_times(machine.threads(), &self.rows(), self.shape.1, y, out, Keep::Overwrite);
        z
    }
}

impl Accumulated<'_> {
    fn rows(&self) -> Vec<WideRow<'_>> {
        let bytes = bytes_of(self.w).chunks_exact(self.shape.1 * Dtype::F32.bytes());
        bytes.map(|bytes| WideRow { dtype: Dtype::F32, bytes }).collect()
    }
}

/// Little-endian, which `product` makes sure of.
fn bytes_of(values: &[f32]) -> &[u8] {
    // SAFETY: every byte of a float is initialised, and a byte has no alignment.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

impl<S: AsRef<[u8]>> AccumulatedSum<S> {
    pub fn new(out_rows: usize, in_cols: usize) -> Self {
        Self { columns: Columns::new(), first: FirstPass::new(out_rows, in_cols), w: vec![0.0; out_rows * in_cols], added: 0 }
    }

    /// Adds the columns that are complete groups, or all, to W and to the first product, which does not come from W and so can be held
    /// against it.
    pub fn add(&mut self, exponent: i32, is_last: bool, machine: &Machine, cancel: &Cancel, module: &str) -> Result<()> {
        let shape = self.first.shape();
        let end = if is_last { self.columns.end() } else { self.columns.end() / GROUP * GROUP };
        while self.added < end {
            let range = self.added..end.min(self.added + GROUP);
            self.added = range.end;
            let factors = Factors::new(&self.columns, range, exponent, shape);
            self.first.image.add(machine, &factors.times(machine, &self.first.signs));
            factors.add_to(machine, &mut self.w);
            cancel.check(module)?;
        }
        self.columns.drop_before(self.added);
        Ok(())
    }

    /// `sum * 2^power`.
    pub fn scale(&mut self, power: i32) {
        let factor = times_power_of_two(1.0, power) as f32;
        self.w.iter_mut().for_each(|x| *x *= factor);
        self.first.scale(power);
    }

    /// `|W|_F²`: the squares are exact in float64, and summed row by row.
    pub fn energy(&self, machine: &Machine) -> f64 {
        let (out_rows, in_cols) = self.first.shape();
        let w = &self.w;
        let of_row = |row: usize| w[row * in_cols..(row + 1) * in_cols].iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>();
        machine.map(out_rows, of_row).iter().sum()
    }

    pub fn operator(&self) -> Accumulated<'_> {
        Accumulated { w: &self.w, shape: self.first.shape() }
    }

    /// For the dense method.
    pub fn into_dense(self, sum: &Sum<'_>) -> DenseSum {
        DenseSum::of(Mat::from_fn(sum.out_rows, sum.in_cols, |i, j| f64::from(self.w[i * sum.in_cols + j])))
    }
}
