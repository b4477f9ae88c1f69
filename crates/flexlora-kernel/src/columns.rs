//! The terms side by side, as they were handed in: `W = [B_1 … B_K] diag(c) [A_1; …; A_K]`, of `R = sum of r_k` columns of B and rows of A.

use std::collections::VecDeque;
use std::ops::Range;

use crate::factor::{Dtype, Factor};
use crate::product::{TallPiece, WideRow};
use crate::request::{Term, TermSize};
use crate::scale::{exponent, times_power_of_two};

/// Factors whose largest magnitude is outside `2^-FAR .. 2^FAR` are copied to a scale near one, so that no product of float32 overflows
/// or vanishes on the way.
const FAR: i32 = 40;

/// Columns that a product takes at once: the caller may stop at any multiple.
pub use crate::product::CHUNK;

/// Terms in their order. Those at the front may be dropped; columns keep their numbers.
pub struct Columns<S> {
    terms: VecDeque<Stored<S>>,
    /// Column that the first term's first column is.
    start: usize,
    end: usize,
}

struct Stored<S> {
    coefficient: f64,
    /// `2^power` belongs to the coefficient: apart, so that their product is taken once, with the scale of the sum.
    power: i32,
    rank: usize,
    b: Bytes<S>,
    a: Bytes<S>,
}

/// One factor: where the caller has it, or a copy in float32.
enum Bytes<S> {
    Given(Dtype, S),
    Copied(Vec<u8>),
}

impl<S: AsRef<[u8]>> Columns<S> {
    pub fn new() -> Self {
        Self { terms: VecDeque::new(), start: 0, end: 0 }
    }

    /// Of all terms so far, those that were dropped included.
    pub fn end(&self) -> usize {
        self.end
    }

    pub fn push(&mut self, term: Term<'_, S>, size: &TermSize) {
        let rank = term.a.rows;
        let (b, b_power) = Bytes::near_one(term.b, size.largest_b);
        let (a, a_power) = Bytes::near_one(term.a, size.largest_a);
        // A product that is zero stays zero: its coefficient says nothing.
        let coefficient = if size.exponent.is_some() { term.coefficient } else { 0.0 };
        self.terms.push_back(Stored { coefficient, power: -(b_power + a_power), rank, b, a });
        self.end += rank;
    }

    /// Lets go of the terms that end at or before a column.
    pub fn drop_before(&mut self, column: usize) {
        while let Some(first) = self.terms.front().filter(|first| self.start + first.rank <= column) {
            self.start += first.rank;
            self.terms.pop_front();
        }
    }

    /// Columns of B.
    pub fn pieces(&self, range: Range<usize>) -> Vec<TallPiece<'_>> {
        self.within(range)
            .map(|(term, cut)| TallPiece {
                dtype: term.b.dtype(),
                bytes: term.b.bytes(),
                stride: term.rank,
                first: cut.start,
                cols: cut.len(),
            })
            .collect()
    }

    /// Rows of A.
    pub fn rows(&self, range: Range<usize>) -> Vec<WideRow<'_>> {
        let mut rows = Vec::with_capacity(range.len());
        for (term, cut) in self.within(range) {
            let (dtype, bytes) = (term.a.dtype(), term.a.bytes());
            let length = bytes.len() / term.rank;
            rows.extend(cut.map(|row| WideRow { dtype, bytes: &bytes[row * length..(row + 1) * length] }));
        }
        rows
    }

    /// The coefficient of each column, times `2^-exponent`.
    pub fn coefficients(&self, range: Range<usize>, exponent: i32) -> Vec<f32> {
        let mut coefficients = Vec::with_capacity(range.len());
        for (term, cut) in self.within(range) {
            coefficients.extend(cut.map(|_| times_power_of_two(term.coefficient, term.power - exponent) as f32));
        }
        coefficients
    }

    /// The terms that are held, times `2^-exponent`, for a method that reads them value by value. Their names are gone.
    pub fn terms(&self, (out_rows, in_cols): (usize, usize), exponent: i32) -> impl Iterator<Item = Term<'_, &[u8]>> {
        self.terms.iter().map(move |Stored { coefficient, power, rank, b, a }| Term {
            label: "",
            coefficient: times_power_of_two(*coefficient, power - exponent),
            b: Factor { dtype: b.dtype(), rows: out_rows, cols: *rank, bytes: b.bytes() },
            a: Factor { dtype: a.dtype(), rows: *rank, cols: in_cols, bytes: a.bytes() },
        })
    }

    /// Terms that have columns in the range, with their own columns that are.
    fn within(&self, range: Range<usize>) -> impl Iterator<Item = (&Stored<S>, Range<usize>)> {
        debug_assert!(self.start <= range.start && range.end <= self.end);
        let mut start = self.start;
        self.terms.iter().filter_map(move |term| {
            let first = start;
            start += term.rank;
            let cut = range.start.max(first) - first..range.end.min(start).max(first) - first;
            (cut.start < cut.end).then_some((term, cut))
        })
    }
}

impl<S: AsRef<[u8]>> Bytes<S> {
    /// The factor as it is, or `factor * 2^power`; and the power.
    fn near_one(factor: Factor<S>, largest: f64) -> (Self, i32) {
        let power = -exponent(largest);
        if power.abs() <= FAR {
            return (Self::Given(factor.dtype, factor.bytes), 0);
        }
        let view = factor.view();
        let mut values = vec![0.0; view.cols];
        let mut copied = Vec::with_capacity(view.rows * view.cols * Dtype::F32.bytes());
        for row in 0..view.rows {
            view.read_row(row, &mut values);
            copied.extend(values.iter().flat_map(|x| (times_power_of_two(*x, power) as f32).to_le_bytes()));
        }
        (Self::Copied(copied), power)
    }

    fn dtype(&self) -> Dtype {
        match self {
            Self::Given(dtype, _) => *dtype,
            Self::Copied(_) => Dtype::F32,
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Given(_, bytes) => bytes.as_ref(),
            Self::Copied(bytes) => bytes,
        }
    }
}
