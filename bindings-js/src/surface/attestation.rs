//! Evidence of platforms: `snp_attestation` (reference A.10), `ccf.getAttestation`, and
//! `ccf.tcbHexToPolicy` (A.3).

use affiant::limits::STATEMENT_BOUND_BYTES_MAX;
use affiant::{SnpEvidence, SnpReport, VerifiedSnp};

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
    let attestor = scope.host().attestation.borrow().attestor.clone();
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
    let verifier = scope.host().attestation.borrow().verifier.clone();
    let Some(verifier) = verifier else {
        return Err(scope.throw(
            ErrorKind::Plain,
            "snp_attestation.verifySnpAttestation: this node cannot check SEV-SNP evidence; its \
             host sets no attestation verifier",
        ));
    };
    let verified = verifier.verify_snp(&SnpEvidence {
        report: &report,
        endorsements: &endorsements,
        uvm_endorsements: uvm.as_deref(),
        endorsed_tcb: tcb.as_deref(),
    });
    match verified {
        Ok(verified) => verdict(scope, &verified),
        Err(reason) => Err(scope.throw(ErrorKind::Range, &reason)),
    }
}

/// Sets properties in order: `numbers`, `buffers` and `texts` are fields of the same name.
macro_rules! fields {
    ($scope:ident, $object:ident, $from:expr, $kind:ident: $($name:ident),+) => {
        $($scope.set(&$object, field(concat!(stringify!($name), "\0")), fields!(@$kind $scope, $from.$name))?;)+
    };
    (@number $scope:ident, $value:expr) => { $scope.integer(u64::from($value)) };
    (@buffer $scope:ident, $value:expr) => { $scope.array_buffer(&$value)? };
    (@text $scope:ident, $value:expr) => { $scope.string(&$value)? };
}

const fn field(terminated: &'static str) -> &'static core::ffi::CStr {
    match core::ffi::CStr::from_bytes_with_nul(terminated.as_bytes()) {
        Ok(name) => name,
        Err(_) => panic!("terminated by the macro"),
    }
}

fn verdict<'js>(scope: Scope<'js>, verified: &VerifiedSnp) -> Script<Value<'js>> {
    let result = scope.object()?;
    scope.set(&result, c"attestation", report(scope, &verified.report)?)?;
    if let Some(uvm) = &verified.uvm_endorsements {
        let object = scope.object()?;
        fields!(scope, object, uvm, text: did, feed, svn);
        scope.set(&result, c"uvm_endorsements", object)?;
    }
    Ok(result)
}

fn report<'js>(scope: Scope<'js>, report: &SnpReport) -> Script<Value<'js>> {
    let object = scope.object()?;
    fields!(scope, object, report, number: version, guest_svn);
    let policy = scope.object()?;
    fields!(scope, policy, report.policy, number: abi_minor, abi_major, smt, migrate_ma, debug,
        single_socket);
    scope.set(&object, c"policy", policy)?;
    fields!(scope, object, report, buffer: family_id, image_id);
    fields!(scope, object, report, number: vmpl, signature_algo);
    fields!(scope, object, report, text: platform_version);
    let platform = scope.object()?;
    fields!(scope, platform, report.platform_info, number: smt_en, tsme_en);
    // Misspelt in CCF, and so in the apps that read it.
    scope.set(&object, c"plaform_info", platform)?;
    let flags = scope.object()?;
    fields!(scope, flags, report.flags, number: author_key_en, mask_chip_key, signing_key);
    scope.set(&object, c"flags", flags)?;
    fields!(scope, object, report, buffer: report_data, measurement, host_data, id_key_digest,
        author_key_digest, report_id, report_id_ma);
    fields!(scope, object, report, text: reported_tcb);
    fields!(scope, object, report, number: cpuid_fam_id, cpuid_mod_id, cpuid_step);
    fields!(scope, object, report, buffer: chip_id);
    fields!(scope, object, report, text: committed_tcb);
    fields!(scope, object, report, number: current_minor, current_build, current_major,
        committed_build, committed_minor, committed_major);
    fields!(scope, object, report, text: launch_tcb);
    let signature = scope.object()?;
    scope.set(&signature, c"r", scope.array_buffer(&report.signature_r)?)?;
    scope.set(&signature, c"s", scope.array_buffer(&report.signature_s)?)?;
    scope.set(&object, c"signature", signature)?;
    Ok(object)
}

/// Where the parts of a TCB version are among its eight bytes, the least significant first.
type TcbLayout = &'static [(&'static core::ffi::CStr, usize)];
const MILAN_AND_GENOA: TcbLayout =
    &[(c"microcode", 7), (c"snp", 6), (c"tee", 1), (c"boot_loader", 0)];
const TURIN: TcbLayout =
    &[(c"microcode", 7), (c"snp", 3), (c"tee", 2), (c"boot_loader", 1), (c"fmc", 0)];

/// By family and model, as CPUID function 1 gives them in EAX.
fn layout(eax: u32) -> Option<TcbLayout> {
    let base_family = (eax >> 8) & 0xf;
    let family = base_family + if base_family == 0xf { (eax >> 20) & 0xff } else { 0 };
    let model = ((eax >> 4) & 0xf) | ((eax >> 12) & 0xf0);
    match (family, model) {
        (0x19, 0x00..=0x1f | 0xa0..=0xaf) => Some(MILAN_AND_GENOA),
        (0x1a, _) => Some(TURIN),
        _ => None,
    }
}

/// `tcbHexToPolicy(cpuid, tcb)`: the parts of a TCB version, both in hex.
fn tcb_to_policy<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let hex = |index: usize, digits: usize, what: &str| -> Script<(String, u64)> {
        let value = args.get(index);
        let text = if value.is_string() { scope.text(&value)? } else { String::new() };
        let valid = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match u64::from_str_radix(&text, 16) {
            Ok(number) if valid => Ok((text, number)),
            _ => Err(scope.throw_type(&format!("{what} must be a string of {digits} hex digits"))),
        }
    };
    let (_, cpuid) = hex(0, 8, "cpuid")?;
    let (text, tcb) = hex(1, 16, "tcb_version")?;
    let layout = u32::try_from(cpuid).ok().and_then(layout).ok_or_else(|| {
        let message = format!("cpuid {cpuid:08x} is of no processor with SEV-SNP that is known");
        scope.throw(ErrorKind::Range, &message)
    })?;
    let policy = scope.object()?;
    scope.set(&policy, c"hexstring", scope.string(&text)?)?;
    for (name, position) in layout {
        let byte = tcb.to_le_bytes()[*position];
        scope.set(&policy, name, scope.integer(u64::from(byte)))?;
    }
    Ok(policy)
}
