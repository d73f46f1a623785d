//! The consensus record: one file of fixed-size records beside the ledger, `<state dir>/consensus`.
//!
//! A record has 64 bytes, little-endian: kind (1), format version 1 (1), zeros (6), five numbers
//! (40), zeros (8), the first 8 bytes of the SHA-256 of the 56 bytes before (8).
//!
//! | kind | numbers |
//! |---|---|
//! | 1 hard state | term, vote, engine index committed, node, view offset |
//! | 2 batch | engine index, term, first seqno, last seqno, synced seqno |
//! | 3 synced | synced seqno |
//!
//! A hard state is synced before anything of its term is written; a batch, in a group, with the
//! ledger's next sync at the latest; alone, batches and synced seqnos are never synced.
//!
//! For a group of one the ledger is the truth, so batches and synced seqnos are not synced: they are
//! evidence only. What they say is true whenever they are found, for a batch's record is written
//! after everything before the batch was synced; so an entry at or below the highest synced seqno
//! that does not authenticate is damage, not a torn tail.
//!
//! Invariants
//! * The first record is a hard state, and terms never fall from record to record.
//! * The file is replaced by rename once it has grown past its bound.

use std::sync::Arc;

use affiant_proof::Digest;
use bytes::Bytes;

use crate::consensus::{Hard, Record};
use crate::disk::Disk;
use crate::error::KvError;
use crate::limits::SIDECAR_BYTES_MAX;
use crate::replica::DiskOp;

const RECORD_BYTES: usize = 64;
const COVERED_BYTES: usize = 56;
const VERSION: u8 = 1;
const HARD: u8 = 1;
const BATCH: u8 = 2;
const SYNCED: u8 = 3;

const NAME: &str = "consensus";
const NEW_NAME: &str = "consensus.new";

/// What a consensus record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct SidecarState {
    pub(crate) hard: Hard,
    pub(crate) node: u64,
    pub(crate) view_offset: u64,
    /// The newest engine entry on record.
    pub(crate) index: u64,
    /// Entries up to this seqno were synced.
    pub(crate) synced: u64,
}

/// Writes the record: every method gives the operations, none performs them.
pub(crate) struct Sidecar {
    path: Arc<str>,
    new_path: Arc<str>,
    dir: Arc<str>,
    state: SidecarState,
    bytes: u64,
}

impl Sidecar {
    pub(crate) fn new(state_dir: &str, state: SidecarState) -> Self {
        Self {
            path: join(state_dir, NAME).into(),
            new_path: join(state_dir, NEW_NAME).into(),
            dir: state_dir.into(),
            state,
            bytes: 0,
        }
    }

    #[cfg(test)]
    fn state(&self) -> &SidecarState {
        &self.state
    }

    /// Creates the file in a directory that has none.
    pub(crate) fn create(&mut self, hard: Hard) -> Vec<DiskOp> {
        self.state.hard = hard;
        self.bytes = RECORD_BYTES as u64;
        let mut ops = vec![DiskOp::CreateDir { path: self.dir.clone() }];
        ops.push(DiskOp::Create { path: self.path.clone() });
        ops.push(append(&self.path, vec![self.hard_record()]));
        ops.push(DiskOp::Sync { path: self.path.clone() });
        ops.extend(sync_dirs(&self.dir));
        ops
    }

    /// Puts a new file with the hard state and what is known in the place of the old one.
    pub(crate) fn replace(&mut self, hard: Hard) -> Vec<DiskOp> {
        self.state.hard = hard;
        let (path, new_path) = (self.path.clone(), self.new_path.clone());
        let parts = vec![self.hard_record(), self.synced_record()];
        self.bytes = parts.iter().map(|part| part.len() as u64).sum();
        vec![
            DiskOp::Create { path: new_path.clone() },
            append(&new_path, parts),
            DiskOp::Sync { path: new_path.clone() },
            DiskOp::Rename { from: new_path, to: path },
            DiskOp::SyncDir { path: self.dir.clone() },
        ]
    }

    /// Records a batch that will be written after everything up to `synced` was synced.
    pub(crate) fn batch(&mut self, records: &[Record], synced: u64) -> Vec<DiskOp> {
        self.note(synced);
        let mut parts = Vec::with_capacity(records.len());
        for record in records {
            assert!(record.index > self.state.index, "engine entries are recorded in order");
            self.state.index = record.index;
            let (first, last) = record.span.map_or((0, 0), |span| (span.first, span.last));
            parts.push(encode(BATCH, [record.index, record.term, first, last, self.state.synced]));
        }
        self.bytes += (parts.len() * RECORD_BYTES) as u64;
        let mut ops = Vec::new();
        if !parts.is_empty() {
            ops.push(append(&self.path, parts));
        }
        if self.bytes > SIDECAR_BYTES_MAX {
            ops.extend(self.replace(self.state.hard));
        }
        ops
    }

