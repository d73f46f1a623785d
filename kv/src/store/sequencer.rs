//! What the store's lock guards: the head, the numbers, and what is needed to undo.
//!
//! Invariants
//! * There is one undo record for each transaction above the commit point, in order.
//! * Undoing the records from the last to the first gives back every state in between.

use std::collections::VecDeque;

use affiant_proof::TxId;

use super::snapshot::State;
use crate::limits::{UNCOMMITTED_BYTES_MAX_DEFAULT, UNCOMMITTED_COUNT_MAX_DEFAULT};
use crate::map::{Key, Value, Versioned};
use crate::name::MapName;

/// One write to one map: key and new value, or `None` for a removal.
pub(crate) type KeyWrite = (Key, Option<Value>);

/// The writes of one transaction to one map, ascending by key.
#[derive(Debug)]
pub(crate) struct MapWrites {
    pub(crate) name: MapName,
    pub(crate) writes: Vec<KeyWrite>,
}

/// What a transaction replaced, newest last. Filled under the lock, allocated and freed outside.
pub(super) struct Undo {
    previous: TxId,
    txid: TxId,
    maps: Vec<MapBefore>,
    /// Bytes written: what the transaction holds until it is committed.
    bytes: usize,
}

/// A map as it was before a transaction wrote to it.
struct MapBefore {
    name: MapName,
    version: u64,
    keys: Vec<(Key, Option<Versioned>)>,
}

impl Undo {
    /// Room to undo `writes`, without anything in it yet.
    pub(super) fn for_writes(writes: &[MapWrites]) -> Self {
        let maps = writes.iter().map(|map| MapBefore {
            name: map.name.clone(),
            version: 0,
            keys: Vec::with_capacity(map.writes.len()),
        });
        let bytes = writes
            .iter()
            .flat_map(|map| &map.writes)
            .map(|(key, value)| key.len() + value.as_ref().map_or(0, |value| value.len()));
        let (previous, txid) = (TxId::default(), TxId::default());
        Self { previous, txid, maps: maps.collect(), bytes: bytes.sum() }
    }
}

pub(super) struct Sequencer {
    pub(super) head: State,
    /// The view in which transactions are numbered; `None` while this node is not primary.
    pub(super) view: Option<u64>,
    undo: VecDeque<Undo>,
    uncommitted_bytes: usize,
    pub(super) uncommitted_count_max: usize,
    pub(super) uncommitted_bytes_max: usize,
}

impl Default for Sequencer {
    fn default() -> Self {
        Self {
            head: State::default(),
            view: None,
            undo: VecDeque::new(),
            uncommitted_bytes: 0,
            uncommitted_count_max: UNCOMMITTED_COUNT_MAX_DEFAULT,
            uncommitted_bytes_max: UNCOMMITTED_BYTES_MAX_DEFAULT,
        }
    }
}

impl Sequencer {
    /// Whether no more may be numbered before something is committed. One transaction always fits.
    pub(super) fn is_full(&self) -> bool {
        self.undo.len() >= self.uncommitted_count_max
            || self.uncommitted_bytes >= self.uncommitted_bytes_max
    }

    /// Takes the next number and applies `writes` to the head.
    pub(super) fn append(&mut self, view: u64, writes: &[MapWrites], mut undo: Undo) -> TxId {
        let previous = self.head.version;
        let txid = TxId::new(view, previous.seqno + 1);
        (undo.previous, undo.txid) = (previous, txid);
        self.head.version = txid;
        apply(&mut self.head, &mut undo, writes);
        self.uncommitted_bytes += undo.bytes;
        self.undo.push_back(undo);
        txid
    }

    /// Applies the tables of the signature that took its number before. False if it was undone since.
    pub(super) fn fill_in(&mut self, txid: TxId, writes: &[MapWrites], mut undo: Undo) -> bool {
        let Some(first) = self.undo.front().map(|undo| undo.txid.seqno) else { return false };
        let position = txid.seqno.checked_sub(first).and_then(|at| usize::try_from(at).ok());
        let Some(own) = position.and_then(|position| self.undo.get_mut(position)) else {
            return false;
        };
        if own.txid != txid {
            return false;
        }
        (undo.previous, undo.txid) = (own.previous, txid);
        apply(&mut self.head, &mut undo, writes);
        self.uncommitted_bytes += undo.bytes;
        *own = undo;
        true
    }

    /// Applies an entry that is in the ledger: it is never undone.
    pub(super) fn replay(&mut self, txid: TxId, writes: Vec<MapWrites>) {
        self.head.version = txid;
        self.head.revision += 1;
        for map in writes {
            let state = self.head.maps.entry(map.name).or_default();
            for (key, value) in &map.writes {
                state.apply(txid.seqno, key, value.as_ref());
            }
        }
    }

    /// Undoes everything above `seqno`; gives what is to be freed outside the lock.
    pub(super) fn rollback(&mut self, seqno: u64) -> Vec<MapName> {
        let mut names = Vec::new();
        while let Some(undo) = self.undo.pop_back_if(|undo| undo.txid.seqno > seqno) {
            for before in undo.maps.into_iter().rev() {
                let state = self.head.maps.entry(before.name.clone()).or_default();
                for (key, value) in before.keys.into_iter().rev() {
                    state.undo(before.version, &key, value);
                }
                names.push(before.name);
            }
            self.uncommitted_bytes -= undo.bytes;
            self.head.version = undo.previous;
        }
        assert!(self.head.version.seqno <= seqno, "every undone entry had its record");
        self.head.epoch += 1;
        self.head.revision += 1;
        names
    }

    /// Gives up the means to undo what is at or below `seqno`: to be freed outside the lock.
    pub(super) fn compact(&mut self, seqno: u64) -> Vec<Undo> {
        assert!(seqno <= self.head.version.seqno, "commit follows the head");
        let keep = self.undo.partition_point(|undo| undo.txid.seqno <= seqno);
        let forgotten: Vec<Undo> = self.undo.drain(..keep).collect();
        self.uncommitted_bytes -= forgotten.iter().map(|undo| undo.bytes).sum::<usize>();
        forgotten
    }
}

fn apply(head: &mut State, undo: &mut Undo, writes: &[MapWrites]) {
    assert_eq!(undo.maps.len(), writes.len(), "a record was made for these writes");
    head.revision += 1;
    for (map, before) in writes.iter().zip(&mut undo.maps) {
        let state = match head.maps.get_mut(&map.name) {
            Some(state) => state,
            None => head.maps.entry(map.name.clone()).or_default(),
        };
        before.version = state.version();
        for (key, value) in &map.writes {
            let replaced = state.apply(undo.txid.seqno, key, value.as_ref());
            before.keys.push((key.clone(), replaced));
        }
    }
}
