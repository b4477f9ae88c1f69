//! What is asked for, and every check of it. Nothing is allocated for what is refused.

use crate::cost::cost;
use crate::error::{ErrorCode, KernelError, Result};
use crate::factor::{Dtype, Factor};
use crate::plan::{Method, Plan, Shape, Unplanned, plan};
use crate::product::{Scan, scan};
use crate::scale::exponent;

/// `coefficient * b * a`, with `b` out x rank and `a` rank x in.
#[derive(Debug, Clone, Copy)]
pub struct Term<'a, S> {
    /// Names the term in errors.
    pub label: &'a str,
    pub coefficient: f64,
    pub b: Factor<S>,
    pub a: Factor<S>,
}

impl<S: AsRef<[u8]>> Term<'_, S> {
    pub fn view(&self) -> Term<'_, &[u8]> {
        Term { label: self.label, coefficient: self.coefficient, b: self.b.view(), a: self.a.view() }
    }
}

/// A sum whose terms come later.
#[derive(Debug, Clone)]
pub struct SumRequest {
    /// Names the module in errors.
    pub module: String,
    pub out_rows: usize,
    pub in_cols: usize,
    pub rank: usize,
    /// The sum of the ranks of all terms that will come: it decides the method before the first of them is there.
    pub rank_sum: usize,
    pub completion_seed: u64,
    /// How much larger than the smallest possible the error may be, as a ratio of Frobenius norms, at every rank: `TOLERANCE` or
    /// `TOLERANCE_EXACT`, or anything above 1.
    pub tolerance: f64,
    /// Bytes that the sum may hold at most, the terms' factors included where the method holds them.
    pub memory_bytes: usize,
    /// None lets the planner choose.
    pub method: Option<Method>,
}

/// The tolerance where none is asked for.
pub const TOLERANCE: f64 = 1.001;

/// As exact as factors in float32 warrant.
pub const TOLERANCE_EXACT: f64 = 1.0 + 1e-6;

/// The bound of memory where none is given: 2 GiB.
pub const MEMORY_BYTES: usize = 2 << 30;

/// Values in one output matrix at most: 4 GiB of float32, far above any layer, and a bound on what a wrong shape can allocate.
pub const OUTPUT_VALUES_MAX: usize = 1 << 30;

/// What a term weighs, from one pass over its factors.
#[derive(Debug, Clone, Copy)]
pub struct TermSize {
    /// None where the product is exactly zero.
    pub exponent: Option<i32>,
    /// `|B|_F * |A|_F`.
    pub norms: f64,
    pub largest_b: f64,
    pub largest_a: f64,
}

impl SumRequest {
    pub fn shape(&self) -> Shape {
        Shape { out_rows: self.out_rows, in_cols: self.in_cols, rank_sum: self.rank_sum, rank: self.kept() }
    }

    /// Of a method that took so many blocks.
    pub fn operations(&self, method: Method, blocks: usize) -> f64 {
        cost(method, self.shape(), blocks).operations
    }

    /// That a method holds at most.
    pub fn scratch_bytes(&self, method: Method) -> usize {
        cost(method, self.shape(), 0).scratch_bytes
    }

    /// The method and what it will take, or why there is none.
    pub fn plan(&self) -> Result<Plan> {
        self.check()?;
        let Self { module, out_rows, in_cols, rank_sum, memory_bytes, .. } = self;
        plan(self.shape(), self.method, *memory_bytes).map_err(|unplanned| {
            let (code, message) = match unplanned {
                Unplanned::TooLarge { method, scratch_bytes } => (
                    ErrorCode::TooLarge,
                    format!(
                        "module {module:?}: the sum of ranks {rank_sum} at {out_rows} x {in_cols} takes {scratch_bytes} bytes by the method {}; \
                         allowed are {memory_bytes}: allow the kernel more memory, or sum fewer terms at a time",
                        method.name()
                    ),
                ),
                Unplanned::DoesNotApply { method } => (
                    ErrorCode::BadMethod,
                    format!(
                        "module {module:?}: the method {} takes a sum of ranks below {}; it is {rank_sum}: ask for another method, or for none",
                        method.name(),
                        out_rows.min(in_cols)
                    ),
                ),
            };
            KernelError::new(code, message)
        })
    }

    /// `min(rank, out, in)`.
    pub fn kept(&self) -> usize {
        self.rank.min(self.out_rows).min(self.in_cols)
    }

