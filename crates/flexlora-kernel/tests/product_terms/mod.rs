//! Random factors of every element type, at odd addresses, some as a range of the columns of a wider matrix.

use flexlora_kernel::Dtype;
use flexlora_kernel::product::{Panel, TallPiece, WideRow};

/// Columns of the matrix that a `B_k` is cut from, before it and after it.
const MARGIN: usize = 3;

#[derive(Clone)]
struct Term {
    dtype: Dtype,
    rank: usize,
    margin: usize,
    /// One byte, then rows x (margin + rank + margin).
    b: Vec<u8>,
    /// One byte, then rank x cols.
    a: Vec<u8>,
}

pub struct Terms {
    pub rows: usize,
    pub cols: usize,
    pub coefficients: Vec<f32>,
    terms: Vec<Term>,
}

impl Terms {
    pub fn random(seed: u64, rows: usize, cols: usize, ranks: &[usize]) -> Self {
        let mut random = Random(seed);
        let terms = ranks.iter().enumerate().map(|(index, &rank)| {
            let dtype = [Dtype::F32, Dtype::Bf16, Dtype::F16][index % 3];
            let margin = if index % 2 == 0 { 0 } else { MARGIN };
            let mut bytes = |count| [0].into_iter().chain((0..count).flat_map(|_| random.element(dtype))).collect();
            Term { dtype, rank, margin, b: bytes(rows * (rank + 2 * margin)), a: bytes(rank * cols) }
        });
        let terms = terms.collect();
        let coefficients = (0..ranks.iter().sum()).map(|_| random.signed_unit()).collect();
        Self { rows, cols, coefficients, terms }
    }

    /// The same concatenation in other pieces: the first `columns` columns, and the others.
    pub fn split_at(&self, columns: usize) -> [TermsPart<'_>; 2] {
        [TermsPart { terms: self, first: 0, end: columns }, TermsPart { terms: self, first: columns, end: self.rank_sum() }]
    }

    pub fn rank_sum(&self) -> usize {
        self.coefficients.len()
    }

    pub fn pieces(&self) -> Vec<TallPiece<'_>> {
        self.terms.iter().map(|term| term.piece(0, term.rank)).collect()
    }

    pub fn wide_rows(&self) -> Vec<WideRow<'_>> {
        let row = |term: &Term, row: usize| term.a_start(row, self.cols)..term.a_start(row + 1, self.cols);
        self.terms
            .iter()
            .flat_map(|term| (0..term.rank).map(move |k| WideRow { dtype: term.dtype, bytes: &term.a[row(term, k)] }))
            .collect()
    }

    /// Entry of `[B_1 … B_K]`.
    pub fn b(&self, row: usize, k: usize) -> f32 {
        let (term, column) = self.locate(k);
        let start = 1 + (row * (term.rank + 2 * term.margin) + term.margin + column) * term.dtype.bytes();
        decode(term.dtype, &term.b[start..])
    }

    /// Entry of `[A_1; …; A_K]`.
    pub fn a(&self, k: usize, col: usize) -> f32 {
        let (term, row) = self.locate(k);
        decode(term.dtype, &term.a[term.a_start(row, self.cols) + col * term.dtype.bytes()..])
    }

    pub fn random_matrix(&self) -> Vec<f32> {
        let mut random = Random(77);
        (0..self.rows * self.cols).map(|_| random.signed_unit()).collect()
    }

    fn locate(&self, mut k: usize) -> (&Term, usize) {
        for term in &self.terms {
            if k < term.rank {
                return (term, k);
            }
            k -= term.rank;
        }
        panic!("the terms have {} columns", self.rank_sum());
    }
}

/// Some columns of the concatenation.
pub struct TermsPart<'a> {
    terms: &'a Terms,
    first: usize,
    end: usize,
}

impl<'a> TermsPart<'a> {
    pub fn pieces(&self) -> Vec<TallPiece<'a>> {
        let mut start = 0;
        let pieces = self.terms.terms.iter().map(|term| {
            let range = self.first.clamp(start, start + term.rank) - start..self.end.clamp(start, start + term.rank) - start;
            start += term.rank;
            term.piece(range.start, range.len())
        });
        pieces.collect()
    }

    pub fn wide_rows(&self) -> Vec<WideRow<'a>> {
        self.terms.wide_rows()[self.first..self.end].to_vec()
    }

    pub fn coefficients(&self) -> &'a [f32] {
        &self.terms.coefficients[self.first..self.end]
    }
}

impl Term {
    fn piece(&self, first: usize, cols: usize) -> TallPiece<'_> {
        let stride = self.rank + 2 * self.margin;
        TallPiece { dtype: self.dtype, bytes: &self.b[1..], stride, first: self.margin + first, cols }
    }

    fn a_start(&self, row: usize, cols: usize) -> usize {
        1 + row * cols * self.dtype.bytes()
    }
}

fn decode(dtype: Dtype, bytes: &[u8]) -> f32 {
    let bits = u16::from_le_bytes([bytes[0], bytes[1]]);
    match dtype {
        Dtype::F32 => f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
        Dtype::Bf16 => f32::from_bits(u32::from(bits) << 16),
        Dtype::F16 => {
            let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 0x3ff));
            let magnitude = if exponent == 0 { fraction * 2f32.powi(-24) } else { (1024.0 + fraction) * 2f32.powi(exponent - 25) };
            if bits >> 15 == 1 { -magnitude } else { magnitude }
        }
    }
}

/// `count` panels of numbers in [-1, 1).
pub fn random_panels(seed: u64, count: usize, rows: usize) -> Vec<Panel> {
    let mut random = Random(1000 + seed);
    let mut panels = vec![Panel::zeros(rows); count];
    panels.iter_mut().flat_map(|panel| panel.as_mut_slice()).for_each(|entry| *entry = random.signed_unit());
    panels
}

struct Random(u64);

impl Random {
    /// Steele, Lea and Flood's SplitMix64.
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn signed_unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    fn element(&mut self, dtype: Dtype) -> Vec<u8> {
        let bits = self.signed_unit().to_bits();
        match dtype {
            Dtype::F32 => bits.to_le_bytes().to_vec(),
            Dtype::Bf16 => ((bits >> 16) as u16).to_le_bytes().to_vec(),
            // Sign and fraction at random, the exponent from subnormal to the numbers around one.
            Dtype::F16 => (self.bits() as u16 & 0xbfff).to_le_bytes().to_vec(),
        }
    }
}
