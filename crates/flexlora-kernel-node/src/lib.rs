//! The door from Node to `flexlora-kernel`. Plain data only: names and order are those of `kernel.ts`. No arithmetic here.

mod call;
mod peak;
mod plain;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use call::{Call, Held, Running, Work};
use flexlora_kernel::{Cancel, KernelError, Machine, Plan, Result as KernelResult, TruncatingSum};
use napi::bindgen_prelude::{AsyncTask, Error, Result};
use napi_derive::napi;
use peak::Peak;
use plain::{PlainPlan, PlainSumRequest, PlainTerm, Refusal};

/// Stops one call at its next step. A call in the queue stops before it starts.
#[napi]
#[derive(Default)]
pub struct Cancellation(Cancel);

#[napi]
impl Cancellation {
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    #[napi]
    pub fn cancel(&self) {
        self.0.cancel();
    }
}

/// The threads that all sums which are given it share.
#[napi]
pub struct NativeMachine(Arc<Machine>);

#[napi]
impl NativeMachine {
    #[napi(constructor)]
    pub fn new(threads: u32) -> Result<Self> {
        let machine = Machine::new(threads as usize).map_err(|error| Error::from_reason(error.message))?;
        Ok(Self(Arc::new(machine)))
    }
}

/// A sum of terms that come in batches. One call at a time; what it holds is freed when a call fails, by `truncate`, by `release`, and
/// with the object.
#[napi]
pub struct NativeSum {
    module: String,
    machine: Arc<Machine>,
    plan: Option<Plan>,
    held: Held,
    refusal: Option<KernelError>,
}

#[napi]
impl NativeSum {
    #[napi(constructor)]
    pub fn new(request: PlainSumRequest, machine: &NativeMachine) -> Self {
        let (plan, held, refusal) = match begin(&request) {
            Ok((plan, running)) => (Some(plan), Some(running), None),
            Err(error) => (None, None, Some(error)),
        };
        Self { module: request.module, machine: machine.0.clone(), plan, held: Arc::new(Mutex::new(held)), refusal }
    }

    /// What the sum will take; null where there is none.
    #[napi(getter)]
    pub fn plan(&self) -> Option<PlainPlan> {
        self.plan.as_ref().map(PlainPlan::new)
    }

    /// Why there is no sum, or null.
    #[napi(getter)]
    pub fn refusal(&self) -> Option<Refusal> {
        self.refusal.clone().map(Refusal::new)
    }

    /// Runs on a thread of libuv's pool. Refusals are values: the promise rejects only if the door itself fails.
    #[napi(ts_return_type = "Promise<Outcome>")]
    pub fn add(&self, terms: Vec<PlainTerm>, cancellation: &Cancellation) -> AsyncTask<Call> {
        self.call(Work::Add(terms), cancellation)
    }

    /// As `add`.
    #[napi(ts_return_type = "Promise<Outcome>")]
    pub fn truncate(&self, cancellation: &Cancellation) -> AsyncTask<Call> {
        self.call(Work::Truncate, cancellation)
    }

    /// Frees what is held, unless a call is under way. Any number of times.
    #[napi]
    pub fn release(&self) {
        if let Ok(mut held) = self.held.try_lock() {
            *held = None;
        }
    }

    fn call(&self, work: Work, cancellation: &Cancellation) -> AsyncTask<Call> {
        AsyncTask::new(Call::new(self.module.clone(), self.held.clone(), work, self.machine.clone(), cancellation.0.clone()))
    }
}

/// Float32 operations a second of so many threads' innermost loop, measured in about 10 ms on a thread of libuv's pool and threads of its
/// own.
#[napi(ts_return_type = "Promise<number>")]
pub fn measured_peak(threads: u32) -> AsyncTask<Peak> {
    AsyncTask::new(Peak::new(threads))
}

fn begin(request: &PlainSumRequest) -> KernelResult<(Plan, Running)> {
    let sum = TruncatingSum::new(request.view()?)?;
    Ok((*sum.plan(), Running { sum, seconds: 0.0 }))
}

/// A panic is a bug; it ends one call, not the process.
fn without_unwinding<T>(work: impl FnOnce() -> T) -> std::result::Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str).or_else(|| payload.downcast_ref::<&str>().copied());
        text.unwrap_or("a panic without a message").to_owned()
    })
}
