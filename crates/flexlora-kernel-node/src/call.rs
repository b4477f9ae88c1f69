//! One call: from plain data to the kernel and back, on a worker thread.

use std::time::Instant;

use flexlora_kernel::{Cancel, ErrorCode, KernelError, TruncatedSum, truncate};
use napi::{Env, Result as NapiResult, Task};

use crate::plain::{Answer, Outcome, PlainRequest, Refusal};
use crate::without_unwinding;

pub struct Call {
    /// Holds references to the buffers of the caller, which are read where they lie: the caller must neither write nor transfer
    /// them until the promise settles.
    request: PlainRequest,
    cancel: Cancel,
}

pub struct Finished {
    result: Result<TruncatedSum, KernelError>,
    seconds: f64,
}

impl Call {
    pub fn new(request: PlainRequest, cancel: Cancel) -> Self {
        Self { request, cancel }
    }
}

impl Task for Call {
    type Output = Finished;
    type JsValue = Outcome;

    fn compute(&mut self) -> NapiResult<Finished> {
        let start = Instant::now();
        let result = without_unwinding(|| self.request.with_request(|request| truncate(request, &self.cancel)));
        let result = result.unwrap_or_else(|panic| {
            let message = format!("module {:?}: a bug in the kernel: {panic}: report this input", self.request.module);
            Err(KernelError::new(ErrorCode::Internal, message))
        });
        Ok(Finished { result, seconds: start.elapsed().as_secs_f64() })
    }

    fn resolve(&mut self, _env: Env, finished: Finished) -> NapiResult<Outcome> {
        Ok(match finished.result {
            Ok(sum) => Outcome { answer: Some(Answer::new(sum, finished.seconds)), refusal: None },
            Err(error) => Outcome { answer: None, refusal: Some(Refusal { code: error.code.name().into(), message: error.message }) },
        })
    }
}
