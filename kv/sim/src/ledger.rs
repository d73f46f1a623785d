//! A second reader of the ledger's files, independent of the node's own: what a checker believes.

use std::collections::BTreeMap;

use affiant_kv::Sealer;
use affiant_proof::chunk::ChunkName;
use affiant_proof::entry::{self, EntryView, Maps, SINGLETON_KEY};
use affiant_proof::{Digest, TxId, claims, cose, tables};

/// A file's path and contents.
pub(crate) type FileBytes<'a> = (&'a str, &'a [u8]);

/// Map and key.
pub(crate) type Place = (String, Vec<u8>);

/// One write or, without a value, removal.
pub(crate) type Write = (Place, Option<Vec<u8>>);

/// A state of all maps: the value at each place, and the seqno that wrote it.
pub(crate) type State = BTreeMap<Place, (u64, Vec<u8>)>;

/// Applies `writes` of the transaction at `seqno`.
pub(crate) fn apply(state: &mut State, seqno: u64, writes: &[Write]) {
    for (place, value) in writes {
        match value {
            Some(value) => state.insert(place.clone(), (seqno, value.clone())),
            None => state.remove(place),
        };
    }
}

/// Whether a map is written by the node itself, as part of its signatures.
#[must_use]
pub(crate) fn is_signature_map(map: &str) -> bool {
    [tables::SIGNATURES, tables::COSE_SIGNATURES, tables::TREE].contains(&map)
}

/// A root, the node's signature over it, and the service's COSE_Sign1.
pub(crate) type RootSignatures = (Digest, Vec<u8>, Vec<u8>);

/// One entry as it lies in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LedgerEntry {
    /// Its id, from the IV.
    pub txid: TxId,
    /// SHA-256 of all its bytes.
    pub digest: Digest,
    /// Its claims digest.
    pub claims: Digest,
    /// Its Merkle leaf.
    pub leaf: Digest,
    /// All its writes, public and private.
    pub writes: Vec<Write>,
}

impl LedgerEntry {
    /// The commit point of which a signature entry tells: how many leaves its tree table has flushed.
    #[must_use]
    pub(crate) fn committed_before(&self) -> Option<u64> {
        let place = (tables::TREE.to_owned(), SINGLETON_KEY.to_vec());
        let (_, tree) = self.writes.iter().find(|(at, _)| *at == place)?;
        Some(u64::from_be_bytes(tree.as_ref()?.get(8..16)?.try_into().ok()?))
    }

    /// The signed root, if this is a signature entry: root, node's signature, service's COSE_Sign1.
    ///
    /// # Errors
    /// The tables are there and cannot be read.
    pub(crate) fn signature(&self) -> Result<Option<RootSignatures>, String> {
        let table = |name: &str| {
            let place = (name.to_owned(), SINGLETON_KEY.to_vec());
            self.writes.iter().find(|(at, _)| *at == place).and_then(|(_, value)| value.as_ref())
        };
        let Some(raw) = table(tables::SIGNATURES) else { return Ok(None) };
        let raw = tables::RootSignature::parse(raw).map_err(|error| error.to_string())?;
        let cose = table(tables::COSE_SIGNATURES).ok_or("no COSE table beside the raw one")?;
        let cose = cose::decode_table_value(cose).map_err(|error| error.to_string())?;
        let root = raw.root().map_err(|error| error.to_string())?;
        let signature = raw.signature_der().map_err(|error| error.to_string())?;
        Ok(Some((root, signature, cose)))
    }
}

