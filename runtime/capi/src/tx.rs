//! Transactions: those that a program begins, and the one that a callback is given.

use std::sync::Arc;

use affiant::{CommitOutcome, MapName, Tx, TxId, Value};
use affiant_proof::Digest;

use crate::boundary;
use crate::fault::Fault;
use crate::handle::{self, Kind, Opaque};
use crate::iterator::{Entries, affiant_iterator};
use crate::memory::{Out, affiant_slice};
use crate::range::{Range, affiant_range};
use crate::runtime::{Host, patience};
use crate::status::{
    AFFIANT_CONFLICT, AFFIANT_FAILED, AFFIANT_NOT_FOUND, AFFIANT_NOT_PRIMARY, AFFIANT_READ_ONLY,
    AFFIANT_REENTRANT, AFFIANT_TIMEOUT, AFFIANT_TOO_MANY_PENDING, affiant_status,
};
use crate::txid::affiant_txid;

/// A transaction: begun by `affiant_tx_begin`, or given to a callback. For one thread at a time, whichever.
pub struct affiant_tx {
    _opaque: [u8; 0],
}

impl Opaque for affiant_tx {
    type Object = Transaction;
    const KIND: Kind = Kind::Tx;
}

/// The object behind `affiant_tx`.
pub(crate) struct Transaction {
    tx: Tx,
    /// None where it was lent to a callback: the runtime ends it.
    host: Option<Arc<Host>>,
    read_only: bool,
    /// What the last call showed.
    shown: Option<Value>,
    /// The map of the last call: making a name takes longer than looking at one.
    map: Option<MapName>,
    /// How often it was written, for iterators over it.
    pub(crate) writes: u64,
}

impl Transaction {
    pub(crate) fn begin(host: &Arc<Host>) -> Self {
        let tx = host.node().begin();
        let host = Some(host.clone());
        Self { tx, host, read_only: false, shown: None, map: None, writes: 0 }
    }

    /// For a callback, which may write unless its endpoint only reads.
    pub(crate) fn lent(tx: Tx, read_only: bool) -> Self {
        Self { tx, host: None, read_only, shown: None, map: None, writes: 0 }
    }

    /// What it was made of, with what the callback did.
    pub(crate) fn into_tx(self) -> Tx {
        self.tx
    }

    /// The transaction, and the map of that name.
    ///
    /// # Safety
    /// As [`affiant_slice::text`].
    unsafe fn on(&mut self, map: affiant_slice) -> Result<(&mut Tx, &MapName), Fault> {
        // SAFETY: as promised to this function.
        let name = unsafe { map.text("map")? };
        self.shown = None;
        if self.map.as_ref().is_none_or(|known| known.as_str() != name) {
            self.map = Some(MapName::new(name)?);
        }
        let Some(map) = &self.map else { return Err(Fault::null("map")) };
        Ok((&mut self.tx, map))
    }

    /// As [`Self::on`], to write.
    ///
    /// # Safety
    /// As [`affiant_slice::text`].
    unsafe fn writing(&mut self, map: affiant_slice) -> Result<(&mut Tx, &MapName), Fault> {
        if self.read_only {
            let text = "the endpoint of this callback is declared read-only";
            return Err(Fault::new(AFFIANT_READ_ONLY, text));
        }
        self.writes += 1;
        // SAFETY: as promised to this function.
        unsafe { self.on(map) }
    }

    /// The runtime, for what a callback must not do.
    fn own(&self, what: &str) -> Result<Arc<Host>, Fault> {
        self.host.clone().ok_or_else(|| {
            let text = format!("{what}: the transaction of a callback is ended by the runtime");
            Fault::new(AFFIANT_REENTRANT, text)
        })
    }

    /// Up to `limit` entries, as they are now.
    pub(crate) fn entries(
        &mut self,
        map: &MapName,
        range: &Range,
        limit: usize,
    ) -> Vec<(affiant::Key, Value)> {
        self.tx.range(map, range.from(), range.to(), limit)
    }

    fn commit(&mut self) -> Result<Committed, Fault> {
        let host = self.own("affiant_tx_commit")?;
        let _under_way = host.enter()?;
        self.shown = None;
        // A fresh one is left in its place.
        let (txid, wrote) = match host.node().commit(self.tx.take()) {
            CommitOutcome::Sequenced(txid) => (txid, true),
            CommitOutcome::ReadOnly(read) => (read.unwrap_or_default(), false),
            CommitOutcome::Conflict => {
                return Err(Fault::new(
                    AFFIANT_CONFLICT,
                    "another transaction changed what this one read; nothing of it was kept: run it again",
                ));
            }
            CommitOutcome::TooManyPending => {
                return Err(Fault::new(
                    AFFIANT_TOO_MANY_PENDING,
                    "too much waits to be committed, and nothing of this transaction was kept: wait \
                     (affiant_runtime_sync) and run it again",
                ));
            }
            CommitOutcome::NotPrimary => {
                let text = "this node does not take transactions now";
                return Err(Fault::new(AFFIANT_NOT_PRIMARY, text));
            }
            CommitOutcome::Poisoned(reason) => return Err(Fault::new(AFFIANT_FAILED, reason)),
        };
        self.writes += 1;
        Ok(Committed { txid, wrote })
    }
}

