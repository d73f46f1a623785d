//! The request that a handler is given.

use core::ptr::NonNull;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use affiant::historical::HistoricalState;
use affiant::{Caller, MapName, Request};
use parking_lot::Mutex;
use serde_json::{Value as Json, json};

use crate::boundary;
use crate::fault::Fault;
use crate::handle::{self, Kind, Opaque};
use crate::memory::{Out, affiant_slice};
use crate::receipt::{Receipt, affiant_receipt};
use crate::status::{AFFIANT_NOT_FOUND, affiant_status};
use crate::tx::no_such_key;
use crate::txid::affiant_txid;

/// A request, as a handler is given it: until it returns, on its thread. Every view into it lives as long.
pub struct affiant_request {
    _opaque: [u8; 0],
}

impl Opaque for affiant_request {
    type Object = Asked;
    const KIND: Kind = Kind::Request;
}

/// The object behind `affiant_request`.
pub(crate) struct Asked {
    /// Lives longer than this, as whoever makes one promises.
    request: NonNull<Request>,
    past: Option<Arc<HistoricalState>>,
    /// Query parameters that had to be decoded, by name: views lead here.
    decoded: Mutex<HashMap<String, Box<str>>>,
    caller: OnceLock<String>,
}

// SAFETY: `Request` is `Sync`, and only read here.
unsafe impl Send for Asked {}
// SAFETY: as above.
unsafe impl Sync for Asked {}

const _: () = {
    const fn read_by_any_thread<T: Sync>() {}
    read_by_any_thread::<Request>();
};

impl Asked {
    /// # Safety
    /// The request lives longer than what is returned.
    pub(crate) unsafe fn new(request: &Request, past: Option<Arc<HistoricalState>>) -> Self {
        Self {
            request: NonNull::from(request),
            past,
            decoded: Mutex::default(),
            caller: OnceLock::new(),
        }
    }

    const fn request(&self) -> &Request {
        // SAFETY: it lives longer than this, as `new` was promised.
        unsafe { self.request.as_ref() }
    }

    fn parameter(&self, name: &str) -> Option<affiant_slice> {
        match self.request().query_parameter(name)? {
            Cow::Borrowed(value) => Some(affiant_slice::of(value.as_bytes())),
            Cow::Owned(value) => {
                let mut decoded = self.decoded.lock();
                let kept = decoded.entry(name.to_owned()).or_insert_with(|| value.into());
                // The box stays where it is, whatever the map does, until the callback ends.
                Some(affiant_slice::of(kept.as_bytes()))
            }
        }
    }

    fn past(&self) -> Result<&Arc<HistoricalState>, Fault> {
        self.past.as_ref().ok_or_else(|| {
            let text = "this endpoint is not AFFIANT_MODE_HISTORICAL: its requests name no past";
            Fault::new(AFFIANT_NOT_FOUND, text)
        })
    }
}

/// Everything that is known of a caller. A token's or a certificate's content is the caller's own to show.
fn described(caller: &Caller) -> Json {
    let policy = caller.policy();
    let known = |caller: &affiant::auth::CertCaller| {
        let affiant::auth::CertCaller { id, data, cert } = caller;
        json!({"policy": policy, "id": **id, "data": data, "cert": **cert})
    };
    match caller {
        Caller::NoAuth => json!({"policy": policy}),
        Caller::UserCert(caller) | Caller::MemberCert(caller) => known(caller),
        Caller::AnyCert { cert } => json!({"policy": policy, "cert": **cert}),
        Caller::Jwt(token) => json!({
            "policy": policy,
            "key_issuer": *token.key_issuer,
            "header": token.header,
            "payload": token.payload,
        }),
        Caller::UserCoseSign1 { user, .. } => known(user),
        Caller::AllOf(all) => {
            let each = all.iter().map(|(name, caller)| (name.clone(), described(caller)));
            json!({"policy": policy, "callers": Json::Object(each.collect())})
        }
    }
}

/// The id of a user or member, hex; of several policies, the first that has one.
fn id_of(caller: &Caller) -> Option<&str> {
    match caller {
        Caller::UserCert(known) | Caller::MemberCert(known) => Some(&known.id),
        Caller::UserCoseSign1 { user, .. } => Some(&user.id),
        Caller::AllOf(all) => all.iter().find_map(|(_, caller)| id_of(caller)),
        Caller::NoAuth | Caller::AnyCert { .. } | Caller::Jwt(_) => None,
    }
}

/// A view of a request: what `found` says, or else not found, with `missing` for the reason.
///
/// # Safety
/// `out` leads to room for an `affiant_slice`.
unsafe fn view(
    request: *const affiant_request,
    out: *mut affiant_slice,
    what: &'static str,
    found: impl FnOnce(&Asked) -> Result<affiant_slice, Fault>,
) -> affiant_status {
    boundary::shared(request, |asked| {
        // SAFETY: as promised to this function.
        let out = unsafe { Out::new(out, what)? };
        out.write(found(asked)?);
        Ok(())
    })
}

