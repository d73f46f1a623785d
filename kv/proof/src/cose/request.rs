//! The protected header of a request that a user or a member signs (CCF `ccf_cose_sign1`).

use super::header::{ALGORITHM, KEY_ID};
use crate::ProofError;
use crate::cbor::{Label, Reader, each_pair};

const CRITICAL: i64 = 2;
const MESSAGE_TYPE: &str = "ccf.gov.msg.type";
const CREATED_AT: &str = "ccf.gov.msg.created_at";
const PROPOSAL_ID: &str = "ccf.gov.msg.proposal_id";

/// A signed request's protected header. Fields that are absent are none; unknown ones are skipped,
/// for the signature covers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct RequestHeader<'a> {
    /// The algorithm's number in COSE's registry.
    pub algorithm: Option<i64>,
    /// Who signed: hex SHA-256 of the certificate's DER, as ASCII.
    pub key_id: Option<&'a [u8]>,
    /// The message names header parameters that must be understood (`crit`).
    pub has_critical: bool,
    /// `ccf.gov.msg.type`: what a member asks for, such as `proposal`.
    pub message_type: Option<&'a str>,
    /// `ccf.gov.msg.created_at`, in unix seconds; may be negative.
    pub created_at: Option<i64>,
    /// `ccf.gov.msg.proposal_id`.
    pub proposal_id: Option<&'a str>,
}

impl<'a> RequestHeader<'a> {
    /// Reads the content of the protected header's byte string.
    ///
    /// # Errors
    /// It is no map, a field is malformed, or a field stands twice.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ProofError> {
        let mut header = Self::default();
        let mut reader = Reader::of_any_form(bytes);
        each_pair(&mut reader, |label, reader| {
            match label {
                Label::Int(ALGORITHM) => header.algorithm = Some(reader.int()?),
                Label::Int(KEY_ID) => header.key_id = Some(reader.bytes()?),
                Label::Int(CRITICAL) => {
                    header.has_critical = true;
                    reader.skip()?;
                }
                Label::Text(MESSAGE_TYPE) => header.message_type = Some(reader.text()?),
                Label::Text(CREATED_AT) => header.created_at = Some(reader.int()?),
                Label::Text(PROPOSAL_ID) => header.proposal_id = Some(reader.text()?),
                _ => {
                    reader.skip()?;
                }
            }
            Ok(())
        })?;
        reader.finish()?;
        Ok(header)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::cbor;
    use crate::cose::{Sign1, encode_sign1_attached};

    #[test]
    fn a_members_header_is_read_whole() {
        let mut bytes = Vec::new();
        cbor::put_map(&mut bytes, 6);
        cbor::put_int(&mut bytes, ALGORITHM);
        cbor::put_int(&mut bytes, -35);
        cbor::put_int(&mut bytes, KEY_ID);
        cbor::put_bytes(&mut bytes, b"ab12");
        cbor::put_text(&mut bytes, MESSAGE_TYPE);
        cbor::put_text(&mut bytes, "ballot");
        cbor::put_text(&mut bytes, CREATED_AT);
        cbor::put_int(&mut bytes, 1_700_000_000);
        cbor::put_text(&mut bytes, PROPOSAL_ID);
        cbor::put_text(&mut bytes, "p");
        // A field of somebody else's, a float in it.
        cbor::put_text(&mut bytes, "x");
        bytes.extend_from_slice(&[0xfa, 0, 0, 0, 0]);
        let header = RequestHeader::parse(&bytes).unwrap();
        assert_eq!(
            header,
            RequestHeader {
                algorithm: Some(-35),
                key_id: Some(b"ab12"),
                has_critical: false,
                message_type: Some("ballot"),
                created_at: Some(1_700_000_000),
                proposal_id: Some("p"),
            }
        );
        for cut in 0..bytes.len() {
            assert!(RequestHeader::parse(&bytes[..cut]).is_err());
        }
    }

    #[test]
    fn requests_may_be_large_and_in_any_form() {
        let protected = [0xa2, 0x01, 0x38, 0x22, 0x02, 0x80];
        assert!(RequestHeader::parse(&protected).unwrap().has_critical);
        let payload = vec![7; 200_000];
        let message = encode_sign1_attached(&protected, &payload, b"signature");
        assert!(Sign1::parse(&message).is_err(), "over the bound of the ledger's own messages");
        let parsed = Sign1::parse_request(&message).unwrap();
        assert_eq!(parsed.payload, Some(&payload[..]));
        assert_eq!(parsed.unprotected, [0xa0]);
        // The tag in two bytes.
        let long = [&[0xd8, 18][..], &message[1..]].concat();
        assert!(Sign1::parse_request(&long).is_ok());
        assert!(Sign1::parse_request(&message[1..]).is_err(), "no tag");
    }
}
