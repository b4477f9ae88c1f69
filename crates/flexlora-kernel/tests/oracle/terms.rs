//! The terms of a case as a caller hands them in: their own bytes, in any of the three types.

use flexlora_kernel::{Dtype, Factor, Term};

use super::{Case, OwnedTerm};

impl Case {
    pub fn owned_terms(&self, dtype: Dtype) -> Vec<Term<'_, Vec<u8>>> {
        self.terms.iter().map(|term| self.owned_term(term, [dtype; 2])).collect()
    }

    /// Types of B and of A.
    pub fn owned_term<'a>(&self, term: &'a OwnedTerm, [of_b, of_a]: [Dtype; 2]) -> Term<'a, Vec<u8>> {
        let (rank, out_rows, in_cols) = (term.rank, self.out_rows, self.in_cols);
        Term {
            label: &term.label,
            coefficient: term.coefficient,
            b: Factor { dtype: of_b, rows: out_rows, cols: rank, bytes: encoded(&term.b, of_b) },
            a: Factor { dtype: of_a, rows: rank, cols: in_cols, bytes: encoded(&term.a, of_a) },
        }
    }

    /// Every factor's values, one after another.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut f32> {
        self.terms.iter_mut().flat_map(|term| term.b.iter_mut().chain(&mut term.a))
    }

    /// Every value replaced by one that the type holds exactly.
    pub fn rounded_to(mut self, dtype: Dtype) -> Self {
        self.values_mut().for_each(|x| *x = rounded(*x, dtype));
        self
    }

    /// `sum of |c_k| * |B_k|_F * |A_k|_F`: what rounding errors are relative to.
    pub fn magnitude(&self) -> f64 {
        let norm = |values: &[f32]| values.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
        self.terms.iter().map(|term| term.coefficient.abs() * norm(&term.b) * norm(&term.a)).sum()
    }
}

/// The nearest below in magnitude among the values that the type holds as normal numbers; 0 below those.
pub fn rounded(x: f32, dtype: Dtype) -> f32 {
    let truncated = |kept: u32| f32::from_bits(x.to_bits() & (u32::MAX << (23 - kept)));
    match dtype {
        Dtype::F32 => x,
        Dtype::Bf16 => truncated(7),
        Dtype::F16 if x.abs() < 6.2e-5 => 0.0,
        Dtype::F16 => truncated(10).clamp(-65_504.0, 65_504.0),
    }
}

/// Little-endian. For values that the type holds exactly.
pub fn encoded(values: &[f32], dtype: Dtype) -> Vec<u8> {
    match dtype {
        Dtype::F32 => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Dtype::Bf16 => values.iter().flat_map(|x| ((x.to_bits() >> 16) as u16).to_le_bytes()).collect(),
        Dtype::F16 => values.iter().flat_map(|x| half(*x).to_le_bytes()).collect(),
    }
}

fn half(x: f32) -> u16 {
    let bits = x.to_bits();
    let sign = (bits >> 16 & 0x8000) as u16;
    let exponent = (bits >> 23 & 0xff) as i32 - 127 + 15;
    let fraction = (bits >> 13 & 0x3ff) as u16;
    match exponent {
        _ if x == 0.0 => sign,
        ..=0 => panic!("{x} is no normal number of float16"),
        1..=30 => sign | (exponent as u16) << 10 | fraction,
        31.. => sign | 0x7c00 | u16::from(x.is_nan()) << 9,
    }
}
