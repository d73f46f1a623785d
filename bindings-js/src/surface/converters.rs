//! `ccf.strToBuf` and its kin, `ccf.pemToId`, the two switches (reference A.3).

use sha2::{Digest as _, Sha256};
use x509_cert::der::{Decode as _, pem};

use crate::engine::{Args, Arity, ErrorKind, Native, Scope, Script, Value};

/// Functions of `ccf`.
pub(super) static NATIVES: &[Native] = &[
    Native { name: c"strToBuf", arity: Arity::Exactly(1), run: str_to_buf },
    Native { name: c"bufToStr", arity: Arity::Exactly(1), run: buf_to_str },
    Native { name: c"jsonCompatibleToBuf", arity: Arity::Exactly(1), run: json_to_buf },
    Native { name: c"bufToJsonCompatible", arity: Arity::Exactly(1), run: buf_to_json },
    Native { name: c"pemToId", arity: Arity::Exactly(1), run: pem_to_id },
    Native { name: c"enableUntrustedDateTime", arity: Arity::Exactly(1), run: enable_date },
    Native { name: c"enableMetricsLogging", arity: Arity::Exactly(1), run: enable_metrics },
];

pub(super) const NOT_A_BUFFER: &str = "Argument must be an ArrayBuffer";

/// The text up to its first NUL: CCF passes it through a C string.
fn until_nul(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn str_to_buf<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let text = args.get(0);
    if !text.is_string() {
        return Err(scope.throw_type("Argument must be a string"));
    }
    let bytes = scope.with_text(&text, |text| until_nul(text).to_vec())?;
    scope.array_buffer(&bytes)
}

fn buf_to_str<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    scope
        .with_buffer(&args.get(0), |bytes| scope.string_from_bytes(bytes))
        .unwrap_or_else(|| Err(scope.throw_type(NOT_A_BUFFER)))
}

fn json_to_buf<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let json = scope.to_json(&args.get(0))?;
    if !json.is_string() {
        return Err(scope.throw_type("Argument must be JSON-compatible: it has no JSON form"));
    }
    let bytes = scope.with_text(&json, <[u8]>::to_vec)?;
    scope.array_buffer(&bytes)
}

fn buf_to_json<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    match scope.with_buffer(&args.get(0), <[u8]>::to_vec) {
        Some(bytes) => scope.parse_json(&bytes),
        None => Err(scope.throw_type(NOT_A_BUFFER)),
    }
}

fn pem_to_id<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let text = args.get(0);
    if !text.is_string() {
        return Err(scope.throw_type("Argument must be a string"));
    }
    let text = scope.text(&text)?;
    let fail = |reason: String| {
        scope.throw(ErrorKind::Internal, &format!("Failed to parse PEM: {reason}"))
    };
    let (label, der) = pem::decode_vec(text.trim().as_bytes()).map_err(|e| fail(e.to_string()))?;
    if label != "CERTIFICATE" {
        return Err(fail(format!("expected a CERTIFICATE, found {label}")));
    }
    x509_cert::Certificate::from_der(&der).map_err(|e| fail(e.to_string()))?;
    scope.string(&affiant_proof::Digest(Sha256::digest(&der).into()).to_hex())
}

fn enable_date<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    Ok(scope.boolean(scope.truthy(&args.get(0))))
}

fn enable_metrics<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let Some(enable) = args.get(0).as_bool() else {
        return Err(scope.throw_type("First argument must be a boolean"));
    };
    Ok(scope.boolean(scope.host().metrics.replace(enable)))
}
