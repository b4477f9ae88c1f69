//! The door from Node to `flexlora-kernel`. Plain data only: names and order are those of `kernel.ts`. No arithmetic here.

mod call;
mod plain;

use std::panic::{AssertUnwindSafe, catch_unwind};

use call::Call;
use flexlora_kernel::Cancel;
use napi::bindgen_prelude::AsyncTask;
use napi_derive::napi;
use plain::PlainRequest;

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

/// Runs on a thread of libuv's pool. Refusals are values: the promise rejects only if the door itself fails.
#[napi(ts_return_type = "Promise<Outcome>")]
pub fn truncate(request: PlainRequest, cancellation: &Cancellation) -> AsyncTask<Call> {
    AsyncTask::new(Call::new(request, cancellation.0.clone()))
}

/// A panic is a bug; it ends one call, not the process.
fn without_unwinding<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str).or_else(|| payload.downcast_ref::<&str>().copied());
        text.unwrap_or("a panic without a message").to_owned()
    })
}
