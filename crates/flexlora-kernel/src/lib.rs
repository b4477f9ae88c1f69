//! The sum of LoRA products `W = sum of c_k B_k A_k` and its truncated SVD, with the proof that comes with it.
//!
//! Read `request` for what is asked, `sum` for how terms come in, `plan` for which way it goes, `stacked`, `dense` and `krylov` (over
//! `factored` or `accumulated`) for the ways,
//! `canonical` for what makes the answer unique, `proof` for how it is checked. The derivations stand in `docs/internals/kernel-maths.md`.
//!
//! The same terms give the same bytes, however they are split into batches and on any number of threads: threads divide the entries of
//! results among themselves, never a sum.

mod accumulated;
mod basis;
mod cancel;
mod canonical;
mod columns;
mod completion;
mod convergence;
mod cost;
mod decomposition;
mod dense;
mod eigen;
mod error;
mod factor;
mod factored;
mod first_pass;
mod held;
mod krylov;
mod machine;
mod operator;
mod plan;
pub mod product;
mod proof;
mod random;
mod request;
mod ritz;
mod scale;
mod stack;
mod stacked;
mod sum;
mod thin_basis;
mod thin_qr;
mod total;

pub use cancel::Cancel;
pub use error::{ErrorCode, KernelError, Result};
pub use factor::{Dtype, Factor};
pub use machine::Machine;
pub use plan::{Method, Plan};
pub use request::{MEMORY_BYTES, OUTPUT_VALUES_MAX, SumRequest, TOLERANCE, TOLERANCE_EXACT, Term};
pub use sum::TruncatingSum;

/// `W = sum of sigma_j u_j v_jᵀ + (what was cut off)`, values descending.
///
/// The first entry of largest magnitude of each `v_j` is positive. A component that W does not have has value 0, `u_j = 0`, and a
/// `v_j` that completes the rows orthonormally.
#[derive(Debug, Clone, PartialEq)]
pub struct TruncatedSum {
    /// `min(rank, out, in)`.
    pub rank: usize,
    /// rank x out, row-major.
    pub u: Vec<f32>,
    pub singular_values: Vec<f64>,
    /// rank x in, row-major, orthonormal rows.
    pub v: Vec<f32>,
    /// The method that gave the answer.
    pub method: Method,
    /// What was forecast before the first term came.
    pub plan: Plan,
    /// The planned method where another had to take its place, because the planned one could not reach the tolerance.
    pub fallback_from: Option<Method>,
    pub rank_sum: usize,
    /// Sum of the squared values kept.
    pub energy_kept: f64,
    /// `|W|_F^2`.
    pub energy_total: f64,
    /// The standard error of `energy_total`; 0 where it is not an estimate.
    pub energy_total_error: f64,
    /// `|W G - U S Vᵀ G|_F / |W G|_F` over random vectors G, measured on what is handed out.
    pub residual: f64,
    /// What was asked for.
    pub tolerance: f64,
    /// How much larger than the smallest possible the error is, as estimated: at most `tolerance - 1`. 0 where the method is exact.
    pub excess: f64,
    /// Blocks of the iteration; 0 where there was none.
    pub blocks: usize,
    /// Multiplications and additions, as counted by the formulas of the plan with the blocks that were taken.
    pub operations: f64,
}

/// Sums the terms in their order and truncates: a `TruncatingSum` of one batch. Refuses bad input by name; never panics for any input.
pub fn truncate<S: AsRef<[u8]> + Send + Sync>(
    request: SumRequest,
    terms: Vec<Term<'_, S>>,
    machine: &Machine,
    cancel: &Cancel,
) -> Result<TruncatedSum> {
    cancel.check(&request.module)?;
    let mut sum = TruncatingSum::new(request)?;
    sum.add(terms, machine, cancel)?;
    sum.truncate(machine, cancel)
}
