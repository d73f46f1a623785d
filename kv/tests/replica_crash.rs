//! Crashes between any two disk operations and within them, and losses of power that keep any subset
//! of the unsynced sectors and names: what was acknowledged is there, and the node goes on.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;

use affiant_kv::{DiskOp, Event, MemDisk, ReplicaConfig};
use affiant_proof::TxId;
use common::{Keys, Node, disk_of};
use proptest::prelude::*;

/// A run of a node: every operation, and what was reported as durable before it.
struct Run {
    keys: Keys,
    config: ReplicaConfig,
    ops: Vec<(DiskOp, u64)>,
}

/// Several chunks, batches with and without signatures, some that somebody waited for.
fn run() -> Run {
    let config = ReplicaConfig { chunk_bytes: 9_000, ..ReplicaConfig::default() };
    let mut node = Node::create(config.clone());
    let mut ops = core::mem::take(&mut node.log);
    for round in 0..5 {
        for key in 0..4 {
            node.put("records", &format!("{round}.{key}"), &"value ".repeat(60));
        }
        node.settle();
        node.put("records", &format!("{round}.durable"), "value");
        node.drain();
        node.step(Event::DurableWanted);
        node.perform_all();
    }
    node.put("records", "after", "value");
    node.step(Event::EndChunk);
    node.settle();
    node.put("records", "large", &"x".repeat((1 << 20) + 1));
    node.drain();
    node.perform_all();
    node.put("records", "last", "value");
    node.settle();
    ops.append(&mut node.log);
    Run { keys: node.keys.clone(), config, ops }
}

fn starts(run: &Run, disk: MemDisk, durable: u64, what: &str) {
    let (mut node, recovered) = Node::recover(run.config.clone(), disk, run.keys.clone())
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    let last = recovered.last.seqno;
    assert!(last >= durable, "{what}: {durable} was acknowledged, {last} is left");
    assert!(node.poisoned.is_none(), "{what}: {:?}", node.poisoned);
    let next = node.put("records", "next", "value");
    assert!(next.view > recovered.last.view && next.seqno > last, "{what}");
    node.settle();
    assert_eq!(node.store().committed(), TxId::new(next.view, next.seqno + 1), "{what}");
}

#[test]
fn p01_a_process_killed_at_any_operation_of_a_chunk_roll_over_loses_nothing() {
    let run = run();
    let (mut disk, mut twice) = (MemDisk::new(), 0);
    for (at, (op, durable)) in run.ops.iter().enumerate() {
        starts(&run, common::copy_tree(&disk), *durable, &format!("before operation {at}"));
        if let DiskOp::Append { path, parts } = op {
            let bytes = parts.concat();
            for part in [1, bytes.len() / 2, bytes.len() - 1] {
                let part = part.min(bytes.len() - 1);
                let mut torn = common::copy_tree(&disk);
                affiant_kv::Disk::append(&mut torn, path, &bytes[..part]).unwrap();
                starts(&run, torn, *durable, &format!("{part} bytes into operation {at}"));
                twice += 1;
            }
        }
        op.perform(&mut disk).unwrap();
    }
    assert!(twice > 30 && run.ops.len() > 50, "{twice} {}", run.ops.len());
}

/// What a disk holds after a loss of power, by rules looser than any real one's.
#[derive(Default)]
struct PowerModel {
    files: Vec<FileModel>,
    /// Names that are durable, and those that are not.
    durable: BTreeMap<String, usize>,
    current: BTreeMap<String, usize>,
    pending: Vec<NameChange>,
}

#[derive(Default)]
struct FileModel {
    durable: Vec<u8>,
    size: usize,
    pending: Vec<(usize, Vec<u8>)>,
}

enum NameChange {
    Create(String, usize),
    Rename(String, String),
}

const SECTOR_BYTES: usize = 512;

