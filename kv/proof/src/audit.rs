//! Auditing a whole ledger: chunk after chunk, or entry after entry, in bounded memory.
//!
//! The audit trusts nothing but hashes and signatures. It recomputes every leaf and root, checks
//! every signature entry against them and against the identities that the ledger itself records,
//! and reports what contradicts, with its place. It keeps the identities, the frontier of the
//! tree and the leaves since the last commit, never the ledger.
//!
//! A signature entry covers all entries before it. The last one is covered by nothing, so it is
//! held to one exact form: the only bytes of it that no check reaches without the ledger secret
//! are its tag (16 bytes) and its commit evidence digest (32 bytes), and the report says so. With
//! the secret every byte of the ledger is checked.

mod identity;
mod report;
mod seal;
mod signature;
mod start;

pub use report::{AuditReport, AuditVerdict, Finding, ServicePeriod, Severity};
pub use seal::LedgerSecret;

use identity::Identities;
use report::Journal;
use seal::Seals;

use crate::cert::Certificate;
use crate::chunk::{ChunkName, ChunkState, ChunkView};
use crate::entry::{
    EntryKind, EntryView, FLAG_CHUNK_AFTER, FLAG_CHUNK_BEFORE, FRAME_BYTES, MapView, PUBLIC_PREFIX,
    SINGLETON_KEY, TAG_OFFSET,
};
use crate::limits::AUDIT_VIEWS_MAX;
use crate::merkle::Tree;
use crate::{ProofError, TxId, tables};

const CHUNK: &str = "chunk";
const POSITIONS: &str = "position table";
const ENTRY: &str = "entry";
const SEQNO: &str = "seqno";
const VIEW: &str = "view";
const FLAGS: &str = "flags";
const MAPS: &str = "maps";
const SEAL: &str = "seal";
const COVERAGE: &str = "coverage";
const TRUST: &str = "trust";
const RECOVERY: &str = "recovery";

/// Offset of the commit evidence digest within an entry of kind 4.
const EVIDENCE_OFFSET: usize = FRAME_BYTES + 1 + 8 + 32;

/// What the caller knows and asks for.
#[derive(Clone, Debug, Default)]
pub struct AuditOptions {
    /// Ledger secrets, for checking seals. Entries whose secret is not given are not opened.
    pub secrets: Vec<LedgerSecret>,
    /// A certificate of the service that the caller trusts: the key in force at the end of the
    /// ledger must be its key.
    pub trusted_service: Option<Certificate>,
    /// The moment, in unix seconds, at which the service certificate must be valid.
    pub now: Option<u64>,
}

/// An audit under way. Cloning it keeps a point to continue from twice.
#[derive(Clone)]
pub struct Auditor {
    journal: Journal,
    tree: Tree,
    identities: Identities,
    seals: Seals,
    trusted_service: Option<Certificate>,
    now: Option<u64>,
    /// The seqno after which the audit started; 0 unless it started from a snapshot.
    start: u64,
    /// The first seqno of each view, and the view.
    views: Vec<(u64, u64)>,
    first: Option<TxId>,
    last: Option<TxId>,
    last_entry: LastEntry,
    last_signed: Option<TxId>,
    /// The last signature entry, verified or not.
    last_signature: Option<Coverage>,
    chunks: u64,
    entries: u64,
    signatures: u64,
    cose_signatures: u64,
    sealed: u64,
    unopened: u64,
    deprecated: u64,
    /// The chunk before, if it was open: nothing may follow it.
    open_chunk: Option<String>,
    /// The bytes can no longer be followed, or the tree no longer known: nothing more is read.
    stopped: bool,
}

/// What the next entry's checks need of the one before.
#[derive(Clone, Copy, Default)]
struct LastEntry {
    is_signature: bool,
    flags: u8,
}

/// The place of the last signature entry.
#[derive(Clone)]
struct Coverage {
    txid: TxId,
    chunk: String,
    offset: u64,
    opened: bool,
}

