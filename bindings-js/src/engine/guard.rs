//! Stops C code that never looks at the clock.
//!
//! The engine polls its time limit between steps of a script, but a built-in that loops in C
//! (`Array(4e9).indexOf(1)`) does not. A watchdog signals the thread of a call that is overdue, and
//! the signal's handler abandons the call: it jumps to the Rust code that made it. Whatever the
//! engine was doing is left half done, which is sound because nothing outside an interpreter's heap
//! depends on it, and the interpreter is thrown away with its heap.
//!
//! Rules
//! * Only C frames are jumped over, and the [`trampoline`], which owns nothing. Rust code called by
//!   the engine is shielded while it runs ([`door`]), allocator included; a call that it makes into
//!   the engine lands in it ([`run`]), and it then returns in good order to its door, which jumps on.
//! * Between landing and the outermost [`run`]'s return no engine function is called: values are not
//!   freed ([`stopped`]), [`super::Scope::raw`] refuses.
//! * The handler touches two thread-local cells, reads the clock, and jumps.
#![allow(unsafe_code, reason = "signals and non-local jumps")]

use core::cell::Cell;
use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicU64, Ordering, compiler_fence};
use core::{mem, ptr};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::limits::{WATCHDOG_GRACE_MS, WATCHDOG_PERIOD_MS};

/// Where an abandoned call lands; on the C stack.
#[repr(C)]
struct Landing {
    _opaque: [u8; 0],
}

unsafe extern "C" {
    fn affiant_guard_run(
        run: unsafe extern "C" fn(*mut c_void),
        argument: *mut c_void,
        landing: *mut *mut Landing,
    ) -> c_int;
    fn affiant_guard_abandon(landing: *mut Landing) -> !;
}

struct Thread {
    /// Where the innermost call into the engine lands; null: none is under way.
    landing: Cell<*mut Landing>,
    /// Rust code runs on behalf of the engine.
    shielded: Cell<bool>,
    /// A call was abandoned and its outermost caller has not returned yet.
    stopped: Cell<bool>,
    /// Nanoseconds since [`epoch`] at which calls are overdue; 0: never. Owned by [`SEAT`].
    overdue_at: Cell<*const AtomicU64>,
}

thread_local! {
    static THREAD: Thread = const {
        Thread {
            landing: Cell::new(ptr::null_mut()),
            shielded: Cell::new(false),
            stopped: Cell::new(false),
            overdue_at: Cell::new(ptr::null()),
        }
    };
    /// This thread's place with the watchdog, for as long as the thread lives.
    static SEAT: Seat = Seat::take();
}

/// Whether an abandoned call is still on its way out of this thread's stack.
pub(super) fn stopped() -> bool {
    THREAD.with(|thread| thread.stopped.get())
}

/// A new stay in the engine begins on this thread: what was stopped before is gone.
pub(super) fn settle() {
    THREAD.with(|thread| {
        if thread.landing.get().is_null() {
            thread.stopped.set(false);
        }
    });
}

struct Job<F, R> {
    run: Option<F>,
    result: Option<R>,
}

/// Calls into the engine; `None` if the call was abandoned. `run` makes one engine call and owns
/// nothing, which the bounds on `F` and `R` ensure.
pub(super) fn run<F: FnOnce() -> R + Copy, R: Copy>(run: F) -> Option<R> {
    THREAD.with(|thread| {
        let outer = thread.landing.get();
        let shielded = thread.shielded.replace(true);
        let mut job = Job { run: Some(run), result: None };
        let argument: *mut c_void = (&raw mut job).cast();
        // SAFETY: the trampoline is given the job it is made for; the landing's cell outlives the
        // call. Interrupts are let in by the trampoline only, when the landing is set.
        let abandoned = unsafe {
            affiant_guard_run(trampoline::<F, R>, argument, thread.landing.as_ptr()) != 0
        };
        compiler_fence(Ordering::SeqCst);
        thread.landing.set(outer);
        thread.shielded.set(shielded);
        if abandoned { None } else { job.result }
    })
}

unsafe extern "C" fn trampoline<F: FnOnce() -> R + Copy, R: Copy>(argument: *mut c_void) {
    // SAFETY: `run` passes its job, which nothing else uses meanwhile.
    let job = unsafe { &mut *argument.cast::<Job<F, R>>() };
    let Some(run) = job.run else { return };
    THREAD.with(|thread| thread.shielded.set(false));
    compiler_fence(Ordering::SeqCst);
    let result = run();
    compiler_fence(Ordering::SeqCst);
    THREAD.with(|thread| thread.shielded.set(true));
    job.result = Some(result);
}

/// Runs Rust code on behalf of the engine. If a call that it made was abandoned this does not
/// return, so the caller's frame owns nothing that needs dropping.
pub(super) fn door<R: Copy>(work: impl FnOnce() -> R) -> R {
    let result = shield(work);
    THREAD.with(|thread| {
        if thread.stopped.get() && !thread.landing.get().is_null() {
            // SAFETY: the landing is that of the engine call below this frame; between lie C frames
            // and the trampoline, and the caller's promise holds for its own.
            unsafe { affiant_guard_abandon(thread.landing.get()) }
        }
    });
    result
}

