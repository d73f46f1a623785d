//! Evidence of platforms: `snp_attestation` (reference A.10), `ccf.getAttestation`, and
//! `ccf.tcbHexToPolicy` (A.3).

use core::ffi::CStr;

use affiant::attestation::{SnpEvidence, SnpField, TcbRefused};
use affiant::limits::STATEMENT_BOUND_BYTES_MAX;

use crate::engine::{Args, Arity, ErrorKind, Native, Scope, Script, Value};

/// Functions of `snp_attestation`.
pub(super) static SNP: &[Native] =
    &[Native { name: c"verifySnpAttestation", arity: Arity::Any, run: verify }];

/// Functions of `ccf`.
pub(super) static CCF: &[Native] = &[
    Native { name: c"getAttestation", arity: Arity::Any, run: get_attestation },
    Native { name: c"tcbHexToPolicy", arity: Arity::Exactly(2), run: tcb_to_policy },
];

fn buffer<'js>(scope: Scope<'js>, value: &Value<'js>, what: &str) -> Script<Vec<u8>> {
    let bytes = scope.with_buffer(value, <[u8]>::to_vec);
    bytes.ok_or_else(|| scope.throw_type(&format!("{what} must be an ArrayBuffer")))
}

/// `getAttestation([bound])`: fresh evidence of the platform under this node, bound to an ArrayBuffer,
/// or a string's UTF-8.
fn get_attestation<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    scope.host().touch();
    if args.len() > 1 {
        let count = args.len();
        let message = format!("Passed {count} arguments, but expected between 0 and 1");
        return Err(scope.throw_type(&message));
    }
    let bound = args.get(0);
    let bound = if bound.is_undefined() {
        Vec::new()
    } else if bound.is_string() {
        scope.text(&bound)?.into_bytes()
    } else {
        let bytes = scope.with_buffer(&bound, <[u8]>::to_vec);
        let refused = "bound must be an ArrayBuffer or a string";
        bytes.ok_or_else(|| scope.throw_type(refused))?
    };
    if bound.len() > STATEMENT_BOUND_BYTES_MAX {
        let message = format!("bound has more than {STATEMENT_BOUND_BYTES_MAX} bytes");
        return Err(scope.throw(ErrorKind::Range, &message));
    }
    let attestor = scope.host().attestor.borrow().clone();
    let Some(attestor) = attestor else {
        let message = "ccf.getAttestation: there is no node behind this script";
        return Err(scope.throw(ErrorKind::Plain, message));
    };
    match attestor.for_app(&bound) {
        Ok(evidence) => scope.parse_json(evidence.to_string().as_bytes()),
        Err(reason) => Err(scope.throw(ErrorKind::Plain, &format!("ccf.getAttestation: {reason}"))),
    }
}

fn verify<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    scope.host().touch();
    if !(2..=4).contains(&args.len()) {
        let count = args.len();
        let message = format!("Passed {count} arguments, but expected between 2 and 4");
        return Err(scope.throw_type(&message));
    }
    let report = buffer(scope, &args.get(0), "evidence")?;
    let endorsements = buffer(scope, &args.get(1), "endorsements")?;
    let uvm = args.get(2);
    let uvm =
        if uvm.is_undefined() { None } else { Some(buffer(scope, &uvm, "uvm_endorsements")?) };
    let tcb = args.get(3);
    let tcb = if tcb.is_undefined() { None } else { Some(scope.text(&tcb)?) };
    let verified = affiant::attestation::verify_snp(&SnpEvidence {
        report: &report,
        endorsements: &endorsements,
        uvm_endorsements: uvm.as_deref(),
        endorsed_tcb: tcb.as_deref(),
    });
    match verified {
        Ok(verified) => object(scope, verified.fields()),
        Err(reason) => Err(scope.throw(ErrorKind::Range, &reason)),
    }
}

fn object<'js>(scope: Scope<'js>, fields: Vec<(&'static CStr, SnpField)>) -> Script<Value<'js>> {
    let shown = scope.object()?;
    for (name, field) in fields {
        let value = match field {
            SnpField::Number(number) => scope.integer(number),
            SnpField::Bytes(bytes) => scope.array_buffer(&bytes)?,
            SnpField::Text(text) => scope.string(&text)?,
            SnpField::Object(fields) => object(scope, fields)?,
        };
        scope.set(&shown, name, value)?;
    }
    Ok(shown)
}

/// `tcbHexToPolicy(cpuid, tcb)`: the parts of a TCB version, both in hex.
fn tcb_to_policy<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let text = |index| {
        let value = args.get(index);
        // What is no string has no digits.
        if value.is_string() { scope.text(&value) } else { Ok(String::new()) }
    };
    let policy =
        affiant::attestation::tcb_hex_to_policy(&text(0)?, &text(1)?).map_err(|refused| {
            let kind = match refused {
                TcbRefused::NotHex { .. } => ErrorKind::Type,
                _ => ErrorKind::Range,
            };
            scope.throw(kind, &refused.to_string())
        })?;
    let shown = scope.object()?;
    scope.set(&shown, c"hexstring", scope.string(&policy.hexstring)?)?;
    for (name, version) in policy.components {
        scope.set(&shown, name, scope.integer(u64::from(version)))?;
    }
    Ok(shown)
}
