//! The answer that a handler makes, and the one that a call in process brings.

use core::ffi::c_void;

use affiant::{AppError, Response};
use bytes::Bytes;

use crate::boundary;
use crate::callback::{Free, Userdata};
use crate::fault::Fault;
use crate::handle::{Kind, Opaque};
use crate::limits::{
    HEADER_NAME_BYTES_MAX, HEADER_VALUE_BYTES_MAX, HEADERS_COUNT_MAX, MESSAGE_BYTES_MAX,
};
use crate::memory::{Out, affiant_slice};
use crate::status::{AFFIANT_NOT_FOUND, AFFIANT_TOO_LARGE, AFFIANT_TOO_MANY, affiant_status};

/// An answer: the one that a handler is given to fill in, 200 and empty at first, or the one that
/// `affiant_runtime_call` has made.
pub struct affiant_response {
    _opaque: [u8; 0],
}

impl Opaque for affiant_response {
    type Object = Answer;
    const KIND: Kind = Kind::Response;
}

/// The object behind `affiant_response`.
pub(crate) struct Answer {
    pub(crate) response: Response,
    /// What the answer is made of instead, and only then.
    pub(crate) error: Option<AppError>,
    pub(crate) keep_writes: Option<bool>,
}

impl Answer {
    pub(crate) const fn new(response: Response) -> Self {
        Self { response, error: None, keep_writes: None }
    }
}

/// Memory of the program's, freed by its function.
struct Foreign {
    data: *const u8,
    size: usize,
    _userdata: Option<Userdata>,
}

// SAFETY: bytes that nobody changes until the program's function has freed them, as the program has promised.
unsafe impl Send for Foreign {}
// SAFETY: as above.
unsafe impl Sync for Foreign {}

impl AsRef<[u8]> for Foreign {
    fn as_ref(&self) -> &[u8] {
        let slice = affiant_slice { data: self.data, size: self.size };
        // SAFETY: the program has promised the bytes until they are freed. What cannot be memory was refused.
        unsafe { slice.bytes("body") }.unwrap_or_default()
    }
}

/// The status of the answer, 200 to 599. The default is 200. Writes are kept if it is 200 to 299, unless
/// `affiant_response_keep_writes` says otherwise.
#[unsafe(no_mangle)]
pub extern "C" fn affiant_response_set_status(
    response: *mut affiant_response,
    status: u16,
) -> affiant_status {
    boundary::exclusive(response, |answer| {
        answer.response.status = in_range(status, 200)?;
        Ok(())
    })
}

fn in_range(status: u16, least: u16) -> Result<u16, Fault> {
    if (least..=599).contains(&status) {
        return Ok(status);
    }
    Err(Fault::argument(format!("the status is {status}; it is {least} to 599 here")))
}

/// Sets a header, instead of one of the same name that was set before. `AFFIANT_INVALID_ARGUMENT` for a name
/// that is no token (RFC 9110) and for values with control characters, such as line breaks;
/// `AFFIANT_TOO_LARGE`; `AFFIANT_TOO_MANY`. The length of the body and how it is sent are the library's to
/// say.
///
/// # Safety
/// The slices lead to as many bytes as they say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_response_set_header(
    response: *mut affiant_response,
    name: affiant_slice,
    value: affiant_slice,
) -> affiant_status {
    boundary::exclusive(response, |answer| {
        // SAFETY: as promised to this function.
        let (name, value) = unsafe { (name.text("name")?, value.text("value")?) };
        let name = header_name(name)?;
        let value = header_value(&name, value)?.to_owned();
        let headers = &mut answer.response.headers;
        if let Some((_, known)) = headers.iter_mut().find(|(known, _)| *known == name) {
            *known = value;
            return Ok(());
        }
        if headers.len() >= HEADERS_COUNT_MAX {
            let text = format!("an answer has at most {HEADERS_COUNT_MAX} headers");
            return Err(Fault::new(AFFIANT_TOO_MANY, text));
        }
        headers.push((name, value));
        Ok(())
    })
}

