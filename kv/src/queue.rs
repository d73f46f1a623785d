//! The queue from those who commit to the core: sealed entries, handed over in the order of their
//! numbers.
//!
//! Writers copy a small entry into a buffer that all share and the core takes whole, so that an entry
//! costs no memory of its own. The core puts in order what came out of order, outside the lock.
//!
//! Invariant: an entry leaves once all before it have left, and never twice.

use std::collections::VecDeque;
use std::time::Duration;

use affiant_proof::TxId;
use bytes::{Bytes, BytesMut};
use parking_lot::{Condvar, Mutex};

use crate::limits::{BUFFER_BYTES, GATHERED_ENTRY_BYTES_MAX};
use crate::recycler::Recycler;
use crate::write_set::{Digests, SealedEntry};

/// Entries on their way to the core, in seqno order. Bounded by the store's bound on uncommitted
/// transactions.
#[derive(Default)]
pub struct SealedQueue {
    arrived: Mutex<Arrived>,
    wake: Condvar,
    /// The core's side.
    order: Mutex<Order>,
}

/// What has come since the core last looked, in the order of its coming.
#[derive(Default)]
struct Arrived {
    entries: Vec<Entry>,
    /// The small ones, one after the other: in the buffers that are full, and then in this one.
    small: BytesMut,
    full: Vec<BytesMut>,
    bytes: usize,
    poisoned: Option<String>,
    /// Someone needs the core now.
    urgent: bool,
}

struct Entry {
    txid: TxId,
    digests: Digests,
    body: Body,
}

enum Body {
    /// Of so many bytes, in a shared buffer behind those before it.
    Small(usize),
    Own(Bytes),
}

/// What the core knows of the numbers from `next` on.
#[derive(Default)]
struct Order {
    /// The number that leaves next.
    next: u64,
    /// What waits for an earlier number, by number; the first is `next`.
    slots: VecDeque<Slot>,
    /// In order, to be taken.
    ready: Vec<SealedEntry>,
    buffers: Recycler,
    entries: Vec<Entry>,
}

enum Slot {
    /// Taken, but still being sealed.
    Awaited,
    Sealed(SealedEntry),
    /// A signature has it; the core makes that entry itself.
    Signature,
}

/// Queued bytes at which the core is woken at once.
const WAKE_BYTES: usize = 1 << 20;
/// Queued entries at which the core is woken at once.
const WAKE_ENTRIES: usize = 1_024;

impl Order {
    fn put(&mut self, seqno: u64, slot: Slot) {
        assert!(seqno >= self.next, "a number is queued once");
        if self.slots.is_empty() && seqno == self.next {
            self.leave(slot);
            return;
        }
        let position = (seqno - self.next) as usize;
        if self.slots.len() <= position {
            self.slots.resize_with(position + 1, || Slot::Awaited);
        }
        assert!(matches!(self.slots[position], Slot::Awaited), "a number is queued once");
        self.slots[position] = slot;
        while let Some(slot) = self.slots.pop_front_if(|slot| !matches!(slot, Slot::Awaited)) {
            self.leave(slot);
        }
    }

    fn leave(&mut self, slot: Slot) {
        self.next += 1;
        if let Slot::Sealed(entry) = slot {
            self.ready.push(entry);
        }
    }
}

impl SealedQueue {
    /// Expects the entry at `seqno` next; forgets what is queued.
    pub fn restart(&self, seqno: u64) {
        let mut order = self.order.lock();
        order.next = seqno;
        order.slots.clear();
        order.ready.clear();
        self.arrived.lock().clear();
    }

    /// Adds an entry; entries may come out of order, from any thread.
    pub fn push(&self, entry: SealedEntry) {
        let SealedEntry { txid, bytes, digests } = entry;
        self.add(txid, digests, Body::Own(bytes), &[]);
    }

    /// As [`Self::push`]; copies the entry's bytes if they are few.
    pub(crate) fn push_bytes(&self, txid: TxId, digests: Digests, bytes: &mut Vec<u8>) {
        if bytes.len() <= GATHERED_ENTRY_BYTES_MAX {
            self.add(txid, digests, Body::Small(bytes.len()), bytes);
        } else {
            self.add(txid, digests, Body::Own(core::mem::take(bytes).into()), &[]);
        }
    }

    fn add(&self, txid: TxId, digests: Digests, body: Body, small: &[u8]) {
        let mut arrived = self.arrived.lock();
        if arrived.poisoned.is_some() {
            return;
        }
        arrived.bytes += match &body {
            Body::Small(size) => *size,
            Body::Own(bytes) => bytes.len(),
        };
        if arrived.small.len() + small.len() > BUFFER_BYTES {
            let next = BytesMut::with_capacity(BUFFER_BYTES);
            let full = core::mem::replace(&mut arrived.small, next);
            arrived.full.push(full);
        }
        arrived.small.extend_from_slice(small);
        arrived.entries.push(Entry { txid, digests, body });
        if arrived.entries.len() == 1 || arrived.is_much() {
            drop(arrived);
            self.wake.notify_one();
        }
    }

    /// Expects no entry at `seqno`: a signature has taken the number. For the core.
    pub(crate) fn skip(&self, seqno: u64) {
        if self.poisoned().is_none() {
            self.order.lock().put(seqno, Slot::Signature);
        }
    }

