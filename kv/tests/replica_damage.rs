//! Damage: any byte changed, any file truncated, doubled, swapped, renamed or missing is a refusal by
//! name, or does no harm; and a refusal changes nothing.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;

use affiant_kv::{Event, KvError, MemDisk, Recovered, Replica, ReplicaConfig, SealedQueue, Store};
use common::{Node, disk_of, files, small_chunks};
use proptest::prelude::*;

type Files = Vec<(String, Vec<u8>)>;

/// A node with three complete chunks and an open one, everything committed.
fn worked() -> Node {
    let mut node = Node::create(ReplicaConfig { chunk_bytes: 3_000, ..small_chunks() });
    for round in 0..5 {
        node.put("records", &round.to_string(), "some value");
        node.put("public:log", &round.to_string(), "another value");
        node.settle();
    }
    assert!(files(&node.disk).len() >= 4);
    node
}

/// A restart as far as the check of what is there, and the store it gave.
fn check(node: &Node, disk: &mut MemDisk) -> Result<(Recovered, Arc<Store>), KvError> {
    let (store, queue) = (Store::new(), Arc::new(SealedQueue::default()));
    let (_, _, recovered) = Replica::recover(
        node.config.clone(),
        disk,
        store.clone(),
        queue,
        node.keys.sealer(),
        node.keys.signer(),
        &mut |_, _| {},
    )?;
    Ok((recovered, store))
}

#[test]
fn p06_every_changed_byte_is_refused_by_name_and_offset_or_does_no_harm() {
    let node = worked();
    let files = files(&node.disk);
    let (last, state) = (node.store().last(), check(&node, &mut disk_of(&files)).unwrap());
    let digest = state.1.snapshot().state_digest();
    let (mut refused, mut harmless) = (0, 0);
    for (file, (path, bytes)) in files.iter().enumerate() {
        for offset in (0..bytes.len()).step_by(3) {
            let mut changed = files.clone();
            changed[file].1[offset] ^= 1 << (offset / 3 % 8);
            let mut disk = disk_of(&changed);
            match check(&node, &mut disk) {
                Ok((recovered, store)) => {
                    harmless += 1;
                    assert_eq!(recovered.last, last, "{path} at {offset}");
                    assert!(store.snapshot().state_digest() == digest, "{path} at {offset}");
                    let header = path.starts_with("ledger/") && offset < 8;
                    assert!(header || path == "state/consensus", "{path} at {offset}");
                }
                Err(KvError::Damaged { file, offset: at, .. }) => {
                    refused += 1;
                    assert_eq!(&file, path, "at {offset}");
                    assert!(at <= offset as u64, "{path} at {offset}, refused at {at}");
                    assert!(common::files(&disk) == changed, "a refusal changes nothing");
                }
                Err(other) => panic!("{path} at {offset}: {other}"),
            }
        }
    }
    assert!(refused > 1_000 && harmless > 5, "{refused} {harmless}");
}

#[test]
fn p06_damage_behind_the_evidence_is_refused_where_authentic_entries_follow() {
    let mut node = Node::create(ReplicaConfig::default());
    for key in 0..5 {
        node.put("records", &key.to_string(), "value");
    }
    node.settle();
    let mut files = files(&node.disk);
    let entry = node.reader().entry(4).unwrap().unwrap();
    for (path, bytes) in &mut files {
        match path.as_str() {
            // Nothing vouches for the last batch.
            "state/consensus" => bytes.truncate(64),
            _ => {
                let at = bytes.windows(entry.len()).position(|part| part == entry).unwrap();
                bytes[at + 150] ^= 1;
            }
        }
    }
    let error = check(&node, &mut disk_of(&files)).err().unwrap();
    assert!(error.to_string().contains("an authentic entry follows"), "{error}");
}

#[test]
fn p06_a_ledger_under_another_secret_or_node_is_refused() {
    let node = worked();
    let mut disk = common::copy(&node.disk);
    let other = common::Keys::with_secret([7; 32]);
    let error = Node::recover(node.config.clone(), disk.clone(), other).err().unwrap();
    assert!(matches!(error, KvError::Damaged { .. }), "{error}");
    let config = ReplicaConfig { node: 2, ..node.config.clone() };
    let error = Node::recover(config, disk.clone(), node.keys.clone()).err().unwrap();
    assert!(error.to_string().contains("of node 1"), "{error}");
    affiant_kv::Disk::remove(&mut disk, "state/consensus").unwrap();
    let error = Node::recover(node.config.clone(), disk, node.keys.clone()).err().unwrap();
    assert!(error.to_string().contains("consensus record is missing"), "{error}");
}

