//! The request object (reference B.4) and `request.caller` (C.2).
//!
//! All of CCF's fields are own enumerable data properties in CCF's order; what is ours
//! (`request.data`, the body as text where a string is wanted) sits on prototypes, so that
//! `JSON.stringify(request)` is CCF's.

use affiant::auth::CertCaller;
use affiant::{Caller, Request};

use super::{REQUEST, function};
use crate::engine::{Args, Arity, Function, Name, Native, Scope, Script, Value};

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

/// In the order in which they are defined.
const REQUEST_NAMES: [Name; 10] = [
    Name::HEADERS,
    Name::QUERY,
    Name::PATH,
    Name::METHOD,
    Name::HOSTNAME,
    Name::ROUTE,
    Name::URL,
    Name::PARAMS,
    Name::BODY,
    Name::CALLER,
];
const BODY_NAMES: [Name; 3] = [Name::TEXT, Name::JSON, Name::ARRAY_BUFFER];
const CALLER_NAMES: [Name; 4] = [Name::POLICY, Name::ID, Name::DATA, Name::CERT];

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
    let request = pinned(scope, builtins.request_prototype);
    keep_shapes(scope, Some(&request), &REQUEST_NAMES)?;
    let body = pinned(scope, builtins.body_prototype);
    keep_shapes(scope, Some(&body), &BODY_NAMES)?;
    keep_shapes(scope, None, &CALLER_NAMES)
}

/// Keeps one object per prefix of `names`, so that the engine finds the layout of each step when it
/// makes a request's objects instead of making and dropping all of them each time.
fn keep_shapes<'js>(
    scope: Scope<'js>,
    prototype: Option<&Value<'js>>,
    names: &[Name],
) -> Script<()> {
    for count in 1..=names.len() {
        let object = match prototype {
            Some(prototype) => scope.object_with_prototype(prototype)?,
            None => scope.object()?,
        };
        for name in &names[..count] {
            scope.put(&object, *name, scope.undefined())?;
        }
        scope.pin(object);
    }
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
    scope.put(&object, Name::HEADERS, headers)?;
    scope.put(&object, Name::QUERY, scope.string(&request.query())?)?;
    scope.put(&object, Name::PATH, scope.string(request.path())?)?;
    scope.put(&object, Name::METHOD, scope.string(request.method())?)?;
    let host = request.header("host").map_or_else(|| Ok(scope.null()), |host| scope.string(host));
    scope.put(&object, Name::HOSTNAME, host?)?;
    scope.put(&object, Name::ROUTE, scope.string(request.route())?)?;
    scope.put(&object, Name::URL, scope.string(&request.url())?)?;
    let params = scope.object()?;
    for (name, value) in request.params() {
        scope.set_named(&params, name, scope.string(value)?)?;
    }
    scope.put(&object, Name::PARAMS, params)?;

    let prototype = pinned(scope, builtins.body_prototype);
    let body = scope.object_with_prototype(&prototype)?;
    for (name, function) in BODY_NAMES.into_iter().zip(&builtins.body_functions) {
        scope.put(&body, name, pinned(scope, *function))?;
    }
    scope.put(&object, Name::BODY, body)?;
    let caller = match request.caller() {
        Some(caller) => caller_object(scope, caller, true)?,
        None => scope.null(),
    };
    scope.put(&object, Name::CALLER, caller)?;
    Ok(object)
}

fn caller_object<'js>(scope: Scope<'js>, caller: &Caller, with_policy: bool) -> Script<Value<'js>> {
    let object = scope.object()?;
    if let Caller::AllOf(parts) = caller {
        let mut names = Vec::with_capacity(parts.len());
        for (name, _) in parts {
            names.push(scope.string(name)?);
        }
        scope.put(&object, Name::POLICY, scope.array(names)?)?;
        for (name, part) in parts {
            scope.set_named(&object, name, caller_object(scope, part, true)?)?;
        }
        return Ok(object);
    }
    if with_policy {
        scope.put(&object, Name::POLICY, scope.string(caller.policy())?)?;
    }
    match caller {
        Caller::UserCert(known) | Caller::MemberCert(known) => put_known(scope, &object, known)?,
        Caller::UserCoseSign1 { user, content } => {
            put_known(scope, &object, user)?;
            let cose = scope.object()?;
            scope.set_named(&cose, "content", scope.array_buffer(content)?)?;
            scope.set_named(&object, "cose", cose)?;
        }
        Caller::Jwt(token) => {
            let jwt = scope.object()?;
            scope.set_named(&jwt, "keyIssuer", scope.string(&token.key_issuer)?)?;
            scope.set_named(&jwt, "header", json_value(scope, &token.header)?)?;
            scope.set_named(&jwt, "payload", json_value(scope, &token.payload)?)?;
            scope.set_named(&object, "jwt", jwt)?;
        }
        Caller::AnyCert { cert } => scope.put(&object, Name::CERT, scope.string(cert)?)?,
        Caller::NoAuth | Caller::AllOf(_) => {}
    }
    Ok(object)
}

fn put_known<'js>(scope: Scope<'js>, object: &Value<'js>, known: &CertCaller) -> Script<()> {
    scope.put(object, Name::ID, scope.string(&known.id)?)?;
    scope.put(object, Name::DATA, json_value(scope, &known.data)?)?;
    scope.put(object, Name::CERT, scope.string(&known.cert)?)
}

fn json_value<'js>(scope: Scope<'js>, value: &serde_json::Value) -> Script<Value<'js>> {
    scope.parse_json(value.to_string().as_bytes())
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