    /// Takes the entries before the first number that is still being sealed. For the core.
    pub fn drain(&self) -> Vec<SealedEntry> {
        let mut order = self.order.lock();
        let order = &mut *order;
        let mut small = order.buffers.take();
        let mut entries = core::mem::take(&mut order.entries);
        let mut arrived = self.arrived.lock();
        core::mem::swap(&mut arrived.small, &mut small);
        let mut buffers = core::mem::take(&mut arrived.full);
        core::mem::swap(&mut arrived.entries, &mut entries);
        arrived.bytes = 0;
        if arrived.poisoned.is_some() {
            order.slots.clear();
            order.ready.clear();
        }
        drop(arrived);
        buffers.push(small);
        let buffers: Vec<Bytes> =
            buffers.into_iter().map(|buffer| order.buffers.hand_out(buffer)).collect();
        let mut buffers = buffers.into_iter();
        let mut small = Bytes::new();
        order.ready.reserve(entries.len());
        for Entry { txid, digests, body } in entries.drain(..) {
            let bytes = match body {
                Body::Small(size) => {
                    if small.is_empty() {
                        small = buffers.next().unwrap_or_default();
                    }
                    small.split_to(size)
                }
                Body::Own(bytes) => bytes,
            };
            order.put(txid.seqno, Slot::Sealed(SealedEntry { txid, bytes, digests }));
        }
        order.entries = entries;
        core::mem::take(&mut order.ready)
    }

    /// Wakes the core at once: somebody waits for commit, or an event came.
    pub fn wake(&self) {
        self.arrived.lock().urgent = true;
        self.wake.notify_one();
    }

    /// Blocks the core until there is something to do, or for `timeout`. Early answers do not hurry
    /// it: entries gather until there are many, or somebody calls [`Self::wake`].
    pub fn wait(&self, timeout: Duration) {
        let mut arrived = self.arrived.lock();
        if !arrived.urgent && !arrived.is_much() {
            self.wake.wait_for(&mut arrived, timeout);
        }
        arrived.urgent = false;
    }

    /// Refuses everything from now on; the first reason stays.
    pub fn poison(&self, reason: &str) {
        let mut arrived = self.arrived.lock();
        arrived.poisoned.get_or_insert_with(|| reason.to_owned());
        arrived.clear();
        arrived.urgent = true;
        drop(arrived);
        self.wake.notify_one();
    }

    /// Why the queue is poisoned, if it is.
    #[must_use]
    pub fn poisoned(&self) -> Option<String> {
        self.arrived.lock().poisoned.clone()
    }
}

impl Arrived {
    fn is_much(&self) -> bool {
        self.entries.len() >= WAKE_ENTRIES || self.bytes >= WAKE_BYTES
    }

    fn clear(&mut self) {
        self.entries.clear();
        self.small.clear();
        self.full.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use affiant_proof::Digest;
    use proptest::prelude::*;

    use super::*;

    /// An entry whose bytes tell its number and its size.
    fn entry(seqno: u64, size: usize) -> (TxId, Digests, Vec<u8>) {
        let digests = Digests {
            write_set: Digest::of(&seqno.to_le_bytes()),
            commit_evidence: Digest::ZERO,
            claims: Digest::ZERO,
            leaf: Digest::ZERO,
        };
        let mut bytes = seqno.to_le_bytes().to_vec();
        bytes.resize(8 + size, seqno as u8);
        (TxId::new(2, seqno), digests, bytes)
    }

    fn push(queue: &SealedQueue, seqno: u64, size: usize) {
        let (txid, digests, mut bytes) = entry(seqno, size);
        queue.push_bytes(txid, digests, &mut bytes);
    }

    #[test]
    fn entries_leave_the_queue_in_order_and_never_past_a_hole() {
        let queue = SealedQueue::default();
        queue.restart(1);
        let drained = || queue.drain().iter().map(|entry| entry.txid.seqno).collect::<Vec<_>>();
        push(&queue, 2, 1);
        assert!(drained().is_empty());
        queue.skip(3);
        push(&queue, 5, 1);
        push(&queue, 1, 1);
        assert_eq!(drained(), [1, 2]);
        push(&queue, 4, 1);
        assert_eq!(drained(), [4, 5]);
        assert_eq!(queue.order.lock().next, 6);
        assert_eq!(queue.arrived.lock().bytes, 0);
        queue.poison("no more");
        push(&queue, 6, 1);
        assert!(drained().is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn every_entry_leaves_once_with_its_own_bytes(
            order in Just((1..=60_u64).collect::<Vec<_>>()).prop_shuffle(),
            large in prop::collection::vec(any::<bool>(), 61),
            skipped in prop::collection::vec(prop::bool::weighted(0.1), 61),
            drains in prop::collection::vec(any::<bool>(), 61),
        ) {
            let queue = SealedQueue::default();
            queue.restart(1);
            // Many that fill the shared buffers, and some that travel by themselves.
            let size = |seqno: u64| match (large[seqno as usize], seqno % 5) {
                (true, 0) => GATHERED_ENTRY_BYTES_MAX,
                (true, _) => GATHERED_ENTRY_BYTES_MAX - 8,
                (false, _) => 3,
            };
            let mut left: Vec<SealedEntry> = Vec::new();
            for seqno in order {
                if skipped[seqno as usize] {
                    queue.skip(seqno);
                } else {
                    push(&queue, seqno, size(seqno));
                }
                if drains[seqno as usize] {
                    left.extend(queue.drain());
                }
            }
            left.extend(queue.drain());
            let numbers: Vec<u64> = left.iter().map(|entry| entry.txid.seqno).collect();
            let expected: Vec<u64> = (1..=60).filter(|seqno| !skipped[*seqno as usize]).collect();
            prop_assert_eq!(numbers, expected);
            for left in left {
                let (txid, digests, bytes) = entry(left.txid.seqno, size(left.txid.seqno));
                prop_assert_eq!(left.txid, txid);
                prop_assert_eq!(left.digests.write_set, digests.write_set);
                prop_assert_eq!(&left.bytes[..], &bytes[..]);
            }
        }
    }
}
