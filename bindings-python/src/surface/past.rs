//! One past transaction: its id, its receipt, and what it wrote.

use std::collections::BTreeMap;
use std::sync::Arc;

use affiant::MapName;
use affiant::historical::HistoricalState;
use affiant_proof::TxId;

use super::{Pair, Span};

/// A past transaction, as the node's cache holds it or as it came over a socket.
#[derive(Clone)]
pub(crate) enum Past {
    Shared(Arc<HistoricalState>),
    Copy(Arc<PastCopy>),
}

/// Everything of a past transaction that an app can ask for.
pub(crate) struct PastCopy {
    pub(crate) txid: TxId,
    /// JSON, as `GET /receipt` answers it.
    pub(crate) receipt: String,
    pub(crate) maps: BTreeMap<String, BTreeMap<Vec<u8>, Vec<u8>>>,
}

impl Past {
    pub(crate) fn txid(&self) -> TxId {
        match self {
            Self::Shared(state) => state.txid(),
            Self::Copy(copy) => copy.txid,
        }
    }

    pub(crate) fn map_names(&self) -> Vec<String> {
        match self {
            Self::Shared(state) => state.map_names().map(|name| name.as_str().to_owned()).collect(),
            Self::Copy(copy) => copy.maps.keys().cloned().collect(),
        }
    }

    pub(crate) fn receipt(&self) -> String {
        match self {
            Self::Shared(state) => state.receipt_json().to_string(),
            Self::Copy(copy) => copy.receipt.clone(),
        }
    }

    pub(crate) fn get(&self, map: &MapName, key: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Shared(state) => state.get(map, key).map(|value| value.to_vec()),
            Self::Copy(copy) => copy.maps.get(map.as_str())?.get(key).cloned(),
        }
    }

    pub(crate) fn len(&self, map: &MapName) -> usize {
        match self {
            Self::Shared(state) => state.entries(map).count(),
            Self::Copy(copy) => copy.maps.get(map.as_str()).map_or(0, BTreeMap::len),
        }
    }

    pub(crate) fn range(&self, map: &MapName, span: Span<'_>) -> Vec<Pair> {
        let within = |key: &[u8]| {
            span.from.is_none_or(|from| key >= from) && span.to.is_none_or(|to| key < to)
        };
        match self {
            Self::Shared(state) => state
                .entries(map)
                .filter(|(key, _)| within(key))
                .take(span.count_max)
                .map(|(key, value)| (key.to_vec(), value.to_vec()))
                .collect(),
            Self::Copy(copy) => copy
                .maps
                .get(map.as_str())
                .into_iter()
                .flatten()
                .filter(|(key, _)| within(key))
                .take(span.count_max)
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
        }
    }
}
