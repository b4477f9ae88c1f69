//! What the processor does at most, measured on a worker thread.

use flexlora_kernel::Machine;
use flexlora_kernel::product::measured_peak;
use napi::{Env, Error, Result, Task};

use crate::without_unwinding;

pub struct Peak {
    threads: usize,
}

impl Peak {
    pub fn new(threads: u32) -> Self {
        Self { threads: threads as usize }
    }
}

impl Task for Peak {
    type Output = f64;
    type JsValue = f64;

    fn compute(&mut self) -> Result<f64> {
        without_unwinding(|| Machine::new(self.threads).map(|machine| measured_peak(machine.threads())))
            .map_err(Error::from_reason)?
            .map_err(|error| Error::from_reason(error.message))
    }

    fn resolve(&mut self, _env: Env, rate: f64) -> Result<f64> {
        Ok(rate)
    }
}
