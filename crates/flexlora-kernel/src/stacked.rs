//! `W = B Aᵀ` with B and A tall: orthonormal bases of both, then the SVD of the small core `R_B R_Aᵀ`, all in float64.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};

use crate::cancel::Cancel;
use crate::decomposition::{Decomposition, thin_svd};
use crate::error::Result;
use crate::machine::Machine;
use crate::stack::Stack;
use crate::sum::Sum;
use crate::thin_basis::ThinBasis;

pub fn decompose_stacked(stack: Stack, sum: &Sum<'_>, machine: &Machine, cancel: &Cancel) -> Result<Decomposition> {
    let (b_transposed, a_transposed) = stack.into_factors();
    let side = b_transposed.nrows();
    let (q_b, q_a) = machine.join(
        || ThinBasis::of_transposed(b_transposed, sum.module),
        || ThinBasis::of_transposed(a_transposed.transpose().to_owned(), sum.module),
    );
    let (q_b, q_a) = (q_b?, q_a?);
    cancel.check(sum.module)?;
    let mut core = Mat::zeros(side, side);
    matmul(core.as_mut(), Accum::Replace, q_b.r(), q_a.r().transpose(), 1.0, Par::Seq);
    let (u, mut values, v) = thin_svd(core.as_ref(), sum.module)?;
    cancel.check(sum.module)?;
    let kept = sum.rank.min(side);
    values.truncate(kept);
    let energy_total = core.squared_norm_l2();
    let (u, v) = machine.join(|| q_b.apply_q(u.as_ref().subcols(0, kept)), || q_a.apply_q(v.as_ref().subcols(0, kept)));
    Ok(Decomposition { u, values, v, energy_total })
}
