//! Cancellation, looked at between the steps of a call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{ErrorCode, KernelError, Result};

/// Shared between the caller and one running call. A call stops at the next step after `cancel`.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn check(&self, module: &str) -> Result<()> {
        if self.0.load(Ordering::Relaxed) {
            return Err(KernelError::new(ErrorCode::Cancelled, format!("module {module:?}: the call was cancelled")));
        }
        Ok(())
    }
}
