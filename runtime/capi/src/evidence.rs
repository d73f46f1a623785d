//! Evidence of the platform: made here, and checked wherever it comes from.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use affiant::attest::{Outcome, Verdict};
use affiant::platform::PlatformError;
use affiant::relying::{
    Nonce, Options, Pieces, RelyingError, read_policy, verify_evidence, verify_service,
};

use crate::boundary;
use crate::fault::Fault;
use crate::handle::{self, Kind, Opaque};
use crate::limits::WAIT_MS_MAX;
use crate::memory::{Out, Versioned, affiant_slice, versioned};
use crate::runtime::affiant_runtime;
use crate::status::{
    AFFIANT_INVALID_ARGUMENT, AFFIANT_TIMEOUT, AFFIANT_TOO_MANY, AFFIANT_UNREADABLE,
    AFFIANT_UNSUPPORTED, affiant_status,
};
use crate::verdict::{
    AFFIANT_CHECK_FAILED, AFFIANT_CHECK_PASSED, AFFIANT_CHECK_SKIPPED, Judgement, affiant_verdict,
    deliver,
};

/// Evidence of the platform under a runtime, from `affiant_runtime_attestation`. Any number of threads at
/// once.
pub struct affiant_evidence {
    _opaque: [u8; 0],
}

impl Opaque for affiant_evidence {
    type Object = String;
    const KIND: Kind = Kind::Evidence;
}

impl From<PlatformError> for Fault {
    fn from(error: PlatformError) -> Self {
        let status = match &error {
            PlatformError::Busy { .. } => AFFIANT_TOO_MANY,
            PlatformError::Unreadable(_) => AFFIANT_INVALID_ARGUMENT,
            _ => AFFIANT_UNSUPPORTED,
        };
        Self::new(status, error.to_string())
    }
}

impl From<RelyingError> for Fault {
    fn from(error: RelyingError) -> Self {
        let status = match &error {
            RelyingError::Usage { .. } => AFFIANT_INVALID_ARGUMENT,
            RelyingError::Unreachable { .. } => AFFIANT_TIMEOUT,
            _ => AFFIANT_UNREADABLE,
        };
        Self::new(status, error.to_string())
    }
}

fn judgement(verdict: &Verdict) -> Judgement {
    let checks = verdict.checks.iter().map(|check| {
        let outcome = match check.outcome {
            Outcome::Passed => AFFIANT_CHECK_PASSED,
            Outcome::Failed => AFFIANT_CHECK_FAILED,
            _ => AFFIANT_CHECK_SKIPPED,
        };
        let explanation = match (&*check.found, &*check.wanted) {
            ("", "") => check.reason.clone(),
            (found, "") => format!("{} (found: {found})", check.reason),
            (found, wanted) => format!("{} (found: {found}; wanted: {wanted})", check.reason),
        };
        (check.name.to_owned(), outcome, explanation)
    });
    Judgement::new(verdict.is_trusted(), None, checks)
}

/// Fresh evidence of the platform under a runtime, bound to up to 64 KiB of the program's own and to the keys
/// of node and service. It takes as long as firmware takes. `AFFIANT_TOO_MANY` if it is asked for too often;
/// `AFFIANT_UNSUPPORTED` where the platform gives none. To be freed with `affiant_evidence_free`.
///
/// # Safety
/// `bound` leads to as many bytes as it says, `evidence` to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_runtime_attestation(
    runtime: *const affiant_runtime,
    bound: affiant_slice,
    evidence: *mut *mut affiant_evidence,
) -> affiant_status {
    // SAFETY: as promised to this function.
    let out = unsafe { Out::handle(evidence, "evidence") };
    boundary::shared(runtime, |host| {
        // SAFETY: as promised to this function.
        let (out, bound) = unsafe { (out?, bound.bytes("bound")?) };
        let _under_way = host.enter()?;
        let made = host.node().attestor().for_app(bound)?;
        out.write(handle::insert(made.to_string())?);
        Ok(())
    })
}

/// The evidence as JSON: an object with "format", "raw", "endorsements", "uvm_endorsements", "endorsed_tcb",
/// "policy_text" and "bound", all but the first in base64. The view lives as long as the evidence.
///
/// # Safety
/// `json` leads to room for an `affiant_slice`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_evidence_json(
    evidence: *const affiant_evidence,
    json: *mut affiant_slice,
) -> affiant_status {
    boundary::shared(evidence, |evidence| {
        // SAFETY: as promised to this function.
        let out = unsafe { Out::new(json, "json")? };
        out.write(affiant_slice::of(evidence.as_bytes()));
        Ok(())
    })
}

/// Frees evidence. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn affiant_evidence_free(evidence: *mut affiant_evidence) -> affiant_status {
    boundary::free(evidence)
}

