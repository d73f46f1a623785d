//! Reading, writing, iterating.

use super::*;

fn range_of(tx: *mut affiant_tx, range: *const affiant_range) -> *mut affiant_iterator {
    let mut iterator = core::ptr::null_mut();
    // SAFETY: everything that is pointed to is here.
    ok(unsafe { affiant_tx_range(tx, text("notes"), range, &raw mut iterator) }, tx);
    iterator
}

fn snapshot_of(runtime: &Opened) -> *mut affiant_snapshot {
    let mut snapshot = core::ptr::null_mut();
    // SAFETY: the output is here.
    let status = unsafe { affiant_runtime_snapshot(runtime.runtime, &raw mut snapshot) };
    ok(status, runtime.runtime);
    snapshot
}

const RANGE: affiant_range = affiant_range {
    size: size_of::<affiant_range>(),
    from: affiant_slice::EMPTY,
    to: affiant_slice::EMPTY,
    prefix: affiant_slice::EMPTY,
    limit: 0,
    from_excluded: 0,
    to_included: 0,
    reserved: [0; 6],
};

#[test]
fn what_is_committed_is_there_also_after_it_was_closed() {
    let directory = tempfile::tempdir().unwrap();
    let first = in_directory(directory.path());
    let tx = begin(&first);
    put(tx, "a", "1");
    assert_eq!(get(tx, "a").unwrap(), b"1", "its own writes are seen");
    put(tx, "b", "");
    let txid = commit(tx);
    assert!(txid.view == 2 && txid.seqno > 1);
    drop(first);
    let second = in_directory(directory.path());
    let tx = begin(&second);
    assert_eq!(get(tx, "a").unwrap(), b"1");
    assert_eq!(get(tx, "b").unwrap(), b"", "an empty value is one");
    assert_eq!(get(tx, "c"), None);
    let mut seqno = 0;
    // SAFETY: slices and output are here.
    unsafe {
        ok(affiant_tx_version_of(tx, text("notes"), text("a"), &raw mut seqno), tx);
        ok(affiant_tx_remove(tx, text("notes"), text("a")), tx);
        ok(affiant_tx_remove(tx, text("notes"), text("never was")), tx);
    }
    assert_eq!(seqno, txid.seqno);
    let (mut found, mut count) = (true, 9);
    // SAFETY: slices and output are here.
    unsafe {
        ok(affiant_tx_has(tx, text("notes"), text("a"), &raw mut found), tx);
        ok(affiant_tx_count(tx, text("notes"), &raw mut count), tx);
    }
    assert!(!found && count == 1);
    // SAFETY: the slice is here.
    ok(unsafe { affiant_tx_clear(tx, text("notes")) }, tx);
    commit(tx);
    let snapshot = snapshot_of(&second);
    // SAFETY: slice and output are here.
    ok(unsafe { affiant_snapshot_count(snapshot, text("notes"), &raw mut count) }, snapshot);
    assert_eq!((count, affiant_snapshot_free(snapshot)), (0, AFFIANT_OK));
}

#[test]
fn a_transaction_that_read_what_another_changed_conflicts_and_runs_again() {
    let runtime = in_memory();
    write(&runtime, "a", "1");
    let tx = begin(&runtime);
    assert_eq!(get(tx, "a").unwrap(), b"1");
    put(tx, "b", "from a");
    write(&runtime, "a", "2");
    let mut txid = affiant_txid { view: 7, seqno: 7 };
    // SAFETY: the output is here.
    let status = unsafe { affiant_tx_commit(tx, &raw mut txid) };
    assert_eq!(status, AFFIANT_CONFLICT);
    assert!(reason(tx).contains("run it again"));
    assert_eq!(txid, affiant_txid { view: 7, seqno: 7 }, "outputs are written on success");
    assert_eq!(get(tx, "a").unwrap(), b"2", "the same handle holds a fresh one");
    put(tx, "b", "from a");
    // SAFETY: NULL is allowed.
    ok(unsafe { affiant_tx_commit(tx, core::ptr::null_mut()) }, tx);
    put(tx, "c", "forgotten");
    ok(affiant_tx_reset(tx), tx);
    assert_eq!(get(tx, "c"), None);
    // SAFETY: the output is here.
    ok(unsafe { affiant_tx_commit(tx, &raw mut txid) }, tx);
    assert!(txid.seqno > 1, "the id of what was read");
    assert_eq!(affiant_tx_free(tx), AFFIANT_OK);
}

