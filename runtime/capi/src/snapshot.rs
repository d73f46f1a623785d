//! States of the ledger that stay as they are.

use affiant::{MapName, Snapshot};

use crate::boundary;
use crate::fault::Fault;
use crate::handle::{self, Kind, Opaque};
use crate::iterator::{Entries, affiant_iterator};
use crate::memory::{Out, affiant_slice};
use crate::range::{Range, affiant_range};
use crate::status::affiant_status;
use crate::tx::no_such_key;
use crate::txid::affiant_txid;

/// One state of the ledger, from `affiant_runtime_snapshot`. Reading it takes no lock and never conflicts;
/// any number of threads at once. It keeps what later transactions replace in memory until it is freed, and
/// stays readable after its runtime has stopped.
pub struct affiant_snapshot {
    _opaque: [u8; 0],
}

impl Opaque for affiant_snapshot {
    type Object = SnapshotView;
    const KIND: Kind = Kind::Snapshot;
}

/// The object behind `affiant_snapshot`.
pub(crate) struct SnapshotView(Snapshot);

impl SnapshotView {
    pub(crate) const fn new(snapshot: Snapshot) -> Self {
        Self(snapshot)
    }
}

/// Frees a snapshot, and with it every view into it. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn affiant_snapshot_free(snapshot: *mut affiant_snapshot) -> affiant_status {
    boundary::free(snapshot)
}

/// The newest transaction in the snapshot.
///
/// # Safety
/// `txid` leads to room for an `affiant_txid`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_snapshot_version(
    snapshot: *const affiant_snapshot,
    txid: *mut affiant_txid,
) -> affiant_status {
    boundary::shared(snapshot, |snapshot| {
        // SAFETY: as promised to this function.
        let out = unsafe { Out::new(txid, "txid")? };
        out.write(snapshot.0.version().into());
        Ok(())
    })
}

/// The value under a key. `AFFIANT_NOT_FOUND` if there is none. The view lives as long as the snapshot.
///
/// # Safety
/// The slices lead to as many bytes as they say, `value` to room for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_snapshot_get(
    snapshot: *const affiant_snapshot,
    map: affiant_slice,
    key: affiant_slice,
    value: *mut affiant_slice,
) -> affiant_status {
    boundary::shared(snapshot, |snapshot| {
        // SAFETY: as promised to this function.
        let (map, key, out) =
            unsafe { (map.text("map")?, key.bytes("key")?, Out::new(value, "value")?) };
        out.write(affiant_slice::of(snapshot.0.get_ref(map, key).ok_or_else(no_such_key)?));
        Ok(())
    })
}

/// Whether there is a value under a key.
///
/// # Safety
/// The slices lead to as many bytes as they say, `found` to room for a bool.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_snapshot_has(
    snapshot: *const affiant_snapshot,
    map: affiant_slice,
    key: affiant_slice,
    found: *mut bool,
) -> affiant_status {
    boundary::shared(snapshot, |snapshot| {
        // SAFETY: as promised to this function.
        let (map, key, out) =
            unsafe { (map.text("map")?, key.bytes("key")?, Out::new(found, "found")?) };
        out.write(snapshot.0.get_ref(map, key).is_some());
        Ok(())
    })
}

/// How many keys a map has; 0 for one that was never written.
///
/// # Safety
/// `map` leads to as many bytes as it says, `count` to room for a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_snapshot_count(
    snapshot: *const affiant_snapshot,
    map: affiant_slice,
    count: *mut u64,
) -> affiant_status {
    boundary::shared(snapshot, |snapshot| {
        // SAFETY: as promised to this function.
        let (map, out) = unsafe { (map.text("map")?, Out::new(count, "count")?) };
        out.write(snapshot.0.len(map) as u64);
        Ok(())
    })
}

/// The seqno of the transaction that last wrote a key. `AFFIANT_NOT_FOUND` if there is no such key.
///
/// # Safety
/// The slices lead to as many bytes as they say, `seqno` to room for a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_snapshot_version_of(
    snapshot: *const affiant_snapshot,
    map: affiant_slice,
    key: affiant_slice,
    seqno: *mut u64,
) -> affiant_status {
    boundary::shared(snapshot, |snapshot| {
        // SAFETY: as promised to this function.
        let (map, key, out) =
            unsafe { (map.text("map")?, key.bytes("key")?, Out::new(seqno, "seqno")?) };
        out.write(snapshot.0.version_of(map, key).ok_or_else(no_such_key)?);
        Ok(())
    })
}

/// Iterates over the entries of a map in a range, ascending by key; `range` may be NULL: all. To be freed
/// with `affiant_iterator_free`, before or after the snapshot.
///
/// # Safety
/// `map` and the slices of `range` lead to as many bytes as they say, `range` to as many as its size says,
/// `iterator` to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_snapshot_range(
    snapshot: *const affiant_snapshot,
    map: affiant_slice,
    range: *const affiant_range,
    iterator: *mut *mut affiant_iterator,
) -> affiant_status {
    // SAFETY: as promised to this function.
    let out = unsafe { Out::handle(iterator, "iterator") };
    boundary::shared(snapshot, |snapshot| {
        // SAFETY: as promised to this function.
        let (map, out, range) = unsafe { (map.text("map")?, out?, Range::read(range)?) };
        let made = Entries::over_snapshot(snapshot.0.clone(), MapName::new(map)?, range);
        out.write(handle::insert(made)?);
        Ok(())
    })
}

/// Iterates over the names of the maps that were ever written, ascending: each is a key, with an empty value.
/// To be freed with `affiant_iterator_free`.
///
/// # Safety
/// `iterator` leads to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_snapshot_maps(
    snapshot: *const affiant_snapshot,
    iterator: *mut *mut affiant_iterator,
) -> affiant_status {
    // SAFETY: as promised to this function.
    let out = unsafe { Out::handle(iterator, "iterator") };
    boundary::shared(snapshot, |snapshot| {
        // SAFETY: as promised to this function; NULL stands for all.
        let (out, all) = unsafe { (out?, Range::read(core::ptr::null())?) };
        let made: Result<_, Fault> =
            handle::insert(Entries::over_names(snapshot.0.map_names(), all));
        out.write(made?);
        Ok(())
    })
}
