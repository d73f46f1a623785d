//! The little CBOR that COSE messages and receipts need (RFC 8949): definite lengths, shortest
//! integers, bounded depth and counts. What could be written in two ways is refused, so a
//! message that verifies has one encoding; except in messages that clients sign, where a signature
//! covers the bytes as they came.

use crate::ProofError;
use crate::bytes::Cursor;
use crate::limits::{CBOR_DEPTH_MAX, CBOR_ITEMS_MAX};

const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;
const SIMPLE: u8 = 7;

const FALSE: u64 = 20;
const TRUE: u64 = 21;
const NULL: u64 = 22;

const WHAT: &str = "CBOR item";

/// A map key: COSE uses integers, CCF also text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label<'a> {
    /// An integer.
    Int(i64),
    /// A text.
    Text(&'a str),
}

/// Reads items one after the other.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    cursor: Cursor<'a>,
    any_form: bool,
}

impl<'a> Reader<'a> {
    /// A reader at the first item of `bytes` that takes nothing but the shortest forms.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, cursor: Cursor::new(bytes, 0), any_form: false }
    }

    /// Takes longer forms of numbers and lengths too, and skips floats and simple values.
    #[must_use]
    pub const fn of_any_form(bytes: &'a [u8]) -> Self {
        Self { bytes, cursor: Cursor::new(bytes, 0), any_form: true }
    }

    fn malformed<T>(&self, why: &'static str) -> Result<T, ProofError> {
        Err(ProofError::Malformed { what: WHAT, offset: self.cursor.offset(), why })
    }

    /// The major type and the argument of the next item's head.
    fn head(&mut self) -> Result<(u8, u64), ProofError> {
        let [first] = self.cursor.array(WHAT)?;
        let (major, short) = (first >> 5, first & 0x1f);
        let (argument, least) = match short {
            0..=23 => (u64::from(short), 0),
            24 => (u64::from(u8::from_be_bytes(self.cursor.array(WHAT)?)), 24),
            25 => (u64::from(u16::from_be_bytes(self.cursor.array(WHAT)?)), 1 << 8),
            26 => (u64::from(u32::from_be_bytes(self.cursor.array(WHAT)?)), 1 << 16),
            27 => (u64::from_be_bytes(self.cursor.array(WHAT)?), 1 << 32),
            _ => return self.malformed("indefinite or reserved length"),
        };
        if argument < least && !self.any_form {
            return self.malformed("a number or length is not in its shortest form");
        }
        Ok((major, argument))
    }

    fn expect(&mut self, major: u8, why: &'static str) -> Result<u64, ProofError> {
        let mut ahead = *self;
        match ahead.head()? {
            (found, argument) if found == major => {
                *self = ahead;
                Ok(argument)
            }
            _ => self.malformed(why),
        }
    }

    /// The next item, an integer.
    ///
    /// # Errors
    /// It is none, or does not fit.
    pub fn int(&mut self) -> Result<i64, ProofError> {
        let mut ahead = *self;
        let (major, argument) = ahead.head()?;
        let number = match (major, i64::try_from(argument)) {
            (UNSIGNED, Ok(number)) => number,
            (NEGATIVE, Ok(number)) => -1 - number,
            _ => return self.malformed("expected an integer of 64 bits"),
        };
        *self = ahead;
        Ok(number)
    }

    /// The next item, a byte string.
    ///
    /// # Errors
    /// It is none, or cut short.
    pub fn bytes(&mut self) -> Result<&'a [u8], ProofError> {
        let length = self.expect(BYTES, "expected a byte string")?;
        self.cursor.take(length, WHAT)
    }

    /// The next item, a text string.
    ///
    /// # Errors
    /// It is none, cut short, or not UTF-8.
    pub fn text(&mut self) -> Result<&'a str, ProofError> {
        let length = self.expect(TEXT, "expected a text string")?;
        let text = self.cursor.take(length, WHAT)?;
        core::str::from_utf8(text).or_else(|_| self.malformed("a text string is not UTF-8"))
    }

    /// The head of the next item, an array: how many items follow.
    ///
    /// # Errors
    /// It is none, or over [`CBOR_ITEMS_MAX`].
    pub fn array(&mut self) -> Result<u64, ProofError> {
        let items = self.expect(ARRAY, "expected an array")?;
        bounded(items)
    }

    /// The head of the next item, an array of exactly `items`; `why` is for the error.
    ///
    /// # Errors
    /// It is none, or of another length.
    pub fn array_of(&mut self, items: u64, why: &'static str) -> Result<(), ProofError> {
        if self.array()? == items { Ok(()) } else { self.malformed(why) }
    }

    /// The head of the next item, a map: how many pairs follow.
    ///
    /// # Errors
    /// It is none, or over [`CBOR_ITEMS_MAX`].
    pub fn map(&mut self) -> Result<u64, ProofError> {
        let pairs = self.expect(MAP, "expected a map")?;
        bounded(pairs)
    }

    /// The number of the next tag; the tagged item follows.
    ///
    /// # Errors
    /// The next item is not tagged.
    pub fn tag(&mut self) -> Result<u64, ProofError> {
        self.expect(TAG, "expected a tag")
    }

    /// The next item, true or false.
    ///
    /// # Errors
    /// It is neither.
    pub fn bool(&mut self) -> Result<bool, ProofError> {
        match self.expect(SIMPLE, "expected true or false")? {
            FALSE => Ok(false),
            TRUE => Ok(true),
            _ => self.malformed("expected true or false"),
        }
    }

    /// A byte string, or null.
    ///
    /// # Errors
    /// It is neither.
    pub fn bytes_or_null(&mut self) -> Result<Option<&'a [u8]>, ProofError> {
        let mut ahead = *self;
        if ahead.head()? == (SIMPLE, NULL) {
            *self = ahead;
            return Ok(None);
        }
        self.bytes().map(Some)
    }

    /// The next item, a key of a map.
    ///
    /// # Errors
    /// It is neither integer nor text.
    pub fn label(&mut self) -> Result<Label<'a>, ProofError> {
        let mut ahead = *self;
        match ahead.head()?.0 {
            TEXT => self.text().map(Label::Text),
            _ => self.int().map(Label::Int),
        }
    }

    /// Skips one item and returns its bytes.
    ///
    /// # Errors
    /// It is malformed, or nested too deeply.
    pub fn skip(&mut self) -> Result<&'a [u8], ProofError> {
        let start = self.cursor.position();
        self.skip_nested(0)?;
        Ok(&self.bytes[start..self.cursor.position()])
    }

    fn skip_nested(&mut self, depth: usize) -> Result<(), ProofError> {
        if depth > CBOR_DEPTH_MAX {
            return self.malformed("items are nested too deeply");
        }
        let (major, argument) = self.head()?;
        let nested = match major {
            UNSIGNED | NEGATIVE => 0,
            BYTES | TEXT => {
                self.cursor.take(argument, WHAT)?;
                0
            }
            ARRAY => bounded(argument)?,
            MAP => 2 * bounded(argument)?,
            TAG => 1,
            _ if self.any_form || matches!(argument, FALSE | TRUE | NULL) => 0,
            _ => return self.malformed("floats and other simple values are not used here"),
        };
        for _ in 0..nested {
            self.skip_nested(depth + 1)?;
        }
        Ok(())
    }

    /// Fails if anything is left.
    ///
    /// # Errors
    /// It says where the rest begins.
    pub fn finish(&self) -> Result<(), ProofError> {
        if self.cursor.remaining() == 0 {
            return Ok(());
        }
        self.malformed("bytes follow the last item")
    }
}