fn header_name(name: &str) -> Result<String, Fault> {
    bounded("the name of a header", name, HEADER_NAME_BYTES_MAX)?;
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        let text = format!("{name:?} is no header name: letters, digits and hyphens make one");
        return Err(Fault::argument(text));
    }
    let name = name.to_ascii_lowercase();
    if ["content-length", "transfer-encoding", "connection"].contains(&&*name) {
        return Err(Fault::argument(format!("the header {name} is set by the library")));
    }
    Ok(name)
}

fn header_value<'a>(name: &str, value: &'a str) -> Result<&'a str, Fault> {
    bounded("the value of a header", value, HEADER_VALUE_BYTES_MAX)?;
    match value.bytes().position(|byte| (byte < b' ' && byte != b'\t') || byte == 0x7f) {
        None => Ok(value),
        Some(position) => Err(Fault::argument(format!(
            "the value of the header {name} has a control character at byte {position}"
        ))),
    }
}

fn bounded(what: &str, text: &str, bytes_max: usize) -> Result<(), Fault> {
    if text.len() <= bytes_max {
        return Ok(());
    }
    let text = format!("{what} has {} bytes; at most {bytes_max} are taken", text.len());
    Err(Fault::new(AFFIANT_TOO_LARGE, text))
}

/// Sets the body, which is copied.
///
/// # Safety
/// `body` leads to as many bytes as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_response_set_body(
    response: *mut affiant_response,
    body: affiant_slice,
) -> affiant_status {
    let mut before = Bytes::new();
    boundary::exclusive(response, |answer| {
        // SAFETY: as promised to this function.
        let body = unsafe { body.bytes("body")? };
        // Dropped below, outside of the object: that may call the program.
        before = core::mem::replace(&mut answer.response.body, Bytes::copy_from_slice(body));
        Ok(())
    })
}

/// Sets the body without a copy: the library keeps `body` where it is, nobody changes it, and `free_userdata`
/// (may be NULL) is called with `userdata` once it is no longer needed: when the answer is sent, or right
/// away where this function fails. That may be on any thread.
///
/// # Safety
/// `body` leads to as many bytes as it says until `free_userdata` is called (for ever, if that is NULL),
/// which takes `userdata` on any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_response_set_body_owned(
    response: *mut affiant_response,
    body: affiant_slice,
    userdata: *mut c_void,
    free_userdata: Option<unsafe extern "C" fn(*mut c_void)>,
) -> affiant_status {
    let free: Option<Free> = free_userdata;
    let mut userdata = Some(Userdata::new(userdata, free));
    let mut before = Bytes::new();
    boundary::exclusive(response, |answer| {
        // SAFETY: as promised to this function.
        unsafe { body.bytes("body")? };
        let foreign = Foreign { data: body.data, size: body.size, _userdata: userdata.take() };
        before = core::mem::replace(&mut answer.response.body, Bytes::from_owner(foreign));
        Ok(())
    })
}

/// Makes the answer an error as CCF writes it: `{"error": {"code": ..., "message": ...}}` with the status, 400 to
/// 599. Body and headers that were set are not sent.
///
/// # Safety
/// The slices lead to as many bytes as they say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_response_set_error(
    response: *mut affiant_response,
    status: u16,
    code: affiant_slice,
    message: affiant_slice,
) -> affiant_status {
    boundary::exclusive(response, |answer| {
        // SAFETY: as promised to this function.
        let (code, message) = unsafe { (code.text("code")?, message.text("message")?) };
        let status = in_range(status, 400)?;
        if code.is_empty() {
            let text = "code is empty: name the error, such as \"InvalidInput\"";
            return Err(Fault::argument(text));
        }
        bounded("code", code, HEADER_NAME_BYTES_MAX)?;
        bounded("message", message, MESSAGE_BYTES_MAX)?;
        answer.error = Some(AppError::new(status, code, message));
        Ok(())
    })
}

