//! One call on a sum: from plain data to the kernel and back, on a worker thread.

use std::sync::{Arc, Mutex, TryLockError};
use std::time::Instant;

use flexlora_kernel::{Cancel, ErrorCode, KernelError, Result, TruncatedSum, TruncatingSum};
use napi::{Env, Result as NapiResult, Task};

use crate::plain::{Answer, Outcome, PlainTerm, Refusal};
use crate::without_unwinding;

/// A sum between its calls; None once it was truncated or released.
pub type Held = Arc<Mutex<Option<Running>>>;

pub struct Running {
    pub sum: TruncatingSum,
    /// Of the calls so far.
    pub seconds: f64,
}

pub enum Work {
    /// Holds references to the buffers of the caller, which are read where they lie: the caller must neither write nor transfer
    /// them until the promise settles.
    Add(Vec<PlainTerm>),
    Truncate,
}

pub struct Call {
    module: String,
    held: Held,
    work: Work,
    cancel: Cancel,
}

/// The answer of `Truncate` and its seconds; None for `Add`.
pub type Finished = Result<Option<(TruncatedSum, f64)>>;

impl Call {
    pub fn new(module: String, held: Held, work: Work, cancel: Cancel) -> Self {
        Self { module, held, work, cancel }
    }

    /// Puts the sum back only where all went well: after a refusal, a cancellation or a panic it is freed.
    fn run(&self) -> Finished {
        let mut held = match self.held.try_lock() {
            Ok(held) => held,
            Err(TryLockError::Poisoned(held)) => held.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(self.misuse("another call on it is under way: wait for that one first")),
        };
        let Some(mut running) = held.take() else {
            return Err(self.misuse("it was truncated or released, or an earlier call on it failed: begin it again"));
        };
        let start = Instant::now();
        match &self.work {
            Work::Add(terms) => {
                let terms = terms.iter().map(|term| term.view(&self.module)).collect::<Result<Vec<_>>>()?;
                running.sum.add(&terms, &self.cancel)?;
                running.seconds += start.elapsed().as_secs_f64();
                *held = Some(running);
                Ok(None)
            }
            Work::Truncate => {
                let answer = running.sum.truncate(&self.cancel)?;
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
        Ok(without_unwinding(|| self.run()).unwrap_or_else(|panic| {
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