/// Calls `read` for each pair of the next map, and refuses a label that stands twice. `read` must take
/// the pair's value, whole.
///
/// # Errors
/// The next item is no map, a label stands twice, or what `read` refuses.
pub fn each_pair<'a>(
    reader: &mut Reader<'a>,
    mut read: impl FnMut(Label<'a>, &mut Reader<'a>) -> Result<(), ProofError>,
) -> Result<(), ProofError> {
    let pairs = reader.map()?;
    let mut seen = Vec::new();
    for _ in 0..pairs {
        let label = reader.label()?;
        if seen.contains(&label) {
            return reader.malformed("a label stands twice in a map");
        }
        seen.push(label);
        read(label, reader)?;
    }
    Ok(())
}

fn bounded(items: u64) -> Result<u64, ProofError> {
    if items <= CBOR_ITEMS_MAX {
        return Ok(items);
    }
    Err(ProofError::TooLarge { what: "items of a CBOR map", found: items, limit: CBOR_ITEMS_MAX })
}

fn put_head(out: &mut Vec<u8>, major: u8, argument: u64) {
    let major = major << 5;
    if let Ok(byte) = u8::try_from(argument) {
        if byte < 24 {
            out.push(major | byte);
        } else {
            out.extend_from_slice(&[major | 24, byte]);
        }
    } else if let Ok(short) = u16::try_from(argument) {
        out.push(major | 25);
        out.extend_from_slice(&short.to_be_bytes());
    } else if let Ok(word) = u32::try_from(argument) {
        out.push(major | 26);
        out.extend_from_slice(&word.to_be_bytes());
    } else {
        out.push(major | 27);
        out.extend_from_slice(&argument.to_be_bytes());
    }
}