    fn check(&self) -> Result<()> {
        let Self { module, out_rows, in_cols, rank, tolerance, .. } = self;
        if *out_rows == 0 || *in_cols == 0 {
            return refuse(
                ErrorCode::BadShape,
                format!(
                    "module {module:?}: the shape is {out_rows} x {in_cols}; both sides must be at least 1: give the shape of the layer"
                ),
            );
        }
        if *rank == 0 {
            return refuse(
                ErrorCode::BadRank,
                format!("module {module:?}: rank is 0; at least 1 is allowed: ask for the components that are to be kept"),
            );
        }
        let kept = self.kept();
        if kept.saturating_mul(*out_rows.max(in_cols)) > OUTPUT_VALUES_MAX {
            return refuse(
                ErrorCode::BadShape,
                format!(
                    "module {module:?}: rank {kept} of {out_rows} x {in_cols} is more than {OUTPUT_VALUES_MAX} values a factor: ask for a lower rank"
                ),
            );
        }
        if !(tolerance.is_finite() && *tolerance >= TOLERANCE_EXACT) {
            return refuse(
                ErrorCode::BadTolerance,
                format!("module {module:?}: the tolerance is {tolerance}; allowed is {TOLERANCE_EXACT} and above: ask for {TOLERANCE}"),
            );
        }
        Ok(())
    }

    /// Checks what the headers say.
    pub fn check_term(&self, term: &Term<'_, &[u8]>) -> Result<()> {
        let Self { module, out_rows, in_cols, .. } = self;
        let (label, b, a) = (term.label, term.b, term.a);
        if b.rows != *out_rows || a.cols != *in_cols || b.cols != a.rows {
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
        self.check_bytes(label, "lora_B", &b)?;
        self.check_bytes(label, "lora_A", &a)
    }

    fn check_bytes(&self, label: &str, name: &str, factor: &Factor<&[u8]>) -> Result<()> {
        let module = &self.module;
        let want = factor.rows.checked_mul(factor.cols).and_then(|n| n.checked_mul(factor.dtype.bytes()));
        if want == Some(factor.bytes.len()) {
            return Ok(());
        }
        refuse(
            ErrorCode::BadShape,
            format!(
                "module {module:?}, term {label:?}, {name}: {} bytes for {} x {} of {}; every value takes {} bytes: check dtype and shape",
                factor.bytes.len(),
                factor.rows,
                factor.cols,
                dtype_name(factor.dtype),
                factor.dtype.bytes()
            ),
        )
    }

    /// Reads the values of a term once. Its headers are checked.
    pub fn measure_term(&self, term: &Term<'_, &[u8]>) -> Result<TermSize> {
        let b = self.measure_factor(term.label, "lora_B", &term.b)?;
        let a = self.measure_factor(term.label, "lora_A", &term.a)?;
        let (largest_b, largest_a) = (f64::from(b.largest), f64::from(a.largest));
        let product = largest_b * largest_a;
        let is_zero = term.coefficient == 0.0 || product == 0.0;
        Ok(TermSize {
            exponent: (!is_zero).then(|| exponent(term.coefficient) + exponent(product)),
            norms: (b.sum_of_squares.sqrt()) * a.sum_of_squares.sqrt(),
            largest_b,
            largest_a,
        })
    }

    fn measure_factor(&self, label: &str, name: &str, factor: &Factor<&[u8]>) -> Result<Scan> {
        let module = &self.module;
        let scan = scan(factor.dtype, factor.bytes);
        let Some(index) = scan.first_not_finite else {
            return Ok(scan);
        };
        let (row, col) = (index / factor.cols, index % factor.cols);
        let mut values = vec![0.0; factor.cols];
        factor.read_row(row, &mut values);
        refuse(
            ErrorCode::NotFinite,
            format!(
                "module {module:?}, term {label:?}, {name}[{row}, {col}] is {}; only finite numbers can be summed: leave this update out",
                values[col]
            ),
        )
    }

    /// Refuses terms beyond the declared ranks.
    pub fn check_room(&self, added: usize, more: usize) -> Result<()> {
        if added.saturating_add(more) <= self.rank_sum {
            return Ok(());
        }
        refuse(
            ErrorCode::BadRank,
            format!(
                "module {:?}: the ranks of the terms sum to {} so far; {} were declared: declare the sum of the ranks of all terms",
                self.module,
                added.saturating_add(more),
                self.rank_sum
            ),
        )
    }

    /// Refuses to truncate before all declared ranks are there.
    pub fn check_complete(&self, added: usize) -> Result<()> {
        if added == self.rank_sum {
            return Ok(());
        }
        refuse(
            ErrorCode::BadRank,
            format!(
                "module {:?}: the ranks of the terms sum to {added}; {} were declared: add all terms before the sum is truncated",
                self.module, self.rank_sum
            ),
        )
    }
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
