//! Whether this process is a fork of one that had handles. The threads that a runtime needs are not
//! copied by `fork`, and locks stay as they were at that moment, so nothing may be touched there.

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

static GENERATION: AtomicU32 = AtomicU32::new(1);
static WATCH: Once = Once::new();

/// Counts the forks between the first process and this one, from 1.
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// From now on forks are noticed.
pub(crate) fn watch() {
    WATCH.call_once(|| {
        // SAFETY: the function given does nothing but add to an atomic number, which is allowed in the
        // child of a process with threads.
        let failed = unsafe { libc::pthread_atfork(None, None, Some(forked)) };
        assert_eq!(failed, 0, "no memory is left to note what happens at a fork");
    });
}

extern "C" fn forked() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}
