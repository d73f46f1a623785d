//! What Python takes for granted of signals, without touching the host's.

use core::mem::MaybeUninit;

use pyo3::prelude::*;

/// Python ignores `SIGPIPE` for its process, and its programs count on an exception when the other side of
/// a socket has gone. The host's process is not ours: so the calling thread, and those that Python starts
/// from it, block the signal, which then ends nobody.
pub(crate) fn block_pipe() {
    let mut pipe = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the set is made empty before it is used; the mask is this thread's own.
    unsafe {
        libc::sigemptyset(pipe.as_mut_ptr());
        libc::sigaddset(pipe.as_mut_ptr(), libc::SIGPIPE);
        libc::pthread_sigmask(libc::SIG_BLOCK, pipe.as_ptr(), core::ptr::null_mut());
    }
}

/// Imports module `signal`, which takes `SIGINT` for itself where nobody else has, however Python was
/// started, and gives the signal back. Later imports take nothing. `is_main`: this is Python's main thread.
pub(crate) fn import_signal(py: Python<'_>, is_main: bool) -> PyResult<()> {
    let mut before = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: reads the action; the structure was zeroed, and is filled where the call succeeds.
    let before = unsafe {
        libc::sigaction(libc::SIGINT, core::ptr::null(), before.as_mut_ptr());
        before.assume_init()
    };
    let module = py.import("signal")?;
    if is_main && before.sa_sigaction == libc::SIG_DFL {
        // What Python knows of it: else asyncio takes the signal from what it believes to be Python's.
        module.call_method1("signal", (libc::SIGINT, module.getattr("SIG_DFL")?))?;
    }
    // SAFETY: the action that was there before.
    unsafe { libc::sigaction(libc::SIGINT, &raw const before, core::ptr::null_mut()) };
    Ok(())
}
