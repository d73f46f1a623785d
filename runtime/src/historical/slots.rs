//! What the cache holds, by handle: ranges that wait for commit, are being loaded, or are ready. No
//! clock, thread or file: time and loaded entries come in as arguments.
//!
//! Invariants
//! * `bytes` is the sum over all slots, and above its bound only by what a caller is told to drop.
//! * A range that is being loaded has reserved what it will take, about, before its first entry is read;
//!   what others have loaded makes room, least recently asked for first. Two ranges that do not fit
//!   together are loaded one after the other.
//! * What is removed goes into the caller's `garbage`, to be dropped after its lock.

use std::collections::HashMap;
use std::sync::Arc;

use super::error::HistoricalError;
use super::state::{HistoricalState, HistoricalStates};
use crate::limits::HISTORICAL_PIECE_COUNT_MAX;

/// Keeps the handles of different holders apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HistoricalNamespace {
    /// The application's number; 0 is the host's own.
    pub(crate) application: u64,
    /// The front end's position in it.
    pub(crate) frontend: usize,
}

impl HistoricalNamespace {
    /// That of the program in which the node is embedded.
    pub const HOST: Self = Self { application: 0, frontend: 0 };
    /// That of endpoints with mode `historical`, by seqno.
    pub(crate) const REQUESTS: Self = Self { application: 0, frontend: 1 };
}

/// Whose handle, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct SlotKey {
    pub(super) namespace: HistoricalNamespace,
    pub(super) handle: u64,
}

/// Seqnos, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) first: u64,
    pub(super) last: u64,
}

impl Range {
    pub(super) fn count(self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }
}

enum Content {
    /// Its last entry is not committed.
    Waiting,
    Loading {
        states: Vec<Arc<HistoricalState>>,
        reserved: bool,
        since_ms: u64,
    },
    Ready(HistoricalStates),
    Failed(HistoricalError),
}

/// What one handle holds.
pub(super) struct Slot {
    id: u64,
    range: Range,
    content: Content,
    bytes: usize,
    expires_ms: u64,
    /// When it was last asked for, on the slots' own count.
    used: u64,
    /// When it was last worked on, likewise.
    turn: u64,
}

/// What the bounds are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) bytes_max: usize,
    /// Handles of one namespace.
    pub(super) handles_max: usize,
    /// Handles of all.
    pub(super) slots_max: usize,
}

/// The answer to one who asks for a range.
#[derive(Debug)]
pub(super) enum Answer {
    Ready(HistoricalStates),
    Pending,
    Failed(HistoricalError),
}

/// Entries to be loaded next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) key: SlotKey,
    slot: u64,
    pub(super) whole: Range,
    pub(super) part: Range,
    pub(super) reserved: bool,
}

/// Whether a range may be loaded.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reservation {
    Granted,
    /// Once others are loaded.
    Later,
    /// Nobody wants it any more, or it is too large.
    Void,
}

pub(super) struct Slots {
    slots: HashMap<SlotKey, Slot>,
    bytes: usize,
    bounds: Bounds,
    count: u64,
}

