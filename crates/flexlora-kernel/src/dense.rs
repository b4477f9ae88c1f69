//! Forms W, a few terms at a time and in their order, and decomposes it.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};

use crate::cancel::Cancel;
use crate::decomposition::{Decomposition, thin_svd};
use crate::error::Result;
use crate::request::{Sum, Term};
use crate::stack::{Stack, stack};

/// Ranks that are multiplied at once: enough for a fast product, few enough that the copies in float64 stay small beside W.
const BATCH_RANKS: usize = 256;

pub fn decompose_dense(sum: &Sum<'_>, cancel: &Cancel) -> Result<Decomposition> {
    let mut w = Mat::zeros(sum.out_rows, sum.in_cols);
    let mut rest = sum.terms.as_slice();
    while !rest.is_empty() {
        let (batch, after) = rest.split_at(batch_length(rest));
        let Stack { b, a_transposed } = stack(sum.out_rows, sum.in_cols, batch);
        matmul(w.as_mut(), Accum::Add, b, a_transposed.transpose(), 1.0, Par::Seq);
        cancel.check(sum.module)?;
        rest = after;
    }
    let energy_total = w.squared_norm_l2();
    let (u, mut values, v) = thin_svd(w.as_ref(), sum.module)?;
    cancel.check(sum.module)?;
    values.truncate(sum.rank);
    Ok(Decomposition { u, values, v, energy_total })
}

/// At least one term.
fn batch_length(terms: &[Term<'_>]) -> usize {
    let mut ranks = 0;
    for (count, term) in terms.iter().enumerate() {
        ranks += term.a.rows;
        if count > 0 && ranks > BATCH_RANKS {
            return count;
        }
    }
    terms.len()
}
