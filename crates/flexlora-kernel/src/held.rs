//! What a sum holds between its calls, one way for each method, and how each comes to the answer.

use crate::accumulated::AccumulatedSum;
use crate::cancel::Cancel;
use crate::canonical::{Canonical, canonical};
use crate::cost::blocks_max;
use crate::decomposition::Decomposition;
use crate::dense::DenseSum;
use crate::error::{ErrorCode, KernelError, Result};
use crate::factored::FactoredSum;
use crate::first_pass::FirstPass;
use crate::krylov::{Iterated, iterate};
use crate::machine::Machine;
use crate::operator::Operator;
use crate::plan::Method;
use crate::proof::Proof;
use crate::request::{SumRequest, Term, TermSize};
use crate::stack::Stack;
use crate::stacked::decompose_stacked;
use crate::sum::Sum;

/// Where the terms cancel, rounding errors may reach this share of `|W|_F` before the iterations in float32 give way: 1e-5, squared.
const ROUNDING_SQUARED_MAX: f64 = 1e-10;

pub enum Held<S> {
    Stacked(Stack, Proof),
    Factored(FactoredSum<S>),
    Accumulated(AccumulatedSum<S>),
    Dense(DenseSum, Proof),
}

/// The answer and how it came about.
pub struct Decomposed {
    pub answer: Canonical,
    pub residual: f64,
    pub method: Method,
    pub energy_error: f64,
    pub excess: f64,
    pub blocks: usize,
}

impl Decomposed {
    /// Of W = 0.
    pub fn zero(sum: &Sum<'_>, method: Method) -> Result<Self> {
        let answer = canonical(&Decomposition::zero(sum.out_rows, sum.in_cols), sum)?;
        Ok(Self { answer, residual: 0.0, method, energy_error: 0.0, excess: 0.0, blocks: 0 })
    }

    fn exact(found: &Decomposition, proof: Proof, sum: &Sum<'_>, method: Method) -> Result<Self> {
        let answer = canonical(found, sum)?;
        let residual = proof.residual(sum, &answer);
        Ok(Self { answer, residual, method, energy_error: 0.0, excess: 0.0, blocks: 0 })
    }
}

impl<S: AsRef<[u8]> + Send + Sync> Held<S> {
    pub fn new(request: &SumRequest, method: Method) -> Self {
        let SumRequest { out_rows, in_cols, rank_sum, .. } = *request;
        match method {
            Method::Stacked => Self::Stacked(Stack::new(out_rows, in_cols, rank_sum), Proof::new(out_rows, in_cols)),
            Method::Factored => Self::Factored(FactoredSum::new(out_rows, in_cols)),
            Method::Accumulated => Self::Accumulated(AccumulatedSum::new(out_rows, in_cols)),
            Method::Dense => Self::Dense(DenseSum::new(out_rows, in_cols, rank_sum), Proof::new(out_rows, in_cols)),
        }
    }

    /// `coefficient` is the term's at the scale of what is held.
    pub fn push(&mut self, term: Term<'_, S>, size: &TermSize, coefficient: f64) {
        match self {
            Self::Stacked(stack, proof) => {
                stack.push(&term.view(), coefficient, 0);
                proof.push(&term.view(), coefficient);
            }
            Self::Dense(dense, proof) => {
                dense.push(&term.view(), coefficient);
                proof.push(&term.view(), coefficient);
            }
            Self::Factored(factored) => factored.columns.push(term, size),
            Self::Accumulated(accumulated) => accumulated.columns.push(term, size),
        }
    }

    /// Sums what can be summed of the terms pushed so far.
    pub fn advance(&mut self, exponent: i32, machine: &Machine, cancel: &Cancel, module: &str) -> Result<()> {
        match self {
            Self::Stacked(..) | Self::Dense(..) => Ok(()),
            Self::Factored(factored) => factored.pass(exponent, false, machine, cancel, module),
            Self::Accumulated(accumulated) => accumulated.add(exponent, false, machine, cancel, module),
        }
    }

    /// What is held times `2^power`.
    pub fn scale(&mut self, power: i32) {
        match self {
            Self::Stacked(stack, proof) => {
                stack.scale(power);
                proof.scale(power);
            }
            Self::Dense(dense, proof) => {
                dense.scale(power);
                proof.scale(power);
            }
            Self::Factored(factored) => factored.first.scale(power),
            Self::Accumulated(accumulated) => accumulated.scale(power),
        }
    }