/// Runs code that must not be abandoned and calls no scripts.
pub(super) fn shield<R>(work: impl FnOnce() -> R) -> R {
    THREAD.with(|thread| {
        let shielded = thread.shielded.replace(true);
        compiler_fence(Ordering::SeqCst);
        let result = work();
        compiler_fence(Ordering::SeqCst);
        thread.shielded.set(shielded);
        result
    })
}

fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}

fn now_ns() -> u64 {
    u64::try_from(epoch().elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Calls of this thread are abandoned when they go on for longer than `limit` from `start` on, and
/// some more for those that poll.
pub(crate) fn arm(start: Instant, limit: Duration) {
    let patience = limit.saturating_add(Duration::from_millis(WATCHDOG_GRACE_MS));
    let since = start.saturating_duration_since(epoch()).saturating_add(patience);
    let at = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
    // A thread at its end has no seat any more: it runs unwatched.
    let _ = SEAT.try_with(|seat| seat.overdue_at.store(at.max(1), Ordering::Relaxed));
}

/// Nothing is overdue from now on.
pub(crate) fn disarm() {
    let _ = SEAT.try_with(|seat| seat.overdue_at.store(0, Ordering::Relaxed));
}

struct Watched {
    thread: libc::pthread_t,
    overdue_at: Arc<AtomicU64>,
}

fn watched() -> &'static Mutex<Vec<Watched>> {
    static WATCHED: Mutex<Vec<Watched>> = Mutex::new(Vec::new());
    &WATCHED
}

/// A thread's place with the watchdog.
struct Seat {
    overdue_at: Arc<AtomicU64>,
}

impl Seat {
    fn take() -> Self {
        let overdue_at = Arc::new(AtomicU64::new(0));
        let Some(signal) = watch() else { return Self { overdue_at } };
        THREAD.with(|thread| thread.overdue_at.set(Arc::as_ptr(&overdue_at)));
        // SAFETY: a signal set on this stack; asks about and changes this thread only.
        let thread = unsafe {
            let mut set = mem::zeroed::<libc::sigset_t>();
            libc::sigemptyset(&raw mut set);
            libc::sigaddset(&raw mut set, signal);
            libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, ptr::null_mut());
            libc::pthread_self()
        };
        let seat = Watched { thread, overdue_at: overdue_at.clone() };
        watched().lock().unwrap_or_else(PoisonError::into_inner).push(seat);
        Self { overdue_at }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // The watchdog signals under this lock: never a thread that is gone.
        let mut watched = watched().lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|seat| !Arc::ptr_eq(&seat.overdue_at, &self.overdue_at));
        // What a late signal would look at is gone.
        THREAD.with(|thread| thread.overdue_at.set(ptr::null()));
    }
}

/// Starts the watchdog once per process; its signal, or `None` where there can be none (then only
/// scripts that poll are stopped).
fn watch() -> Option<c_int> {
    static SIGNAL: OnceLock<Option<c_int>> = OnceLock::new();
    *SIGNAL.get_or_init(|| {
        epoch();
        let signal = install()?;
        let spawned = std::thread::Builder::new()
            .name("js-watchdog".to_owned())
            .spawn(move || patrol(signal));
        spawned.ok().map(|_| signal)
    })
}

/// Takes the first real-time signal that nobody in the process handles.
fn install() -> Option<c_int> {
    (libc::SIGRTMIN()..=libc::SIGRTMAX()).find(|signal| {
        // SAFETY: both structures are plain data; the handler follows the rules of signal handlers.
        // SA_NODEFER: the handler is left by a jump, so the mask must not change.
        unsafe {
            let mut present = mem::zeroed::<libc::sigaction>();
            if libc::sigaction(*signal, ptr::null(), &raw mut present) != 0
                || present.sa_sigaction != libc::SIG_DFL
            {
                return false;
            }
            let mut ours = mem::zeroed::<libc::sigaction>();
            let handler: extern "C" fn(c_int) = overdue;
            ours.sa_sigaction = handler as libc::sighandler_t;
            ours.sa_flags = libc::SA_RESTART | libc::SA_NODEFER;
            libc::sigemptyset(&raw mut ours.sa_mask);
            libc::sigaction(*signal, &raw const ours, ptr::null_mut()) == 0
        }
    })
}

fn patrol(signal: c_int) {
    loop {
        std::thread::sleep(Duration::from_millis(WATCHDOG_PERIOD_MS));
        let now = now_ns();
        for seat in watched().lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let at = seat.overdue_at.load(Ordering::Relaxed);
            if at != 0 && now >= at {
                // SAFETY: a thread leaves the list, under the lock held here, before it ends.
                unsafe { libc::pthread_kill(seat.thread, signal) };
            }
        }
    }
}

/// The signal's handler, on the thread that is overdue, or was.
extern "C" fn overdue(_: c_int) {
    THREAD.with(|thread| {
        let landing = thread.landing.get();
        let overdue_at = thread.overdue_at.get();
        if landing.is_null() || thread.shielded.get() || overdue_at.is_null() {
            return;
        }
        // SAFETY: the seat clears the pointer before it goes.
        let at = unsafe { (*overdue_at).load(Ordering::Relaxed) };
        if at == 0 || now_ns() < at {
            return;
        }
        thread.shielded.set(true);
        thread.stopped.set(true);
        // SAFETY: the landing is set and not shielded, so the frames above it are the engine's, the
        // trampoline's and this handler's.
        unsafe { affiant_guard_abandon(landing) }
    });
}
