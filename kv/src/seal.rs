//! The two doors to keys. This crate never holds one: the host implements these traits.

use core::fmt;
use std::io::Write as _;

use affiant_proof::{Certificate, Digest, TxId};

use crate::replica::SignedRoot;

/// A key operation failed; the text names the operation and never the key or the data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyError(pub String);

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for KeyError {}

/// AES-256-GCM under the ledger secret in force at a seqno, and the commit evidence derived from it.
/// Called from any thread, outside every lock.
pub trait Sealer: Send + Sync {
    /// Encrypts `in_out` in place with `aad` authenticated, and returns the tag. The IV is the one of
    /// `txid` (seqno, then view, little-endian), so a sealer must refuse to be called twice with
    /// different bytes for one id only where it can know; uniqueness is the caller's duty.
    ///
    /// # Errors
    /// No secret is in force at that seqno, or the view is 2^31 or more.
    fn seal(&self, txid: TxId, aad: &[u8], in_out: &mut [u8]) -> Result<[u8; 16], KeyError>;

    /// Decrypts `in_out` in place after checking `tag` over it and `aad`.
    ///
    /// # Errors
    /// The tag does not match, or no secret is in force at that seqno.
    fn open(
        &self,
        txid: TxId,
        aad: &[u8],
        in_out: &mut [u8],
        tag: &[u8; 16],
    ) -> Result<(), KeyError>;

    /// The commit nonce of `txid`: HMAC-SHA-256 as CCF derives it (`affiant_proof::claims`).
    ///
    /// # Errors
    /// No secret is in force at that seqno.
    fn commit_nonce(&self, txid: TxId) -> Result<Digest, KeyError>;

    /// The SHA-256 of the commit evidence of `txid`. A sealer may have a faster way to it.
    ///
    /// # Errors
    /// No secret is in force at that seqno.
    fn commit_evidence_digest(&self, txid: TxId) -> Result<Digest, KeyError> {
        let nonce = self.commit_nonce(txid)?;
        Ok(evidence_digest(txid, &nonce))
    }
}

/// The SHA-256 of `ce:<view>.<seqno>:<64 hex characters of the nonce>`, without making the text: every
/// entry needs it.
fn evidence_digest(txid: TxId, nonce: &Digest) -> Digest {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut head = [0; 3 + 20 + 1 + 20 + 1];
    let mut room = &mut head[..];
    let written = write!(room, "ce:{txid}:");
    assert!(written.is_ok(), "two 64-bit decimals fit");
    let left = room.len();
    let mut hex = [0; 64];
    for (pair, byte) in hex.chunks_exact_mut(2).zip(nonce.0) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    let used = head.len() - left;
    Digest::of_parts(&[&head[..used], &hex])
}

/// What signs Merkle roots: the node's key and the service's. Called from the core thread only.
pub trait Signer: Send {
    /// Hex SHA-256 of the DER `SubjectPublicKeyInfo` of the node's key.
    fn node_id(&self) -> &str;
    /// PEM of the node's certificate, endorsed by the service.
    fn node_certificate_pem(&self) -> &str;
    /// ECDSA with the node's key directly over the 32 root bytes; DER.
    ///
    /// # Errors
    /// The key store failed.
    fn sign_root(&self, root: &Digest) -> Result<Vec<u8>, KeyError>;
    /// The COSE algorithm of the service's key: -35 (ES384) or -7 (ES256).
    fn service_algorithm(&self) -> i64;
    /// Hex SHA-256 of the DER `SubjectPublicKeyInfo` of the service's key.
    fn service_key_id(&self) -> &str;
    /// `iss` of the COSE signatures.
    fn issuer(&self) -> &str;
    /// `sub` of the COSE signatures.
    fn subject(&self) -> &str;
    /// ECDSA with the service's key over `message` (hashed by the algorithm's hash); r || s.
    ///
    /// # Errors
    /// The key store failed.
    fn sign_with_service_key(&self, message: &[u8]) -> Result<Vec<u8>, KeyError>;
    /// Verifies the node's signature of a signature entry against the certificate beside it. Asked
    /// once, at a restart, of the last signature in the ledger.
    ///
    /// # Errors
    /// The certificate is not one of that node, or the signature does not verify.
    fn verify_signed_root(&self, signed: &SignedRoot) -> Result<(), KeyError> {
        let refused = |error: affiant_proof::ProofError| KeyError(error.to_string());
        let certificate = Certificate::from_pem(&signed.node_certificate_pem).map_err(refused)?;
        let key = certificate.public_key();
        if key.key_id() != signed.node_id {
            return Err(KeyError("the node's certificate is of another key".to_owned()));
        }
        key.verify_root("signature of the last root", &signed.root, &signed.signature)
            .map_err(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_evidence_digest_is_that_of_the_text() {
        for txid in [TxId::new(2, 1), TxId::new(u64::MAX, u64::MAX), TxId::new(17, 123_456_789)] {
            let nonce = Digest::of(txid.to_string().as_bytes());
            let text = affiant_proof::claims::commit_evidence(txid, &nonce.0);
            assert_eq!(evidence_digest(txid, &nonce), Digest::of(text.as_bytes()));
        }
    }
}
