//! The way into the library and out of it again: no panic passes, no failure is without a reason.

use core::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::fault::Fault;
use crate::handle::{self, Opaque};
use crate::memory::Out;
use crate::status::{AFFIANT_OK, AFFIANT_PANIC, AFFIANT_REENTRANT, affiant_status};

thread_local! {
    static CALLBACKS: Cell<u32> = const { Cell::new(0) };
}

/// Runs a function of the interface that uses no object.
pub(crate) fn plain(work: impl FnOnce() -> Result<(), Fault>) -> affiant_status {
    caught(work).map_or_else(|fault| fault.status, |()| AFFIANT_OK)
}

/// Runs one that other threads may run meanwhile with the same object.
pub(crate) fn shared<H: Opaque>(
    handle: *const H,
    work: impl FnOnce(&H::Object) -> Result<(), Fault>,
) -> affiant_status {
    used(handle, || handle::with_ref(handle, work))
}

/// Runs one that has its object for itself.
pub(crate) fn exclusive<H: Opaque>(
    handle: *mut H,
    work: impl FnOnce(&mut H::Object) -> Result<(), Fault>,
) -> affiant_status {
    used(handle, || handle::with_mut(handle, work))
}

/// Makes an object.
///
/// # Safety
/// As [`Out::new`] for `out`.
pub(crate) unsafe fn make<H: Opaque>(
    out: *mut *mut H,
    work: impl FnOnce() -> Result<H::Object, Fault>,
) -> affiant_status {
    plain(|| {
        // SAFETY: as promised to this function.
        let out = unsafe { Out::handle(out, "the output")? };
        out.write(handle::insert(work()?)?);
        Ok(())
    })
}

/// Frees an object; NULL is no object and no failure.
pub(crate) fn free<H: Opaque>(handle: *mut H) -> affiant_status {
    free_if(handle, |_| Ok(()))
}

/// As [`free`], unless `allowed` refuses.
pub(crate) fn free_if<H: Opaque>(
    handle: *mut H,
    allowed: impl FnOnce(&H::Object) -> Result<(), Fault>,
) -> affiant_status {
    if handle.is_null() {
        return AFFIANT_OK;
    }
    plain(|| handle::take(handle, allowed).map(drop))
}

/// Runs a callback of the program: what must not be called from inside one is refused meanwhile, on
/// this thread.
pub(crate) fn calling_back<R>(callback: impl FnOnce() -> R) -> R {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            CALLBACKS.set(CALLBACKS.get() - 1);
        }
    }
    CALLBACKS.set(CALLBACKS.get() + 1);
    let _leave = Leave;
    callback()
}

/// Refuses where a callback is running on this thread. `what` is what cannot be done there.
pub(crate) fn outside_callbacks(what: &'static str) -> Result<(), Fault> {
    if CALLBACKS.get() == 0 {
        return Ok(());
    }
    let text = format!("{what} waits for the callback from which it was called: do it elsewhere");
    Err(Fault::new(AFFIANT_REENTRANT, text))
}

/// Whatever is called may wait for a handler in Python: a thread that holds the GIL lets it go meanwhile.
#[cfg(feature = "python")]
fn without_gil<R>(work: impl FnOnce() -> R) -> R {
    struct Here<T>(T);
    impl<R, F: FnOnce() -> R> Here<F> {
        fn run(self) -> Here<R> {
            Here((self.0)())
        }
    }
    // SAFETY: `work` runs on the thread that brought it, and its result stays there; the bound is there to
    // keep out objects of Python, of which this interface knows none.
    unsafe impl<T> Send for Here<T> {}
    let work = Here(work);
    affiant_python_host::without_gil(move || work.run()).0
}

#[cfg(not(feature = "python"))]
fn without_gil<R>(work: impl FnOnce() -> R) -> R {
    work()
}

fn used<H: Opaque>(handle: *const H, work: impl FnOnce() -> Result<(), Fault>) -> affiant_status {
    match caught(work) {
        Ok(()) => AFFIANT_OK,
        Err(fault) => {
            if fault.status == AFFIANT_PANIC {
                handle::remember(handle, &fault);
            }
            fault.status
        }
    }
}

fn caught(work: impl FnOnce() -> Result<(), Fault>) -> Result<(), Fault> {
    match catch_unwind(AssertUnwindSafe(|| without_gil(work))) {
        Ok(result) => result,
        Err(panic) => {
            let said = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("without a message");
            let fault = Fault::new(AFFIANT_PANIC, format!("a defect of the library: {said}"));
            // What a panic carries may panic itself when it is dropped.
            core::mem::forget(panic);
            Err(fault)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::handle::Kind;

    struct Thing;
    impl Opaque for Thing {
        type Object = u32;
        const KIND: Kind = Kind::Bytes;
    }

    #[test]
    fn a_panic_becomes_a_status_and_a_reason() {
        let handle = handle::insert::<Thing>(3).unwrap();
        let status = shared(handle, |_| panic!("on {}", "purpose"));
        assert_eq!(status, AFFIANT_PANIC);
        let reason = handle::recall(handle).unwrap();
        assert_eq!(reason, "a defect of the library: on purpose");
        assert_eq!(exclusive(handle, |_| panic!("again")), AFFIANT_PANIC);
        assert_eq!(shared(handle, |_| Ok(())), AFFIANT_OK, "it is not left locked");
        assert_eq!(free(handle), AFFIANT_OK);
        assert_eq!(free(core::ptr::null_mut::<Thing>()), AFFIANT_OK);
    }

    #[test]
    fn callbacks_are_known_while_they_run() {
        assert!(outside_callbacks("x").is_ok());
        calling_back(|| {
            assert_eq!(outside_callbacks("x").err().unwrap().status, AFFIANT_REENTRANT);
            calling_back(|| {});
            assert!(outside_callbacks("x").is_err());
        });
        let unwound = catch_unwind(|| calling_back(|| panic!("on purpose")));
        assert!(unwound.is_err() && outside_callbacks("x").is_ok());
    }
}
