//! `ccf.rpc` (reference A.5).

use affiant_proof::Digest;

use super::converters::NOT_A_BUFFER;
use crate::engine::{Args, Arity, ErrorKind, Native, Scope, Script, Value};

/// Functions of `ccf.rpc`.
pub(super) static NATIVES: &[Native] = &[
    Native { name: c"setApplyWrites", arity: Arity::ExactlyNoComma(1), run: set_apply_writes },
    Native { name: c"setClaimsDigest", arity: Arity::ExactlyNoComma(1), run: set_claims_digest },
];

fn set_apply_writes<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    scope.host().touch();
    let Some(apply) = args.get(0).as_bool() else {
        return Err(scope.throw_type("First argument must be a boolean"));
    };
    scope.host().apply_writes.set(Some(apply));
    Ok(scope.undefined())
}

fn set_claims_digest<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    scope.host().touch();
    let digest = scope.with_buffer(&args.get(0), |bytes| <[u8; 32]>::try_from(bytes));
    let digest = match digest {
        None => return Err(scope.throw_type(NOT_A_BUFFER)),
        Some(Err(_)) => {
            return Err(scope.throw_type("Argument must be an ArrayBuffer of the right size: 32"));
        }
        Some(Ok(digest)) => Digest(digest),
    };
    match scope.host().tx.borrow_mut().as_mut() {
        Some(tx) => tx.set_claims_digest(digest),
        None => return Err(scope.throw(ErrorKind::Internal, "No RPC context is set")),
    }
    Ok(scope.undefined())
}
