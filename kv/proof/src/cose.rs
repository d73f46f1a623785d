//! COSE: the ledger's signature over a Merkle root, and the receipt made from it (RFC 9052, RFC
//! 9942, draft-ietf-scitt-receipts-ccf-profile).
//!
//! A signature entry holds a COSE_Sign1 by the service key whose detached payload is the 32-byte
//! root. A receipt is that same message with an inclusion proof in its unprotected header: no
//! new signature is made. Encoders write CCF's bytes exactly; the decoder refuses whatever could
//! have been written in another way.

mod endorsement;
mod header;
mod receipt;
mod request;

pub use endorsement::{
    Endorsement, EndorsementRecord, Epoch, encode_endorsement_protected, encode_sign1_attached,
    verify_endorsement,
};
pub use header::{Algorithm, SignedHeader, encode_protected};
pub use receipt::{InclusionProof, cose_receipt, parse_inclusion_proofs};
pub use request::RequestHeader;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::ProofError;
use crate::cbor::{self, Reader};
use crate::limits::COSE_BYTES_MAX;

/// The tag of a COSE_Sign1.
const TAG_SIGN1: u64 = 18;

/// A COSE_Sign1, seen in the bytes it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sign1<'a> {
    /// The protected header: the content of its byte string.
    pub protected: &'a [u8],
    /// The unprotected header: an encoded map.
    pub unprotected: &'a [u8],
    /// The payload; none if it is detached.
    pub payload: Option<&'a [u8]>,
    /// The signature, r and s of equal length.
    pub signature: &'a [u8],
}

impl<'a> Sign1<'a> {
    /// Reads a tagged COSE_Sign1 that is all of `bytes`.
    ///
    /// # Errors
    /// The bytes are no COSE_Sign1, or not the only encoding of it.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ProofError> {
        if bytes.len() > COSE_BYTES_MAX {
            let (found, limit) = (bytes.len() as u64, COSE_BYTES_MAX as u64);
            return Err(ProofError::TooLarge { what: "COSE message size", found, limit });
        }
        Self::read(Reader::new(bytes))
    }

    /// Reads a tagged COSE_Sign1 that a client sent and that is all of `bytes`: of any size, and in
    /// any CBOR encoding of definite lengths.
    ///
    /// # Errors
    /// The bytes are no COSE_Sign1.
    pub fn parse_request(bytes: &'a [u8]) -> Result<Self, ProofError> {
        Self::read(Reader::of_any_form(bytes))
    }

    fn read(mut reader: Reader<'a>) -> Result<Self, ProofError> {
        let tag = reader.tag()?;
        if tag != TAG_SIGN1 {
            return Err(ProofError::Unsupported { what: "COSE tag", found: tag.to_string() });
        }
        reader.array_of(4, "a COSE_Sign1 has four parts")?;
        let protected = reader.bytes()?;
        let unprotected = {
            let mut ahead = reader;
            ahead.map()?;
            reader.skip()?
        };
        let payload = reader.bytes_or_null()?;
        let signature = reader.bytes()?;
        reader.finish()?;
        Ok(Self { protected, unprotected, payload, signature })
    }

    /// What the signature covers, if the payload is `payload`.
    #[must_use]
    pub fn to_be_signed(&self, payload: &[u8]) -> Vec<u8> {
        to_be_signed(self.protected, payload)
    }

    /// The protected header, decoded.
    ///
    /// # Errors
    /// As [`SignedHeader::parse`].
    pub fn header(&self) -> Result<SignedHeader<'a>, ProofError> {
        SignedHeader::parse(self.protected)
    }
}

/// The bytes a COSE_Sign1 signature covers: `["Signature1", protected, h'', payload]`.
#[must_use]
pub fn to_be_signed(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(protected.len() + payload.len() + 32);
    cbor::put_array(&mut out, 4);
    cbor::put_text(&mut out, "Signature1");
    cbor::put_bytes(&mut out, protected);
    cbor::put_bytes(&mut out, &[]);
    cbor::put_bytes(&mut out, payload);
    out
}

/// A COSE_Sign1 with an empty unprotected header and a detached payload: what a signature entry
/// holds.
#[must_use]
pub fn encode_sign1(protected: &[u8], signature: &[u8]) -> Vec<u8> {
    encode_sign1_with(protected, &[0xa0], signature)
}

/// As [`encode_sign1`], with `unprotected` an encoded map.
fn encode_sign1_with(protected: &[u8], unprotected: &[u8], signature: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(protected.len() + unprotected.len() + signature.len() + 16);
    cbor::put_tag(&mut out, TAG_SIGN1);
    cbor::put_array(&mut out, 4);
    cbor::put_bytes(&mut out, protected);
    out.extend_from_slice(unprotected);
    cbor::put_null(&mut out);
    cbor::put_bytes(&mut out, signature);
    out
}

/// The value of the table `public:ccf.internal.cose_signatures`: a JSON string of base64.
#[must_use]
pub fn encode_table_value(sign1: &[u8]) -> Vec<u8> {
    let mut value = String::with_capacity(sign1.len().div_ceil(3) * 4 + 2);
    value.push('"');
    STANDARD.encode_string(sign1, &mut value);
    value.push('"');
    value.into_bytes()
}

/// The COSE_Sign1 within a value of the table `public:ccf.internal.cose_signatures`.
///
/// # Errors
/// The value is not a JSON string of canonical base64.
pub fn decode_table_value(value: &[u8]) -> Result<Vec<u8>, ProofError> {
    const WHAT: &str = "COSE signature table";
    let refused = |why: &str| ProofError::Json { what: WHAT, why: why.to_owned() };
    if value.len() > COSE_BYTES_MAX {
        let (found, limit) = (value.len() as u64, COSE_BYTES_MAX as u64);
        return Err(ProofError::TooLarge { what: WHAT, found, limit });
    }
    let text = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    let text = text.ok_or_else(|| refused("it is not one JSON string"))?;
    STANDARD.decode(text).map_err(|_| refused("it is not canonical base64"))
}
