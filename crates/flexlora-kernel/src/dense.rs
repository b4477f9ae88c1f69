//! Forms W, the same number of columns at a time wherever terms and batches end, and decomposes it.

use faer::Mat;

use crate::cancel::Cancel;
use crate::decomposition::{Decomposition, thin_svd};
use crate::error::Result;
use crate::request::Term;
use crate::scale::scale_by_power_of_two;
use crate::stack::{GROUP_COLUMNS, Stack};
use crate::sum::Sum;

pub struct DenseSum {
    w: Mat<f64>,
    /// Columns that are not in `w` yet. A group ends at a column whose number is a multiple of `GROUP_COLUMNS`, so that neither the
    /// batches nor the terms decide what is multiplied at once.
    group: Stack,
}

impl DenseSum {
    pub fn new(out_rows: usize, in_cols: usize, rank_sum: usize) -> Self {
        Self { w: Mat::zeros(out_rows, in_cols), group: Stack::new(out_rows, in_cols, rank_sum.min(GROUP_COLUMNS)) }
    }

    pub fn of(w: Mat<f64>) -> Self {
        let group = Stack::new(w.nrows(), w.ncols(), 0);
        Self { w, group }
    }

    pub fn push(&mut self, term: &Term<'_, &[u8]>, coefficient: f64) {
        let mut from = 0;
        while from < term.a.rows {
            from += self.group.push(term, coefficient, from);
            if self.group.is_full() {
                self.group.flush_into(&mut self.w);
            }
        }
    }

    pub fn scale(&mut self, power: i32) {
        scale_by_power_of_two(self.w.as_mut(), power);
        self.group.scale(power);
    }

    pub fn decompose(self, sum: &Sum<'_>, cancel: &Cancel) -> Result<Decomposition> {
        let Self { mut w, mut group } = self;
        group.flush_into(&mut w);
        drop(group);
        cancel.check(sum.module)?;
        let energy_total = w.squared_norm_l2();
        let (u, mut values, v) = thin_svd(w.as_ref(), sum.module)?;
        cancel.check(sum.module)?;
        values.truncate(sum.rank);
        Ok(Decomposition { u, values, v, energy_total })
    }
}
