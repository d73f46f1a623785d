//! Bytes of keys and values, as people and scripts can read them.

use affiant_proof::entry::{EntryKind, EntryView, PUBLIC_PREFIX};
use affiant_proof::{ProofError, tables, to_hex};
use serde_json::{Value as Json, json};

/// A value printed on one line is cut after this many characters.
const LINE_CHARACTERS_MAX: usize = 120;

/// Text, if the bytes are UTF-8 without control characters other than white space.
fn as_text(bytes: &[u8]) -> Option<&str> {
    let plain = |character: char| !character.is_control() || character.is_ascii_whitespace();
    std::str::from_utf8(bytes).ok().filter(|text| text.chars().all(plain))
}

/// For a script: the encoding by name, then the content.
pub(crate) fn encoded(bytes: &[u8], parse_json: bool) -> (&'static str, Json) {
    let structured = |value: &Json| value.is_object() || value.is_array();
    if parse_json && let Some(value) = serde_json::from_slice::<Json>(bytes).ok().filter(structured)
    {
        return ("json", value);
    }
    match as_text(bytes) {
        Some(text) => ("utf8", json!(text)),
        None => ("hex", json!(to_hex(bytes))),
    }
}

/// For a person: one line, cut if long.
pub(crate) fn line(bytes: &[u8]) -> String {
    // CCF 1.x ended PEM texts with a zero byte.
    let text = match as_text(bytes.strip_suffix(&[0]).filter(|b| !b.is_empty()).unwrap_or(bytes)) {
        Some(text) => text.replace('\n', "\\n").replace('\r', "\\r").replace('\t', "\\t"),
        None => format!("0x{}", to_hex(bytes.get(..LINE_CHARACTERS_MAX).unwrap_or(bytes))),
    };
    match text.char_indices().nth(LINE_CHARACTERS_MAX) {
        Some((cut, _)) => format!("{}... ({} bytes)", &text[..cut], bytes.len()),
        None => text,
    }
}

/// What an entry is, by its public tables.
pub(crate) fn kind(entry: &EntryView<'_>) -> Result<&'static str, ProofError> {
    if entry.kind() == EntryKind::Snapshot {
        return Ok("snapshot");
    }
    for map in entry.maps() {
        if map?.name() == tables::SIGNATURES.as_bytes() {
            return Ok("signature");
        }
    }
    Ok("transaction")
}

/// Whether a table is readable by all.
pub(crate) fn is_public(name: &[u8]) -> bool {
    name.starts_with(PUBLIC_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_json_text_or_hex() {
        assert_eq!(encoded(b"{\"a\":1}", true), ("json", json!({"a": 1})));
        assert_eq!(encoded(b"{\"a\":1}", false), ("utf8", json!("{\"a\":1}")));
        assert_eq!(encoded(b"42", true), ("utf8", json!("42")));
        assert_eq!(encoded(&[0; 8], true), ("hex", json!("0000000000000000")));
        assert_eq!(encoded(&[0xff, 0xfe], true), ("hex", json!("fffe")));
    }

    #[test]
    fn lines_are_cut_and_stay_lines() {
        assert_eq!(line(b"{\"a\":\n\"\\n\"}"), "{\"a\":\\n\"\\n\"}");
        assert_eq!(line(b"PEM\n\0"), "PEM\\n");
        assert_eq!(line(&[0, 1]), "0x0001");
        let long = line(&[b'x'; 500]);
        assert!(long.ends_with("... (500 bytes)") && long.len() < 150, "{long}");
        assert!(line(&[0xff; 500]).ends_with("... (500 bytes)"));
    }
}