fn missing(what: &str, name: &str) -> Fault {
    Fault::new(AFFIANT_NOT_FOUND, format!("this request has no {what} {name:?}"))
}

/// The method, in upper case.
///
/// # Safety
/// `method` leads to room for an `affiant_slice`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_request_method(
    request: *const affiant_request,
    method: *mut affiant_slice,
) -> affiant_status {
    // SAFETY: as promised to this function.
    unsafe {
        view(request, method, "method", |asked| {
            Ok(affiant_slice::of(asked.request().method().as_bytes()))
        })
    }
}

/// The path as it was sent, without the query; with "/app" in front if the client wrote that.
///
/// # Safety
/// `path` leads to room for an `affiant_slice`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_request_path(
    request: *const affiant_request,
    path: *mut affiant_slice,
) -> affiant_status {
    // SAFETY: as promised to this function.
    unsafe {
        view(request, path, "path", |asked| {
            Ok(affiant_slice::of(asked.request().path().as_bytes()))
        })
    }
}

/// The query as it was sent, not decoded, without the "?"; empty if there is none.
///
/// # Safety
/// `query` leads to room for an `affiant_slice`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_request_query(
    request: *const affiant_request,
    query: *mut affiant_slice,
) -> affiant_status {
    // SAFETY: as promised to this function.
    unsafe {
        view(request, query, "query", |asked| {
            Ok(affiant_slice::of(asked.request().raw_query().unwrap_or("").as_bytes()))
        })
    }
}

/// The body.
///
/// # Safety
/// `body` leads to room for an `affiant_slice`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_request_body(
    request: *const affiant_request,
    body: *mut affiant_slice,
) -> affiant_status {
    // SAFETY: as promised to this function.
    unsafe { view(request, body, "body", |asked| Ok(affiant_slice::of(asked.request().body()))) }
}

/// The first parameter of that name in the query, decoded. `AFFIANT_NOT_FOUND` if there is none.
///
/// # Safety
/// `name` leads to as many bytes as it says, `value` to room for an `affiant_slice`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_request_query_parameter(
    request: *const affiant_request,
    name: affiant_slice,
    value: *mut affiant_slice,
) -> affiant_status {
    // SAFETY: as promised to this function.
    unsafe {
        view(request, value, "value", |asked| {
            let name = name.text("name")?;
            asked.parameter(name).ok_or_else(|| missing("query parameter", name))
        })
    }
}

/// What stands in the path where the endpoint's template has `{name}`, as it was sent, not decoded.
/// `AFFIANT_NOT_FOUND` if the template has no such placeholder.
///
/// # Safety
/// `name` leads to as many bytes as it says, `value` to room for an `affiant_slice`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_request_param(
    request: *const affiant_request,
    name: affiant_slice,
    value: *mut affiant_slice,
) -> affiant_status {
    // SAFETY: as promised to this function.
    unsafe {
        view(request, value, "value", |asked| {
            let name = name.text("name")?;
            let found = asked.request().param(name);
            let found = found.ok_or_else(|| missing("path parameter", name))?;
            Ok(affiant_slice::of(found.as_bytes()))
        })
    }
}

/// The value of the first header of that name, in whatever case. `AFFIANT_NOT_FOUND` if there is none.
///
/// # Safety
/// `name` leads to as many bytes as it says, `value` to room for an `affiant_slice`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_request_header(
    request: *const affiant_request,
    name: affiant_slice,
    value: *mut affiant_slice,
) -> affiant_status {
    // SAFETY: as promised to this function.
    unsafe {
        view(request, value, "value", |asked| {
            let name = name.text("name")?;
            let mut lines = asked.request().header_lines();
            let found = lines.find(|(known, _)| known.eq_ignore_ascii_case(name));
            let (_, found) = found.ok_or_else(|| missing("header", name))?;
            Ok(affiant_slice::of(found))
        })
    }
}

/// How many header lines there are.
///
/// # Safety
/// `count` leads to room for a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_request_header_count(
    request: *const affiant_request,
    count: *mut usize,
) -> affiant_status {
    boundary::shared(request, |asked| {
        // SAFETY: as promised to this function.
        let out = unsafe { Out::new(count, "count")? };
        out.write(asked.request().header_lines().count());
        Ok(())
    })
}

