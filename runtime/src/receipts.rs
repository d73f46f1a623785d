//! Receipts as they leave the node: CCF's JSON, and COSE (reference: surface E.2, ledger format 4).

use affiant_kv::ReceiptParts;
use affiant_proof::Receipt;
use affiant_proof::cose::cose_receipt;
use affiant_proof::receipt::SignedRoot;
use serde_json::Value as Json;

use crate::error::{RuntimeError, RuntimeResult};

/// The receipt that JSON and its readers know; for a signature transaction, the form with `leaf`.
#[must_use]
pub fn json_receipt(parts: &ReceiptParts) -> Receipt {
    let signed = SignedRoot {
        cert_pem: &parts.signed_root.node_certificate_pem,
        node_id: &parts.signed_root.node_id,
        signature_der: &parts.signed_root.signature,
    };
    match &parts.proof {
        Some(proof) => Receipt::for_transaction(
            &proof.write_set_digest,
            &proof.commit_evidence,
            &proof.claims_digest,
            &proof.path,
            signed,
        ),
        None => Receipt::for_signature(&parts.signed_root.root, signed),
    }
}

/// The receipt as a JSON value.
#[must_use]
pub fn receipt_json(parts: &ReceiptParts) -> Json {
    serde_json::to_value(json_receipt(parts)).unwrap_or(Json::Null)
}

/// The receipt as a COSE_Sign1; `None` for a signature transaction, which has no inclusion proof.
///
/// # Errors
/// The stored signature is malformed.
pub fn receipt_cose(parts: &ReceiptParts) -> RuntimeResult<Option<Vec<u8>>> {
    let Some(proof) = &parts.proof else { return Ok(None) };
    cose_receipt(&parts.signed_root.cose, proof).map(Some).map_err(|error| RuntimeError::Stopped {
        reason: format!("the signature at {} cannot be read: {error}", parts.signed_root.txid),
    })
}
