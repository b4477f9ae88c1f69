//! The sum of terms that come in batches. What it holds is bounded by the shape of W, whatever the number of terms.

use crate::TruncatedSum;
use crate::cancel::Cancel;
use crate::canonical::canonical;
use crate::decomposition::Decomposition;
use crate::dense::DenseSum;
use crate::error::{ErrorCode, KernelError, Result};
use crate::machine::Machine;
use crate::plan::{Method, Plan};
use crate::proof::Proof;
use crate::request::{SumRequest, Term, TermSize};
use crate::scale::times_power_of_two;
use crate::stack::Stack;
use crate::stacked::decompose_stacked;

/// What is known of W besides its values, which are held at a scale near one: `W = 2^exponent * (what is held)`.
pub struct Sum<'a> {
    pub module: &'a str,
    pub out_rows: usize,
    pub in_cols: usize,
    /// `min(rank, out, in)`.
    pub rank: usize,
    pub completion_seed: u64,
    pub exponent: i32,
    /// `sum of |c_k| * |B_k|_F * |A_k|_F`, scaled: an upper bound of |W|_F, and the size that rounding errors are relative to.
    pub magnitude: f64,
}

/// Takes terms in their order, in as many batches as wanted, and truncates their sum. Every step goes term by term or at fixed columns,
/// so the batches leave no trace in the answer.
///
/// Holds, in float64, `rank_sum * (out + in)` values while `rank_sum < min(out, in)`, otherwise `out * in + 256 * (out + in)`; while
/// it adds, one term more.
pub struct TruncatingSum {
    request: SumRequest,
    plan: Plan,
    /// None until the first term passed its checks, so that a shape alone allocates nothing.
    held: Option<Held>,
    rank_added: usize,
    /// The largest of the terms' so far; None while all of them are zero.
    exponent: Option<i32>,
    magnitude: f64,
    /// False from the begin of a call until it succeeds: after a refusal, a cancellation or a panic, part of a batch may be in.
    is_whole: bool,
}

struct Held {
    values: Values,
    proof: Proof,
}

enum Values {
    Stacked(Stack),
    Dense(DenseSum),
}

impl TruncatingSum {
    pub fn new(request: SumRequest) -> Result<Self> {
        let plan = request.plan()?;
        Ok(Self { request, plan, held: None, rank_added: 0, exponent: None, magnitude: 0.0, is_whole: true })
    }

    /// Adds the terms in their order. All of them are checked before the first is added. After an error the sum is of no use any more.
    pub fn add<S: AsRef<[u8]>>(&mut self, terms: Vec<Term<'_, S>>, _machine: &Machine, cancel: &Cancel) -> Result<()> {
        self.begin(cancel)?;
        let terms: Vec<Term<'_, &[u8]>> = terms.iter().map(Term::view).collect();
        let mut sizes = Vec::with_capacity(terms.len());
        let mut more = 0usize;
        for term in &terms {
            sizes.push(self.request.check_term(term)?);
            more = more.saturating_add(term.a.rows);
            cancel.check(&self.request.module)?;
        }
        self.request.check_room(self.rank_added, more)?;
        for (term, size) in terms.iter().zip(&sizes) {
            self.push(term, size);
            cancel.check(&self.request.module)?;
        }
        self.is_whole = true;
        Ok(())
    }

    /// The answer, once: what was held is freed.
    pub fn truncate(mut self, _machine: &Machine, cancel: &Cancel) -> Result<TruncatedSum> {
        self.begin(cancel)?;
        self.request.check_complete(self.rank_added)?;
        let sum = Sum {
            module: &self.request.module,
            out_rows: self.request.out_rows,
            in_cols: self.request.in_cols,
            rank: self.request.kept(),
            completion_seed: self.request.completion_seed,
            exponent: self.exponent.unwrap_or(0),
            magnitude: self.magnitude,
        };
        let (found, proof) = match self.held {
            Some(Held { values, proof }) if sum.magnitude > 0.0 => (values.decompose(&sum, cancel)?, Some(proof)),
            _ => (Decomposition::zero(sum.out_rows, sum.in_cols), None),
        };
        let answer = canonical(&found, &sum)?;
        let residual = proof.map_or(0.0, |proof| proof.residual(&sum, &answer));
        Ok(TruncatedSum {
            rank: sum.rank,
            singular_values: answer.values.iter().map(|s| times_power_of_two(*s, sum.exponent)).collect(),
            energy_kept: times_power_of_two(answer.energy_kept, 2 * sum.exponent),
            energy_total: times_power_of_two(answer.energy_total, 2 * sum.exponent),
            u: answer.u,
            v: answer.v,
            method: self.plan.method,
            plan: self.plan,
            fallback_from: None,
            rank_sum: self.rank_added,
            residual,
            energy_total_error: 0.0,
            tolerance: self.request.tolerance,
            excess: 0.0,
            blocks: 0,
            operations: self.plan.operations,
        })
    }

    fn begin(&mut self, cancel: &Cancel) -> Result<()> {
        let module = &self.request.module;
        if !self.is_whole {
            return Err(KernelError::new(
                ErrorCode::Internal,
                format!("module {module:?}: an earlier call on this sum failed, so part of its terms may be missing: begin the sum again"),
            ));
        }
        self.is_whole = false;
        cancel.check(module)
    }

    fn push(&mut self, term: &Term<'_, &[u8]>, size: &TermSize) {
        let held = self.held.get_or_insert_with(|| Held::new(&self.request, self.plan.method));
        if let Some(found) = size.exponent {
            let before = self.exponent.unwrap_or(found);
            if found > before {
                held.scale(before - found);
                self.magnitude = times_power_of_two(self.magnitude, before - found);
            }
            self.exponent = Some(before.max(found));
        }
        // A product that is zero is held as zero: its coefficient says nothing of the scale.
        let coefficient = match size.exponent {
            Some(_) => times_power_of_two(term.coefficient, -self.exponent.unwrap_or(0)),
            None => 0.0,
        };
        held.push(term, coefficient);
        self.magnitude += coefficient.abs() * size.norms;
        self.rank_added += term.a.rows;
    }
}

impl Held {
    fn new(request: &SumRequest, method: Method) -> Self {
        let SumRequest { out_rows, in_cols, rank_sum, .. } = *request;
        let values = match method {
            Method::Stacked => Values::Stacked(Stack::new(out_rows, in_cols, rank_sum)),
            _ => Values::Dense(DenseSum::new(out_rows, in_cols, rank_sum)),
        };
        Self { values, proof: Proof::new(out_rows, in_cols) }
    }

    fn push(&mut self, term: &Term<'_, &[u8]>, coefficient: f64) {
        match &mut self.values {
            Values::Stacked(stack) => {
                stack.push(term, coefficient, 0);
            }
            Values::Dense(dense) => dense.push(term, coefficient),
        }
        self.proof.push(term, coefficient);
    }

    fn scale(&mut self, power: i32) {
        match &mut self.values {
            Values::Stacked(stack) => stack.scale(power),
            Values::Dense(dense) => dense.scale(power),
        }
        self.proof.scale(power);
    }
}

impl Values {
    fn decompose(self, sum: &Sum<'_>, cancel: &Cancel) -> Result<Decomposition> {
        match self {
            Values::Stacked(stack) => decompose_stacked(stack, sum, cancel),
            Values::Dense(dense) => dense.decompose(sum, cancel),
        }
    }
}