/// A header line by position from 0: its name, in lower case, and its value. `AFFIANT_NOT_FOUND` beyond the
/// last.
///
/// # Safety
/// `name` and `value` lead to room for an `affiant_slice` each.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_request_header_at(
    request: *const affiant_request,
    index: usize,
    name: *mut affiant_slice,
    value: *mut affiant_slice,
) -> affiant_status {
    boundary::shared(request, |asked| {
        // SAFETY: as promised to this function.
        let (name, value) = unsafe { (Out::new(name, "name")?, Out::new(value, "value")?) };
        let line = asked.request().header_lines().nth(index).ok_or_else(|| {
            let count = asked.request().header_lines().count();
            let text = format!("this request has {count} headers; {index} is beyond them");
            Fault::new(AFFIANT_NOT_FOUND, text)
        })?;
        name.write(affiant_slice::of(line.0.as_bytes()));
        value.write(affiant_slice::of(line.1));
        Ok(())
    })
}

/// The policy that has admitted the caller: "user_cert", "jwt", ... `AFFIANT_NOT_FOUND` where the endpoint has no
/// policies.
///
/// # Safety
/// `policy` leads to room for an `affiant_slice`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_request_caller(
    request: *const affiant_request,
    policy: *mut affiant_slice,
) -> affiant_status {
    // SAFETY: as promised to this function.
    unsafe {
        view(request, policy, "policy", |asked| {
            let caller = asked.request().caller().ok_or_else(nobody)?;
            Ok(affiant_slice::of(caller.policy().as_bytes()))
        })
    }
}

/// The id of the user or member who calls: the SHA-256 of the certificate, in hex. `AFFIANT_NOT_FOUND` where
/// the policy tells of nobody by certificate.
///
/// # Safety
/// `id` leads to room for an `affiant_slice`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_request_caller_id(
    request: *const affiant_request,
    id: *mut affiant_slice,
) -> affiant_status {
    // SAFETY: as promised to this function.
    unsafe {
        view(request, id, "id", |asked| {
            let caller = asked.request().caller().ok_or_else(nobody)?;
            let id = id_of(caller).ok_or_else(|| {
                let text = format!("the policy {} identifies nobody", caller.policy());
                Fault::new(AFFIANT_NOT_FOUND, text)
            })?;
            Ok(affiant_slice::of(id.as_bytes()))
        })
    }
}

/// Everything that is known of the caller, a JSON object: `policy`; `id`, `data` and `cert` (PEM) of who has
/// a certificate; `key_issuer`, `header` and `payload` of a token; `callers`, by policy, of several.
///
/// # Safety
/// `json` leads to room for an `affiant_slice`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_request_caller_json(
    request: *const affiant_request,
    json: *mut affiant_slice,
) -> affiant_status {
    // SAFETY: as promised to this function.
    unsafe {
        view(request, json, "json", |asked| {
            let caller = asked.request().caller().ok_or_else(nobody)?;
            let text = asked.caller.get_or_init(|| described(caller).to_string());
            Ok(affiant_slice::of(text.as_bytes()))
        })
    }
}

fn nobody() -> Fault {
    let text = "this endpoint has no policies: nobody was identified";
    Fault::new(AFFIANT_NOT_FOUND, text)
}

/// The transaction that the request is about, for an endpoint that is `AFFIANT_MODE_HISTORICAL`; otherwise
/// `AFFIANT_NOT_FOUND`.
///
/// # Safety
/// `txid` leads to room for an `affiant_txid`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_request_past_txid(
    request: *const affiant_request,
    txid: *mut affiant_txid,
) -> affiant_status {
    boundary::shared(request, |asked| {
        // SAFETY: as promised to this function.
        let out = unsafe { Out::new(txid, "txid")? };
        out.write(asked.past()?.txid().into());
        Ok(())
    })
}

/// What that transaction wrote under a key. `AFFIANT_NOT_FOUND` if it did not write it.
///
/// # Safety
/// The slices lead to as many bytes as they say, `value` to room for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_request_past_get(
    request: *const affiant_request,
    map: affiant_slice,
    key: affiant_slice,
    value: *mut affiant_slice,
) -> affiant_status {
    // SAFETY: as promised to this function.
    unsafe {
        view(request, value, "value", |asked| {
            let (map, key) = (MapName::new(map.text("map")?)?, key.bytes("key")?);
            let found = asked.past()?.get(&map, key).ok_or_else(no_such_key)?;
            Ok(affiant_slice::of(found))
        })
    }
}

/// The receipt of that transaction. To be freed with `affiant_receipt_free`, before or after the handler
/// returns.
///
/// # Safety
/// `receipt` leads to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_request_past_receipt(
    request: *const affiant_request,
    receipt: *mut *mut affiant_receipt,
) -> affiant_status {
    boundary::shared(request, |asked| {
        // SAFETY: as promised to this function.
        let out = unsafe { Out::handle(receipt, "receipt")? };
        let past = asked.past()?;
        out.write(handle::insert(Receipt::new(past.txid(), past.receipt())?)?);
        Ok(())
    })
}