/// The entries in `files`, as far as they are whole and contiguous from 1, up to `last`.
///
/// # Errors
/// An entry that is whole by its header cannot be read or opened.
pub(crate) fn read(
    files: &[FileBytes<'_>],
    sealer: &dyn Sealer,
    last: u64,
) -> Result<Vec<LedgerEntry>, String> {
    raw_entries(files)
        .into_iter()
        .take_while(|(txid, _)| txid.seqno <= last)
        .map(|(txid, bytes)| read_one(bytes, sealer).map_err(|why| format!("entry {txid}: {why}")))
        .collect()
}

/// The bytes of the entries in `files`, as far as they are whole and contiguous from 1.
#[must_use]
pub(crate) fn raw_entries<'a>(files: &[FileBytes<'a>]) -> Vec<(TxId, &'a [u8])> {
    let mut chunks: Vec<(u64, &[u8])> = files
        .iter()
        .filter_map(|(path, bytes)| {
            let name = ChunkName::parse(path.rsplit('/').next()?).ok()?;
            (!name.ignored).then_some((name.first, *bytes))
        })
        .collect();
    chunks.sort_by_key(|(first, _)| *first);
    let mut entries: Vec<(TxId, &'a [u8])> = Vec::new();
    for (first, chunk) in chunks {
        if first != entries.len() as u64 + 1 {
            break;
        }
        let whole = walk(chunk);
        for (txid, bytes) in whole {
            if txid.seqno != entries.len() as u64 + 1 {
                return entries;
            }
            entries.push((txid, bytes));
        }
    }
    entries
}

/// How far each chunk reaches that holds entries up to `last`, in bytes: path and end of the last of
/// those entries.
#[must_use]
pub(crate) fn extents(files: &[FileBytes<'_>], last: u64) -> Vec<(String, usize)> {
    let mut extents = Vec::new();
    for (path, chunk) in files {
        let entries = walk(chunk);
        let vouched = entries.iter().filter(|(txid, _)| txid.seqno <= last);
        let bytes: usize = vouched.map(|(_, bytes)| bytes.len()).sum();
        if bytes > 0 {
            extents.push(((*path).to_owned(), 8 + bytes));
        }
    }
    extents
}

fn walk(chunk: &[u8]) -> Vec<(TxId, &[u8])> {
    let mut entries = Vec::new();
    let Some(table) = chunk.first_chunk::<8>() else { return entries };
    // A table offset may be torn; entries end where no whole entry starts.
    let table = usize::try_from(u64::from_le_bytes(*table)).unwrap_or(usize::MAX);
    let end = if (8..=chunk.len()).contains(&table) { table } else { chunk.len() };
    let mut at = 8;
    while at < end {
        let Ok((_, size)) = entry::parse_header(&chunk[at..end]) else { break };
        let length = entry::HEADER_BYTES + size as usize;
        let Some(bytes) = chunk.get(at..at + length).filter(|_| at + length <= end) else { break };
        let Ok((view, _)) = EntryView::parse(bytes) else { break };
        entries.push((view.txid(), bytes));
        at += length;
    }
    entries
}

/// Reads and opens one entry.
///
/// # Errors
/// It is malformed, or its seal does not hold.
pub(crate) fn read_one(bytes: &[u8], sealer: &dyn Sealer) -> Result<LedgerEntry, String> {
    let (view, _) = EntryView::parse(bytes).map_err(|error| error.to_string())?;
    let mut private = view.private_ciphertext().to_vec();
    sealer
        .open(view.txid(), view.public_domain(), &mut private, &view.tag())
        .map_err(|error| error.to_string())?;
    let nonce = sealer.commit_nonce(view.txid()).map_err(|error| error.to_string())?;
    let evidence = Digest::of(claims::commit_evidence(view.txid(), &nonce.0).as_bytes());
    if view.commit_evidence_digest() != Some(evidence) {
        return Err("its commit evidence is not its own".to_owned());
    }
    let mut writes = Vec::new();
    for map in view.maps().chain(Maps::of_private(&private)) {
        let map = map.map_err(|error| error.to_string())?;
        let name = core::str::from_utf8(map.name()).map_err(|error| error.to_string())?;
        let place = |key: &[u8]| (name.to_owned(), key.to_vec());
        writes.extend(map.writes().map(|(key, value)| (place(key), Some(value.to_vec()))));
        writes.extend(map.removes().map(|key| (place(key), None)));
    }
    writes.sort();
    Ok(LedgerEntry {
        txid: view.txid(),
        digest: view.write_set_digest(),
        claims: view.claims_digest().unwrap_or(Digest::ZERO),
        leaf: view.leaf(),
        writes,
    })
}
