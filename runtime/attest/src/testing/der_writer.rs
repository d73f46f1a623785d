//! DER, written by hand: so that it can be as wrong as a test needs it.

use der::oid::ObjectIdentifier;
use der::{DateTime, Encode as _};

/// Tag, length and the parts, one after the other.
pub(super) fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let mut bytes = vec![tag];
    match body.len() {
        short @ 0..=0x7f => bytes.push(u8::try_from(short).unwrap()),
        short @ 0x80..=0xff => bytes.extend([0x81, u8::try_from(short).unwrap()]),
        long => {
            bytes.push(0x82);
            bytes.extend(u16::try_from(long).unwrap().to_be_bytes());
        }
    }
    bytes.extend(body);
    bytes
}

pub(super) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, parts)
}

pub(super) fn oid(id: &str) -> Vec<u8> {
    tlv(0x06, &[ObjectIdentifier::new_unwrap(id).as_bytes()])
}

/// An INTEGER that is not negative.
pub(super) fn integer(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let body = bytes.get(zeros..).filter(|body| !body.is_empty()).unwrap_or(&[0]);
    let pad: &[u8] = if body[0] & 0x80 == 0 { &[] } else { &[0] };
    tlv(0x02, &[pad, body])
}

pub(super) fn bit_string(bytes: &[u8]) -> Vec<u8> {
    tlv(0x03, &[&[0], bytes])
}

pub(super) fn octet_string(bytes: &[u8]) -> Vec<u8> {
    tlv(0x04, &[bytes])
}

pub(super) fn ia5(text: &str) -> Vec<u8> {
    tlv(0x16, &[text.as_bytes()])
}

/// A time, as RFC 5280 wants it: UTCTime until 2049.
pub(super) fn time(unix_s: u64) -> Vec<u8> {
    let time = DateTime::from_unix_duration(core::time::Duration::from_secs(unix_s)).unwrap();
    if time.year() < 2050 {
        return der::asn1::UtcTime::from_date_time(time).unwrap().to_der().unwrap();
    }
    der::asn1::GeneralizedTime::from_date_time(time).to_der().unwrap()
}

/// A name of one organisation and a common name.
pub(super) fn name(common: &str) -> Vec<u8> {
    let part =
        |id: &str, text: &str| tlv(0x31, &[&sequence(&[&oid(id), &tlv(0x0c, &[text.as_bytes()])])]);
    sequence(&[&part("2.5.4.10", "Made for tests, not by AMD"), &part("2.5.4.3", common)])
}

/// An extension: its value is not yet wrapped.
pub(super) fn extension(id: &str, critical: bool, value: &[u8]) -> Vec<u8> {
    let mark: &[u8] = if critical { &[0x01, 0x01, 0xff] } else { &[] };
    sequence(&[&oid(id), mark, &octet_string(value)])
}
