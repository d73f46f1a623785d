//! The interface as a program calls it: every step through the functions that C has.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod apps;
mod callers;
mod crypto;
mod database;
mod endpoints;
mod evidence;
mod lifecycle;
mod misuse;
mod receipts;

use core::ffi::{CStr, c_void};
use std::path::Path;

use crate::*;

/// A moment that no test waits for in vain.
pub(crate) const LONG_MS: u64 = 60_000;

pub(crate) fn text(text: &str) -> affiant_slice {
    affiant_slice::of(text.as_bytes())
}

/// What a view shows.
pub(crate) fn shown(view: affiant_slice) -> Vec<u8> {
    // SAFETY: a view of the library, looked at while it lives.
    unsafe { view.bytes("view").unwrap().to_vec() }
}

/// Why the last call with a handle failed.
pub(crate) fn reason<T>(handle: *const T) -> String {
    let mut room = [0; 4096];
    // SAFETY: the room has as many bytes, and the text ends with NUL.
    unsafe {
        affiant_error_text(handle.cast::<c_void>(), room.as_mut_ptr(), room.len());
        CStr::from_ptr(room.as_ptr()).to_string_lossy().into_owned()
    }
}

#[track_caller]
pub(crate) fn ok<T>(status: affiant_status, handle: *const T) {
    assert_eq!(status, AFFIANT_OK, "{}", reason(handle));
}

pub(crate) struct Opened {
    pub(crate) runtime: *mut affiant_runtime,
}

// SAFETY: a handle is a number.
unsafe impl Send for Opened {}
// SAFETY: as above.
unsafe impl Sync for Opened {}

impl Drop for Opened {
    fn drop(&mut self) {
        let status = affiant_runtime_free(self.runtime);
        assert!(std::thread::panicking() || status == AFFIANT_OK, "{}", reason(self.runtime));
    }
}

pub(crate) fn options() -> *mut affiant_options {
    let mut options = core::ptr::null_mut();
    // SAFETY: the output is here.
    let status = unsafe { affiant_options_new(AFFIANT_VERSION, &raw mut options) };
    assert_eq!(status, AFFIANT_OK);
    options
}

/// Opens a runtime with options, which are freed.
pub(crate) fn open_with(options: *mut affiant_options) -> Opened {
    let mut runtime = core::ptr::null_mut();
    // SAFETY: the output is here.
    ok(unsafe { affiant_runtime_open(options, &raw mut runtime) }, options);
    assert_eq!(affiant_options_free(options), AFFIANT_OK);
    Opened { runtime }
}

pub(crate) fn in_memory() -> Opened {
    open_with(options())
}

pub(crate) fn in_directory(path: &Path) -> Opened {
    let options = options();
    // SAFETY: the path is here.
    ok(unsafe { affiant_options_set_directory(options, text(path.to_str().unwrap())) }, options);
    open_with(options)
}

pub(crate) fn begin(runtime: &Opened) -> *mut affiant_tx {
    let mut tx = core::ptr::null_mut();
    // SAFETY: the output is here.
    ok(unsafe { affiant_tx_begin(runtime.runtime, &raw mut tx) }, runtime.runtime);
    tx
}

pub(crate) fn put(tx: *mut affiant_tx, key: &str, value: &str) {
    // SAFETY: the slices are here.
    ok(unsafe { affiant_tx_put(tx, text("notes"), text(key), text(value)) }, tx);
}

pub(crate) fn get(tx: *mut affiant_tx, key: &str) -> Option<Vec<u8>> {
    let mut value = affiant_slice::EMPTY;
    // SAFETY: slices and output are here.
    match unsafe { affiant_tx_get(tx, text("notes"), text(key), &raw mut value) } {
        AFFIANT_NOT_FOUND => None,
        status => {
            ok(status, tx);
            Some(shown(value))
        }
    }
}

/// Commits, waits, and frees.
pub(crate) fn commit(tx: *mut affiant_tx) -> affiant_txid {
    let mut txid = affiant_txid::default();
    // SAFETY: the output is here.
    ok(unsafe { affiant_tx_commit_and_wait(tx, LONG_MS, &raw mut txid) }, tx);
    assert_eq!(affiant_tx_free(tx), AFFIANT_OK);
    txid
}

pub(crate) fn write(runtime: &Opened, key: &str, value: &str) -> affiant_txid {
    let tx = begin(runtime);
    put(tx, key, value);
    commit(tx)
}

/// Everything that an iteration shows; it is freed.
pub(crate) fn all(iterator: *mut affiant_iterator) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let (mut key, mut value) = (affiant_slice::EMPTY, affiant_slice::EMPTY);
    loop {
        // SAFETY: the outputs are here.
        match unsafe { affiant_iterator_next(iterator, &raw mut key, &raw mut value) } {
            AFFIANT_END => break,
            status => ok(status, iterator),
        }
        let words = |view| String::from_utf8(shown(view)).unwrap();
        found.push((words(key), words(value)));
    }
    assert_eq!(affiant_iterator_free(iterator), AFFIANT_OK);
    found
}
