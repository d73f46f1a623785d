//! The request object (reference B.4) and `request.caller` (C.2).
//!
//! All of CCF's fields are own enumerable data properties in CCF's order; what is ours
//! (`request.data`, the body as text where a string is wanted) sits on prototypes, so that
//! `JSON.stringify(request)` is CCF's.

use affiant::{Caller, Request};

use super::{REQUEST, function};
use crate::engine::{Args, Arity, Function, Native, Scope, Script, Value};

/// Functions of `request.body`, then accessors of `request` and `request.body`'s `toString`.
pub(super) static NATIVES: &[Native] = &[
    Native { name: c"text", arity: Arity::Exactly(0), run: text },
    Native { name: c"json", arity: Arity::Exactly(0), run: json },
    Native { name: c"arrayBuffer", arity: Arity::Exactly(0), run: array_buffer },
    Native { name: c"data", arity: Arity::Any, run: data },
    Native { name: c"toString", arity: Arity::Any, run: text },
];

const DATA: usize = 3;
const TO_STRING: usize = 4;

/// What of a request the object is made from.
pub(crate) struct RequestParts<'a> {
    pub(crate) request: &'a Request,
}

/// Makes what all request objects share.
pub(super) fn install(scope: Scope<'_>) -> Script<()> {
    let mut builtins = scope.host().builtins.get();
    let prototype = scope.object()?;
    scope.set_getter(&prototype, "data", function(scope, REQUEST, DATA)?)?;
    builtins.request_prototype = Some(scope.pin(prototype));
    let prototype = scope.object()?;
    scope.set_hidden(&prototype, c"toString", function(scope, REQUEST, TO_STRING)?)?;
    builtins.body_prototype = Some(scope.pin(prototype));
    for (index, slot) in builtins.body_functions.iter_mut().enumerate() {
        *slot = Some(scope.pin(function(scope, REQUEST, index)?));
    }
    scope.host().builtins.set(builtins);
    Ok(())
}

fn pinned<'js>(scope: Scope<'js>, function: Option<Function>) -> Value<'js> {
    function.map_or_else(|| scope.undefined(), |function| scope.pinned(function))
}

/// The request object.
pub(crate) fn build<'js>(scope: Scope<'js>, parts: &RequestParts<'_>) -> Script<Value<'js>> {
    let request = parts.request;
    let builtins = scope.host().builtins.get();
    let prototype = pinned(scope, builtins.request_prototype);
    let object = scope.object_with_prototype(&prototype)?;
    let headers = scope.object()?;
    for (name, value) in request.headers() {
        scope.set_named(&headers, name, scope.string(&value)?)?;
    }
    scope.set(&object, c"headers", headers)?;
    scope.set(&object, c"query", scope.string(&request.query())?)?;
    scope.set(&object, c"path", scope.string(request.path())?)?;
    scope.set(&object, c"method", scope.string(request.method())?)?;
    let host = request.header("host").map_or_else(|| Ok(scope.null()), |host| scope.string(host));
    scope.set(&object, c"hostname", host?)?;
    scope.set(&object, c"route", scope.string(request.route())?)?;
    scope.set(&object, c"url", scope.string(&request.url())?)?;
    let params = scope.object()?;
    for (name, value) in request.params() {
        scope.set_named(&params, name, scope.string(value)?)?;
    }
    scope.set(&object, c"params", params)?;

    let prototype = pinned(scope, builtins.body_prototype);
    let body = scope.object_with_prototype(&prototype)?;
    for (index, function) in builtins.body_functions.iter().enumerate() {
        scope.set(&body, NATIVES[index].name, pinned(scope, *function))?;
    }
    scope.set(&object, c"body", body)?;
    let caller = match request.caller() {
        Some(caller) => caller_object(scope, caller, true)?,
        None => scope.null(),
    };
    scope.set(&object, c"caller", caller)?;
    Ok(object)
}

fn caller_object<'js>(scope: Scope<'js>, caller: &Caller, with_policy: bool) -> Script<Value<'js>> {
    let object = scope.object()?;
    if let Caller::AllOf(parts) = caller {
        let mut names = Vec::with_capacity(parts.len());
        for (name, _) in parts {
            names.push(scope.string(name)?);
        }
        scope.set(&object, c"policy", scope.array(names)?)?;
        for (name, part) in parts {
            scope.set_named(&object, name, caller_object(scope, part, true)?)?;
        }
        return Ok(object);
    }
    if with_policy {
        scope.set(&object, c"policy", scope.string(caller.policy())?)?;
    }
    match caller {
        Caller::UserCert(known) | Caller::MemberCert(known) => {
            scope.set(&object, c"id", scope.string(&known.id)?)?;
            let data = scope.parse_json(known.data.to_string().as_bytes())?;
            scope.set(&object, c"data", data)?;
            scope.set(&object, c"cert", scope.string(&known.cert)?)?;
        }
        Caller::AnyCert { cert } => scope.set(&object, c"cert", scope.string(cert)?)?,
        Caller::NoAuth | Caller::AllOf(_) => {}
    }
    Ok(object)
}

fn text<'js>(scope: Scope<'js>, _: Args<'js>) -> Script<Value<'js>> {
    scope.host().touch();
    let body = scope.host().body.borrow().clone();
    scope.string_from_bytes(&body)
}

fn json<'js>(scope: Scope<'js>, _: Args<'js>) -> Script<Value<'js>> {
    scope.host().touch();
    let body = scope.host().body.borrow().clone();
    scope.parse_json(&body)
}

fn array_buffer<'js>(scope: Scope<'js>, _: Args<'js>) -> Script<Value<'js>> {
    scope.host().touch();
    let body = scope.host().body.borrow().clone();
    scope.array_buffer(&body)
}

/// `request.data`: undefined without a body; else parsed where it is JSON, text where it is text,
/// bytes otherwise. Made at the first look.
fn data<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    scope.host().touch();
    let body = scope.host().body.borrow().clone();
    let content_type = scope.host().content_type.borrow().to_ascii_lowercase();
    let data = if body.is_empty() {
        scope.undefined()
    } else if content_type.starts_with("text/") {
        scope.string_from_bytes(&body)?
    } else if content_type.starts_with("application/octet-stream") {
        scope.array_buffer(&body)?
    } else if core::str::from_utf8(&body).is_ok() {
        match scope.parse_json(&body) {
            Ok(parsed) => parsed,
            Err(_not_json) => {
                drop(scope.take_exception());
                scope.string_from_bytes(&body)?
            }
        }
    } else {
        scope.array_buffer(&body)?
    };
    let this = args.this();
    if this.is_object() {
        scope.set_hidden(&this, c"data", data.clone())?;
    }
    Ok(data)
}
