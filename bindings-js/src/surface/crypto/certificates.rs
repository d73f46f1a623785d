//! `isValidX509CertBundle` and `isValidX509CertChain`.

use std::time::{SystemTime, UNIX_EPOCH};

use affiant::crypto::x509;

use crate::engine::{Args, Scope, Script, Value};

pub(super) fn bundle<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let pem = text(scope, &args.get(0))?;
    Ok(scope.boolean(x509::certificates(&pem).is_ok()))
}

pub(super) fn chain<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    // The answer depends on the clock.
    scope.host().touch();
    let (chain, trusted) = (text(scope, &args.get(0))?, text(scope, &args.get(1))?);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    Ok(scope.boolean(x509::verify_chain(&chain, &trusted, now).is_ok()))
}

fn text<'js>(scope: Scope<'js>, value: &Value<'js>) -> Script<String> {
    if value.is_string() {
        return scope.text(value);
    }
    Err(scope.throw_type("Argument must be a string"))
}
