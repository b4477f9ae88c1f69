//! A budget of threads. What they are given to do decides every result; how many there are never does.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, TryLockError};

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::ahead::Ahead;
use super::isa::Isa;
use super::kernels::Kernels;
use super::lines::Lines;
use crate::error::{ErrorCode, KernelError, Result};

/// Jobs that each thread should find, so that one that starts late does not keep the others waiting for long.
const JOBS_PER_THREAD: usize = 2;

pub struct Threads {
    /// None for a budget of one, which is the calling thread.
    pool: Option<ThreadPool>,
    kernels: Kernels,
    scratches: Vec<Mutex<Scratch>>,
}

/// What a thread keeps from one job to the next.
#[derive(Default)]
pub struct Scratch {
    floats: Lines,
    ahead: Ahead,
}

impl Scratch {
    /// `len` floats that hold whatever the job before left there.
    pub fn floats(&mut self, len: usize) -> &mut [f32] {
        self.split(len).0
    }

    pub(super) fn split(&mut self, len: usize) -> (&mut [f32], &mut Ahead) {
        if self.floats.as_slice().len() < len {
            self.floats = Lines::zeros(len);
        }
        (&mut self.floats.as_mut_slice()[..len], &mut self.ahead)
    }
}

impl Threads {
    /// `count >= 1` threads that use the best instructions of this processor. Fails when the system gives no more threads.
    pub fn new(count: usize) -> Result<Self> {
        Self::with_isa(count, Isa::detect())
    }

    /// The same with these instructions: for tests and benchmarks. Panics when the processor does not have them.
    pub fn with_isa(count: usize, isa: Isa) -> Result<Self> {
        assert!(count >= 1, "a budget has at least 1 thread");
        let pool = if count == 1 { None } else { Some(pool_of(count)?) };
        let scratches = (0..count).map(|_| Mutex::default()).collect();
        Ok(Self { pool, kernels: Kernels::new(isa), scratches })
    }

    pub fn count(&self) -> usize {
        self.scratches.len()
    }

    pub fn isa(&self) -> Isa {
        self.kernels.isa()
    }

    pub(super) fn kernels(&self) -> Kernels {
        self.kernels
    }

    /// Calls `work` once for every job, in any order, and returns when all are done. A panic of `work` is passed on.
    pub fn for_each<Job: Send>(&self, jobs: Vec<Job>, work: impl Fn(&mut Scratch, Job) + Sync) {
        let jobs: Vec<Mutex<Option<Job>>> = jobs.into_iter().map(|job| Mutex::new(Some(job))).collect();
        let next = AtomicUsize::new(0);
        let work_on = |thread: usize| {
            // A job that uses these threads itself finds the scratch in use and gets another.
            let mut held = match self.scratches[thread].try_lock() {
                Ok(held) => Some(held),
                // What a job that panicked left there is overwritten like that of any other.
                Err(TryLockError::Poisoned(held)) => Some(held.into_inner()),
                Err(TryLockError::WouldBlock) => None,
            };
            let mut other = None;
            let scratch = match held.as_deref_mut() {
                Some(scratch) => scratch,
                None => other.insert(Scratch::default()),
            };
            while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                let job = job.lock().ok().and_then(|mut job| job.take());
                work(scratch, job.expect("every job is taken once"));
            }
        };
        match &self.pool {
            None => work_on(0),
            Some(pool) => _ = pool.broadcast(|thread| work_on(thread.index())),
        }
    }

    /// `[work(0), …, work(count - 1)]`.
    pub fn map<T: Send>(&self, count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
        let mut results: Vec<Option<T>> = (0..count).map(|_| None).collect();
        self.for_each(results.iter_mut().enumerate().collect(), |_, (index, result)| *result = Some(work(index)));
        results.into_iter().flatten().collect()
    }

    /// How many of `total` rows a job should have: a multiple of `unit`, at most `most` (itself a multiple), and so that every thread finds
    /// as many jobs as the others.
    pub(super) fn rows_per_job(&self, total: usize, unit: usize, most: usize) -> usize {
        let jobs = total.div_ceil(most).max(JOBS_PER_THREAD * self.count()).next_multiple_of(self.count());
        total.div_ceil(jobs).next_multiple_of(unit).clamp(unit, most)
    }
}

fn pool_of(count: usize) -> Result<ThreadPool> {
    let builder = ThreadPoolBuilder::new().num_threads(count).thread_name(|index| format!("flexlora-kernel-{index}"));
    builder.build().map_err(|error| {
        let message = format!("cannot start {count} threads: {error}; allow fewer threads, or more processes");
        KernelError::new(ErrorCode::Internal, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_is_done_once_whatever_the_number_of_threads() {
        for count in 1..=3 {
            let mut done = vec![0; 100];
            let threads = Threads::new(count).unwrap();
            assert_eq!(threads.count(), count);
            threads.for_each(done.iter_mut().enumerate().collect(), |_, (index, done)| *done += index + 1);
            assert!(done.iter().enumerate().all(|(index, done)| *done == index + 1));
        }
    }

    #[test]
    fn a_map_has_its_results_in_order() {
        assert_eq!(Threads::new(2).unwrap().map(5, |index| index * index), [0, 1, 4, 9, 16]);
        assert!(Threads::new(2).unwrap().map(0, |index| index).is_empty());
    }

    #[test]
    fn a_job_may_use_the_threads_itself() {
        let threads = Threads::new(2).unwrap();
        let total = AtomicUsize::new(0);
        threads.for_each(vec![1, 2, 3], |_, job| {
            threads.for_each(vec![10, 20], |scratch, inner| {
                scratch.floats(64)[63] = 1.0;
                total.fetch_add(job * inner, Ordering::Relaxed);
            });
        });
        assert_eq!(total.into_inner(), 180);
    }

    #[test]
    fn a_panic_reaches_the_caller_and_leaves_the_threads_usable() {
        let threads = Threads::new(2).unwrap();
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            threads.for_each((0..8).collect::<Vec<_>>(), |_, job| assert!(job != 5, "job 5"));
        }));
        assert!(caught.is_err());
        let done = AtomicUsize::new(0);
        threads.for_each((0..8).collect::<Vec<_>>(), |_, _| _ = done.fetch_add(1, Ordering::Relaxed));
        assert_eq!(done.into_inner(), 8);
    }

    #[test]
    fn jobs_are_whole_units_and_no_larger_than_allowed() {
        let threads = Threads::new(2).unwrap();
        assert_eq!(threads.rows_per_job(4096, 8, 256), 256);
        assert_eq!(threads.rows_per_job(100, 8, 256), 32);
        assert_eq!(threads.rows_per_job(5 * 256, 8, 256), 216, "six jobs for two threads, not five");
        assert_eq!(threads.rows_per_job(0, 8, 256), 8);
    }
}
