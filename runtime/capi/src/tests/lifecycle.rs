//! Runtimes come and go, several at a time, while others use them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::*;

#[test]
fn two_runtimes_in_one_process_know_nothing_of_each_other() {
    let (first, second) = (in_memory(), in_memory());
    write(&first, "a", "1");
    let tx = begin(&second);
    assert_eq!(get(tx, "a"), None);
    assert_eq!(affiant_tx_free(tx), AFFIANT_OK);
    let id = |runtime: &Opened| {
        let mut id = affiant_slice::EMPTY;
        // SAFETY: the output is here.
        ok(unsafe { affiant_runtime_node_id(runtime.runtime, &raw mut id) }, runtime.runtime);
        shown(id)
    };
    assert_ne!(id(&first), id(&second));
}

#[test]
fn a_listening_runtime_says_where() {
    let options = options();
    // SAFETY: the slices are here.
    unsafe {
        ok(affiant_options_listen(options, text("127.0.0.1:0")), options);
        ok(affiant_options_add_name(options, text("localhost")), options);
    }
    let runtime = open_with(options);
    let mut address = affiant_slice::EMPTY;
    // SAFETY: the output is here.
    unsafe {
        ok(affiant_runtime_address(runtime.runtime, 0, &raw mut address), runtime.runtime);
        let status = affiant_runtime_address(runtime.runtime, 1, &raw mut address);
        assert_eq!(status, AFFIANT_NOT_FOUND);
    }
    let address = String::from_utf8(shown(address)).unwrap();
    let port: u16 = address.strip_prefix("127.0.0.1:").unwrap().parse().unwrap();
    assert!(port > 0 && std::net::TcpStream::connect(address).is_ok());
}

#[test]
fn it_stops_while_others_commit_and_what_they_were_told_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let runtime = in_directory(directory.path());
    let (committed, closed) = (AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (runtime, committed, closed) = (&runtime, &committed, &closed);
            scope.spawn(move || {
                let tx = begin(runtime);
                for number in 0.. {
                    let (map, key) = (text("notes"), format!("{thread}-{number}"));
                    // SAFETY: the slices are here, and NULL is allowed.
                    let status = unsafe {
                        assert_eq!(affiant_tx_put(tx, map, text(&key), text("x")), AFFIANT_OK);
                        affiant_tx_commit_and_wait(tx, LONG_MS, core::ptr::null_mut())
                    };
                    match status {
                        AFFIANT_OK => committed.fetch_add(1, Ordering::Relaxed),
                        AFFIANT_CLOSED => break,
                        other => panic!("{other}: {}", reason(tx)),
                    };
                }
                assert!(closed.load(Ordering::Acquire), "nobody is refused before");
                assert_eq!(affiant_tx_free(tx), AFFIANT_OK);
            });
        }
        while committed.load(Ordering::Relaxed) < 20 {
            std::thread::yield_now();
        }
        closed.store(true, Ordering::Release);
        ok(affiant_runtime_stop(runtime.runtime, LONG_MS), runtime.runtime);
        ok(affiant_runtime_stop(runtime.runtime, 0), runtime.runtime);
    });
    let mut tx = core::ptr::null_mut();
    // SAFETY: the output is here.
    let status = unsafe { affiant_tx_begin(runtime.runtime, &raw mut tx) };
    assert_eq!(status, AFFIANT_CLOSED);
    assert!(tx.is_null() && reason(runtime.runtime).contains("has stopped"));
    drop(runtime);
    let again = in_directory(directory.path());
    let tx = begin(&again);
    let mut count = 0;
    // SAFETY: slice and output are here.
    ok(unsafe { affiant_tx_count(tx, text("notes"), &raw mut count) }, tx);
    assert!(count >= committed.load(Ordering::Relaxed));
    assert_eq!(affiant_tx_free(tx), AFFIANT_OK);
}

#[test]
fn waiting_says_what_became_of_a_transaction() {
    let runtime = in_memory();
    let handle = runtime.runtime;
    let txid = write(&runtime, "a", "1");
    let unheard = affiant_txid { view: 2, seqno: 1_000_000 };
    let never = affiant_txid { view: 1, seqno: txid.seqno };
    ok(affiant_runtime_wait(handle, txid, 0), handle);
    let status = affiant_runtime_wait(handle, unheard, LONG_MS);
    assert_eq!(status, AFFIANT_NO_SUCH_TRANSACTION);
    assert!(reason(handle).contains("has not heard of transaction 2.1000000"));
    assert_eq!(affiant_runtime_wait(handle, never, LONG_MS), AFFIANT_NO_SUCH_TRANSACTION);
    let (mut status, mut last, mut newest) = (9, affiant_txid::default(), affiant_txid::default());
    // SAFETY: the outputs are here, and NULL is allowed for the last.
    unsafe {
        for (txid, wanted) in [
            (txid, AFFIANT_TX_COMMITTED),
            (unheard, AFFIANT_TX_UNKNOWN),
            (never, AFFIANT_TX_INVALID),
        ] {
            ok(affiant_runtime_tx_status(handle, txid, &raw mut status), handle);
            assert_eq!(status, wanted);
        }
        ok(affiant_runtime_txid_at(handle, txid.seqno, &raw mut newest), handle);
        assert_eq!(newest, txid);
        let status = affiant_runtime_txid_at(handle, 1 << 40, &raw mut newest);
        assert_eq!(status, AFFIANT_NO_SUCH_TRANSACTION);
        ok(affiant_runtime_sync(handle, LONG_MS, &raw mut last), handle);
        ok(affiant_runtime_sync(handle, LONG_MS, core::ptr::null_mut()), handle);
        ok(affiant_runtime_committed(handle, &raw mut newest), handle);
        assert!(newest.seqno >= last.seqno);
        ok(affiant_runtime_last(handle, &raw mut newest), handle);
        assert!(newest.seqno >= last.seqno);
    }
}

#[test]
fn a_fork_is_refused_with_a_reason() {
    let runtime = in_memory();
    write(&runtime, "a", "1");
    let tx = begin(&runtime);
    // SAFETY: the child calls what is to be tested, and ends at once.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let mut snapshot = core::ptr::null_mut();
        // SAFETY: slices and output are here.
        let code = unsafe {
            let put = affiant_tx_put(tx, text("notes"), text("a"), text("2"));
            let shot = affiant_runtime_snapshot(runtime.runtime, &raw mut snapshot);
            let freed = affiant_runtime_free(runtime.runtime);
            i32::from([put, shot, freed] != [AFFIANT_FORKED; 3])
        };
        // SAFETY: ends the child without a trace of it in the parent.
        unsafe { libc::_exit(code) };
    }
    let mut status = 0;
    // SAFETY: waits for the child above.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!((libc::WIFEXITED(status), libc::WEXITSTATUS(status)), (true, 0));
    put(tx, "a", "3");
    commit(tx);
}