/// The tables of one entry that the audit reads.
#[derive(Clone, Copy, Default)]
struct Tables<'a> {
    count: usize,
    signature: Option<MapView<'a>>,
    cose: Option<MapView<'a>>,
    tree: Option<MapView<'a>>,
    service_info: Option<MapView<'a>>,
    nodes_info: Option<MapView<'a>>,
    node_certificates: Option<MapView<'a>>,
    endorsement: Option<MapView<'a>>,
}

impl Auditor {
    /// Starts an audit at the beginning of a ledger.
    #[must_use]
    pub fn new(options: AuditOptions) -> Self {
        Self {
            journal: Journal::default(),
            tree: Tree::new(),
            identities: Identities::default(),
            seals: Seals::new(&options.secrets),
            trusted_service: options.trusted_service,
            now: options.now,
            start: 0,
            views: Vec::new(),
            first: None,
            last: None,
            last_entry: LastEntry::default(),
            last_signed: None,
            last_signature: None,
            chunks: 0,
            entries: 0,
            signatures: 0,
            cose_signatures: 0,
            sealed: 0,
            unopened: 0,
            deprecated: 0,
            open_chunk: None,
            stopped: false,
        }
    }

    /// Whether an error was found already.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.journal.has_errors()
    }

    /// Reads the next chunk file: `name` without directories, `bytes` its whole content. Chunks
    /// come in the order of their first seqno.
    pub fn chunk(&mut self, name: &str, bytes: &[u8]) {
        name.clone_into(&mut self.journal.chunk);
        self.journal.offset = 0;
        self.journal.seqno = 0;
        if self.stopped {
            return;
        }
        let name = match ChunkName::parse(name) {
            Ok(name) => name,
            Err(error) => return self.stop(CHUNK, error.to_string()),
        };
        if name.ignored {
            return self.journal.note(CHUNK, "quarantined by its name; not read");
        }
        self.chunks += 1;
        if !self.check_name(&name) {
            return;
        }
        let view = match ChunkView::parse(bytes) {
            Ok(view) => view,
            Err(error) => return self.stop(CHUNK, error.to_string()),
        };
        match (name.state, view.is_completed()) {
            (ChunkState::Committed | ChunkState::Completed, false) => {
                self.journal.error(CHUNK, "named as completed, but it has no position table");
            }
            (ChunkState::Open, true) => {
                self.journal.note(CHUNK, "completed, but not yet committed by its name");
            }
            _ => {}
        }
        if !view.is_completed() {
            self.open_chunk = Some(name.to_string());
        }
        self.entries_of(&view);
        if !self.stopped {
            self.end_chunk(&name, &view);
        }
    }

    fn check_name(&mut self, name: &ChunkName) -> bool {
        if let Some(open) = self.open_chunk.take() {
            self.stop(CHUNK, format!("it follows {open}, which is still open"));
        } else if name.first != self.tree.size() {
            let expected = self.tree.size();
            self.stop(CHUNK, format!("expected a chunk that starts at seqno {expected}"));
        }
        if name.recovery {
            self.journal.note(RECOVERY, "written by a disaster recovery that is not complete");
        }
        !self.stopped
    }

    /// The entries of a chunk, and the position table along with them.
    fn entries_of(&mut self, view: &ChunkView<'_>) {
        let mut index = 0;
        let mut end = crate::chunk::CHUNK_HEADER_BYTES;
        for (offset, entry) in view.entries() {
            self.journal.offset = offset as u64;
            self.journal.seqno = self.tree.size();
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => return self.bad_entry(&error, view.is_completed()),
            };
            if view.is_completed() && view.position(index) != u32::try_from(offset).ok() {
                self.journal.error(
                    POSITIONS,
                    format!("position {index} is {:?}, not {offset}", view.position(index)),
                );
            }
            self.check_entry(&entry, index == 0);
            if self.stopped {
                return;
            }
            index += 1;
            end = offset + entry.bytes().len();
        }
        self.journal.offset = end as u64;
        if view.is_completed() && view.position_count() != index {
            self.journal.error(
                POSITIONS,
                format!("{} positions for {index} entries", view.position_count()),
            );
        }
    }

    fn bad_entry(&mut self, error: &ProofError, completed: bool) {
        if !completed && matches!(error, ProofError::Truncated { .. }) {
            self.journal.warning(ENTRY, format!("the last entry was not written whole: {error}"));
            self.stopped = true;
        } else {
            self.stop(ENTRY, error.to_string());
        }
    }

    fn end_chunk(&mut self, name: &ChunkName, view: &ChunkView<'_>) {
        let next = self.tree.size();
        self.journal.seqno = next - 1;
        if name.last.is_some_and(|last| last + 1 != next) {
            let found = next - 1;
            self.journal.error(CHUNK, format!("its last entry has seqno {found}"));
        }
        if next == name.first {
            if view.is_completed() {
                self.journal.error(CHUNK, "completed without a single entry");
            }
            return;
        }
        let LastEntry { is_signature, flags } = self.last_entry;
        let ends_chunk = flags & FLAG_CHUNK_AFTER != 0;
        if view.is_completed() && !is_signature {
            self.journal.error(CHUNK, "completed, but its last entry is no signature");
        } else if view.is_completed() && !ends_chunk {
            let text = "the last entry of a completed chunk lacks the flag that says so";
            self.journal.warning_unless_covered(FLAGS, text);
        } else if !view.is_completed() && ends_chunk {
            let text = "a chunk should have been completed after this entry and was not";
            self.journal.warning_unless_covered(FLAGS, text);
        }
    }

    /// Reads the next entry, for callers that hold entries and no chunks. Offsets in findings
    /// are then 0.
    pub fn entry(&mut self, bytes: &[u8]) {
        if self.stopped {
            return;
        }
        self.journal.seqno = self.tree.size();
        match EntryView::parse(bytes) {
            Ok((entry, size)) if size == bytes.len() => self.check_entry(&entry, true),
            Ok(_) => self.stop(ENTRY, "bytes follow the entry"),
            Err(error) => self.stop(ENTRY, error.to_string()),
        }
    }

    fn check_entry(&mut self, entry: &EntryView<'_>, first_in_chunk: bool) {
        let txid = entry.txid();
        if !self.check_numbers(entry, txid) {
            return;
        }
        let Some(tables) = self.tables(entry) else { return };
        let is_signature =
            tables.signature.is_some() || tables.cose.is_some() || tables.tree.is_some();
        self.check_flags(entry, first_in_chunk, is_signature, &tables);
        self.check_seal(entry);
        if let Some(map) = &tables.nodes_info {
            self.identities.nodes_info(map, &mut self.journal);
        }
        if let Some(map) = &tables.node_certificates {
            self.identities.node_certificates(map, &mut self.journal);
        }
        if let Some(map) = &tables.service_info {
            self.identities.service_info(txid, map, &mut self.journal);
        }
        if let Some(map) = &tables.endorsement {
            self.identities.endorsement(map, &mut self.journal);
        }
        if is_signature {
            self.check_signature(entry, &tables);
        }
        self.tree.append(entry.leaf());
        self.first = self.first.or(Some(txid));
        self.last = Some(txid);
        self.last_entry = LastEntry { is_signature, flags: entry.flags() };
        self.entries += 1;
    }

    /// Seqno, view and kind; false if the ledger cannot be followed any further.
    fn check_numbers(&mut self, entry: &EntryView<'_>, txid: TxId) -> bool {
        let expected = self.tree.size();
        if txid.seqno != expected {
            self.stop(SEQNO, format!("expected an entry with seqno {expected}, found {txid}"));
            return false;
        }
        if entry.version() != txid.seqno {
            self.journal.error(
                SEQNO,
                format!("the public domain says {}, the IV {}", entry.version(), txid.seqno),
            );
        }
        if entry.iv_marks_snapshot() || entry.kind() == EntryKind::Snapshot {
            self.stop(ENTRY, "a snapshot stands among the entries of a ledger");
            return false;
        }
        match self.last {
            Some(last) if last.view > txid.view => {
                self.journal.error(VIEW, format!("{txid} follows {last}: views never go back"));
            }
            _ if txid.view == 0 => self.journal.error(VIEW, "views start above 0"),
            _ => {}
        }
        if self.last.is_none_or(|last| last.view != txid.view) {
            if self.views.len() >= AUDIT_VIEWS_MAX {
                self.views.remove(0);
            }
            self.views.push((txid.seqno, txid.view));
        }
        if entry.kind() != EntryKind::WriteSetWithCommitEvidenceAndClaims {
            self.deprecated += 1;
        }
        if entry.reserved() != 0 && entry.kind() == EntryKind::WriteSetWithCommitEvidenceAndClaims {
            self.journal.error_unless_covered(ENTRY, "the reserved field is not 0");
        }
        true
    }

    /// The view of the entry at `seqno`.
    fn view_at(&self, seqno: u64) -> Option<u64> {
        let after = self.views.partition_point(|(first, _)| *first <= seqno);
        self.views.get(after.checked_sub(1)?).map(|(_, view)| *view)
    }

    /// Walks the public maps; none if their grammar is broken.
    fn tables<'a>(&mut self, entry: &EntryView<'a>) -> Option<Tables<'a>> {
        let mut tables = Tables::default();
        let mut previous: &[u8] = &[];
        for map in entry.maps() {
            let map = match map {
                Ok(map) => map,
                Err(error) => {
                    self.stop(MAPS, error.to_string());
                    return None;
                }
            };
            if !map.name().starts_with(PUBLIC_PREFIX) {
                let name = map.name().escape_ascii();
                self.journal.error(MAPS, format!("map {name} stands in clear but is private"));
            }
            if tables.count > 0 && map.name() <= previous {
                let name = map.name().escape_ascii();
                self.journal.error(MAPS, format!("map {name} is out of order, or stands twice"));
            }
            previous = map.name();
            tables.take(map);
        }
        Some(tables)
    }

    fn check_flags(
        &mut self,
        entry: &EntryView<'_>,
        first_in_chunk: bool,
        is_signature: bool,
        tables: &Tables<'_>,
    ) {
        let flags = entry.flags();
        if flags & FLAG_CHUNK_AFTER != 0 && !is_signature {
            self.journal.error(FLAGS, "only a signature entry can end a chunk");
        }
        if flags & FLAG_CHUNK_BEFORE != 0 {
            if !first_in_chunk {
                self.journal.error(FLAGS, "the entry must start a chunk but stands inside of one");
            }
            if tables.service_info.is_none() {
                let text = "the entry starts a chunk but does not start a recovered service";
                self.journal.error_unless_covered(FLAGS, text);
            }
        }
        if !first_in_chunk && self.last_entry.flags & FLAG_CHUNK_AFTER != 0 {
            self.journal.warning(FLAGS, "the entry before should have ended the chunk");
        }
    }

    fn check_seal(&mut self, entry: &EntryView<'_>) {
        if self.seals.is_empty() {
            return;
        }
        match self.seals.check(entry) {
            Ok(true) => self.sealed += 1,
            Ok(false) => self.unopened += 1,
            Err(error) => self.journal.error(SEAL, error.to_string()),
        }
    }

    /// Reports an error after which nothing more can be read.
    fn stop(&mut self, check: &'static str, explanation: impl Into<String>) {
        let explanation = explanation.into();
        self.journal.error(check, format!("{explanation}; nothing after this was checked"));
        self.stopped = true;
    }

    /// Ends the audit.
    #[must_use]
    pub fn finish(mut self) -> AuditReport {
        self.journal.seqno = self.last.map_or(0, |last| last.seqno);
        self.check_coverage();
        self.check_trust();
        let unsigned_tail = self.unsigned_tail();
        let (findings, findings_not_listed, verdict) = self.journal.finish();
        AuditReport {
            verdict,
            chunks: self.chunks,
            entries: self.entries,
            signatures: self.signatures,
            cose_signatures: self.cose_signatures,
            seals: self.sealed,
            first: self.first,
            last: self.last,
            last_signed: self.last_signed,
            unsigned_tail,
            services: self.identities.periods,
            findings,
            findings_not_listed,
        }
    }

    fn unsigned_tail(&self) -> u64 {
        let last = self.last.map_or(0, |last| last.seqno);
        last - self.last_signed.map_or(self.start, |signed| signed.seqno).min(last)
    }

    fn check_coverage(&mut self) {
        if self.entries == 0 {
            return self.journal.error(COVERAGE, "the ledger holds no entry");
        }
        if self.last_signed.is_none() {
            return self.journal.error(COVERAGE, "no signature verified: nothing is proven");
        }
        let tail = self.unsigned_tail();
        if tail > 0 {
            let from = self.last.map_or(0, |last| last.seqno) - tail + 1;
            self.journal.note(
                COVERAGE,
                format!("{tail} entries from seqno {from} on are not yet covered by a signature"),
            );
        }
        if self.deprecated > 0 {
            let text = format!("{} entries are of kinds that CCF 1.x wrote", self.deprecated);
            self.journal.note(ENTRY, text);
        }
        if self.unopened > 0 {
            let text =
                format!("{} entries are sealed by secrets that were not given", self.unopened);
            self.journal.note(SEAL, text);
        }
        let Some(signature) = self.last_signature.clone().filter(|last| !last.opened) else {
            return;
        };
        let at = signature.offset as usize;
        self.journal.note(
            COVERAGE,
            format!(
                "the last signature entry {} in {} is covered by no other: without the ledger \
                 secret its tag (16 bytes at offset {}) and its commit evidence digest (32 bytes \
                 at offset {}) cannot be checked; every other byte of it was",
                signature.txid,
                if signature.chunk.is_empty() { "the ledger" } else { &signature.chunk },
                at + TAG_OFFSET,
                at + EVIDENCE_OFFSET,
            ),
        );
    }

    fn check_trust(&mut self) {
        let Some(service) = &self.identities.service else {
            return self.journal.error(TRUST, "the ledger records no service certificate");
        };
        if let Some(trusted) = &self.trusted_service {
            let (expected, found) = (trusted.public_key().key_id(), &service.key_id);
            if *found != expected {
                let text = format!("the service key is {found}, but {expected} is trusted");
                self.journal.error(TRUST, text);
            }
        }
        if let Some(Err(error)) = self.now.map(|now| service.cert.verify_valid_at(now)) {
            self.journal.warning(TRUST, format!("service {error}"));
        }
    }
}

impl<'a> Tables<'a> {
    fn take(&mut self, map: MapView<'a>) {
        self.count += 1;
        // Applications' maps share no longer prefix with these: one comparison passes them over.
        if !map.name().starts_with(b"public:ccf.") {
            return;
        }
        for (name, slot) in [
            (tables::SIGNATURES, &mut self.signature),
            (tables::COSE_SIGNATURES, &mut self.cose),
            (tables::TREE, &mut self.tree),
            (tables::SERVICE_INFO, &mut self.service_info),
            (tables::NODES_INFO, &mut self.nodes_info),
            (tables::NODES_ENDORSED_CERTIFICATES, &mut self.node_certificates),
            (tables::SERVICE_ENDORSEMENT, &mut self.endorsement),
        ] {
            if map.name() == name.as_bytes() {
                *slot = Some(map);
            }
        }
    }
}

/// The value of a table that holds one, if the map writes exactly that.
fn single<'a>(map: &MapView<'a>) -> Option<&'a [u8]> {
    let single = map.write_count() == 1 && map.remove_count() == 0;
    single.then(|| map.value(&SINGLETON_KEY)).flatten()
}