impl PowerModel {
    fn perform(&mut self, op: &DiskOp) {
        match op {
            DiskOp::CreateDir { .. } => {}
            DiskOp::Create { path } => {
                self.files.push(FileModel::default());
                let file = self.files.len() - 1;
                self.current.insert(path.to_string(), file);
                self.pending.push(NameChange::Create(path.to_string(), file));
            }
            DiskOp::Append { path, parts } => {
                let file = &mut self.files[self.current[&**path]];
                let bytes = parts.concat();
                file.pending.push((file.size, bytes.clone()));
                file.size += bytes.len();
            }
            DiskOp::WriteAt { path, offset, bytes } => {
                let file = &mut self.files[self.current[&**path]];
                file.pending.push((*offset as usize, bytes.to_vec()));
            }
            DiskOp::Sync { path } => {
                let file = &mut self.files[self.current[&**path]];
                for (offset, bytes) in core::mem::take(&mut file.pending) {
                    write(&mut file.durable, offset, &bytes);
                }
            }
            DiskOp::Rename { from, to } => {
                let file = self.current.remove(&**from).unwrap();
                self.current.insert(to.to_string(), file);
                self.pending.push(NameChange::Rename(from.to_string(), to.to_string()));
            }
            DiskOp::SyncDir { path } => {
                let inside =
                    |name: &str| name.rsplit_once('/').map_or("", |(dir, _)| dir) == &**path;
                self.pending.retain(|change| !match change {
                    NameChange::Create(name, _) | NameChange::Rename(name, _) => inside(name),
                });
                self.durable.retain(|name, _| !inside(name));
                let now = self.current.iter().filter(|(name, _)| inside(name));
                self.durable.extend(now.map(|(name, file)| (name.clone(), *file)));
            }
            DiskOp::Truncate { .. } | DiskOp::Remove { .. } => panic!("not in a run"),
        }
    }

    /// Power is lost: `survives` decides for each sector and each name.
    fn lose_power(&self, mut survives: impl FnMut() -> bool) -> MemDisk {
        let mut names = self.durable.clone();
        for change in &self.pending {
            if !survives() {
                continue;
            }
            match change {
                NameChange::Create(name, file) => {
                    names.insert(name.clone(), *file);
                }
                NameChange::Rename(from, to) => {
                    if let Some(file) = names.remove(from) {
                        names.insert(to.clone(), file);
                    }
                }
            }
        }
        let mut files = Vec::new();
        for (name, file) in names {
            let file = &self.files[file];
            let mut bytes = file.durable.clone();
            for (offset, written) in &file.pending {
                let mut from = 0;
                while from < written.len() {
                    let boundary = (offset + from) / SECTOR_BYTES * SECTOR_BYTES + SECTOR_BYTES;
                    let to = (boundary - offset).min(written.len());
                    if survives() {
                        write(&mut bytes, offset + from, &written[from..to]);
                    }
                    from = to;
                }
            }
            files.push((name, bytes));
        }
        disk_of(&files)
    }
}

fn write(bytes: &mut Vec<u8>, offset: usize, written: &[u8]) {
    let end = offset + written.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(written);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn p01_a_loss_of_power_keeps_everything_acknowledged(
        cut in 0.0..1.0_f64,
        bias in prop::sample::select(vec![0.05, 0.5, 0.9]),
        dice in prop::collection::vec(0.0..1.0_f64, 64),
    ) {
        static RUN: std::sync::OnceLock<Run> = std::sync::OnceLock::new();
        let run = RUN.get_or_init(run);
        let cut = (cut * (run.ops.len() - 1) as f64) as usize + 1;
        let mut model = PowerModel::default();
        for (op, _) in &run.ops[..cut] {
            model.perform(op);
        }
        let mut throws = dice.iter().cycle();
        let disk = model.lose_power(|| throws.next().is_some_and(|dice| *dice < bias));
        let durable = run.ops.get(cut).map_or(0, |(_, durable)| *durable);
        starts(run, disk, durable, &format!("power lost before operation {cut}"));
    }
}
