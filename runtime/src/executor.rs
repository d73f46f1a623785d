//! Threads for handlers that take long, or that have threads of their own: a bounded queue, a fixed
//! number of threads, and a watchdog where a handler may be given up.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::limits::{
    EXECUTOR_QUEUE_COUNT_MAX, EXECUTOR_STACK_BYTES, EXECUTOR_STOP_MS_MAX, HELD_ANSWERS_COUNT_MAX,
    STUCK_LOOK_MS,
};
use crate::log_fail;
use crate::odata;
use crate::replies::Reply;
use crate::respond::{Outcome, retry_later};
use crate::seat::Seat;
use crate::workers;

type Task = Box<dyn FnOnce() + Send>;
type Work = Box<dyn FnOnce(&Seat) -> Outcome + Send>;

enum Job {
    Task(Task),
    Request {
        work: Work,
        reply: Reply,
        /// Answers that are ready may wait for it.
        quick: bool,
    },
}

/// Why a request was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The queue is full, or the host stops.
    Busy,
    /// Every thread has a handler that was given up and runs on.
    Stuck,
}

impl Refused {
    /// The answer.
    pub(crate) fn outcome(self) -> Outcome {
        let message = match self {
            Self::Busy => "Too many long-running requests wait already. Retry later.",
            Self::Stuck => {
                "A handler that did not end in time and cannot be stopped blocks this application. \
                 Retry later."
            }
        };
        let response = odata::error(503, odata::EXECUTOR_DISPATCH_FAILED, message);
        Outcome::Done(retry_later(response).into())
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Open,
    /// The threads end once nothing is queued.
    Closing,
    /// The threads end after the jobs that run.
    Stopped,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    stage: Stage,
    /// Threads that sleep and that nobody has woken yet.
    sleeping: usize,
    /// How often a sleeping thread was woken.
    wakes: u64,
    /// Threads that have not ended.
    alive: usize,
}

struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    /// Signalled when a thread ends, and when the executor closes.
    ended: Condvar,
    seats: Vec<Seat>,
    stuck: Arc<AtomicUsize>,
}

/// What an executor is started with.
pub(crate) struct Plan {
    /// Its threads are called `name-0`, `name-1`, ...
    pub(crate) name: String,
    pub(crate) threads: usize,
    /// How long a handler may run before its client is told that it failed.
    pub(crate) patience: Option<Duration>,
    /// Whether whoever drops the executor waits for its threads.
    pub(crate) detached: bool,
    /// What each thread does before it takes jobs.
    pub(crate) prepare: Option<Arc<dyn Fn() + Send + Sync>>,
}

/// The executor threads of one host, or of one front end.
pub(crate) struct Executors {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    detached: bool,
}