    /// Records that everything up to `synced` was synced; nothing if that is on record.
    pub(crate) fn synced(&mut self, synced: u64) -> Option<DiskOp> {
        if synced <= self.state.synced {
            return None;
        }
        self.note(synced);
        self.bytes += RECORD_BYTES as u64;
        Some(append(&self.path, vec![self.synced_record()]))
    }

    fn note(&mut self, synced: u64) {
        self.state.synced = self.state.synced.max(synced);
    }

    fn hard_record(&self) -> Bytes {
        let SidecarState { hard, node, view_offset, .. } = self.state;
        encode(HARD, [hard.term, hard.vote, hard.commit, node, view_offset])
    }

    fn synced_record(&self) -> Bytes {
        encode(SYNCED, [self.state.synced, self.state.index, 0, 0, 0])
    }

    /// Removes what a crash left of a new file that had not yet taken the old one's place, and, where
    /// nothing was ever durable in it, of the record itself.
    pub(crate) fn remove_leftovers(
        disk: &mut dyn Disk,
        state_dir: &str,
        is_recorded: bool,
    ) -> Result<(), KvError> {
        for name in disk.list(state_dir)? {
            if name == NEW_NAME || (name == NAME && !is_recorded) {
                disk.remove(&join(state_dir, &name))?;
            }
        }
        Ok(())
    }

    /// Reads the record in `state_dir`; `None` if there is none, or nothing was ever durable in it.
    pub(crate) fn load(disk: &dyn Disk, state_dir: &str) -> Result<Option<SidecarState>, KvError> {
        let names = disk.list(state_dir)?;
        if !names.iter().any(|name| name == NAME) {
            return Ok(None);
        }
        let path = join(state_dir, NAME);
        let size = disk.size(&path)?;
        let refuse = |offset: u64, reason: &str| KvError::Damaged {
            file: path.clone(),
            offset,
            reason: format!("{reason}; restore the file from the same moment as the ledger"),
        };
        if size > SIDECAR_BYTES_MAX * 2 {
            return Err(refuse(0, "the consensus record is larger than any that is written"));
        }
        let bytes = disk.read_at(&path, 0, size as usize)?;
        parse(&bytes).map_err(|(offset, reason)| refuse(offset, reason))
    }
}

/// `Ok(None)` if nothing was ever durable in the file.
fn parse(bytes: &[u8]) -> Result<Option<SidecarState>, (u64, &'static str)> {
    let mut state = SidecarState::default();
    let mut bad: Option<u64> = None;
    for (slot, record) in bytes.chunks(RECORD_BYTES).enumerate() {
        let offset = (slot * RECORD_BYTES) as u64;
        let Some((kind, numbers)) = decode(record) else {
            bad = bad.or(Some(offset));
            continue;
        };
        match kind {
            HARD => {
                if let Some(bad) = bad {
                    return Err((bad, "a record before a synced hard state is damaged"));
                }
                let [term, vote, commit, node, view_offset] = numbers;
                if term < state.hard.term {
                    return Err((offset, "its term is below an earlier one"));
                }
                state.hard = Hard { term, vote, commit };
                (state.node, state.view_offset) = (node, view_offset);
            }
            _ if state.hard.term == 0 => {
                return Err((0, "the hard state at its head is damaged or missing"));
            }
            BATCH => {
                state.index = state.index.max(numbers[0]);
                state.synced = state.synced.max(numbers[4]);
            }
            SYNCED => {
                state.synced = state.synced.max(numbers[0]);
                state.index = state.index.max(numbers[1]);
            }
            _ => return Err((offset, "it holds a record of an unknown kind")),
        }
    }
    Ok((state.hard.term > 0).then_some(state))
}

fn encode(kind: u8, numbers: [u64; 5]) -> Bytes {
    let mut record = Vec::with_capacity(RECORD_BYTES);
    record.extend_from_slice(&[kind, VERSION, 0, 0, 0, 0, 0, 0]);
    for number in numbers {
        record.extend_from_slice(&number.to_le_bytes());
    }
    record.extend_from_slice(&[0; 8]);
    let checksum = Digest::of(&record);
    record.extend_from_slice(&checksum.0[..RECORD_BYTES - COVERED_BYTES]);
    assert_eq!(record.len(), RECORD_BYTES, "records have one size");
    record.into()
}

