//! The sum of LoRA products `W = sum of c_k B_k A_k` and its truncated SVD, with the proof that comes with it.
//!
//! Read `request` for what is asked, `sum` for how terms come in, `plan` for which way it goes, `stacked` and `dense` for the two ways,
//! `canonical` for what makes the answer unique, `proof` for how it is checked. The derivations stand in `docs/internals/kernel-maths.md`.
//!
//! The same terms give the same bytes, however they are split into batches: everything runs on the calling thread, in an order that only
//! the shapes decide.

mod cancel;
mod canonical;
mod completion;
mod decomposition;
mod dense;
mod error;
mod factor;
mod plan;
mod proof;
mod random;
mod request;
mod scale;
mod stack;
mod stacked;
mod sum;
mod thin_qr;

pub use cancel::Cancel;
pub use error::{ErrorCode, KernelError, Result};
pub use factor::{Dtype, Factor};
pub use plan::Method;
pub use request::{HELD_VALUES_MAX, OUTPUT_VALUES_MAX, Request, SumRequest, Term};
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
    pub method: Method,
    pub rank_sum: usize,
    pub energy_kept: f64,
    pub energy_total: f64,
    pub residual: f64,
}

/// Sums the terms in their order and truncates: a `TruncatingSum` of one batch. Refuses bad input by name; never panics for any input.
pub fn truncate(request: &Request<'_>, cancel: &Cancel) -> Result<TruncatedSum> {
    cancel.check(request.module)?;
    let mut sum = TruncatingSum::new(request.sum_request())?;
    sum.add(request.terms, cancel)?;
    sum.truncate(cancel)
}
