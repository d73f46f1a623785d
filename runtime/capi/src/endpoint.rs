//! Endpoints that are functions of the program.

use core::ffi::c_void;
use std::sync::Arc;

use affiant::auth::AuthnPolicy;
use affiant::{AppError, Call, Endpoint, EndpointOptions, Mode, Respond, Response};

use crate::boundary;
use crate::callback::{Free, Handler, Userdata, call_handler};
use crate::fault::Fault;
use crate::handle::{self, Lent};
use crate::limits::{ENDPOINTS_COUNT_MAX, POLICIES_COUNT_MAX};
use crate::memory::{Versioned, affiant_slice, slices, versioned};
use crate::options::{NativeEndpoint, affiant_options};
use crate::request::{Asked, affiant_request};
use crate::response::{Answer, affiant_response};
use crate::status::{AFFIANT_OK, AFFIANT_TOO_MANY, affiant_status, name_of};
use crate::tx::{Transaction, affiant_tx};

/// A function that answers requests: it reads `request`, reads and writes with `tx`, and fills in `response`.
/// What it is given lives until it returns, and is for its thread. `AFFIANT_OK` commits what it wrote (if the
/// answer's status is 200 to 299) and sends the answer; any other status, or an exception, drops what it
/// wrote and answers 500, or what `affiant_response_set_error` said. It may run on any thread, on several at
/// once, and again for the same request when another transaction got in its way.
pub type affiant_handler = Option<
    unsafe extern "C" fn(
        userdata: *mut c_void,
        request: *const affiant_request,
        tx: *mut affiant_tx,
        response: *mut affiant_response,
    ) -> affiant_status,
>;

/// How an endpoint touches the store: one of the constants `AFFIANT_MODE_...`.
pub type affiant_mode = u32;

/// It reads and writes. The default.
pub const AFFIANT_MODE_READ_WRITE: affiant_mode = 0;
/// It reads; writes are refused.
pub const AFFIANT_MODE_READ_ONLY: affiant_mode = 1;
/// It reads one past transaction, which the request names in the header `x-ms-ccf-transaction-id`, with
/// `affiant_request_past_...`. Writes are refused.
pub const AFFIANT_MODE_HISTORICAL: affiant_mode = 2;

/// When an answer leaves: one of the constants `AFFIANT_RESPOND_...`.
pub type affiant_respond = u32;

/// Once its transaction is committed: on disk, and signed. The default.
pub const AFFIANT_RESPOND_AT_COMMIT: affiant_respond = 0;
/// As soon as its transaction has its id; it may still come to nothing.
pub const AFFIANT_RESPOND_AT_ONCE: affiant_respond = 1;
/// At commit, with the receipt in the answer.
pub const AFFIANT_RESPOND_WITH_RECEIPT: affiant_respond = 2;

/// An endpoint: where it is, who may call it, how it runs, and the function that answers.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct affiant_endpoint {
    /// `sizeof(affiant_endpoint)`.
    pub size: usize,
    /// "GET", "POST", ...
    pub method: affiant_slice,
    /// Where it is, below "/app" or at the root: "/log/{id}". Each `{name}` is a part of the path.
    pub path: affiant_slice,
    /// `AFFIANT_MODE_...`; 0 is reading and writing.
    pub mode: affiant_mode,
    /// `AFFIANT_RESPOND_...`; 0 is at commit.
    pub respond: affiant_respond,
    /// Who may call, tried in order: "user_cert", "member_cert", "any_cert", "jwt", "user_cose_sign1", "no_auth".
    pub policies: *const affiant_slice,
    /// How many policies; 0: anybody may call, and nobody is identified.
    pub policy_count: usize,
    /// The function.
    pub handler: affiant_handler,
    /// Given to it with each request, on any thread and on several at once.
    pub userdata: *mut c_void,
    /// NULL, or called with `userdata` once nothing can call the handler any more, on any thread.
    pub free_userdata: Option<unsafe extern "C" fn(userdata: *mut c_void)>,
}

// SAFETY: repr(C), begins with its size; pointers, integers and functions, of which NULL is none. That what
// is not NULL is a function is the program's to say, as of every pointer.
unsafe impl Versioned for affiant_endpoint {
    const NAME: &'static str = "affiant_endpoint";
    const SIZE_MIN: usize = size_of::<Self>();
}

/// The handler, and what it is called with.
struct Callee {
    handler: Handler,
    userdata: Userdata,
    mode: Mode,
}

impl Callee {
    /// Runs the handler once. The transaction is back in the call afterwards, however it ended.
    fn run(&self, call: &mut Call<'_>) -> Result<Response, AppError> {
        let past = call.historical_state.cloned();
        // SAFETY: the request lives as long as the call, and what is lent here ends before it.
        let asked = unsafe { Asked::new(call.request, past) };
        let request = lend::<affiant_request>(asked)?;
        let answer = Answer::new(Response::empty(200));
        let response = lend::<affiant_response>(answer)?;
        let transaction = Transaction::lent(call.tx.take(), self.mode != Mode::ReadWrite);
        let tx = lend::<affiant_tx>(transaction)?;
        let returned = call_handler(
            self.handler,
            &self.userdata,
            request.handle(),
            tx.handle(),
            response.handle(),
        );
        let said = reason(&[tx.handle().cast(), response.handle().cast(), request.handle().cast()]);
        drop(request);
        let (Some(transaction), Some(answer)) = (tx.reclaim(), response.reclaim()) else {
            // Cannot be: what is lent is not freed by others.
            return Err(AppError::internal("The handler's transaction is lost."));
        };
        *call.tx = transaction.into_tx();
        let Answer { response, error, keep_writes } = answer;
        call.apply_writes = keep_writes;
        let failure = match returned {
            Ok(AFFIANT_OK) => return error.map_or(Ok(response), Err),
            Ok(status) => {
                let name = name_of(status).to_string_lossy();
                let said = colon(&said.unwrap_or_default());
                format!("It returned {name} ({status}){said}.")
            }
            Err(thrown) => format!("It threw an exception{}.", colon(&thrown.text)),
        };
        call.apply_writes = Some(false);
        let mut error = error.unwrap_or_else(|| AppError::internal(FAILED));
        error.log = Some(failure);
        Err(error)
    }
}