/// What a commit came to.
struct Committed {
    txid: TxId,
    wrote: bool,
}

/// Frees a transaction; what was not committed leaves no trace. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn affiant_tx_free(tx: *mut affiant_tx) -> affiant_status {
    boundary::free(tx)
}

/// The value under a key, as this transaction sees it. `AFFIANT_NOT_FOUND` if there is none. The view lives
/// until the next call with this transaction.
///
/// # Safety
/// The slices lead to as many bytes as they say, `value` to room for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_tx_get(
    tx: *mut affiant_tx,
    map: affiant_slice,
    key: affiant_slice,
    value: *mut affiant_slice,
) -> affiant_status {
    boundary::exclusive(tx, |transaction| {
        // SAFETY: as promised to this function.
        let (key, out) = unsafe { (key.bytes("key")?, Out::new(value, "value")?) };
        // SAFETY: as promised to this function.
        let (tx, map) = unsafe { transaction.on(map)? };
        let found = tx.get(map, key).ok_or_else(no_such_key)?;
        out.write(affiant_slice::of(transaction.shown.insert(found)));
        Ok(())
    })
}

/// Whether there is a value under a key, as this transaction sees it.
///
/// # Safety
/// The slices lead to as many bytes as they say, `found` to room for a bool.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_tx_has(
    tx: *mut affiant_tx,
    map: affiant_slice,
    key: affiant_slice,
    found: *mut bool,
) -> affiant_status {
    boundary::exclusive(tx, |transaction| {
        // SAFETY: as promised to this function.
        let (key, out) = unsafe { (key.bytes("key")?, Out::new(found, "found")?) };
        // SAFETY: as promised to this function.
        let (tx, map) = unsafe { transaction.on(map)? };
        out.write(tx.has(map, key));
        Ok(())
    })
}

/// Writes a value under a key. A map comes to be with its first write; what is in one whose name begins with
/// "public:" is in the clear in the ledger, everything else is encrypted. `AFFIANT_TOO_LARGE`,
/// `AFFIANT_READ_ONLY`, or `AFFIANT_INVALID_ARGUMENT` for a name that no map may have.
///
/// # Safety
/// The slices lead to as many bytes as they say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_tx_put(
    tx: *mut affiant_tx,
    map: affiant_slice,
    key: affiant_slice,
    value: affiant_slice,
) -> affiant_status {
    boundary::exclusive(tx, |transaction| {
        // SAFETY: as promised to this function.
        let (key, value) = unsafe { (key.bytes("key")?, value.bytes("value")?) };
        // SAFETY: as promised to this function.
        let (tx, map) = unsafe { transaction.writing(map)? };
        Ok(tx.put(map, key, value)?)
    })
}

/// Removes a key; that it was not there is no failure.
///
/// # Safety
/// The slices lead to as many bytes as they say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_tx_remove(
    tx: *mut affiant_tx,
    map: affiant_slice,
    key: affiant_slice,
) -> affiant_status {
    boundary::exclusive(tx, |transaction| {
        // SAFETY: as promised to this function.
        let key = unsafe { key.bytes("key")? };
        // SAFETY: as promised to this function.
        let (tx, map) = unsafe { transaction.writing(map)? };
        Ok(tx.remove(map, key)?)
    })
}

/// Removes every key of a map.
///
/// # Safety
/// `map` leads to as many bytes as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_tx_clear(
    tx: *mut affiant_tx,
    map: affiant_slice,
) -> affiant_status {
    boundary::exclusive(tx, |transaction| {
        // SAFETY: as promised to this function.
        let (tx, map) = unsafe { transaction.writing(map)? };
        tx.clear(map);
        Ok(())
    })
}

/// How many keys a map has. The transaction then depends on the whole map.
///
/// # Safety
/// `map` leads to as many bytes as it says, `count` to room for a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_tx_count(
    tx: *mut affiant_tx,
    map: affiant_slice,
    count: *mut u64,
) -> affiant_status {
    boundary::exclusive(tx, |transaction| {
        // SAFETY: as promised to this function.
        let out = unsafe { Out::new(count, "count")? };
        // SAFETY: as promised to this function.
        let (tx, map) = unsafe { transaction.on(map)? };
        out.write(tx.len(map) as u64);
        Ok(())
    })
}

/// The seqno of the transaction before this one that last wrote a key. `AFFIANT_NOT_FOUND` if the key was not
/// there when this one began.
///
/// # Safety
/// The slices lead to as many bytes as they say, `seqno` to room for a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_tx_version_of(
    tx: *mut affiant_tx,
    map: affiant_slice,
    key: affiant_slice,
    seqno: *mut u64,
) -> affiant_status {
    boundary::exclusive(tx, |transaction| {
        // SAFETY: as promised to this function.
        let (key, out) = unsafe { (key.bytes("key")?, Out::new(seqno, "seqno")?) };
        // SAFETY: as promised to this function.
        let (tx, map) = unsafe { transaction.on(map)? };
        out.write(tx.version_of_previous_write(map, key).ok_or_else(no_such_key)?);
        Ok(())
    })
}