impl Executors {
    pub(crate) fn start(plan: &Plan) -> io::Result<Self> {
        let stuck = Arc::new(AtomicUsize::new(0));
        let seats = (0..plan.threads).map(|_| Seat::new(plan.patience, stuck.clone())).collect();
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            wake: Condvar::new(),
            ended: Condvar::new(),
            seats,
            stuck,
        });
        // If a thread cannot be started, dropping this ends the others.
        let executors = Self { shared, threads: Mutex::default(), detached: plan.detached };
        for index in 0..plan.threads {
            let name = format!("{}-{index}", plan.name);
            let prepare = plan.prepare.clone();
            executors.spawn(name, move |shared| {
                if let Some(prepare) = prepare {
                    catch_unwind(AssertUnwindSafe(|| prepare())).ok();
                }
                work(shared, index);
            })?;
        }
        if plan.patience.is_some() {
            let shared = executors.shared.clone();
            let name = format!("{}-watch", plan.name);
            std::thread::Builder::new().name(name).spawn(move || watch(&shared))?;
        }
        Ok(executors)
    }

    fn spawn(
        &self,
        name: String,
        run: impl FnOnce(&Shared) + Send + 'static,
    ) -> Result<(), io::Error> {
        let shared = self.shared.clone();
        shared.queue.lock().alive += 1;
        let builder = std::thread::Builder::new().name(name).stack_size(EXECUTOR_STACK_BYTES);
        let thread = builder.spawn({
            let shared = shared.clone();
            move || {
                let _alive = Alive(&shared);
                run(&shared);
            }
        });
        match thread {
            Ok(thread) => self.threads.lock().push(thread),
            Err(error) => {
                shared.queue.lock().alive -= 1;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Queues a task; false if the queue is full or the host stops.
    pub(crate) fn submit(&self, task: Task) -> bool {
        self.push(Job::Task(task)).is_ok()
    }

    /// Queues a request, or refuses it by way of `reply`. `quick`: answers that are ready may wait for
    /// it.
    pub(crate) fn serve(
        &self,
        reply: Reply,
        quick: bool,
        work: impl FnOnce(&Seat) -> Outcome + Send + 'static,
    ) {
        let job = Job::Request { work: Box::new(work), reply, quick };
        if let Err((refused, job)) = self.push(job) {
            refuse(job, refused);
        }
    }

    fn push(&self, job: Job) -> Result<(), (Refused, Job)> {
        let mut queue = self.shared.queue.lock();
        if queue.stage != Stage::Open || queue.jobs.len() >= EXECUTOR_QUEUE_COUNT_MAX {
            return Err((Refused::Busy, job));
        }
        if self.shared.is_stuck() {
            return Err((Refused::Stuck, job));
        }
        queue.jobs.push_back(job);
        // A thread that works looks at the queue before it sleeps.
        let wake = queue.sleeping > 0;
        if wake {
            queue.sleeping -= 1;
            queue.wakes += 1;
        }
        drop(queue);
        if wake {
            self.shared.wake.notify_one();
        }
        Ok(())
    }

    /// Jobs that wait for a thread.
    pub(crate) fn depth(&self) -> usize {
        self.shared.queue.lock().jobs.len()
    }

    /// Whether the calling thread is one of them.
    pub(crate) fn has_this(&self) -> bool {
        let own = std::thread::current().id();
        self.threads.lock().iter().any(|thread| thread.thread().id() == own)
    }

    /// Lets the threads end once nothing is queued, and waits for nothing.
    fn close(&self) {
        let mut queue = self.shared.queue.lock();
        if queue.stage == Stage::Open {
            queue.stage = Stage::Closing;
        }
        queue.sleeping = 0;
        drop(queue);
        self.shared.wake.notify_all();
        self.shared.ended.notify_all();
    }

    /// Ends the threads after the jobs that run; queued ones are dropped, which their waiters see.
    /// A thread whose job does not end is left behind.
    pub(crate) fn stop(&self) {
        let dropped = {
            let mut queue = self.shared.queue.lock();
            queue.stage = Stage::Stopped;
            queue.sleeping = 0;
            core::mem::take(&mut queue.jobs)
        };
        drop(dropped);
        self.shared.wake.notify_all();
        self.shared.ended.notify_all();
        self.join();
    }

    fn join(&self) {
        let threads = core::mem::take(&mut *self.threads.lock());
        let own = std::thread::current().id();
        let present = threads.iter().filter(|thread| thread.thread().id() == own).count();
        let deadline = Instant::now() + Duration::from_millis(EXECUTOR_STOP_MS_MAX);
        let mut queue = self.shared.queue.lock();
        while queue.alive > present {
            if self.shared.ended.wait_until(&mut queue, deadline).timed_out() {
                break;
            }
        }
        let all_ended = queue.alive <= present;
        drop(queue);
        for (thread, seat) in threads.into_iter().zip(&self.shared.seats) {
            if thread.thread().id() == own {
                continue;
            }
            if all_ended || thread.is_finished() {
                // A job cannot unwind into the thread's loop; a failed join has nothing to add.
                thread.join().ok();
                continue;
            }
            let name = thread.thread().name().unwrap_or_default().to_owned();
            let what = seat.occupant().map(|name| format!(" ({name})")).unwrap_or_default();
            log_fail!(
                "app",
                "the job of thread {name}{what} does not end within {EXECUTOR_STOP_MS_MAX} ms; it \
                 is left behind"
            );
        }
    }
}

impl Drop for Executors {
    fn drop(&mut self) {
        if self.detached {
            self.close();
        } else {
            self.stop();
        }
    }
}

fn refuse(job: Job, refused: Refused) {
    if let Job::Request { reply, .. } = job {
        reply.send(refused.outcome());
    }
}

/// Counts a thread as alive until it is dropped.
struct Alive<'a>(&'a Shared);

impl Drop for Alive<'_> {
    fn drop(&mut self) {
        self.0.queue.lock().alive -= 1;
        self.0.ended.notify_all();
    }
}

