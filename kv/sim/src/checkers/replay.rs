//! Promise: the state after a restart is the state that the same transactions had made before.

use affiant_kv::Snapshot;

use crate::ledger::{State, is_signature_map};
use crate::violation::{Checked, Violation};

/// Compares a node's state with the expected one: every map but those that signatures write, or
/// every map (`with_signatures`).
///
/// # Errors
/// They differ; names the first place.
pub(crate) fn check_replay(
    snapshot: &Snapshot,
    expected: &State,
    with_signatures: bool,
) -> Checked {
    let maps: Vec<&str> = snapshot
        .map_names()
        .map(|name| name.as_str())
        .filter(|name| with_signatures || !is_signature_map(name))
        .collect();
    let found = maps.iter().flat_map(|map| {
        snapshot.entries(map).map(|(key, value, seqno)| (*map, &**key, &**value, seqno))
    });
    let expected = expected
        .iter()
        .filter(|((map, _), _)| with_signatures || !is_signature_map(map))
        .map(|((map, key), (seqno, value))| (map.as_str(), &key[..], &value[..], *seqno));
    compare(found, expected)
}

/// Map, key, value and seqno.
type Row<'a> = (&'a str, &'a [u8], &'a [u8], u64);

fn compare<'a>(
    mut found: impl Iterator<Item = Row<'a>>,
    mut expected: impl Iterator<Item = Row<'a>>,
) -> Checked {
    loop {
        match (found.next(), expected.next()) {
            (None, None) => return Ok(()),
            (found, expected) if found == expected => {}
            (found, expected) => {
                let detail =
                    format!("the state has {}, expected {}", describe(found), describe(expected));
                return Err(Violation::new("replay equals live", detail));
            }
        }
    }
}

fn describe(row: Option<Row<'_>>) -> String {
    row.map_or_else(
        || "nothing more".to_owned(),
        |(map, key, value, seqno)| {
            format!("{map}[{}] of {} bytes from {seqno}", key.escape_ascii(), value.len())
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_difference_is_seen() {
        let rows: [Row<'_>; 2] = [("a", b"1", b"x", 1), ("b", b"1", b"y", 2)];
        let check = |found: &[Row<'static>]| compare(found.iter().copied(), rows.into_iter());
        assert!(check(&[("a", b"1", b"x", 1), ("b", b"1", b"y", 2)]).is_ok());
        assert!(check(&[("a", b"1", b"x", 1)]).is_err(), "missing");
        assert!(check(&[("a", b"1", b"z", 1), ("b", b"1", b"y", 2)]).is_err(), "value");
        assert!(check(&[("a", b"1", b"x", 2), ("b", b"1", b"y", 2)]).is_err(), "seqno");
        let more = [("a", &b"1"[..], &b"x"[..], 1), ("b", b"1", b"y", 2), ("c", b"", b"", 3)];
        assert!(check(&more).is_err(), "too much");
    }
}
