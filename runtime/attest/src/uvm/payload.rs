//! What a UVM endorsement says: the measurement, and its security version.

use std::borrow::Cow;

use serde::Deserialize;

use super::{MEASUREMENT_BYTES, Message, UvmForm, WHAT};
use crate::signature::Hash;
use crate::{AttestError, hex};

const JSON: &str = "application/json";
const BYTES: &str = "application/octet-stream";

pub(super) struct Content {
    pub(super) measurement: [u8; MEASUREMENT_BYTES],
    pub(super) svn: u64,
    pub(super) form: UvmForm,
}

/// The JSON payload. Members that are not known are passed over: what its issuer adds does not change
/// what it vouched for.
#[derive(Deserialize)]
struct Payload<'a> {
    #[serde(rename = "x-ms-sevsnpvm-launchmeasurement", borrow)]
    measurement: Cow<'a, str>,
    #[serde(rename = "x-ms-sevsnpvm-guestsvn")]
    svn: Option<Svn>,
    #[serde(rename = "x-ms-sevsnpvm-guestsvn-int")]
    svn_number: Option<u64>,
}

/// Issuers have written it in either way.
#[derive(Deserialize)]
#[serde(untagged)]
enum Svn {
    Number(u64),
    Text(String),
}

pub(super) fn read(message: &Message<'_>) -> Result<Content, AttestError> {
    let header = &message.header;
    match (header.payload_hash, header.content_type) {
        (None, Some(JSON)) => read_json(message.payload),
        (None, found) => {
            let found = format!("content type {}", found.unwrap_or("(none)"));
            Err(AttestError::Unknown { what: WHAT, found })
        }
        (Some(_), Some(_)) => Err(AttestError::malformed(
            WHAT,
            "a hash envelope must not have a content type beside that of the preimage",
        )),
        (Some(hash), None) => read_envelope(message, hash),
    }
}

/// A hash envelope: a measurement is itself a SHA-384, and stands where the hash of the content does.
fn read_envelope(message: &Message<'_>, hash: i64) -> Result<Content, AttestError> {
    let header = &message.header;
    if Hash::from_cose_id(hash) != Some(Hash::Sha384) {
        return Err(AttestError::Unknown { what: WHAT, found: format!("payload hash {hash}") });
    }
    if let Some(other) = header.preimage_content_type.filter(|found| *found != BYTES) {
        return Err(AttestError::Unknown {
            what: WHAT,
            found: format!("content type of the preimage {other:?}"),
        });
    }
    let svn = header.svn.and_then(|svn| u64::try_from(svn).ok()).ok_or_else(|| {
        AttestError::malformed(WHAT, "its header has no claim svn that is a number from 0")
    })?;
    let measurement = message.payload.try_into().map_err(|_| {
        AttestError::malformed(WHAT, format!("a payload hash of {} bytes", message.payload.len()))
    })?;
    Ok(Content { measurement, svn, form: UvmForm::HashEnvelope })
}

fn read_json(payload: &[u8]) -> Result<Content, AttestError> {
    let payload: Payload<'_> = serde_json::from_slice(payload)
        .map_err(|error| AttestError::malformed(WHAT, format!("its payload: {error}")))?;
    let text = match payload.svn {
        None => None,
        Some(Svn::Number(svn)) => Some(svn),
        Some(Svn::Text(text)) => Some(decimal(&text).ok_or_else(|| {
            AttestError::malformed(WHAT, format!("its guestsvn {text:?} is not a decimal number"))
        })?),
    };
    let svn = match (text, payload.svn_number) {
        (Some(one), Some(other)) if one != other => {
            let why = format!("it names two security versions: {one} and {other}");
            return Err(AttestError::malformed(WHAT, why));
        }
        (Some(svn), _) | (None, Some(svn)) => svn,
        (None, None) => {
            return Err(AttestError::malformed(WHAT, "it names no security version"));
        }
    };
    let measurement = hex::decode("launch measurement", &payload.measurement)?;
    Ok(Content { measurement, svn, form: UvmForm::Json })
}

/// A number in decimal digits, without sign or leading zeros.
fn decimal(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(svn: &str) -> Result<Content, AttestError> {
        let measurement = "Ab".repeat(MEASUREMENT_BYTES);
        let text = format!(r#"{{"x-ms-sevsnpvm-launchmeasurement":"{measurement}"{svn}}}"#);
        read_json(text.as_bytes())
    }

    #[test]
    fn the_security_version_may_be_written_in_three_ways_and_must_be_one() {
        for svn in [
            r#","x-ms-sevsnpvm-guestsvn":"103""#,
            r#","x-ms-sevsnpvm-guestsvn":103"#,
            r#","x-ms-sevsnpvm-guestsvn-int":103"#,
            r#","x-ms-sevsnpvm-guestsvn":"103","x-ms-sevsnpvm-guestsvn-int":103"#,
        ] {
            let content = json(svn).unwrap();
            assert_eq!(content.svn, 103);
            assert_eq!(content.measurement, [0xab; MEASUREMENT_BYTES], "hex in either case");
        }
        for svn in [
            "",
            r#","x-ms-sevsnpvm-guestsvn":"103","x-ms-sevsnpvm-guestsvn-int":104"#,
            r#","x-ms-sevsnpvm-guestsvn":"+103""#,
            r#","x-ms-sevsnpvm-guestsvn":"0103""#,
            r#","x-ms-sevsnpvm-guestsvn":" 103""#,
            r#","x-ms-sevsnpvm-guestsvn":-1"#,
            r#","x-ms-sevsnpvm-guestsvn":1.5"#,
            r#","x-ms-sevsnpvm-guestsvn":103,"x-ms-sevsnpvm-guestsvn":103"#,
        ] {
            assert!(json(svn).is_err(), "{svn}");
        }
    }
}
