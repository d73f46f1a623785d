//! What the store's lock guards: the head, the numbers, and what is needed to undo.
//!
//! Invariants
//! * There is one record for each transaction above the commit point, in order, and behind them, in
//!   the order in which they were replaced, the values that they replaced.
//! * Undoing the records from the last to the first gives back every state in between.
//! * Records lie in two queues that grow rarely and never shrink, so that a transaction costs no
//!   allocation here.

use std::collections::VecDeque;

use affiant_proof::TxId;

use super::snapshot::State;
use crate::limits::{UNCOMMITTED_BYTES_MAX_DEFAULT, UNCOMMITTED_COUNT_MAX_DEFAULT};
use crate::map::{Key, MapState, Value, Versioned};
use crate::name::MapName;

/// One write to one map: key and new value, or `None` for a removal.
pub(crate) type KeyWrite = (Key, Option<Value>);

/// The writes of one transaction to one map, ascending by key.
#[derive(Debug)]
pub(crate) struct MapWrites {
    pub(crate) name: MapName,
    pub(crate) writes: Vec<KeyWrite>,
}

/// What undoes one transaction.
struct Record {
    previous: TxId,
    txid: TxId,
    /// Bytes written: what the transaction holds until it is committed.
    bytes: usize,
    /// How many of the replaced values are its own.
    replaced: usize,
    /// What a signature's tables replaced: they come after later transactions may have had numbers.
    late: Vec<Replaced>,
}

/// A value as it was before a transaction wrote its key.
pub(super) struct Replaced {
    map: u32,
    /// The map's version before the write.
    version: u64,
    key: Key,
    before: Option<Versioned>,
}

pub(super) struct Sequencer {
    pub(super) head: State,
    /// The view in which transactions are numbered; `None` while this node is not primary.
    pub(super) view: Option<u64>,
    /// The head is published.
    pub(super) is_published: bool,
    /// The name of each map, by its id.
    names: Vec<MapName>,
    records: VecDeque<Record>,
    replaced: VecDeque<Replaced>,
    uncommitted_bytes: usize,
    pub(super) uncommitted_count_max: usize,
    pub(super) uncommitted_bytes_max: usize,
}

impl Default for Sequencer {
    fn default() -> Self {
        Self {
            head: State::default(),
            view: None,
            is_published: false,
            names: Vec::new(),
            records: VecDeque::new(),
            replaced: VecDeque::new(),
            uncommitted_bytes: 0,
            uncommitted_count_max: UNCOMMITTED_COUNT_MAX_DEFAULT,
            uncommitted_bytes_max: UNCOMMITTED_BYTES_MAX_DEFAULT,
        }
    }
}

/// Bytes of keys and values in `writes`.
pub(super) fn bytes_of(writes: &[MapWrites]) -> usize {
    let writes = writes.iter().flat_map(|map| &map.writes);
    writes.map(|(key, value)| key.len() + value.as_ref().map_or(0, |value| value.len())).sum()
}

impl Sequencer {
    /// Whether no more may be numbered before something is committed. One transaction always fits.
    pub(super) fn is_full(&self) -> bool {
        self.records.len() >= self.uncommitted_count_max
            || self.uncommitted_bytes >= self.uncommitted_bytes_max
    }

    /// Takes the next number and applies `writes`, of so many bytes, to the head.
    pub(super) fn append(&mut self, view: u64, writes: &[MapWrites], bytes: usize) -> TxId {
        let previous = self.head.version;
        let txid = TxId::new(view, previous.seqno + 1);
        self.head.version = txid;
        self.head.revision += 1;
        for map in writes {
            change(&mut self.head, &mut self.names, &map.name, |state| {
                for (key, value) in &map.writes {
                    self.replaced.push_back(replace(state, txid.seqno, key, value.as_ref()));
                }
            });
        }
        self.uncommitted_bytes += bytes;
        let replaced = writes.iter().map(|map| map.writes.len()).sum();
        self.records.push_back(Record { previous, txid, bytes, replaced, late: Vec::new() });
        txid
    }

