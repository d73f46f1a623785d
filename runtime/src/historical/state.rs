//! One past transaction: what it wrote and its receipt.

use core::fmt;
use std::sync::Arc;

use affiant_kv::{CommittedEntry, EntryWrites, Key, MapName, ReceiptParts, Value};
use affiant_proof::TxId;
use serde_json::Value as Json;

use crate::receipts::receipt_json;

/// Bytes of memory that a state takes besides its keys and values: itself and its receipt.
const STATE_BYTES: usize = 2_048;
/// Bytes of memory that a write takes besides its key and value.
const WRITE_BYTES: usize = 64;

/// Several past transactions in the order of the ledger.
pub type HistoricalStates = Arc<[Arc<HistoricalState>]>;

/// One committed transaction of the past. Its entry has been authenticated and opened, and its receipt
/// verified, before anybody sees it. It knows what this transaction wrote and nothing else of the
/// state at that time (reference A.7).
pub struct HistoricalState {
    txid: TxId,
    receipt: ReceiptParts,
    /// Ascending by name.
    maps: Vec<(MapName, EntryWrites)>,
    memory_bytes: usize,
}

impl HistoricalState {
    pub(super) fn new(entry: CommittedEntry) -> Self {
        let CommittedEntry { txid, mut maps, receipt, .. } = entry;
        maps.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut memory_bytes = STATE_BYTES;
        for (name, writes) in &maps {
            memory_bytes += name.as_str().len() + WRITE_BYTES;
            for (key, value) in writes {
                memory_bytes += WRITE_BYTES + key.len() + value.as_ref().map_or(0, |v| v.len());
            }
        }
        Self { txid, receipt, maps, memory_bytes }
    }

    /// The transaction.
    #[must_use]
    pub fn txid(&self) -> TxId {
        self.txid
    }

    /// What its receipt is made of: [`crate::hosting::json_receipt`], [`crate::hosting::receipt_cose`].
    #[must_use]
    pub fn receipt(&self) -> &ReceiptParts {
        &self.receipt
    }

    /// Its receipt, as `GET /receipt` answers it.
    #[must_use]
    pub fn receipt_json(&self) -> Json {
        receipt_json(&self.receipt)
    }

    /// The value that the transaction wrote under `key`; `None` if it wrote none, or removed the key.
    #[must_use]
    pub fn get(&self, map: &MapName, key: &[u8]) -> Option<&Value> {
        let writes = self.writes(map);
        let found = writes.binary_search_by(|(known, _)| (**known).cmp(key)).ok()?;
        writes.get(found)?.1.as_ref()
    }

    /// What the transaction wrote to a map, ascending by key.
    pub fn entries<'a>(
        &'a self,
        map: &MapName,
    ) -> impl Iterator<Item = (&'a Key, &'a Value)> + use<'a> {
        self.writes(map).iter().filter_map(|(key, value)| Some((key, value.as_ref()?)))
    }

    /// The keys that the transaction removed from a map, ascending.
    pub fn removed<'a>(&'a self, map: &MapName) -> impl Iterator<Item = &'a Key> + use<'a> {
        self.writes(map).iter().filter(|(_, value)| value.is_none()).map(|(key, _)| key)
    }

    /// The maps in which the transaction wrote or removed something, ascending.
    pub fn map_names(&self) -> impl Iterator<Item = &MapName> {
        self.maps.iter().map(|(name, _)| name)
    }

    /// Bytes of memory it takes, about.
    pub(super) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    fn writes(&self, map: &MapName) -> &[(Key, Option<Value>)] {
        let found = self.maps.binary_search_by(|(known, _)| known.cmp(map));
        found.ok().and_then(|found| self.maps.get(found)).map_or(&[], |(_, writes)| writes)
    }
}

impl fmt::Debug for HistoricalState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The rest may be private data.
        write!(f, "HistoricalState({})", self.txid)
    }
}
