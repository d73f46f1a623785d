//! Certificates.

use std::time::{SystemTime, UNIX_EPOCH};

use affiant::RuntimeError;
use affiant::crypto::{CertificateRequest, SigningKey, SubjectName, x509};

use super::deliver;
use super::key::affiant_key;
use crate::boundary;
use crate::bytes::affiant_bytes;
use crate::fault::Fault;
use crate::memory::{Out, affiant_slice};
use crate::status::{AFFIANT_NOT_VERIFIED, affiant_status};

/// An hour before now, so that clocks may differ.
const BACKDATED_S: u64 = 3_600;

fn unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A certificate for a private key on P-384 or P-256, signed by itself, as users and members have: PEM.
/// `subject` is a name such as "CN=alice". To be freed with `affiant_bytes_free`.
///
/// # Safety
/// `subject` leads to as many bytes as it says, `pem` to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_key_self_signed_certificate(
    key: *const affiant_key,
    subject: affiant_slice,
    validity_days: u32,
    pem: *mut *mut affiant_bytes,
) -> affiant_status {
    // SAFETY: as promised to this function.
    let out = unsafe { Out::handle(pem, "pem") };
    boundary::shared(key, |key| {
        // SAFETY: as promised to this function.
        let (out, subject) = unsafe { (out?, subject.text("subject")?) };
        let failed = |error| Fault::argument(RuntimeError::Key(error).to_string());
        let signing = SigningKey::from_pkcs8(&key.private()?.to_pkcs8()?).map_err(failed)?;
        let request = CertificateRequest {
            subject: SubjectName::parse(subject).map_err(failed)?,
            subject_alt_names: Vec::new(),
            valid_from_unix_s: unix_s().saturating_sub(BACKDATED_S),
            validity_days,
        };
        let made = request.self_signed_person(&signing).map_err(failed)?;
        deliver(out, made.pem.into_bytes())
    })
}

/// Whether the first certificate of `chain_pem` leads, by way of the others, to one of `trusted_pem`, at
/// `at_unix_s` seconds since 1970 (0: now). `AFFIANT_NOT_VERIFIED` if not. From any thread.
///
/// # Safety
/// The slices lead to as many bytes as they say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_verify_certificate_chain(
    chain_pem: affiant_slice,
    trusted_pem: affiant_slice,
    at_unix_s: u64,
) -> affiant_status {
    boundary::plain(|| {
        // SAFETY: as promised to this function.
        let (chain, trusted) =
            unsafe { (chain_pem.text("chain_pem")?, trusted_pem.text("trusted_pem")?) };
        let at = if at_unix_s == 0 { unix_s() } else { at_unix_s };
        let at = i64::try_from(at).map_err(|_| Fault::argument("at_unix_s is beyond all time"))?;
        match x509::verify_chain(chain, trusted, at) {
            Ok(()) => Ok(()),
            Err(affiant::crypto::CryptoError::Failed(reason)) => {
                Err(Fault::new(AFFIANT_NOT_VERIFIED, reason))
            }
            Err(other) => Err(other.into()),
        }
    })
}
