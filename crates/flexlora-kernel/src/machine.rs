//! What a call may use of the machine.

use crate::error::Result;
use crate::product::Threads;

/// A budget of threads, shared by all calls that are given the same machine. It decides how long a call takes, never what it answers.
pub struct Machine {
    threads: Threads,
}

impl Machine {
    /// At least one thread. Fails where the system gives no more threads.
    pub fn new(threads: usize) -> Result<Self> {
        Ok(Self { threads: Threads::new(threads.max(1))? })
    }

    pub fn threads(&self) -> &Threads {
        &self.threads
    }

    /// `work(0), work(1), …`, side by side.
    pub fn map<Value: Send>(&self, count: usize, work: impl Fn(usize) -> Value + Sync) -> Vec<Value> {
        self.threads.map(count, work)
    }

    /// Both, side by side.
    pub fn join<Left: Send, Right: Send>(&self, left: impl FnOnce() -> Left + Send, right: impl FnOnce() -> Right + Send) -> (Left, Right) {
        let (mut left_value, mut right_value) = (None, None);
        let jobs: Vec<Box<dyn FnOnce() + Send + '_>> =
            vec![Box::new(|| left_value = Some(left())), Box::new(|| right_value = Some(right()))];
        self.threads.for_each(jobs, |_, job| job());
        (left_value.expect("the first job was done"), right_value.expect("the second job was done"))
    }
}
