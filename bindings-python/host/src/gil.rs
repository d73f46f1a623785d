//! Host threads and the GIL.

use core::ffi::{CStr, c_int, c_void};
use std::sync::OnceLock;

use pyo3::ffi;
use pyo3::prelude::*;

type Current = unsafe extern "C" fn() -> *mut ffi::PyThreadState;

// Exported by every libpython since 3.4, and no part of the stable ABI that pyo3 declares.
unsafe extern "C" {
    fn PyGILState_Check() -> c_int;
}

/// `PyThreadState_GetUnchecked`, by the name that the running version has for it.
fn current() -> Option<Current> {
    static FOUND: OnceLock<Option<Current>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let names = [c"PyThreadState_GetUnchecked", c"_PyThreadState_UncheckedGet"];
        names.into_iter().find_map(|name: &CStr| {
            // SAFETY: the name is terminated; the default handle covers the running interpreter.
            let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
            // SAFETY: this is CPython's function of that name, with this signature since 3.5.
            (!found.is_null())
                .then(|| unsafe { core::mem::transmute::<*mut c_void, Current>(found) })
        })
    })
}

/// Whether the calling thread holds the GIL of the process's main interpreter.
fn is_held() -> bool {
    // SAFETY: may be called at any time.
    if unsafe { ffi::Py_IsInitialized() } == 0 {
        return false;
    }
    // SAFETY: the interpreter runs.
    let own = unsafe { ffi::PyGILState_GetThisThreadState() };
    if own.is_null() {
        return false;
    }
    match current() {
        // SAFETY: may be called without the GIL. Before 3.12 it tells who holds the GIL, whichever
        // thread that is, hence the comparison.
        Some(current) => own == unsafe { current() },
        // SAFETY: the interpreter runs. With subinterpreters this says yes to every thread; but a
        // libpython whose functions cannot be looked up is linked into the program, and exports nothing.
        None => unsafe { PyGILState_Check() != 0 },
    }
}

/// Runs `work`, which may block, without the GIL, should the calling thread hold it: a handler that `work`
/// waits for needs it. Costs a few nanoseconds in a process without Python.
///
/// A thread that runs a subinterpreter of the host's has to let its GIL go itself.
pub fn without_gil<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    if is_held() {
        // Attaching a thread that is attached notes it for pyo3, and nothing more.
        Python::attach(|py| py.detach(work))
    } else {
        work()
    }
}
