//! A thread's place in the interpreter, kept between calls.
//!
//! Attaching makes and destroys a thread state unless the thread has one, with a page mapped and unmapped for
//! its stack: 20 times what a call costs. So threads that handlers run on keep theirs.

use core::marker::PhantomData;

use pyo3::ffi;

/// The calling thread's state, for as long as this lives; never leaves the thread.
pub(crate) struct KeptThread {
    /// `None` where the thread has a state of somebody else's, such as of Python's own `threading`.
    own: Option<(ffi::PyGILState_STATE, *mut ffi::PyThreadState)>,
    not_send: PhantomData<*const ()>,
}

impl KeptThread {
    /// Keeps the calling thread's state, which must not be attached.
    pub(crate) fn new() -> Self {
        // SAFETY: the interpreter runs. A thread without a state gets one, and detaches from it.
        let own = unsafe {
            ffi::PyGILState_GetThisThreadState()
                .is_null()
                .then(|| (ffi::PyGILState_Ensure(), ffi::PyEval_SaveThread()))
        };
        Self { own, not_send: PhantomData }
    }
}

impl Drop for KeptThread {
    fn drop(&mut self) {
        let Some((before, state)) = self.own.take() else { return };
        // SAFETY: as long as the interpreter is not at its end, the state is live and this thread's;
        // at its end it is left alone, since coming back would end the thread.
        unsafe {
            if ffi::Py_IsInitialized() != 0 && !finalizing() {
                ffi::PyEval_RestoreThread(state);
                ffi::PyGILState_Release(before);
            }
        }
    }
}

/// Whether the interpreter is at its end.
fn finalizing() -> bool {
    pyo3::Python::try_attach(|_| ()).is_none()
}
