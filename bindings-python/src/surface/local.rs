//! A request that runs in the node's own process.

use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use affiant::attestation::NodeAttestor;
use affiant::historical::{HistoricalCache, HistoricalNamespace, HistoricalState};
use affiant::{Call, MapName, Tx};
use affiant_kv::Store;
use affiant_proof::{Digest, TxId};

use super::{Failure, Outcome, Pair, Past, Span, Surface, Value};

/// The transaction and what a call lends besides.
pub(crate) struct Local {
    pub(crate) tx: Tx,
    pub(crate) apply_writes: Option<bool>,
    pub(crate) store: Arc<Store>,
    pub(crate) attestor: Option<Arc<NodeAttestor>>,
    pub(crate) historical: Option<(Arc<HistoricalCache>, HistoricalNamespace)>,
    pub(crate) state: Option<Arc<HistoricalState>>,
}

impl Local {
    /// Takes the transaction out of `call`; [`Local::give_back`] returns it.
    pub(crate) fn take(call: &mut Call<'_>) -> Self {
        Self {
            tx: call.tx.take(),
            apply_writes: call.apply_writes,
            store: call.store.clone(),
            attestor: call.attestor.cloned(),
            historical: call.historical.map(|cache| (cache.clone(), call.namespace)),
            state: call.historical_state.cloned(),
        }
    }

    pub(crate) fn give_back(self, call: &mut Call<'_>) {
        *call.tx = self.tx;
        call.apply_writes = self.apply_writes;
    }

    fn cache(&self) -> Outcome<&(Arc<HistoricalCache>, HistoricalNamespace)> {
        let missing = || Failure::Other("there is no cache of past transactions here".to_owned());
        self.historical.as_ref().ok_or_else(missing)
    }
}

impl Surface for Local {
    fn waits(&self) -> bool {
        false
    }

    fn into_local(self: Box<Self>) -> Option<Local> {
        Some(*self)
    }

    fn into_remote(self: Box<Self>) -> Option<super::Remote> {
        None
    }

    fn get(&mut self, map: &MapName, key: &[u8]) -> Outcome<Option<Value>> {
        Ok(self.tx.get(map, key).map(Value::Shared))
    }

    fn has(&mut self, map: &MapName, key: &[u8]) -> Outcome<bool> {
        Ok(self.tx.has(map, key))
    }

    fn version_of_previous_write(&mut self, map: &MapName, key: &[u8]) -> Outcome<Option<u64>> {
        Ok(self.tx.version_of_previous_write(map, key))
    }

    fn put(&mut self, map: &MapName, key: &[u8], value: &[u8]) -> Outcome<()> {
        Ok(self.tx.put(map, key, value)?)
    }

    fn remove(&mut self, map: &MapName, key: &[u8]) -> Outcome<()> {
        Ok(self.tx.remove(map, key)?)
    }

    fn clear(&mut self, map: &MapName) -> Outcome<()> {
        self.tx.clear(map);
        Ok(())
    }

    fn len(&mut self, map: &MapName) -> Outcome<usize> {
        Ok(self.tx.len(map))
    }

    fn range(&mut self, map: &MapName, span: Span<'_>) -> Outcome<Vec<Pair>> {
        let from = span.from.map_or(Bound::Unbounded, Bound::Included);
        let to = span.to.map_or(Bound::Unbounded, Bound::Excluded);
        let found = self.tx.range(map, from, to, span.count_max);
        Ok(found.into_iter().map(|(key, value)| (key.to_vec(), value.to_vec())).collect())
    }

    fn set_claims_digest(&mut self, digest: [u8; 32]) -> Outcome<()> {
        self.tx.set_claims_digest(Digest(digest));
        Ok(())
    }

    fn set_apply_writes(&mut self, apply: bool) -> Outcome<()> {
        self.apply_writes = Some(apply);
        Ok(())
    }

    fn last_committed(&mut self) -> Outcome<TxId> {
        Ok(self.store.committed())
    }

    fn status(&mut self, txid: TxId) -> Outcome<&'static str> {
        Ok(self.store.status(txid).as_str())
    }

    fn view_of(&mut self, seqno: u64) -> Outcome<Option<u64>> {
        Ok(self.store.view_of(seqno))
    }

    fn historical_state(&mut self) -> Outcome<Option<Past>> {
        Ok(self.state.clone().map(Past::Shared))
    }

    fn state_range(
        &mut self,
        handle: u64,
        first: u64,
        last: u64,
        expiry_s: u64,
    ) -> Outcome<Option<Vec<Past>>> {
        let (cache, namespace) = self.cache()?;
        let found = cache
            .state_range(*namespace, handle, first, last, Duration::from_secs(expiry_s))
            .map_err(|error| Failure::Other(format!("Failed to get state range: {error}")))?;
        Ok(found.map(|states| states.iter().cloned().map(Past::Shared).collect()))
    }

    fn drop_cached_states(&mut self, handle: u64) -> Outcome<bool> {
        let (cache, namespace) = self.cache()?;
        Ok(cache.drop_cached_states(*namespace, handle))
    }

    fn attestation(&mut self, bound: &[u8]) -> Outcome<String> {
        let missing = || Failure::Other("there is no node behind this code".to_owned());
        let attestor = self.attestor.as_ref().ok_or_else(missing)?;
        let evidence = attestor.for_app(bound);
        evidence
            .map(|evidence| evidence.to_string())
            .map_err(|error| Failure::Other(error.to_string()))
    }
}
