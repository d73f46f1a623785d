//! One entry from the disk: does it authenticate, is it the one expected, and what does it say?

use std::collections::HashMap;

use affiant_proof::entry::{EntryKind, EntryView, FLAG_CHUNK_AFTER, MapView, Maps};
use affiant_proof::{Digest, TxId};

use super::reader::SignatureEntry;
use crate::history;
use crate::map::{Key, Value};
use crate::name::MapName;
use crate::seal::Sealer;
use crate::store::MapWrites;

/// An entry that has proved to be this service's.
pub(crate) struct Checked {
    pub(crate) txid: TxId,
    pub(crate) ends_chunk: bool,
    pub(crate) leaf: Digest,
    pub(crate) writes: Vec<MapWrites>,
    pub(crate) signature: Option<SignatureEntry>,
}

/// Why an entry was not accepted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It does not authenticate: torn, or damaged.
    NotAuthentic(String),
    /// It authenticates, but should not be here.
    Wrong(String),
}

/// Map names, so that each is checked and allocated once.
#[derive(Default)]
pub(crate) struct Names(HashMap<Vec<u8>, MapName>);

impl Names {
    fn get(&mut self, name: &[u8]) -> Result<MapName, Refusal> {
        if let Some(known) = self.0.get(name) {
            return Ok(known.clone());
        }
        let text = core::str::from_utf8(name).map_err(wrong)?;
        let new = MapName::new(text).map_err(wrong)?;
        self.0.insert(name.to_vec(), new.clone());
        Ok(new)
    }
}

fn wrong(error: impl core::fmt::Display) -> Refusal {
    Refusal::Wrong(error.to_string())
}

/// Checks that `bytes` are exactly one authentic entry, and that it is the one at `seqno`.
pub(crate) fn check(
    bytes: &[u8],
    seqno: u64,
    sealer: &dyn Sealer,
    names: &mut Names,
) -> Result<Checked, Refusal> {
    let (entry, private) = authenticate(bytes, sealer)?;
    let txid = entry.txid();
    if txid.seqno != seqno {
        return Err(Refusal::Wrong(format!("entry {txid} stands where seqno {seqno} belongs")));
    }
    if entry.version() != seqno
        || entry.kind() != EntryKind::WriteSetWithCommitEvidenceAndClaims
        || entry.flags() & !FLAG_CHUNK_AFTER != 0
    {
        return Err(Refusal::Wrong(format!("entry {txid} is of a kind that is not written here")));
    }
    let evidence = sealer.commit_evidence_digest(txid).map_err(wrong)?;
    if entry.commit_evidence_digest() != Some(evidence) {
        return Err(Refusal::Wrong(format!("entry {txid} carries another entry's evidence")));
    }
    let signature = history::parse_signature(&entry).map_err(Refusal::Wrong)?;
    let ends_chunk = entry.flags() & FLAG_CHUNK_AFTER != 0;
    if ends_chunk && signature.is_none() {
        return Err(Refusal::Wrong(format!("entry {txid} ends its chunk, but signs nothing")));
    }
    let mut writes = Vec::new();
    for map in entry.maps().chain(Maps::of_private(&private)) {
        writes.push(writes_of(&map.map_err(wrong)?, names)?);
    }
    Ok(Checked { txid, ends_chunk, leaf: entry.leaf(), writes, signature })
}

/// Checks that `bytes` are exactly one entry whose tag is right, and opens its private domain.
pub(crate) fn authenticate<'a>(
    bytes: &'a [u8],
    sealer: &dyn Sealer,
) -> Result<(EntryView<'a>, Vec<u8>), Refusal> {
    let not_authentic = |error: &dyn core::fmt::Display| Refusal::NotAuthentic(error.to_string());
    let (entry, size) = EntryView::parse(bytes).map_err(|error| not_authentic(&error))?;
    if size != bytes.len() || entry.iv_marks_snapshot() {
        return Err(Refusal::NotAuthentic("it is not exactly one entry".to_owned()));
    }
    let mut private = entry.private_ciphertext().to_vec();
    sealer
        .open(entry.txid(), entry.public_domain(), &mut private, &entry.tag())
        .map_err(|error| not_authentic(&error))?;
    Ok((entry, private))
}

fn writes_of(map: &MapView<'_>, names: &mut Names) -> Result<MapWrites, Refusal> {
    let name = names.get(map.name())?;
    let count = map.write_count() + map.remove_count();
    let mut writes = Vec::with_capacity(usize::try_from(count).unwrap_or(0));
    for (key, value) in map.writes() {
        writes.push((Key::from(key), Some(Value::from(value))));
    }
    for key in map.removes() {
        writes.push((Key::from(key), None));
    }
    Ok(MapWrites { name, writes })
}
