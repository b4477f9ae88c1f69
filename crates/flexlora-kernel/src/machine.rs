//! What a call may use of the machine.

/// A budget of threads, shared by all calls that are given the same machine. It decides how long a call takes, never what it answers.
#[derive(Debug)]
pub struct Machine {
    threads: usize,
}

impl Machine {
    /// At least one thread.
    pub fn new(threads: usize) -> Self {
        Self { threads: threads.max(1) }
    }

    pub fn threads(&self) -> usize {
        self.threads
    }
}