/// Checks evidence in any form that is known, JSON or a bare report, against a policy (JSON;
/// docs/attestation.md explains every field). Offline. `bound` is what the evidence must be bound to; data
/// NULL: what it says itself. (That of `affiant_runtime_attestation` says a statement, in which the program's
/// own bytes are.) `AFFIANT_OK` if the policy accepts it, `AFFIANT_NOT_VERIFIED` if not; `verdict`, which may
/// be NULL, says which checks were made, and is to be freed with `affiant_verdict_free`.
/// `AFFIANT_UNREADABLE`: there is nothing to judge. From any thread.
///
/// # Safety
/// The slices lead to as many bytes as they say, `verdict` is NULL or leads to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_verify_evidence(
    evidence: affiant_slice,
    policy_json: affiant_slice,
    bound: affiant_slice,
    verdict: *mut *mut affiant_verdict,
) -> affiant_status {
    boundary::plain(|| {
        // SAFETY: as promised to this function.
        let (out, given, policy) = unsafe {
            (
                Out::optional_handle(verdict, "verdict")?,
                evidence.bytes("evidence")?,
                policy_json.bytes("policy_json")?,
            )
        };
        // SAFETY: as promised to this function.
        let bytes = unsafe { bound.bytes("bound")? };
        let bound = (!bound.data.is_null()).then(|| bytes.to_vec());
        let policy = read_policy(policy)?;
        let pieces = Pieces { evidence: given.to_vec(), bound, ..Pieces::default() };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        deliver(judgement(&verify_evidence(pieces, &policy, now)?), out)
    })
}

/// What is asked of a service beside the policy; all fields but `size` may be zero.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct affiant_service_options {
    /// sizeof(affiant_service_options).
    pub size: usize,
    /// The certificate of the service that it must be, PEM; data NULL: any service whose node the policy
    /// accepts.
    pub service_certificate_pem: affiant_slice,
    /// A receipt that the service must have signed; data NULL: none.
    pub receipt: affiant_slice,
    /// How long it may take, in milliseconds; 0: as long as is usual.
    pub timeout_ms: u64,
    /// Not 0: evidence of any age will do. CCF's nodes make none on demand.
    pub any_age: u8,
    /// Zero.
    pub reserved: [u8; 7],
}

// SAFETY: repr(C), its first field is its size, the others are pointers and numbers.
unsafe impl Versioned for affiant_service_options {
    const NAME: &'static str = "affiant_service_options";
    const SIZE_MIN: usize = size_of::<Self>();
}

/// Connects to a service, such as "https://127.0.0.1:8000", and checks what runs there: that the key of the connection
/// is the one which fresh evidence is bound to, and that the policy (JSON) accepts the guest. `options` may
/// be NULL. `AFFIANT_OK`, or `AFFIANT_NOT_VERIFIED`; `verdict`, which may be NULL, says which checks were
/// made, and is to be freed with `affiant_verdict_free`. `AFFIANT_TIMEOUT` if it does not answer,
/// `AFFIANT_UNREADABLE` if not with what can be read. From any thread.
///
/// # Safety
/// The slices lead to as many bytes as they say, `options` to as many as its size says, `verdict` is NULL or
/// leads to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_verify_service(
    url: affiant_slice,
    policy_json: affiant_slice,
    options: *const affiant_service_options,
    verdict: *mut *mut affiant_verdict,
) -> affiant_status {
    boundary::plain(|| {
        // SAFETY: as promised to this function.
        let (out, url, policy) = unsafe {
            (
                Out::optional_handle(verdict, "verdict")?,
                url.text("url")?,
                policy_json.bytes("policy_json")?,
            )
        };
        // SAFETY: as promised to this function.
        let options = unsafe { service_options(options)? };
        let found = verify_service(url, &read_policy(policy)?, &options)?;
        deliver(judgement(&found.verdict), out)
    })
}

/// # Safety
/// `options` is NULL or leads to as many bytes as its size says, its slices to as many as they say.
unsafe fn service_options(options: *const affiant_service_options) -> Result<Options, Fault> {
    let usual = Options { nonce: Nonce::Random, ..Options::default() };
    if options.is_null() {
        return Ok(usual);
    }
    // SAFETY: as promised to this function.
    let given = unsafe { versioned(options)? };
    if given.reserved != [0; 7] {
        return Err(Fault::argument("affiant_service_options.reserved is not zero"));
    }
    // SAFETY: as promised to this function.
    let (certificate, receipt) = unsafe {
        (
            given.service_certificate_pem.text("service_certificate_pem")?,
            given.receipt.bytes("receipt")?,
        )
    };
    Ok(Options {
        nonce: if given.any_age == 0 { Nonce::Random } else { Nonce::None },
        service_certificate_pem: (!given.service_certificate_pem.data.is_null())
            .then(|| certificate.to_owned()),
        receipt: (!given.receipt.data.is_null()).then(|| receipt.to_vec()),
        timeout: match given.timeout_ms {
            0 => usual.timeout,
            ms => Duration::from_millis(ms.min(WAIT_MS_MAX)),
        },
        ..usual
    })
}
