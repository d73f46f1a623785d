//! `ccf.crypto`: so far its digest (reference A.8); the rest is in [`super::planned`].

use core::ffi::CStr;

use sha2::{Digest as _, Sha256};

use super::converters::NOT_A_BUFFER;
use crate::engine::{Args, Arity, ErrorKind, Native, Scope, Script, Value};

/// Functions of `ccf.crypto`.
pub(super) static NATIVES: &[Native] =
    &[Native { name: c"digest", arity: Arity::Exactly(2), run: digest }];

/// Also found directly under `ccf` by apps of CCF 1.x and 2.x.
pub(super) const DEPRECATED_ALIASES: [&CStr; 8] = [
    c"generateAesKey",
    c"generateRsaKeyPair",
    c"generateEcdsaKeyPair",
    c"generateEddsaKeyPair",
    c"wrapKey",
    c"digest",
    c"isValidX509CertBundle",
    c"isValidX509CertChain",
];

fn digest<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let name = scope.text(&args.get(0))?;
    if name != "SHA-256" {
        let message = "unsupported digest algorithm, supported: SHA-256";
        return Err(scope.throw(ErrorKind::Range, message));
    }
    let digest = scope.with_buffer(&args.get(1), |bytes| Sha256::digest(bytes));
    match digest {
        Some(digest) => scope.array_buffer(&digest),
        None => Err(scope.throw_type(NOT_A_BUFFER)),
    }
}