fn colon(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

/// What clients are told of a handler that failed without words of its own.
pub(crate) const FAILED: &str = "The handler of this endpoint failed.";

fn lend<H: handle::Opaque>(object: H::Object) -> Result<Lent<H>, AppError> {
    handle::lend(object).map_err(|fault| AppError::internal(fault.text))
}

/// Why the last failed call with one of these objects failed.
fn reason(handles: &[*const c_void]) -> Option<String> {
    handles.iter().find_map(|handle| handle::recall(*handle))
}

/// Adds an endpoint that the runtimes serve which are opened with these options. `AFFIANT_INVALID_ARGUMENT`
/// for a method, path or policy that is none. `free_userdata` is called right away where this function fails;
/// otherwise once the options are freed and the runtimes that were opened with them have stopped.
///
/// # Safety
/// `endpoint` leads to as many bytes as its size says; its slices to as many as they say; `policies` to
/// `policy_count` slices; handler and `free_userdata` take `userdata` on any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_options_add_endpoint(
    options: *mut affiant_options,
    endpoint: *const affiant_endpoint,
) -> affiant_status {
    // SAFETY: as promised to this function.
    let read = unsafe { versioned(endpoint) };
    let userdata = read.as_ref().ok().map(|endpoint| {
        let free: Option<Free> = endpoint.free_userdata;
        Userdata::new(endpoint.userdata, free)
    });
    let mut userdata = userdata;
    boundary::exclusive(options, |options| {
        let endpoint = read?;
        let handler = endpoint.handler.ok_or_else(|| Fault::null("handler"))?;
        // SAFETY: as promised to this function.
        let declared = unsafe { declaration(&endpoint)? };
        declared.check().map_err(Fault::argument)?;
        let same =
            |known: &NativeEndpoint| known.method == declared.method && known.path == declared.path;
        if options.endpoints.iter().any(same) {
            let text = format!("{} {} was added before", declared.method, declared.path);
            return Err(Fault::argument(text));
        }
        if options.endpoints.len() >= ENDPOINTS_COUNT_MAX {
            let text = format!("at most {ENDPOINTS_COUNT_MAX} endpoints are taken");
            return Err(Fault::new(AFFIANT_TOO_MANY, text));
        }
        let Some(userdata) = userdata.take() else { return Err(Fault::null("endpoint")) };
        let Endpoint { method, path, options: chosen, .. } = declared;
        let callee = Callee { handler, userdata, mode: chosen.mode };
        let handler = Arc::new(move |call: &mut Call<'_>| callee.run(call));
        options.endpoints.push(NativeEndpoint { method, path, options: chosen, handler });
        Ok(())
    })
}

/// What the endpoint says of itself.
///
/// # Safety
/// The slices lead to as many bytes as they say, `policies` to `policy_count` slices.
unsafe fn declaration(endpoint: &affiant_endpoint) -> Result<Endpoint, Fault> {
    // SAFETY: as promised to this function.
    let (method, path) = unsafe { (endpoint.method.text("method")?, endpoint.path.text("path")?) };
    let mode = match endpoint.mode {
        AFFIANT_MODE_READ_WRITE => Mode::ReadWrite,
        AFFIANT_MODE_READ_ONLY => Mode::ReadOnly,
        AFFIANT_MODE_HISTORICAL => Mode::Historical,
        other => return Err(Fault::argument(format!("{other} is no AFFIANT_MODE_... constant"))),
    };
    let respond = match endpoint.respond {
        AFFIANT_RESPOND_AT_COMMIT => Respond::AtCommit,
        AFFIANT_RESPOND_AT_ONCE => Respond::AtOnce,
        AFFIANT_RESPOND_WITH_RECEIPT => Respond::WithReceipt,
        other => {
            return Err(Fault::argument(format!("{other} is no AFFIANT_RESPOND_... constant")));
        }
    };
    if endpoint.policy_count > POLICIES_COUNT_MAX {
        let text = format!("an endpoint has at most {POLICIES_COUNT_MAX} policies");
        return Err(Fault::new(AFFIANT_TOO_MANY, text));
    }
    // SAFETY: as promised to this function.
    let given = unsafe { slices(endpoint.policies, endpoint.policy_count, "policies")? };
    let mut authn_policies = Vec::new();
    for name in given {
        // SAFETY: as promised to this function.
        let name = unsafe { name.text("policies")? };
        authn_policies.push(AuthnPolicy::Named(name.to_owned()));
    }
    let options = EndpointOptions { authn_policies, mode, respond, ..EndpointOptions::native() };
    let method = method.to_ascii_uppercase();
    Ok(Endpoint { method, path: path.to_owned(), options, ..Endpoint::default() })
}
