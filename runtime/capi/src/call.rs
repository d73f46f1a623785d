//! Calls of endpoints in this process, as if they had come over a connection.

use core::cell::Cell;
use std::sync::Arc;

use affiant::auth::PeerCertificate;
use affiant::{Peer, Request};

use crate::boundary;
use crate::fault::Fault;
use crate::handle;
use crate::limits::{HEADERS_COUNT_MAX, NESTED_CALLS_COUNT_MAX};
use crate::memory::{Out, Versioned, affiant_slice, slices, versioned};
use crate::response::{Answer, affiant_response};
use crate::runtime::affiant_runtime;
use crate::status::{AFFIANT_REENTRANT, AFFIANT_TOO_MANY, AFFIANT_UNREADABLE, affiant_status};

/// A header line.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct affiant_header {
    /// In whatever case.
    pub name: affiant_slice,
    /// The bytes of its value.
    pub value: affiant_slice,
}

/// A request to an endpoint of a runtime in this process.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct affiant_call {
    /// `sizeof(affiant_call)`.
    pub size: usize,
    /// "GET", "POST", ...
    pub method: affiant_slice,
    /// The path, with "?" and the query if any: "/app/log?id=1".
    pub target: affiant_slice,
    /// The headers; may be NULL where there are none.
    pub headers: *const affiant_header,
    /// How many.
    pub header_count: usize,
    /// The body.
    pub body: affiant_slice,
    /// Who calls, as if a connection had proved to hold the certificate's key: PEM; empty for nobody.
    pub certificate_pem: affiant_slice,
}

// SAFETY: repr(C), begins with its size; pointers and integers.
unsafe impl Versioned for affiant_call {
    const NAME: &'static str = "affiant_call";
    const SIZE_MIN: usize = size_of::<Self>();
}

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// One more call on this thread.
struct Nested;

impl Nested {
    fn enter() -> Result<Self, Fault> {
        let depth = DEPTH.get();
        if depth >= NESTED_CALLS_COUNT_MAX {
            let text = format!(
                "{NESTED_CALLS_COUNT_MAX} calls of endpoints are under way within each other on this thread: \
                 does a handler call itself?"
            );
            return Err(Fault::new(AFFIANT_REENTRANT, text));
        }
        DEPTH.set(depth + 1);
        Ok(Self)
    }
}

impl Drop for Nested {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// Has a request served by this runtime, on this thread (a handler in Python: on its app's), and waits for
/// the answer: for the commit too, where the endpoint says so. It goes the way of one that came over a
/// connection, through policies, handler and commit; an answer is an answer, whatever its status. From
/// inside a handler it has a transaction of its own, which does not see what the handler's has not
/// committed. `AFFIANT_INVALID_ARGUMENT` for what is no HTTP; `AFFIANT_UNREADABLE` for a certificate;
/// `AFFIANT_REENTRANT` where calls nest too deeply; `AFFIANT_CLOSED`. To be freed with
/// `affiant_response_free`.
///
/// # Safety
/// `call` leads to as many bytes as its size says; its slices to as many as they say; `headers` to
/// `header_count` headers; `response` to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_runtime_call(
    runtime: *const affiant_runtime,
    call: *const affiant_call,
    response: *mut *mut affiant_response,
) -> affiant_status {
    boundary::shared(runtime, |host| {
        // SAFETY: as promised to this function.
        let (out, call) = unsafe { (Out::handle(response, "response")?, versioned(call)?) };
        // SAFETY: as promised to this function.
        let (request, peer) = unsafe { (request(&call)?, peer(&call)?) };
        let runtime = host.enter()?;
        let _nested = Nested::enter()?;
        let answer = runtime.send(request, peer);
        out.write(handle::insert(Answer::new(answer))?);
        Ok(())
    })
}

/// # Safety
/// As for [`affiant_runtime_call`].
unsafe fn request(call: &affiant_call) -> Result<Request, Fault> {
    // SAFETY: as promised to this function.
    let (method, target, body) = unsafe {
        (call.method.text("method")?, call.target.text("target")?, call.body.bytes("body")?)
    };
    if call.header_count > HEADERS_COUNT_MAX {
        let text = format!("a request has at most {HEADERS_COUNT_MAX} headers");
        return Err(Fault::new(AFFIANT_TOO_MANY, text));
    }
    let invalid = |error: affiant::InvalidRequest| Fault::argument(error.to_string());
    let mut request = Request::new(method, target).map_err(invalid)?.with_body(body.to_vec());
    // SAFETY: as promised to this function.
    let headers = unsafe { slices(call.headers, call.header_count, "headers")? };
    for header in headers {
        // SAFETY: as promised to this function.
        let (name, value) =
            unsafe { (header.name.text("a header's name")?, header.value.bytes("its value")?) };
        request = request.with_header_line(name, value).map_err(invalid)?;
    }
    Ok(request)
}

/// # Safety
/// As for [`affiant_runtime_call`].
unsafe fn peer(call: &affiant_call) -> Result<Peer, Fault> {
    // SAFETY: as promised to this function.
    let pem = unsafe { call.certificate_pem.text("certificate_pem")? };
    if pem.is_empty() {
        return Ok(Peer::Anonymous);
    }
    let certificate = PeerCertificate::from_pem(pem)
        .map_err(|error| Fault::new(AFFIANT_UNREADABLE, format!("certificate_pem: {error}")))?;
    Ok(Peer::Certificate(Arc::new(certificate)))
}