    /// Applies the tables of the signature that took its number before; nothing if it was undone
    /// since.
    pub(super) fn fill_in(
        &mut self,
        txid: TxId,
        writes: &[MapWrites],
        bytes: usize,
        mut late: Vec<Replaced>,
    ) {
        let Some(first) = self.records.front().map(|record| record.txid.seqno) else { return };
        let position = txid.seqno.checked_sub(first).and_then(|at| usize::try_from(at).ok());
        let own = position.and_then(|position| self.records.get_mut(position));
        let Some(own) = own.filter(|own| own.txid == txid) else { return };
        self.head.revision += 1;
        for map in writes {
            change(&mut self.head, &mut self.names, &map.name, |state| {
                for (key, value) in &map.writes {
                    late.push(replace(state, txid.seqno, key, value.as_ref()));
                }
            });
        }
        own.late = late;
        own.bytes += bytes;
        self.uncommitted_bytes += bytes;
    }

    /// Applies an entry that is in the ledger: it is never undone.
    pub(super) fn replay(&mut self, txid: TxId, writes: Vec<MapWrites>) {
        self.head.version = txid;
        self.head.revision += 1;
        for map in writes {
            change(&mut self.head, &mut self.names, &map.name, |state| {
                for (key, value) in map.writes {
                    state.apply(txid.seqno, &key, value);
                }
            });
        }
    }

    /// Undoes everything above `seqno`.
    pub(super) fn rollback(&mut self, seqno: u64) {
        while let Some(record) = self.records.pop_back_if(|record| record.txid.seqno > seqno) {
            let own = self.replaced.split_off(self.replaced.len() - record.replaced);
            for replaced in record.late.into_iter().rev().chain(own.into_iter().rev()) {
                let name = &self.names[replaced.map as usize];
                let state = self.head.maps.get_mut(name).expect("a map that was written exists");
                state.undo(replaced.version, &replaced.key, replaced.before);
            }
            self.uncommitted_bytes -= record.bytes;
            self.head.version = record.previous;
        }
        assert!(self.head.version.seqno <= seqno, "every undone entry had its record");
        self.head.epoch += 1;
        self.head.revision += 1;
        self.head.governance_revision = self.head.revision;
    }

    /// Gives up the means to undo at most `count` of what is at or below `seqno`; what they held is
    /// added to `forgotten`, to be freed outside the lock. False once there is no more.
    pub(super) fn compact(
        &mut self,
        seqno: u64,
        count: usize,
        forgotten: &mut Vec<Replaced>,
    ) -> bool {
        assert!(seqno <= self.head.version.seqno, "commit follows the head");
        for _ in 0..count {
            let Some(record) = self.records.pop_front_if(|record| record.txid.seqno <= seqno)
            else {
                return false;
            };
            self.uncommitted_bytes -= record.bytes;
            forgotten.extend(self.replaced.drain(..record.replaced));
            forgotten.extend(record.late);
        }
        true
    }
}

/// Changes the map of that name in the head, new if need be.
fn change(
    head: &mut State,
    names: &mut Vec<MapName>,
    name: &MapName,
    act: impl FnOnce(&mut MapState),
) {
    let state = match head.maps.get_mut(name) {
        Some(state) => state,
        None => {
            let id = u32::try_from(names.len()).expect("fewer maps than 2^32");
            names.push(name.clone());
            head.maps.entry(name.clone()).or_insert(MapState::new(id, name))
        }
    };
    act(state);
    if state.is_governed() {
        head.governance_revision = head.revision;
    }
}

fn replace(state: &mut MapState, seqno: u64, key: &Key, value: Option<&Value>) -> Replaced {
    let (map, version) = (state.id(), state.version());
    Replaced { map, version, key: key.clone(), before: state.apply(seqno, key, value.cloned()) }
}