impl Slots {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { slots: HashMap::new(), bytes: 0, bounds, count: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    fn tick(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    /// Asks for a range, and puts its expiry off. `committed` is the newest seqno that can be read.
    pub(super) fn ask(
        &mut self,
        key: SlotKey,
        range: Range,
        expires_ms: u64,
        now_ms: u64,
        committed: u64,
        garbage: &mut Vec<Slot>,
    ) -> Answer {
        let known = |slot: &Slot| slot.range == range && slot.expires_ms > now_ms;
        if !self.slots.get(&key).is_some_and(known) {
            self.remove(key, garbage);
            self.make_place(key.namespace, garbage);
            let id = self.tick();
            let content = Content::Waiting;
            let slot = Slot { id, range, content, bytes: 0, expires_ms: 0, used: 0, turn: id };
            self.slots.insert(key, slot);
        }
        let used = self.tick();
        let Some(slot) = self.slots.get_mut(&key) else { return Answer::Pending };
        (slot.used, slot.expires_ms) = (used, expires_ms);
        match &slot.content {
            Content::Waiting if range.last <= committed => {
                slot.content =
                    Content::Loading { states: Vec::new(), reserved: false, since_ms: now_ms };
                Answer::Pending
            }
            Content::Waiting | Content::Loading { .. } => Answer::Pending,
            Content::Ready(states) => Answer::Ready(states.clone()),
            Content::Failed(error) => {
                let error = error.clone();
                self.remove(key, garbage);
                Answer::Failed(error)
            }
        }
    }

    /// Drops what a handle holds; whether it held anything.
    pub(super) fn remove(&mut self, key: SlotKey, garbage: &mut Vec<Slot>) -> bool {
        let Some(slot) = self.slots.remove(&key) else { return false };
        self.bytes -= slot.bytes;
        garbage.push(slot);
        true
    }

    /// Drops what nobody has asked for in time.
    pub(super) fn expire(&mut self, now_ms: u64, garbage: &mut Vec<Slot>) {
        let expired: Vec<SlotKey> = self
            .slots
            .iter()
            .filter(|(_, slot)| slot.expires_ms <= now_ms)
            .map(|(key, _)| *key)
            .collect();
        for key in expired {
            self.remove(key, garbage);
        }
    }

    /// What to load next: single transactions first, then ranges in turn.
    pub(super) fn next_piece(&mut self) -> Option<Piece> {
        let turn = self.tick();
        let loading = |slot: &Slot| matches!(slot.content, Content::Loading { .. });
        let (key, slot) = self
            .slots
            .iter_mut()
            .filter(|(_, slot)| loading(slot))
            .min_by_key(|(_, slot)| (slot.range.count() > 1, slot.turn))?;
        slot.turn = turn;
        let Content::Loading { states, reserved, .. } = &slot.content else { return None };
        let first = slot.range.first + states.len() as u64;
        let last = slot.range.last.min(first + HISTORICAL_PIECE_COUNT_MAX - 1);
        Some(Piece {
            key: *key,
            slot: slot.id,
            whole: slot.range,
            part: Range { first, last },
            reserved: *reserved,
        })
    }

    /// Reserves what a range will take, about.
    pub(super) fn reserve(
        &mut self,
        piece: &Piece,
        bytes: usize,
        garbage: &mut Vec<Slot>,
    ) -> Reservation {
        if self.loading(piece).is_none() {
            return Reservation::Void;
        }
        if bytes > self.bounds.bytes_max {
            let limit = self.bounds.bytes_max;
            self.fail(piece, HistoricalError::TooLarge { bytes, limit }, garbage);
            return Reservation::Void;
        }
        if !self.make_room(piece.key, bytes, garbage) {
            return Reservation::Later;
        }
        if let Some(slot) = self.loading(piece) {
            slot.bytes = bytes;
            if let Content::Loading { reserved, .. } = &mut slot.content {
                *reserved = true;
            }
            self.bytes += bytes;
        }
        Reservation::Granted
    }

    /// Takes loaded entries in. If they complete a range: for how long it was loading, in ms.
    pub(super) fn deliver(
        &mut self,
        piece: &Piece,
        more: Vec<Arc<HistoricalState>>,
        now_ms: u64,
        garbage: &mut Vec<Slot>,
    ) -> Option<u64> {
        let slot = self.loading(piece)?;
        let Content::Loading { states, since_ms, .. } = &mut slot.content else { return None };
        let took_ms = now_ms.saturating_sub(*since_ms);
        states.extend(more);
        let bytes: usize = states.iter().map(|state| state.memory_bytes()).sum();
        let complete = states.len() as u64 == slot.range.count();
        let before = slot.bytes;
        if complete {
            slot.content = Content::Ready(core::mem::take(states).into());
        }
        if complete || bytes > before {
            // What was reserved was a guess.
            let growth = bytes.saturating_sub(before);
            if growth > 0 && !self.make_room(piece.key, growth, garbage) {
                let limit = self.bounds.bytes_max;
                if bytes > limit {
                    self.fail(piece, HistoricalError::TooLarge { bytes, limit }, garbage);
                } else {
                    // Beside the others it does not fit: whoever asks again starts it again.
                    self.remove(piece.key, garbage);
                }
                return None;
            }
            self.bytes = self.bytes - before + bytes;
            if let Some(slot) = self.slots.get_mut(&piece.key) {
                slot.bytes = bytes;
            }
        }
        complete.then_some(took_ms)
    }

    /// Notes that a range cannot be loaded; the next who asks is told.
    pub(super) fn fail(&mut self, piece: &Piece, error: HistoricalError, garbage: &mut Vec<Slot>) {
        let Some(slot) = self.slots.get(&piece.key).filter(|slot| slot.id == piece.slot) else {
            return;
        };
        let (range, expires_ms, used, turn) = (slot.range, slot.expires_ms, slot.used, slot.turn);
        self.remove(piece.key, garbage);
        let content = Content::Failed(error);
        let slot = Slot { id: piece.slot, range, content, bytes: 0, expires_ms, used, turn };
        self.slots.insert(piece.key, slot);
    }

    /// The slot for which a piece was loaded, if it still is there.
    fn loading(&mut self, piece: &Piece) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(&piece.key)?;
        let same = slot.id == piece.slot && matches!(slot.content, Content::Loading { .. });
        same.then_some(slot)
    }

    /// Drops loaded ranges other than `keep` until `bytes` more fit; false if they do not.
    fn make_room(&mut self, keep: SlotKey, bytes: usize, garbage: &mut Vec<Slot>) -> bool {
        while self.bytes.saturating_add(bytes) > self.bounds.bytes_max {
            let ready = |slot: &Slot| matches!(slot.content, Content::Ready(_));
            let oldest = self
                .slots
                .iter()
                .filter(|(key, slot)| **key != keep && ready(slot))
                .min_by_key(|(_, slot)| slot.used)
                .map(|(key, _)| *key);
            match oldest {
                Some(key) => self.remove(key, garbage),
                None => return false,
            };
        }
        true
    }

    /// Drops the least recently used handle where a bound on their number is reached: of the namespace
    /// itself, or of all.
    fn make_place(&mut self, namespace: HistoricalNamespace, garbage: &mut Vec<Slot>) {
        let own = self.slots.keys().filter(|key| key.namespace == namespace).count();
        let full = own >= self.bounds.handles_max;
        if !full && self.slots.len() < self.bounds.slots_max {
            return;
        }
        let oldest = self
            .slots
            .iter()
            .filter(|(key, _)| !full || key.namespace == namespace)
            .min_by_key(|(_, slot)| slot.used)
            .map(|(key, _)| *key);
        if let Some(key) = oldest {
            self.remove(key, garbage);
        }
    }
}

#[cfg(test)]
mod tests;
