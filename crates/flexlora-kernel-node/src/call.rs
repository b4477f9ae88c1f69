//! One call on a sum: from plain data to the kernel and back, on a worker thread.

use std::sync::{Arc, Mutex, TryLockError};
use std::time::Instant;

use flexlora_kernel::{Cancel, ErrorCode, KernelError, Machine, Result, TruncatedSum, TruncatingSum};
use napi::{Env, Result as NapiResult, Task};

use crate::plain::{Answer, JsBytes, Outcome, PlainTerm, Refusal, terms_of};
use crate::without_unwinding;

/// A sum between its calls; None once it was truncated or released.
pub type Held = Arc<Mutex<Option<Running>>>;

pub struct Running {
    pub sum: TruncatingSum<JsBytes>,
    /// Of the calls so far.
    pub seconds: f64,
}

pub enum Work {
    /// Holds references to the buffers of the caller, which are read where they lie: the caller must neither write nor transfer
    /// them until the promise settles; where the method reads them again, until that of `Truncate` does.
    Add(Vec<PlainTerm>),
    Truncate,
}

pub struct Call {
    module: String,
    held: Held,
    /// None once it was begun.
    work: Option<Work>,
    machine: Arc<Machine>,
    cancel: Cancel,
}

/// The answer of `Truncate` and its seconds; None for `Add`.
pub type Finished = Result<Option<(TruncatedSum, f64)>>;

impl Call {
    pub fn new(module: String, held: Held, work: Work, machine: Arc<Machine>, cancel: Cancel) -> Self {
        Self { module, held, work: Some(work), machine, cancel }
    }

    /// Puts the sum back only where all went well: after a refusal, a cancellation or a panic it is freed.
    fn run(&self, work: Work) -> Finished {
        let mut held = match self.held.try_lock() {
            Ok(held) => held,
            Err(TryLockError::Poisoned(held)) => held.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(self.misuse("another call on it is under way: wait for that one first")),
        };
        let Some(mut running) = held.take() else {
            return Err(self.misuse("it was truncated or released, or an earlier call on it failed: begin it again"));
        };
        let start = Instant::now();
        match work {
            Work::Add(mut terms) => {
                let labels: Vec<String> = terms.iter_mut().map(|term| std::mem::take(&mut term.label)).collect();
                running.sum.add(terms_of(terms, &labels, &self.module)?, &self.machine, &self.cancel)?;
                running.seconds += start.elapsed().as_secs_f64();
                *held = Some(running);
                Ok(None)
            }
            Work::Truncate => {
                let answer = running.sum.truncate(&self.machine, &self.cancel)?;
                Ok(Some((answer, running.seconds + start.elapsed().as_secs_f64())))
            }
        }
    }

    fn misuse(&self, why: &str) -> KernelError {
        KernelError::new(ErrorCode::Internal, format!("module {:?}: the sum cannot be used, because {why}", self.module))
    }
}

impl Task for Call {
    type Output = Finished;
    type JsValue = Outcome;

    fn compute(&mut self) -> NapiResult<Finished> {
        let Some(work) = self.work.take() else { return Ok(Err(self.misuse("its call was begun before"))) };
        Ok(without_unwinding(|| self.run(work)).unwrap_or_else(|panic| {
            let message = format!("module {:?}: a bug in the kernel: {panic}: report this input", self.module);
            Err(KernelError::new(ErrorCode::Internal, message))
        }))
    }

    fn resolve(&mut self, _env: Env, finished: Finished) -> NapiResult<Outcome> {
        Ok(match finished {
            Ok(answer) => Outcome { answer: answer.map(|(sum, seconds)| Answer::new(sum, seconds)), refusal: None },
            Err(error) => Outcome { answer: None, refusal: Some(Refusal::new(error)) },
        })
    }
}
