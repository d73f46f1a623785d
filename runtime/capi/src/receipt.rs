//! Receipts, and checking them offline.

use affiant::TxId;
use affiant::hosting::{receipt_cose, receipt_json};
use affiant_kv::ReceiptParts;
use affiant_proof::{Digest, ExpectedClaims, VerifyOptions, verify_receipt};

use crate::boundary;
use crate::fault::Fault;
use crate::handle::{Kind, Opaque};
use crate::memory::{Out, Versioned, affiant_slice, versioned};
use crate::status::{AFFIANT_NOT_FOUND, AFFIANT_UNREADABLE, affiant_status};
use crate::txid::affiant_txid;
use crate::verdict::{Judgement, affiant_verdict, deliver};

/// The proof of one transaction, from `affiant_runtime_receipt`: anybody checks it with the service's
/// certificate and nothing else. Any number of threads at once.
pub struct affiant_receipt {
    _opaque: [u8; 0],
}

impl Opaque for affiant_receipt {
    type Object = Receipt;
    const KIND: Kind = Kind::Receipt;
}

/// The object behind `affiant_receipt`.
pub(crate) struct Receipt {
    txid: TxId,
    json: String,
    /// None for that of a signature transaction.
    cose: Option<Vec<u8>>,
}

impl Receipt {
    pub(crate) fn new(txid: TxId, parts: &ReceiptParts) -> Result<Self, Fault> {
        Ok(Self { txid, json: receipt_json(parts).to_string(), cose: receipt_cose(parts)? })
    }
}

/// The receipt as JSON, as CCF's `GET /receipt` answers it. The view lives as long as the receipt.
///
/// # Safety
/// `json` leads to room for an `affiant_slice`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_receipt_json(
    receipt: *const affiant_receipt,
    json: *mut affiant_slice,
) -> affiant_status {
    boundary::shared(receipt, |receipt| {
        // SAFETY: as promised to this function.
        let out = unsafe { Out::new(json, "json")? };
        out.write(affiant_slice::of(receipt.json.as_bytes()));
        Ok(())
    })
}

/// The receipt as a COSE_Sign1 message (draft-ietf-cose-merkle-tree-proofs). `AFFIANT_NOT_FOUND` for that of
/// a signature transaction, which has none in this form. The view lives as long as the receipt.
///
/// # Safety
/// `cose` leads to room for an `affiant_slice`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_receipt_cose(
    receipt: *const affiant_receipt,
    cose: *mut affiant_slice,
) -> affiant_status {
    boundary::shared(receipt, |receipt| {
        // SAFETY: as promised to this function.
        let out = unsafe { Out::new(cose, "cose")? };
        let found = receipt.cose.as_ref().ok_or_else(|| {
            let text = "a signature transaction has no COSE receipt, only a JSON one";
            Fault::new(AFFIANT_NOT_FOUND, text)
        })?;
        out.write(affiant_slice::of(found));
        Ok(())
    })
}

/// The transaction that it is the receipt of.
///
/// # Safety
/// `txid` leads to room for an `affiant_txid`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_receipt_txid(
    receipt: *const affiant_receipt,
    txid: *mut affiant_txid,
) -> affiant_status {
    boundary::shared(receipt, |receipt| {
        // SAFETY: as promised to this function.
        let out = unsafe { Out::new(txid, "txid")? };
        out.write(receipt.txid.into());
        Ok(())
    })
}

/// Frees a receipt. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn affiant_receipt_free(receipt: *mut affiant_receipt) -> affiant_status {
    boundary::free(receipt)
}

/// What a receipt is checked against beside the service's certificate; all fields but `size` may be zero.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct affiant_receipt_options {
    /// sizeof(affiant_receipt_options).
    pub size: usize,
    /// What was claimed: its SHA-256 must be the claims digest. Data NULL: not compared.
    pub claims: affiant_slice,
    /// The claims digest, 32 bytes, instead of `claims`. Data NULL: not compared.
    pub claims_digest: affiant_slice,
    /// When the certificates must be valid, in seconds since 1970. 0: that is not checked; a receipt speaks
    /// of the past.
    pub at_unix_s: u64,
}

// SAFETY: repr(C), its first field is its size, the others are pointers and numbers.
unsafe impl Versioned for affiant_receipt_options {
    const NAME: &'static str = "affiant_receipt_options";
    const SIZE_MIN: usize = size_of::<Self>();
}

/// Checks a receipt, JSON or COSE, against the service's certificate, PEM. Offline: no runtime is needed.
/// `options` may be NULL. `AFFIANT_OK` if it holds, `AFFIANT_NOT_VERIFIED` if not; `verdict`, which may be
/// NULL, then says which checks were made, and is to be freed with `affiant_verdict_free`.
/// `AFFIANT_UNREADABLE` if there is nothing to judge. From any thread.
///
/// # Safety
/// The slices lead to as many bytes as they say, `options` to as many as its size says, `verdict` is NULL or
/// leads to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_verify_receipt(
    receipt: affiant_slice,
    service_certificate_pem: affiant_slice,
    options: *const affiant_receipt_options,
    verdict: *mut *mut affiant_verdict,
) -> affiant_status {
    boundary::plain(|| {
        // SAFETY: as promised to this function.
        let (out, receipt, certificate) = unsafe {
            (
                Out::optional_handle(verdict, "verdict")?,
                receipt.bytes("receipt")?,
                service_certificate_pem.text("service_certificate_pem")?,
            )
        };
        // SAFETY: as promised to this function.
        let options = unsafe { verify_options(options)? };
        let (_, found) = verify_receipt(receipt, certificate, &options)
            .map_err(|error| Fault::new(AFFIANT_UNREADABLE, error.to_string()))?;
        deliver(Judgement::of_receipt(&found), out)
    })
}

/// # Safety
/// `options` is NULL or leads to as many bytes as its size says, its slices to as many as they say.
unsafe fn verify_options<'a>(
    options: *const affiant_receipt_options,
) -> Result<VerifyOptions<'a>, Fault> {
    if options.is_null() {
        return Ok(VerifyOptions::default());
    }
    // SAFETY: as promised to this function.
    let given = unsafe { versioned(options)? };
    // SAFETY: as promised to this function.
    let (claims, digest) =
        unsafe { (given.claims.bytes("claims")?, given.claims_digest.bytes("claims_digest")?) };
    let claims = match (given.claims.data.is_null(), given.claims_digest.data.is_null()) {
        (true, true) => ExpectedClaims::Any,
        (false, true) => ExpectedClaims::Preimage(claims),
        (true, false) => {
            let digest = <[u8; 32]>::try_from(digest).map_err(|_| {
                Fault::argument(format!("a claims digest has 32 bytes, not {}", digest.len()))
            })?;
            ExpectedClaims::Digest(Digest(digest))
        }
        (false, false) => {
            return Err(Fault::argument("give claims or claims_digest, not both"));
        }
    };
    Ok(VerifyOptions { now: (given.at_unix_s > 0).then_some(given.at_unix_s), claims })
}