/// What a thread does next.
enum Next {
    Job(Job),
    /// There is time for postponed work.
    Idle,
    End,
}

impl Shared {
    fn is_stuck(&self) -> bool {
        self.stuck.load(Ordering::Relaxed) >= self.seats.len()
    }

    /// `idle`: there may be postponed work. Answers are sent before the thread has time.
    fn next(&self, seat: &Seat, idle: bool) -> Next {
        let mut queue = self.queue.lock();
        let mut sent = false;
        loop {
            if queue.stage == Stage::Stopped {
                return Next::End;
            }
            if let Some(job) = queue.jobs.pop_front() {
                return Next::Job(job);
            }
            if !sent {
                sent = true;
                drop(queue);
                seat.send_held();
                queue = self.queue.lock();
                continue;
            }
            if queue.stage == Stage::Closing {
                return Next::End;
            }
            if idle {
                return Next::Idle;
            }
            queue.sleeping += 1;
            self.wake.wait(&mut queue);
        }
    }
}

fn work(shared: &Shared, index: usize) {
    let Some(seat) = shared.seats.get(index) else { return };
    let mut idle = false;
    loop {
        match shared.next(seat, idle) {
            Next::Job(Job::Task(task)) => {
                seat.send_held();
                // The task reports its own panics; this keeps the thread.
                catch_unwind(AssertUnwindSafe(task)).ok();
                idle = true;
            }
            Next::Job(Job::Request { work, reply, quick }) => {
                if !quick || seat.held() >= HELD_ANSWERS_COUNT_MAX {
                    seat.send_held();
                }
                seat.take_up(reply);
                seat.finish(catch_unwind(AssertUnwindSafe(|| work(seat))).ok());
                idle = true;
            }
            Next::Idle => idle = workers::idle(),
            Next::End => break,
        }
    }
    seat.send_held();
    workers::leave();
}