    pub fn decompose(self, sum: &Sum<'_>, request: &SumRequest, machine: &Machine, cancel: &Cancel) -> Result<Decomposed> {
        match self {
            Self::Stacked(stack, proof) => Decomposed::exact(&decompose_stacked(stack, sum, machine, cancel)?, proof, sum, Method::Stacked),
            Self::Dense(dense, proof) => Decomposed::exact(&dense.decompose(sum, cancel)?, proof, sum, Method::Dense),
            Self::Factored(mut factored) => {
                factored.pass(sum.exponent, true, machine, cancel, sum.module)?;
                let shape = (sum.out_rows, sum.in_cols);
                let found = iterated(&factored.operator(sum.exponent), &factored.first, sum, request, machine, cancel)?;
                if let Some(answer) = accepted(found, &factored.first, sum, request, Method::Factored)? {
                    return Ok(answer);
                }
                let mut dense = DenseSum::new(sum.out_rows, sum.in_cols, request.rank_sum);
                let mut proof = Proof::new(sum.out_rows, sum.in_cols);
                for term in factored.columns.terms(shape, sum.exponent) {
                    dense.push(&term, term.coefficient);
                    proof.push(&term, term.coefficient);
                    cancel.check(sum.module)?;
                }
                let in_double = Sum { roundoff: f64::EPSILON, ..*sum };
                Decomposed::exact(&dense.decompose(&in_double, cancel)?, proof, &in_double, Method::Dense)
            }
            Self::Accumulated(mut accumulated) => {
                accumulated.add(sum.exponent, true, machine, cancel, sum.module)?;
                let mut found = iterated(&accumulated.operator(), &accumulated.first, sum, request, machine, cancel)?;
                // W is there: no need to estimate what lies outside the basis.
                (found.decomposition.energy_total, found.energy_error) = (accumulated.energy(machine), 0.0);
                if let Some(answer) = accepted(found, &accumulated.first, sum, request, Method::Accumulated)? {
                    return Ok(answer);
                }
                let (g, image) = accumulated.first.proof();
                let found = accumulated.into_dense(sum).decompose(sum, cancel)?;
                Decomposed::exact(&found, Proof::of(g, image), sum, Method::Dense)
            }
        }
    }
}

fn iterated(
    operator: &dyn Operator,
    first: &FirstPass,
    sum: &Sum<'_>,
    request: &SumRequest,
    machine: &Machine,
    cancel: &Cancel,
) -> Result<Iterated> {
    iterate(operator, first, sum, (request.tolerance, blocks_max(request.shape())), machine, cancel)
}

/// The answer of an iteration that reached the tolerance; None where the dense method may take its place; else why there is none.
fn accepted(found: Iterated, first: &FirstPass, sum: &Sum<'_>, request: &SumRequest, method: Method) -> Result<Option<Decomposed>> {
    let Iterated { decomposition, energy_error, blocks, excess, is_converged } = found;
    let (module, tolerance) = (sum.module, request.tolerance);
    let answer = canonical(&decomposition, sum)?;
    // With the values that the answer leaves out as noise: rounding must not excuse itself with what it hides.
    let kept: f64 = decomposition.values.iter().map(|value| value * value).sum();
    let smallest = (decomposition.energy_total - kept).max(0.0);
    let rounding = (sum.roundoff * sum.magnitude).powi(2);
    let allowed = (ROUNDING_SQUARED_MAX * kept).max((tolerance * tolerance - 1.0) * smallest);
    // A sum that is nothing but rounding is zero.
    let handed_out = answer.values.iter().filter(|value| **value > 0.0).count();
    let hidden: f64 = decomposition.values.iter().skip(handed_out).map(|value| value * value).sum();
    let is_rounded = answer.energy_total > 0.0 && (rounding > allowed || hidden > allowed);
    if is_converged && !is_rounded {
        let (g, image) = first.proof();
        let residual = Proof::of(g, image).residual(sum, &answer);
        return Ok(Some(Decomposed { answer, residual, method, energy_error, excess, blocks }));
    }
    let is_in_reach = method == Method::Factored || !is_rounded;
    let dense_bytes = request.scratch_bytes(Method::Dense).saturating_add(request.scratch_bytes(method));
    if is_in_reach && dense_bytes <= request.memory_bytes {
        return Ok(None);
    }
    let reached = if is_rounded {
        format!(
            "its terms cancel to {:e} of their size, which the float32 of the method {} does not resolve",
            answer.energy_total.sqrt() / sum.magnitude,
            method.name()
        )
    } else {
        format!("the method {} came to {} times the smallest error in {blocks} blocks; {tolerance} is allowed", method.name(), 1.0 + excess)
    };
    Err(KernelError::new(
        ErrorCode::NotConverged,
        format!(
            "module {module:?}: {reached}: ask for the method dense, for which the kernel must be allowed {} bytes of memory, or for a larger tolerance",
            request.scratch_bytes(Method::Dense)
        ),
    ))
}
