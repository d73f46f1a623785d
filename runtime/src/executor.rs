//! Threads for handlers that take long: a bounded queue, a fixed number of threads.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};

use crate::limits::EXECUTOR_QUEUE_COUNT_MAX;
use crate::workers;

type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    stopped: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
}

/// The executor threads of one host.
pub(crate) struct Executors {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Executors {
    pub(crate) fn start(count: usize) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let mut threads = Vec::with_capacity(count);
        for index in 0..count {
            let shared = shared.clone();
            threads.push(
                std::thread::Builder::new()
                    .name(format!("executor-{index}"))
                    .spawn(move || work(&shared))?,
            );
        }
        Ok(Self { shared, threads: Mutex::new(threads) })
    }

    /// Queues a job; false if the queue is full or the host stops.
    pub(crate) fn submit(&self, job: Job) -> bool {
        let mut queue = self.shared.queue.lock();
        if queue.stopped || queue.jobs.len() >= EXECUTOR_QUEUE_COUNT_MAX {
            return false;
        }
        queue.jobs.push_back(job);
        drop(queue);
        self.shared.wake.notify_one();
        true
    }

    /// Jobs that wait for a thread.
    pub(crate) fn depth(&self) -> usize {
        self.shared.queue.lock().jobs.len()
    }

    /// Ends the threads after the jobs that run; queued ones are dropped, which their waiters see.
    pub(crate) fn stop(&self) {
        let dropped = {
            let mut queue = self.shared.queue.lock();
            queue.stopped = true;
            core::mem::take(&mut queue.jobs)
        };
        drop(dropped);
        self.shared.wake.notify_all();
        for thread in core::mem::take(&mut *self.threads.lock()) {
            // A job cannot unwind into the thread's loop; a failed join has nothing to add.
            if thread.thread().id() != std::thread::current().id() {
                thread.join().ok();
            }
        }
    }
}

impl Drop for Executors {
    fn drop(&mut self) {
        self.stop();
    }
}

fn work(shared: &Shared) {
    let mut postponed = false;
    loop {
        let job = {
            let mut queue = shared.queue.lock();
            loop {
                if queue.stopped {
                    return;
                }
                if let Some(job) = queue.jobs.pop_front() {
                    break Some(job);
                }
                if postponed {
                    break None;
                }
                shared.wake.wait(&mut queue);
            }
        };
        match job {
            Some(job) => {
                // The job reports its own panics; this keeps the thread.
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)).ok();
                postponed = true;
            }
            None => postponed = workers::idle(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn the_queue_is_bounded_and_a_panic_keeps_the_thread() {
        let executors = Executors::start(1).unwrap();
        let (entered, has_entered) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        assert!(executors.submit(Box::new(move || {
            entered.send(()).unwrap();
            released.recv().unwrap();
            panic!("on purpose");
        })));
        has_entered.recv().unwrap();
        let ran = Arc::new(AtomicUsize::new(0));
        for _ in 0..EXECUTOR_QUEUE_COUNT_MAX {
            let ran = ran.clone();
            assert!(executors.submit(Box::new(move || {
                ran.fetch_add(1, Ordering::Relaxed);
            })));
        }
        assert!(!executors.submit(Box::new(|| {})), "the queue is full");
        assert_eq!(executors.depth(), EXECUTOR_QUEUE_COUNT_MAX);
        let (last, is_last) = mpsc::channel();
        release.send(()).unwrap();
        while !executors.submit(Box::new({
            let last = last.clone();
            move || last.send(()).unwrap()
        })) {
            std::thread::yield_now();
        }
        is_last.recv().unwrap();
        assert_eq!(ran.load(Ordering::Relaxed), EXECUTOR_QUEUE_COUNT_MAX);
        executors.stop();
        assert!(!executors.submit(Box::new(|| {})), "it has stopped");
    }
}
