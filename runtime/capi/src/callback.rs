//! Calling functions of the program. They may be written in C++: what they throw ends in `shim.cpp`, and
//! becomes a failure here.

use core::ffi::{CStr, c_char, c_int, c_void};

use crate::boundary;
use crate::fault::Fault;
use crate::limits::EXCEPTION_TEXT_BYTES_MAX;
use crate::request::affiant_request;
use crate::response::affiant_response;
use crate::status::{AFFIANT_CALLBACK_FAILED, affiant_status};
use crate::tx::affiant_tx;

/// A function that frees what is the program's.
pub(crate) type Free = unsafe extern "C" fn(*mut c_void);

/// A function that answers requests.
pub(crate) type Handler = unsafe extern "C" fn(
    *mut c_void,
    *const affiant_request,
    *mut affiant_tx,
    *mut affiant_response,
) -> affiant_status;

#[allow(improper_ctypes, reason = "handles are numbers, and nobody follows them")]
unsafe extern "C" {
    fn affiantshim_call(
        handler: Handler,
        userdata: *mut c_void,
        request: *const affiant_request,
        tx: *mut affiant_tx,
        response: *mut affiant_response,
        status: *mut u32,
        what: *mut c_char,
        capacity: usize,
    ) -> c_int;
    fn affiantshim_free(
        function: Free,
        userdata: *mut c_void,
        what: *mut c_char,
        capacity: usize,
    ) -> c_int;
}

/// Something of the program's, and what frees it: once, when this is dropped.
pub(crate) struct Userdata {
    pointer: *mut c_void,
    free: Option<Free>,
}

// SAFETY: the pointer is never followed here. That the program's functions take it on any thread, and several
// at once, is what the functions that register it demand of the program.
unsafe impl Send for Userdata {}
// SAFETY: as above.
unsafe impl Sync for Userdata {}

impl Userdata {
    pub(crate) const fn new(pointer: *mut c_void, free: Option<Free>) -> Self {
        Self { pointer, free }
    }
}

impl Drop for Userdata {
    fn drop(&mut self) {
        let Some(free) = self.free else { return };
        let mut what: [c_char; EXCEPTION_TEXT_BYTES_MAX] = [0; EXCEPTION_TEXT_BYTES_MAX];
        boundary::calling_back(|| {
            // SAFETY: the program has said that `free` takes this pointer; the text has that many bytes.
            // That it threw is nobody's to hear: it was its last call.
            unsafe {
                affiantshim_free(free, self.pointer, what.as_mut_ptr(), what.len());
            }
        });
    }
}

/// Calls a handler: the status that it returned, or what it threw.
pub(crate) fn call_handler(
    handler: Handler,
    userdata: &Userdata,
    request: *const affiant_request,
    tx: *mut affiant_tx,
    response: *mut affiant_response,
) -> Result<affiant_status, Fault> {
    let mut status = 0;
    let mut what: [c_char; EXCEPTION_TEXT_BYTES_MAX] = [0; EXCEPTION_TEXT_BYTES_MAX];
    let threw = boundary::calling_back(|| {
        let pointer = userdata.pointer;
        // SAFETY: the program has said that the handler takes this pointer, and the handles are numbers;
        // the outputs have the sizes that are given.
        unsafe {
            affiantshim_call(
                handler,
                pointer,
                request,
                tx,
                response,
                &raw mut status,
                what.as_mut_ptr(),
                what.len(),
            )
        }
    });
    if threw == 0 {
        return Ok(status);
    }
    // SAFETY: the shim ends the text with NUL, within the room.
    let text = unsafe { CStr::from_ptr(what.as_ptr()) }.to_string_lossy();
    Err(Fault::new(AFFIANT_CALLBACK_FAILED, text.into_owned()))
}