#[derive(Clone, Debug)]
enum Mishap {
    Remove(usize),
    Truncate(usize, f64),
    Empty(usize),
    Grow(usize, Vec<u8>),
    Rename(usize, String),
    Double(usize, String),
    Swap(usize, usize),
    Overwrite(usize, f64, Vec<u8>),
}

fn mishap() -> impl Strategy<Value = Mishap> {
    let file = || 0..8_usize;
    let bytes = || prop::collection::vec(any::<u8>(), 1..700);
    let name = || {
        prop_oneof![
            (0..30_u64).prop_map(|first| format!("ledger_{first}")),
            (0..30_u64, 0..30_u64)
                .prop_map(|(first, last)| format!("ledger_{first}-{last}.committed")),
            (0..30_u64, 0..30_u64).prop_map(|(first, last)| format!("ledger_{first}-{last}")),
            "[a-z_0-9]{1,9}[.]?[a-z_0-9]",
        ]
    };
    prop_oneof![
        file().prop_map(Mishap::Remove),
        (file(), 0.0..1.0_f64).prop_map(|(f, at)| Mishap::Truncate(f, at)),
        file().prop_map(Mishap::Empty),
        (file(), bytes()).prop_map(|(f, bytes)| Mishap::Grow(f, bytes)),
        (file(), name()).prop_map(|(f, name)| Mishap::Rename(f, name)),
        (file(), name()).prop_map(|(f, name)| Mishap::Double(f, name)),
        (file(), file()).prop_map(|(a, b)| Mishap::Swap(a, b)),
        (file(), 0.0..1.0_f64, bytes()).prop_map(|(f, at, bytes)| Mishap::Overwrite(f, at, bytes)),
    ]
}

fn befall(files: &mut Files, mishap: &Mishap) {
    let of = |file: &usize| file % files.len();
    match mishap {
        Mishap::Remove(file) => {
            files.remove(of(file));
        }
        Mishap::Truncate(file, at) => {
            let file = of(file);
            let size = (files[file].1.len() as f64 * at) as usize;
            files[file].1.truncate(size);
        }
        Mishap::Empty(file) => {
            let file = of(file);
            files[file].1.clear();
        }
        Mishap::Grow(file, bytes) => {
            let file = of(file);
            files[file].1.extend_from_slice(bytes);
        }
        Mishap::Rename(file, name) => {
            let file = of(file);
            let path = format!("ledger/{name}");
            if !files.iter().any(|(known, _)| *known == path) {
                files[file].0 = path;
            }
        }
        Mishap::Double(file, name) => {
            let bytes = files[of(file)].1.clone();
            let path = format!("ledger/{name}");
            if !files.iter().any(|(known, _)| *known == path) {
                files.push((path, bytes));
            }
        }
        Mishap::Swap(a, b) => {
            let (a, b) = (of(a), of(b));
            let (first, second) = (files[a].1.clone(), files[b].1.clone());
            (files[a].1, files[b].1) = (second, first);
        }
        Mishap::Overwrite(file, at, bytes) => {
            let file = of(file);
            let at = (files[file].1.len() as f64 * at) as usize;
            for (own, new) in files[file].1[at..].iter_mut().zip(bytes) {
                *own = *new;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    /// Whatever befalls a directory whose end is on record: everything is there, or it is refused by
    /// the name of a file.
    #[test]
    fn p06_no_directory_loses_a_committed_entry_in_silence(
        mishaps in prop::collection::vec(mishap(), 1..4),
    ) {
        static NODE: std::sync::OnceLock<(Shared, Files)> = std::sync::OnceLock::new();
        let (node, files) = NODE.get_or_init(|| {
            let mut node = worked();
            node.step(Event::EndChunk);
            let files = files(&node.disk);
            (Shared(std::sync::Mutex::new(node)), files)
        });
        let node = node.0.lock().unwrap();
        let mut changed = files.clone();
        for mishap in &mishaps {
            if !changed.is_empty() {
                befall(&mut changed, mishap);
            }
        }
        // The record of what was synced is not part of this: another test cuts both.
        changed.retain(|(path, _)| path.starts_with("ledger/"));
        changed.extend(files.iter().filter(|(path, _)| path.starts_with("state/")).cloned());
        match check(&node, &mut disk_of(&changed)) {
            Ok((recovered, _)) => prop_assert_eq!(recovered.last, node.store().last()),
            Err(KvError::Damaged { file, reason, .. }) => {
                prop_assert!(!file.is_empty() && !reason.is_empty());
            }
            Err(other) => prop_assert!(false, "{}", other),
        }
    }
}

/// A node that one test at a time may use.
struct Shared(std::sync::Mutex<Node>);