/// Writes an integer.
pub fn put_int(out: &mut Vec<u8>, number: i64) {
    match u64::try_from(number) {
        Ok(number) => put_head(out, UNSIGNED, number),
        Err(_) => put_head(out, NEGATIVE, !number as u64),
    }
}

/// Writes an integer that is not negative.
pub fn put_uint(out: &mut Vec<u8>, number: u64) {
    put_head(out, UNSIGNED, number);
}

/// Writes a byte string.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_head(out, BYTES, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Writes a text string.
pub fn put_text(out: &mut Vec<u8>, text: &str) {
    put_head(out, TEXT, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// Writes the head of an array; the items follow.
pub fn put_array(out: &mut Vec<u8>, items: usize) {
    put_head(out, ARRAY, items as u64);
}

/// Writes the head of a map; the pairs follow.
pub fn put_map(out: &mut Vec<u8>, pairs: usize) {
    put_head(out, MAP, pairs as u64);
}

/// Writes a tag; the tagged item follows.
pub fn put_tag(out: &mut Vec<u8>, tag: u64) {
    put_head(out, TAG, tag);
}

/// Writes true or false.
pub fn put_bool(out: &mut Vec<u8>, value: bool) {
    put_head(out, SIMPLE, if value { TRUE } else { FALSE });
}

/// Writes null.
pub fn put_null(out: &mut Vec<u8>) {
    put_head(out, SIMPLE, NULL);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn integers_take_their_shortest_form_and_no_other() {
        for (number, bytes) in [
            (0, vec![0x00]),
            (23, vec![0x17]),
            (24, vec![0x18, 24]),
            (395, vec![0x19, 0x01, 0x8b]),
            (65536, vec![0x1a, 0, 1, 0, 0]),
            (1 << 32, vec![0x1b, 0, 0, 0, 1, 0, 0, 0, 0]),
            (-1, vec![0x20]),
            (-35, vec![0x38, 0x22]),
            (i64::MIN, vec![0x3b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ] {
            let mut out = Vec::new();
            put_int(&mut out, number);
            assert_eq!(out, bytes);
            assert_eq!(Reader::new(&bytes).int(), Ok(number));
        }
        for long in [&[0x18, 23][..], &[0x19, 0, 255], &[0x1a, 0, 0, 255, 255]] {
            assert!(Reader::new(long).int().is_err());
        }
    }

    #[test]
    fn depth_counts_and_odd_items_are_refused() {
        let deep = [0x81; 64];
        assert!(Reader::new(&deep).skip().is_err());
        assert!(
            Reader::new(&[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]).skip().is_err()
        );
        assert!(Reader::new(&[0x5f, 0xff]).skip().is_err(), "indefinite length");
        assert!(Reader::new(&[0xf9, 0, 0]).skip().is_err(), "float");
        assert!(Reader::new(&[0x42, 0]).bytes().is_err(), "cut short");
        assert_eq!(Reader::of_any_form(&[0xf9, 0, 0]).skip(), Ok(&[0xf9, 0, 0][..]));
        assert_eq!(Reader::of_any_form(&[0x18, 7]).int(), Ok(7));
        assert!(Reader::of_any_form(&deep).skip().is_err());
        assert!(Reader::of_any_form(&[0x5f, 0xff]).skip().is_err(), "indefinite length");
    }
}
