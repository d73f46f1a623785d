//! Promise: a transaction that was numbered read exactly the state that the one before it left.

use affiant_proof::TxId;

use crate::ledger::{Place, State};
use crate::violation::{Checked, Violation};

/// Something a transaction read outside its own writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// One key: what was found.
    Key(Place, Option<Vec<u8>>),
    /// A run of keys of one map, from a key on: what was found, at most `limit` of them.
    Range {
        /// The map.
        map: String,
        /// The first key that may be found.
        from: Vec<u8>,
        /// The most that were asked for.
        limit: usize,
        /// Key and value of each.
        found: Vec<(Vec<u8>, Vec<u8>)>,
    },
}

/// Checks what `txid` read against the state before it.
///
/// # Errors
/// It read something else.
pub(crate) fn check_serialisable(txid: TxId, reads: &[Read], before: &State) -> Checked {
    for read in reads {
        let agrees = match read {
            Read::Key(place, found) => before.get(place).map(|(_, value)| value) == found.as_ref(),
            Read::Range { map, from, limit, found } => {
                let expected = before
                    .range((map.clone(), from.clone())..)
                    .take_while(|((name, _), _)| name == map)
                    .take(*limit)
                    .map(|((_, key), (_, value))| (key, value));
                expected.eq(found.iter().map(|(key, value)| (key, value)))
            }
        };
        if !agrees {
            let detail = format!("{txid} read {read:?}, which is not what stood before it");
            return Err(Violation::new("serialisable", detail));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stale_reads_and_phantoms_are_seen() {
        let place = |key: &str| ("map".to_owned(), key.as_bytes().to_vec());
        let state: State = [(place("a"), (1, vec![1])), (place("c"), (2, vec![2]))].into();
        let check = |read| check_serialisable(TxId::new(2, 3), &[read], &state);
        assert!(check(Read::Key(place("a"), Some(vec![1]))).is_ok());
        assert!(check(Read::Key(place("a"), Some(vec![0]))).is_err(), "stale");
        assert!(check(Read::Key(place("b"), None)).is_ok());
        assert!(check(Read::Key(place("c"), None)).is_err(), "missed");
        let range = |limit, found: &[(&str, u8)]| Read::Range {
            map: "map".to_owned(),
            from: b"a".to_vec(),
            limit,
            found: found.iter().map(|(k, v)| (k.as_bytes().to_vec(), vec![*v])).collect(),
        };
        assert!(check(range(9, &[("a", 1), ("c", 2)])).is_ok());
        assert!(check(range(1, &[("a", 1)])).is_ok());
        assert!(check(range(9, &[("a", 1)])).is_err(), "a phantom");
    }
}
