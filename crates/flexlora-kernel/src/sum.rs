//! The sum of terms that come in batches. What it holds is bounded by the plan, whatever the number of terms.

use crate::TruncatedSum;
use crate::cancel::Cancel;
use crate::error::{ErrorCode, KernelError, Result};
use crate::held::{Decomposed, Held};
use crate::machine::Machine;
use crate::plan::Plan;
use crate::request::{SumRequest, Term, TermSize};
use crate::scale::times_power_of_two;

/// Bytes of terms that are measured before the first of them is summed: what was read for the one is still in the processor's cache
/// for the other.
const MEASURED_BYTES: usize = 8 << 20;

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
    /// Of the arithmetic that summed.
    pub roundoff: f64,
}

/// Takes terms in their order, in as many batches as wanted, and truncates their sum. The batches leave no trace in the answer: every
/// step goes term by term or at fixed columns.
///
/// Holds at most `plan().scratch_bytes`. The terms' storage S is let go when a call ends, or for the method `factored` when the sum ends;
/// `accumulated` keeps that of the last few terms.
pub struct TruncatingSum<S> {
    request: SumRequest,
    plan: Plan,
    /// None until the first term passed its checks, so that a shape alone allocates nothing.
    held: Option<Held<S>>,
    rank_added: usize,
    /// The largest of the terms' so far; None while all of them are zero.
    exponent: Option<i32>,
    magnitude: f64,
    /// False from the begin of a call until it succeeds: after a refusal, a cancellation or a panic, part of a batch may be in.
    is_whole: bool,
}

impl<S: AsRef<[u8]> + Send + Sync> TruncatingSum<S> {
    pub fn new(request: SumRequest) -> Result<Self> {
        let plan = request.plan()?;
        Ok(Self { request, plan, held: None, rank_added: 0, exponent: None, magnitude: 0.0, is_whole: true })
    }

    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Adds the terms in their order. After an error the sum is of no use any more.
    pub fn add(&mut self, terms: Vec<Term<'_, S>>, machine: &Machine, cancel: &Cancel) -> Result<()> {
        self.begin(cancel)?;
        let mut more = 0usize;
        for term in &terms {
            self.request.check_term(&term.view())?;
            more = more.saturating_add(term.a.rows);
        }
        self.request.check_room(self.rank_added, more)?;
        let mut rest = terms.into_iter().peekable();
        while rest.peek().is_some() {
            let mut bytes = 0;
            let mut group = Vec::new();
            while let Some(term) = rest.next_if(|_| bytes < MEASURED_BYTES) {
                let view = term.view();
                bytes += view.b.bytes.len() + view.a.bytes.len();
                group.push(term);
            }
            self.add_group(group, machine, cancel)?;
        }
        self.is_whole = true;
        Ok(())
    }

    fn add_group(&mut self, terms: Vec<Term<'_, S>>, machine: &Machine, cancel: &Cancel) -> Result<()> {
        cancel.check(&self.request.module)?;
        let request = &self.request;
        let sizes = machine.map(terms.len(), |k| request.measure_term(&terms[k].view()));
        for (term, size) in terms.into_iter().zip(sizes) {
            self.push(term, &size?);
            cancel.check(&self.request.module)?;
        }
        let exponent = self.exponent.unwrap_or(0);
        match &mut self.held {
            Some(held) => held.advance(exponent, machine, cancel, &self.request.module),
            None => Ok(()),
        }
    }

    /// The answer, once: what was held is freed.
    pub fn truncate(mut self, machine: &Machine, cancel: &Cancel) -> Result<TruncatedSum> {
        self.begin(cancel)?;
        self.request.check_complete(self.rank_added)?;
        let Self { request, plan, held, rank_added, exponent, magnitude, .. } = self;
        let sum = Sum {
            module: &request.module,
            out_rows: request.out_rows,
            in_cols: request.in_cols,
            rank: request.kept(),
            completion_seed: request.completion_seed,
            exponent: exponent.unwrap_or(0),
            magnitude,
            roundoff: if plan.method.iterates() { f64::from(f32::EPSILON) / 2.0 } else { f64::EPSILON },
        };
        let Decomposed { answer, residual, method, energy_error, excess, blocks } = match held {
            Some(held) if magnitude > 0.0 => held.decompose(&sum, &request, machine, cancel)?,
            _ => Decomposed::zero(&sum, plan.method)?,
        };
        let unscaled = |energy: f64| times_power_of_two(energy, 2 * sum.exponent);
        Ok(TruncatedSum {
            rank: sum.rank,
            singular_values: answer.values.iter().map(|s| times_power_of_two(*s, sum.exponent)).collect(),
            u: answer.u,
            v: answer.v,
            method,
            plan,
            fallback_from: (method != plan.method).then_some(plan.method),
            rank_sum: rank_added,
            energy_kept: unscaled(answer.energy_kept),
            energy_total: unscaled(answer.energy_total),
            energy_total_error: if answer.energy_total > 0.0 { unscaled(energy_error) } else { 0.0 },
            residual,
            tolerance: request.tolerance,
            excess,
            blocks,
            operations: request.operations(method, blocks),
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

    fn push(&mut self, term: Term<'_, S>, size: &TermSize) {
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
        self.magnitude += coefficient.abs() * size.norms;
        self.rank_added += term.a.rows;
        held.push(term, size, coefficient);
    }
}