#[test]
fn snapshots_stay_as_they_are_and_outlive_their_runtime() {
    let runtime = in_memory();
    write(&runtime, "a", "1");
    let snapshot = snapshot_of(&runtime);
    write(&runtime, "a", "2");
    let (mut value, mut version, mut seqno) = (affiant_slice::EMPTY, affiant_txid::default(), 0);
    // SAFETY: slices and outputs are here.
    unsafe {
        let map = text("notes");
        ok(affiant_snapshot_get(snapshot, map, text("a"), &raw mut value), snapshot);
        ok(affiant_snapshot_version(snapshot, &raw mut version), snapshot);
        ok(affiant_snapshot_version_of(snapshot, map, text("a"), &raw mut seqno), snapshot);
        let mut found = true;
        ok(affiant_snapshot_has(snapshot, map, text("z"), &raw mut found), snapshot);
        assert!(!found);
    }
    drop(runtime);
    assert_eq!(shown(value), b"1", "the view lives as long as the snapshot");
    assert!(version.seqno >= seqno && seqno > 1);
    let mut maps = core::ptr::null_mut();
    // SAFETY: the output is here.
    ok(unsafe { affiant_snapshot_maps(snapshot, &raw mut maps) }, snapshot);
    let names = all(maps);
    assert!(names.iter().any(|(name, _)| name == "notes"));
    assert!(names.iter().any(|(name, _)| name == "public:ccf.gov.nodes.info"));
    assert_eq!(affiant_snapshot_free(snapshot), AFFIANT_OK);
}

#[test]
fn iterations_are_in_order_and_see_writes_ahead_of_them() {
    let runtime = in_memory();
    let tx = begin(&runtime);
    for number in 0..1_000 {
        put(tx, &format!("k{number:04}"), &number.to_string());
    }
    commit(tx);
    let tx = begin(&runtime);
    let every = all(range_of(tx, core::ptr::null()));
    assert_eq!(every.len(), 1_000);
    assert!(every.is_sorted() && every[999].1 == "999");
    let some = affiant_range {
        from: text("k0010"),
        from_excluded: 1,
        to: text("k0012"),
        to_included: 1,
        ..RANGE
    };
    let found = all(range_of(tx, &raw const some));
    assert_eq!(found.iter().map(|(key, _)| &**key).collect::<Vec<_>>(), ["k0011", "k0012"]);
    let prefixed = affiant_range { prefix: text("k09"), limit: 3, ..RANGE };
    assert_eq!(all(range_of(tx, &raw const prefixed)).len(), 3);

    let iterator = range_of(tx, core::ptr::null());
    let (mut key, mut value) = (affiant_slice::EMPTY, affiant_slice::EMPTY);
    // SAFETY: the outputs are here.
    ok(unsafe { affiant_iterator_next(iterator, &raw mut key, &raw mut value) }, iterator);
    assert_eq!(shown(key), b"k0000");
    put(tx, "k0000a", "new");
    // SAFETY: the slice is here.
    ok(unsafe { affiant_tx_remove(tx, text("notes"), text("k0001")) }, tx);
    let rest = all(iterator);
    assert_eq!((&*rest[0].0, &*rest[1].0, rest.len()), ("k0000a", "k0002", 999));

    let orphan = range_of(tx, core::ptr::null());
    assert_eq!(affiant_tx_free(tx), AFFIANT_OK);
    // SAFETY: the outputs are here.
    let status = unsafe { affiant_iterator_next(orphan, &raw mut key, &raw mut value) };
    assert_eq!(status, AFFIANT_INVALID_HANDLE);
    assert!(reason(orphan).contains("affiant_tx was freed"));
    assert_eq!(affiant_iterator_free(orphan), AFFIANT_OK);

    let snapshot = snapshot_of(&runtime);
    let mut iterator = core::ptr::null_mut();
    let range = affiant_range { from: text("k0500"), ..RANGE };
    // SAFETY: slices, range and output are here.
    let made = unsafe {
        affiant_snapshot_range(snapshot, text("notes"), &raw const range, &raw mut iterator)
    };
    ok(made, snapshot);
    assert_eq!(affiant_snapshot_free(snapshot), AFFIANT_OK);
    assert_eq!(all(iterator).len(), 500, "an iteration outlives its snapshot");
}

#[test]
fn what_is_too_large_or_has_no_name_is_refused_with_words() {
    let runtime = in_memory();
    let tx = begin(&runtime);
    let large = vec![0; (16 << 20) + 1];
    // SAFETY: the slices are here.
    unsafe {
        let status = affiant_tx_put(tx, text("notes"), affiant_slice::of(&large), text(""));
        assert_eq!(status, AFFIANT_TOO_LARGE);
        assert!(reason(tx).contains("a key of 16777217 bytes; the limit is"), "{}", reason(tx));
        let status = affiant_tx_put(tx, text("ccf.mine"), text("a"), text(""));
        assert_eq!(status, AFFIANT_INVALID_ARGUMENT);
        assert!(reason(tx).contains("reserved"));
        let status = affiant_tx_set_claims_digest(tx, text("short"));
        assert_eq!(status, AFFIANT_INVALID_ARGUMENT);
        assert_eq!(reason(tx), "a claims digest has 32 bytes, not 5");
    }
    assert_eq!(affiant_tx_free(tx), AFFIANT_OK);
}