fn decode(record: &[u8]) -> Option<(u8, [u64; 5])> {
    let (covered, checksum) = record.split_at_checked(COVERED_BYTES)?;
    if checksum != Digest::of(covered).0.get(..checksum.len())?
        || record.len() != RECORD_BYTES
        || *covered.get(1)? != VERSION
    {
        return None;
    }
    let mut numbers = [0; 5];
    for (number, bytes) in numbers.iter_mut().zip(covered.get(8..)?.chunks_exact(8)) {
        *number = u64::from_le_bytes(bytes.try_into().ok()?);
    }
    Some((*covered.first()?, numbers))
}

fn append(path: &Arc<str>, parts: Vec<Bytes>) -> DiskOp {
    DiskOp::Append { path: path.clone(), parts }
}

/// `name` in directory `dir`; the root is the empty path.
pub(crate) fn join(dir: &str, name: &str) -> String {
    if dir.is_empty() { name.to_owned() } else { format!("{dir}/{name}") }
}

/// Makes the names in `dir` durable, and the name of `dir` and of each parent in theirs.
pub(crate) fn sync_dirs(dir: &str) -> Vec<DiskOp> {
    let mut ops = Vec::new();
    let mut path = dir;
    loop {
        ops.push(DiskOp::SyncDir { path: path.into() });
        match path.rsplit_once('/') {
            Some((parent, _)) => path = parent,
            None if path.is_empty() => return ops,
            None => path = "",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::consensus::Span;
    use crate::disk::MemDisk;

    fn perform(disk: &mut MemDisk, ops: &[DiskOp]) {
        for op in ops {
            op.perform(disk).unwrap();
        }
    }

    fn written() -> (MemDisk, SidecarState) {
        let mut disk = MemDisk::new();
        let known = SidecarState { node: 1, view_offset: 1, ..SidecarState::default() };
        let mut sidecar = Sidecar::new("state", known);
        let hard = Hard { term: 3, vote: 1, commit: 0 };
        perform(&mut disk, &sidecar.create(hard));
        for index in 1..=5 {
            let span = Some(Span { first: index * 10, last: index * 10 + 9 });
            let record = Record { index, term: 3, span };
            perform(&mut disk, &sidecar.batch(&[record], index * 10 - 1));
        }
        perform(&mut disk, &Vec::from_iter(sidecar.synced(59)));
        assert_eq!(sidecar.synced(59), None);
        (disk, *sidecar.state())
    }

    #[test]
    fn what_is_written_is_read() {
        let (mut disk, state) = written();
        assert_eq!(Sidecar::load(&disk, "state").unwrap(), Some(state));
        assert_eq!((state.index, state.synced, state.hard.term), (5, 59, 3));
        assert_eq!(Sidecar::load(&disk, "elsewhere").unwrap(), None);
        let mut sidecar = Sidecar::new("state", state);
        perform(&mut disk, &sidecar.replace(Hard { term: 4, ..state.hard }));
        let reread = Sidecar::load(&disk, "state").unwrap().unwrap();
        assert_eq!((reread.hard.term, reread.index, reread.synced), (4, 5, 59));
    }

    #[test]
    fn a_torn_tail_is_forgotten_and_a_damaged_head_is_refused() {
        let (disk, state) = written();
        let size = disk.size("state/consensus").unwrap() as usize;
        let bytes = disk.read_at("state/consensus", 0, size).unwrap();
        for cut in 0..size {
            let read = parse(&bytes[..cut]).unwrap();
            match cut {
                0..64 => assert_eq!(read, None),
                _ => assert!(read.unwrap().synced <= state.synced && read.unwrap().hard.term == 3),
            }
        }
        for (at, bit) in (0..size).zip([1_u8, 2, 4, 8, 16, 32, 64, 128].into_iter().cycle()) {
            let mut flipped = bytes.clone();
            flipped[at] ^= bit;
            match parse(&flipped) {
                Ok(read) => assert!(at >= 64 && read.unwrap().synced <= state.synced),
                Err((offset, _)) => assert!(at < 64 && offset == 0),
            }
        }
    }

    #[test]
    fn the_file_is_replaced_before_it_grows_without_bound() {
        let (mut disk, state) = written();
        let mut sidecar = Sidecar::new("state", state);
        perform(&mut disk, &sidecar.replace(state.hard));
        for index in 6..40_000 {
            let span = Some(Span { first: index * 10, last: index * 10 + 9 });
            let record = Record { index, term: 3, span };
            perform(&mut disk, &sidecar.batch(&[record], index * 10 - 1));
            assert!(disk.size("state/consensus").unwrap() <= SIDECAR_BYTES_MAX + 64);
        }
        let read = Sidecar::load(&disk, "state").unwrap().unwrap();
        assert_eq!((read.index, read.synced), (39_999, 399_989));
    }
}