/// Attaches the SHA-256, 32 bytes, of what the transaction claims to the world: its receipt proves it.
///
/// # Safety
/// `digest` leads to as many bytes as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_tx_set_claims_digest(
    tx: *mut affiant_tx,
    digest: affiant_slice,
) -> affiant_status {
    boundary::exclusive(tx, |transaction| {
        // SAFETY: as promised to this function.
        let digest = unsafe { digest.bytes("digest")? };
        let digest = <[u8; 32]>::try_from(digest).map_err(|_| {
            Fault::argument(format!("a claims digest has 32 bytes, not {}", digest.len()))
        })?;
        transaction.tx.set_claims_digest(Digest(digest));
        Ok(())
    })
}

/// Iterates over the entries of a map in a range, ascending by key; `range` may be NULL: all. It sees the
/// transaction as it is when it gets there: what is written ahead of it is seen. The transaction then
/// depends on the whole map. To be freed with `affiant_iterator_free`, before or after the transaction.
///
/// # Safety
/// `map` and the slices of `range` lead to as many bytes as they say, `range` to as many as its size says,
/// `iterator` to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_tx_range(
    tx: *mut affiant_tx,
    map: affiant_slice,
    range: *const affiant_range,
    iterator: *mut *mut affiant_iterator,
) -> affiant_status {
    // SAFETY: as promised to this function.
    let out = unsafe { Out::handle(iterator, "iterator") };
    boundary::exclusive(tx, |transaction| {
        // SAFETY: as promised to this function.
        let (out, range) = unsafe { (out?, Range::read(range)?) };
        // SAFETY: as promised to this function.
        let (_, map) = unsafe { transaction.on(map)? };
        out.write(handle::insert(Entries::over_tx(tx.addr(), map.clone(), range))?);
        Ok(())
    })
}

/// Commits: gives the transaction its id and its place in the ledger. Others see it from then on; it is on
/// disk once `affiant_runtime_wait` says so. Its handle then holds a fresh transaction, as it does after
/// `AFFIANT_CONFLICT`, where nothing was kept: run it again. The id of one that only read is that of what it
/// read; 0.0 if it read nothing. `AFFIANT_TOO_MANY_PENDING`, `AFFIANT_FAILED`, `AFFIANT_CLOSED`;
/// `AFFIANT_REENTRANT` for the transaction of a callback, which the runtime ends.
///
/// # Safety
/// `txid` is NULL or leads to room for an `affiant_txid`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_tx_commit(
    tx: *mut affiant_tx,
    txid: *mut affiant_txid,
) -> affiant_status {
    boundary::exclusive(tx, |transaction| {
        // SAFETY: as promised to this function.
        let out = unsafe { Out::optional(txid, "txid")? };
        let committed = transaction.commit()?;
        if let Some(out) = out {
            out.write(committed.txid.into());
        }
        Ok(())
    })
}

/// As `affiant_tx_commit`, and waits up to `timeout_ms` until it is on disk, signed and final. On
/// `AFFIANT_TIMEOUT` it has its id, which is written, and may still come to be committed.
///
/// # Safety
/// `txid` is NULL or leads to room for an `affiant_txid`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_tx_commit_and_wait(
    tx: *mut affiant_tx,
    timeout_ms: u64,
    txid: *mut affiant_txid,
) -> affiant_status {
    boundary::exclusive(tx, |transaction| {
        // SAFETY: as promised to this function.
        let out = unsafe { Out::optional(txid, "txid")? };
        let host = transaction.own("affiant_tx_commit_and_wait")?;
        let _under_way = host.enter()?;
        let committed = transaction.commit()?;
        // What was read may be somebody's who still waits.
        let due = committed.wrote || committed.txid.seqno > host.node().store().committed().seqno;
        let waited = if due { host.wait(committed.txid, patience(timeout_ms)) } else { Ok(()) };
        if let Some(out) = out
            && waited.as_ref().map_or_else(|fault| fault.status == AFFIANT_TIMEOUT, |()| true)
        {
            out.write(committed.txid.into());
        }
        waited
    })
}

/// Begins the transaction anew: what it has done is forgotten. `AFFIANT_REENTRANT` for that of a callback.
#[unsafe(no_mangle)]
pub extern "C" fn affiant_tx_reset(tx: *mut affiant_tx) -> affiant_status {
    boundary::exclusive(tx, |transaction| {
        transaction.own("affiant_tx_reset")?;
        transaction.shown = None;
        transaction.writes += 1;
        transaction.tx.reset();
        Ok(())
    })
}

pub(crate) fn no_such_key() -> Fault {
    Fault::new(AFFIANT_NOT_FOUND, "there is no such key")
}