/// Gives up handlers that run for too long, and refuses those who wait where no thread is left.
fn watch(shared: &Shared) {
    let mut queue = shared.queue.lock();
    while queue.alive > 0 {
        shared.ended.wait_for(&mut queue, Duration::from_millis(STUCK_LOOK_MS));
        drop(queue);
        let mut gave_up = false;
        for seat in &shared.seats {
            gave_up |= seat.look();
        }
        queue = shared.queue.lock();
        if gave_up && shared.is_stuck() {
            let refused = core::mem::take(&mut queue.jobs);
            drop(queue);
            for job in refused {
                refuse(job, Refused::Stuck);
            }
            queue = shared.queue.lock();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use std::sync::mpsc;

    use super::*;
    use tokio::sync::oneshot;

    use crate::replies::reply;
    use crate::request::Response;

    fn plan(threads: usize, patience: Option<Duration>, detached: bool) -> Plan {
        Plan { name: "test".to_owned(), threads, patience, detached, prepare: None }
    }

    fn start(threads: usize, patience: Option<Duration>) -> Executors {
        Executors::start(&plan(threads, patience, false)).unwrap()
    }

    fn serve(
        executors: &Executors,
        quick: bool,
        work: impl FnOnce(&Seat) -> Outcome + Send + 'static,
    ) -> oneshot::Receiver<Outcome> {
        let (reply, receiver) = reply();
        executors.serve(reply, quick, work);
        receiver
    }

    /// Keeps a thread until the sender is used or dropped.
    fn occupy(executors: &Executors) -> mpsc::Sender<()> {
        let (entered, has_entered) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        assert!(executors.submit(Box::new(move || {
            entered.send(()).unwrap();
            released.recv().ok();
        })));
        has_entered.recv().unwrap();
        release
    }

    fn answer(status: u16) -> Outcome {
        Outcome::Done(Response::empty(status).into())
    }

    fn status(outcome: &Outcome) -> u16 {
        match outcome {
            Outcome::Done(answer) => answer.response.status,
            Outcome::Waiting(_) => panic!("nothing waits for commit here"),
        }
    }

    #[test]
    fn the_queue_is_bounded_and_a_panic_keeps_the_thread() {
        let executors = start(1, None);
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
        let refused = serve(&executors, true, |_| answer(200)).blocking_recv().unwrap();
        assert_eq!(status(&refused), 503);
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

    #[test]
    fn a_request_that_panics_is_answered_and_keeps_the_thread() {
        for patience in [None, Some(Duration::from_secs(3_600))] {
            let executors = start(1, patience);
            let lost = serve(&executors, true, |_| panic!("on purpose"));
            assert!(lost.blocking_recv().is_err(), "its client hears that nothing came of it");
            let served = serve(&executors, true, |_| answer(201));
            assert_eq!(status(&served.blocking_recv().unwrap()), 201);
        }
    }

    #[test]
    fn one_wake_up_serves_all_that_is_queued() {
        let executors = start(1, Some(Duration::from_secs(3_600)));
        while executors.shared.queue.lock().sleeping == 0 {
            std::thread::yield_now();
        }
        let release = occupy(&executors);
        let answers: Vec<_> = (0..500).map(|_| serve(&executors, true, |_| answer(204))).collect();
        drop(release);
        for receiver in answers {
            assert_eq!(status(&receiver.blocking_recv().unwrap()), 204);
        }
        assert_eq!(executors.shared.queue.lock().wakes, 1);
    }

    #[test]
    fn answers_leave_together_but_never_wait_for_a_handler_that_takes_time() {
        let executors = start(1, Some(Duration::from_secs(3_600)));
        let release = occupy(&executors);
        let first = serve(&executors, true, |_| answer(201));
        let second = serve(&executors, true, |seat| answer(200 + seat.held() as u16));
        let third = serve(&executors, false, move |seat| {
            // Neither of the two waits for this one.
            let both = (first.blocking_recv().unwrap(), second.blocking_recv().unwrap());
            assert_eq!((status(&both.0), status(&both.1)), (201, 201));
            answer(210 + seat.held() as u16)
        });
        drop(release);
        assert_eq!(status(&third.blocking_recv().unwrap()), 210);
    }

    #[test]
    fn what_is_dropped_ends_by_itself_after_what_is_queued() {
        let executors = Executors::start(&plan(2, None, true)).unwrap();
        let shared = executors.shared.clone();
        let releases = [occupy(&executors), occupy(&executors)];
        let queued = serve(&executors, true, |_| answer(200));
        // Does not wait, although both threads are occupied.
        drop(executors);
        assert_eq!(shared.queue.lock().alive, 2);
        drop(releases);
        assert_eq!(status(&queued.blocking_recv().unwrap()), 200);
        let mut queue = shared.queue.lock();
        while queue.alive > 0 {
            shared.ended.wait(&mut queue);
        }
    }

    #[test]
    fn a_thread_that_does_not_end_is_left_behind() {
        let executors = start(1, None);
        let release = occupy(&executors);
        let shared = executors.shared.clone();
        executors.stop();
        assert_eq!(shared.queue.lock().alive, 1);
        drop(release);
        let mut queue = shared.queue.lock();
        while queue.alive > 0 {
            shared.ended.wait(&mut queue);
        }
    }
}
