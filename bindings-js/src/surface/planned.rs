//! Functions of CCF's API that this version does not have. They exist, because apps take references
//! to them while their modules are evaluated; calling one throws an Error that says so.

use crate::engine::{Args, Arity, ErrorKind, Native, Scope, Script, Value};

macro_rules! planned {
    ($table:ident, $prefix:literal, $($name:literal),+ $(,)?) => {
        pub(super) static $table: &[Native] = &[$({
            fn run<'js>(scope: Scope<'js>, _: Args<'js>) -> Script<Value<'js>> {
                let message =
                    concat!($prefix, $name, " is not available in this version of Affiant");
                Err(scope.throw(ErrorKind::Plain, message))
            }
            Native { name: name(concat!($name, "\0")), arity: Arity::Any, run }
        }),+];
    };
}

const fn name(terminated: &'static str) -> &'static core::ffi::CStr {
    match core::ffi::CStr::from_bytes_with_nul(terminated.as_bytes()) {
        Ok(name) => name,
        Err(_) => panic!("terminated by the macro"),
    }
}

planned!(CCF, "ccf.", "tcbHexToPolicy", "getAttestation");
planned!(GOV, "ccf.gov.", "validateConstitution");
planned!(SNP, "snp_attestation.", "verifySnpAttestation");

/// The object `ccf.gov`.
pub(super) fn gov<'js>(scope: Scope<'js>) -> Script<Value<'js>> {
    super::namespace(scope, &[super::PLANNED_GOV])
}

/// The global `snp_attestation`.
pub(super) fn snp_attestation<'js>(scope: Scope<'js>) -> Script<Value<'js>> {
    super::namespace(scope, &[super::PLANNED_SNP])
}