/// Whether what the handler wrote is kept, whatever the status. It never is where the handler fails.
#[unsafe(no_mangle)]
pub extern "C" fn affiant_response_keep_writes(
    response: *mut affiant_response,
    keep: bool,
) -> affiant_status {
    boundary::exclusive(response, |answer| {
        answer.keep_writes = Some(keep);
        Ok(())
    })
}

/// The status.
///
/// # Safety
/// `status` leads to room for a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_response_status(
    response: *const affiant_response,
    status: *mut u16,
) -> affiant_status {
    boundary::shared(response, |answer| {
        // SAFETY: as promised to this function.
        let out = unsafe { Out::new(status, "status")? };
        out.write(answer.response.status);
        Ok(())
    })
}

/// The body. The view lives until the body is set or the answer is freed.
///
/// # Safety
/// `body` leads to room for an `affiant_slice`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_response_body(
    response: *const affiant_response,
    body: *mut affiant_slice,
) -> affiant_status {
    boundary::shared(response, |answer| {
        // SAFETY: as promised to this function.
        let out = unsafe { Out::new(body, "body")? };
        out.write(affiant_slice::of(&answer.response.body));
        Ok(())
    })
}

/// The value of the first header of that name, in whatever case. `AFFIANT_NOT_FOUND` if there is none. The
/// view lives until a header is set or the answer is freed.
///
/// # Safety
/// `name` leads to as many bytes as it says, `value` to room for an `affiant_slice`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_response_header(
    response: *const affiant_response,
    name: affiant_slice,
    value: *mut affiant_slice,
) -> affiant_status {
    boundary::shared(response, |answer| {
        // SAFETY: as promised to this function.
        let (name, out) = unsafe { (name.text("name")?, Out::new(value, "value")?) };
        let mut headers = answer.response.headers.iter();
        let found = headers.find(|(known, _)| known.eq_ignore_ascii_case(name));
        let (_, found) = found.ok_or_else(|| {
            Fault::new(AFFIANT_NOT_FOUND, format!("this answer has no header {name:?}"))
        })?;
        out.write(affiant_slice::of(found.as_bytes()));
        Ok(())
    })
}

/// How many headers there are.
///
/// # Safety
/// `count` leads to room for a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_response_header_count(
    response: *const affiant_response,
    count: *mut usize,
) -> affiant_status {
    boundary::shared(response, |answer| {
        // SAFETY: as promised to this function.
        let out = unsafe { Out::new(count, "count")? };
        out.write(answer.response.headers.len());
        Ok(())
    })
}

/// A header by position from 0: its name, in lower case, and its value. `AFFIANT_NOT_FOUND` beyond the last.
/// The views live until a header is set or the answer is freed.
///
/// # Safety
/// `name` and `value` lead to room for an `affiant_slice` each.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_response_header_at(
    response: *const affiant_response,
    index: usize,
    name: *mut affiant_slice,
    value: *mut affiant_slice,
) -> affiant_status {
    boundary::shared(response, |answer| {
        // SAFETY: as promised to this function.
        let (name, value) = unsafe { (Out::new(name, "name")?, Out::new(value, "value")?) };
        let headers = &answer.response.headers;
        let line = headers.get(index).ok_or_else(|| {
            let text = format!("this answer has {} headers; {index} is beyond them", headers.len());
            Fault::new(AFFIANT_NOT_FOUND, text)
        })?;
        name.write(affiant_slice::of(line.0.as_bytes()));
        value.write(affiant_slice::of(line.1.as_bytes()));
        Ok(())
    })
}

/// Frees an answer of `affiant_runtime_call`. NULL is allowed; that of a handler ends with it
/// (`AFFIANT_REENTRANT`).
#[unsafe(no_mangle)]
pub extern "C" fn affiant_response_free(response: *mut affiant_response) -> affiant_status {
    boundary::free(response)
}
