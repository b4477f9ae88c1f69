//! The plain data of the door, field by field as `kernel.ts` has it.

use flexlora_kernel::{Dtype, ErrorCode, Factor, KernelError, Method, Plan, Result, SumRequest, TOLERANCE, Term, TruncatedSum};
use napi::bindgen_prelude::{Float32Array, Float64Array, Uint8Array};
use napi_derive::napi;

#[napi(object, object_to_js = false)]
pub struct PlainFactor {
    pub dtype: String,
    pub rows: f64,
    pub cols: f64,
    pub bytes: Uint8Array,
}

#[napi(object, object_to_js = false)]
pub struct PlainTerm {
    pub label: String,
    pub coefficient: f64,
    pub b: PlainFactor,
    pub a: PlainFactor,
}

#[napi(object, object_to_js = false)]
pub struct PlainSumRequest {
    pub module: String,
    pub out: f64,
    #[napi(js_name = "in")]
    pub in_cols: f64,
    pub rank: f64,
    pub rank_sum: f64,
    pub completion_seed: f64,
    pub tolerance: Option<f64>,
    pub memory_bytes: f64,
    pub method: Option<String>,
}

#[napi(object, object_from_js = false)]
pub struct PlainPlan {
    pub method: String,
    pub blocks: f64,
    pub operations: f64,
    pub scratch_bytes: f64,
    pub seconds: f64,
}

#[napi(object, object_from_js = false, use_nullable = true)]
pub struct Answer {
    pub rank: f64,
    pub u: Float32Array,
    pub singular_values: Float64Array,
    pub v: Float32Array,
    pub method: String,
    pub plan: PlainPlan,
    pub converged: bool,
    pub fallback_from: Option<String>,
    pub blocks: f64,
    pub operations: f64,
    pub tolerance: f64,
    pub excess: f64,
    pub rank_sum: f64,
    pub energy_kept: f64,
    pub energy_total: f64,
    pub energy_total_error: f64,
    pub residual: f64,
    pub seconds: f64,
}

#[napi(object, object_from_js = false)]
pub struct Refusal {
    pub code: String,
    pub message: String,
}

/// At most one of the two is there; both are null where a call had nothing to answer.
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct Outcome {
    pub answer: Option<Answer>,
    pub refusal: Option<Refusal>,
}

impl PlainSumRequest {
    /// The kernel's view of this request. Numbers arrive as float64, so that -1, 1.5 and NaN are refused instead of wrapped.
    pub fn view(&self) -> Result<SumRequest> {
        let module = &self.module;
        Ok(SumRequest {
            module: module.clone(),
            out_rows: whole(self.out, ErrorCode::BadShape, || format!("module {module:?}: out"))?,
            in_cols: whole(self.in_cols, ErrorCode::BadShape, || format!("module {module:?}: in"))?,
            rank: whole(self.rank, ErrorCode::BadRank, || format!("module {module:?}: rank"))?,
            rank_sum: whole(self.rank_sum, ErrorCode::BadRank, || format!("module {module:?}: rankSum"))?,
            completion_seed: self.completion_seed.to_bits(),
            tolerance: self.tolerance.unwrap_or(TOLERANCE),
            memory_bytes: whole(self.memory_bytes, ErrorCode::TooLarge, || format!("module {module:?}: memoryBytes"))?,
            method: self.method.as_deref().map(|name| method_named(name, module)).transpose()?,
        })
    }
}

fn method_named(name: &str, module: &str) -> Result<Method> {
    Method::named(name).ok_or_else(|| {
        let message = format!(
            "module {module:?}: the method is {name:?}; allowed are stacked, factored, accumulated and dense: name one of them, or none"
        );
        KernelError::new(ErrorCode::BadMethod, message)
    })
}

impl Refusal {
    pub fn new(error: KernelError) -> Self {
        Self { code: error.code.name().into(), message: error.message }
    }
}

/// The memory of a JavaScript array, read where it lies and kept alive for as long as this value lives: it may be dropped on any thread.
pub struct JsBytes(Uint8Array);

impl AsRef<[u8]> for JsBytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The kernel's view of these terms, whose labels were taken out: it owns the arrays, because a sum may read them until it is truncated.
pub fn terms_of<'a>(terms: Vec<PlainTerm>, labels: &'a [String], module: &str) -> Result<Vec<Term<'a, JsBytes>>> {
    terms.into_iter().zip(labels).map(|(term, label)| term.named(label, module)).collect()
}

impl PlainTerm {
    fn named<'a>(self, label: &'a str, module: &str) -> Result<Term<'a, JsBytes>> {
        let place = |name: &str| format!("module {module:?}, term {label:?}, {name}");
        Ok(Term { label, coefficient: self.coefficient, b: self.b.owned(&|| place("lora_B"))?, a: self.a.owned(&|| place("lora_A"))? })
    }
}

impl PlainFactor {
    fn owned(self, place: &dyn Fn() -> String) -> Result<Factor<JsBytes>> {
        let dtype = match self.dtype.as_str() {
            "F32" => Dtype::F32,
            "F16" => Dtype::F16,
            "BF16" => Dtype::Bf16,
            other => {
                let message = format!("{}: dtype {other:?}; allowed are F32, F16 and BF16: convert the factor", place());
                return Err(KernelError::new(ErrorCode::BadShape, message));
            }
        };
        Ok(Factor {
            dtype,
            rows: whole(self.rows, ErrorCode::BadShape, || format!("{}: rows", place()))?,
            cols: whole(self.cols, ErrorCode::BadShape, || format!("{}: cols", place()))?,
            bytes: JsBytes(self.bytes),
        })
    }
}

impl PlainPlan {
    pub fn new(plan: &Plan) -> Self {
        Self {
            method: plan.method.name().into(),
            blocks: plan.blocks as f64,
            operations: plan.operations,
            scratch_bytes: plan.scratch_bytes as f64,
            seconds: plan.seconds,
        }
    }
}

impl Answer {
    pub fn new(sum: TruncatedSum, seconds: f64) -> Self {
        Self {
            rank: sum.rank as f64,
            u: sum.u.into(),
            singular_values: sum.singular_values.into(),
            v: sum.v.into(),
            method: sum.method.name().into(),
            plan: PlainPlan::new(&sum.plan),
            converged: sum.fallback_from.is_none(),
            fallback_from: sum.fallback_from.map(|method| method.name().into()),
            blocks: sum.blocks as f64,
            operations: sum.operations,
            tolerance: sum.tolerance,
            excess: sum.excess,
            rank_sum: sum.rank_sum as f64,
            energy_kept: sum.energy_kept,
            energy_total: sum.energy_total,
            energy_total_error: sum.energy_total_error,
            residual: sum.residual,
            seconds,
        }
    }
}

/// The largest whole number up to which every one is a float64.
const WHOLE_MAX: f64 = 9_007_199_254_740_991.0;

fn whole(value: f64, code: ErrorCode, place: impl Fn() -> String) -> Result<usize> {
    if value.fract() == 0.0 && (0.0..=WHOLE_MAX).contains(&value) {
        return Ok(value as usize);
    }
    Err(KernelError::new(code, format!("{} is {value}; a whole number that is not negative is needed: correct the shape", place())))
}
