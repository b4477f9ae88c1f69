//! What is asked for, and every check of it. Nothing is allocated for a request that is refused.

use crate::error::{ErrorCode, KernelError, Result};
use crate::factor::{Dtype, Factor};
use crate::scale::{exponent, times_power_of_two};

/// `coefficient * b * a`, with `b` out x rank and `a` rank x in.
#[derive(Debug, Clone, Copy)]
pub struct Term<'a> {
    /// Names the term in errors.
    pub label: &'a str,
    pub coefficient: f64,
    pub b: Factor<'a>,
    pub a: Factor<'a>,
}

#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Names the module in errors.
    pub module: &'a str,
    pub out_rows: usize,
    pub in_cols: usize,
    pub rank: usize,
    /// Summed in this order; may be empty.
    pub terms: &'a [Term<'a>],
    pub completion_seed: u64,
}

/// Values in one output matrix at most: 4 GiB of float32, far above any layer, and a bound on what a wrong shape can allocate.
pub const OUTPUT_VALUES_MAX: usize = 1 << 30;

/// A request that passed, at a scale near one: `W = 2^exponent * sum of terms`.
pub struct Sum<'a> {
    pub module: &'a str,
    pub out_rows: usize,
    pub in_cols: usize,
    /// `min(rank, out, in)`.
    pub rank: usize,
    pub rank_sum: usize,
    pub completion_seed: u64,
    /// With coefficients divided by `2^exponent`.
    pub terms: Vec<Term<'a>>,
    pub exponent: i32,
    /// `sum of |c_k| * |B_k|_F * |A_k|_F`, scaled: an upper bound of |W|_F, and the size that rounding errors are relative to.
    pub magnitude: f64,
}

impl<'a> Request<'a> {
    pub fn check(&self) -> Result<Sum<'a>> {
        self.check_sizes()?;
        let mut sizes = Vec::with_capacity(self.terms.len());
        let mut rank_sum = 0usize;
        for term in self.terms {
            sizes.push(self.check_term(term)?);
            rank_sum = rank_sum.saturating_add(term.a.rows);
        }
        let exponent = sizes.iter().map(|size| size.exponent).max().flatten().unwrap_or(0);
        let terms: Vec<Term<'a>> =
            self.terms.iter().map(|term| Term { coefficient: times_power_of_two(term.coefficient, -exponent), ..*term }).collect();
        let magnitude = terms.iter().zip(&sizes).map(|(term, size)| term.coefficient.abs() * size.norms).sum();
        Ok(Sum {
            module: self.module,
            out_rows: self.out_rows,
            in_cols: self.in_cols,
            rank: self.rank.min(self.out_rows).min(self.in_cols),
            rank_sum,
            completion_seed: self.completion_seed,
            terms,
            exponent,
            magnitude,
        })
    }

    fn check_sizes(&self) -> Result<()> {
        let Request { module, out_rows, in_cols, rank, .. } = *self;
        if out_rows == 0 || in_cols == 0 {
            return refuse(
                ErrorCode::BadShape,
                format!(
                    "module {module:?}: the shape is {out_rows} x {in_cols}; both sides must be at least 1: give the shape of the layer"
                ),
            );
        }
        if rank == 0 {
            return refuse(
                ErrorCode::BadRank,
                format!("module {module:?}: rank is 0; at least 1 is allowed: ask for the components that are to be kept"),
            );
        }
        let kept = rank.min(out_rows).min(in_cols);
        if kept.saturating_mul(out_rows.max(in_cols)) > OUTPUT_VALUES_MAX {
            return refuse(
                ErrorCode::BadShape,
                format!(
                    "module {module:?}: rank {kept} of {out_rows} x {in_cols} is more than {OUTPUT_VALUES_MAX} values a factor: ask for a lower rank"
                ),
            );
        }
        Ok(())
    }

    fn check_term(&self, term: &Term<'_>) -> Result<TermSize> {
        let Request { module, out_rows, in_cols, .. } = *self;
        let (label, b, a) = (term.label, term.b, term.a);
        if b.rows != out_rows || a.cols != in_cols || b.cols != a.rows {
            return refuse(
                ErrorCode::BadShape,
                format!(
                    "module {module:?}, term {label:?}: lora_B is {} x {} and lora_A is {} x {}; allowed are {out_rows} x r and r x {in_cols} with one r: \
                     check the adapter against the base model",
                    b.rows, b.cols, a.rows, a.cols
                ),
            );
        }
        if a.rows == 0 {
            return refuse(
                ErrorCode::BadRank,
                format!("module {module:?}, term {label:?}: the rank of its factors is 0; at least 1 is allowed: leave the term out"),
            );
        }
        if !term.coefficient.is_finite() {
            return refuse(
                ErrorCode::NotFinite,
                format!(
                    "module {module:?}, term {label:?}: the coefficient is {}; it must be a finite number: check weight and scaling",
                    term.coefficient
                ),
            );
        }
        let (b_largest, b_norm) = self.check_factor(label, "lora_B", &b)?;
        let (a_largest, a_norm) = self.check_factor(label, "lora_A", &a)?;
        let product = b_largest * a_largest;
        let is_zero = term.coefficient == 0.0 || product == 0.0;
        Ok(TermSize { exponent: (!is_zero).then(|| exponent(term.coefficient) + exponent(product)), norms: b_norm * a_norm })
    }

    /// The largest magnitude and the Frobenius norm.
    fn check_factor(&self, label: &str, name: &str, factor: &Factor<'_>) -> Result<(f64, f64)> {
        let module = self.module;
        let want = factor.rows.checked_mul(factor.cols).and_then(|n| n.checked_mul(factor.dtype.bytes()));
        if want != Some(factor.bytes.len()) {
            return refuse(
                ErrorCode::BadShape,
                format!(
                    "module {module:?}, term {label:?}, {name}: {} bytes for {} x {} of {}; every value takes {} bytes: check dtype and shape",
                    factor.bytes.len(),
                    factor.rows,
                    factor.cols,
                    dtype_name(factor.dtype),
                    factor.dtype.bytes()
                ),
            );
        }
        match factor.scan() {
            Ok(scan) => Ok((scan.largest, scan.norm_squared.sqrt())),
            Err((row, col, value)) => refuse(
                ErrorCode::NotFinite,
                format!(
                    "module {module:?}, term {label:?}, {name}[{row}, {col}] is {value}; only finite numbers can be summed: leave this update out"
                ),
            ),
        }
    }
}

struct TermSize {
    /// None where the product is exactly zero.
    exponent: Option<i32>,
    norms: f64,
}

fn dtype_name(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::F32 => "F32",
        Dtype::F16 => "F16",
        Dtype::Bf16 => "BF16",
    }
}

fn refuse<T>(code: ErrorCode, message: String) -> Result<T> {
    Err(KernelError::new(code, message))
}
