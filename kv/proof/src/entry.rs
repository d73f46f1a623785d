//! The ledger entry: its bytes, and the only decoder of those bytes in the project.
//!
//! An entry is an 8-byte header, a GCM tag and IV, the size of the public domain, the public
//! domain in clear and the private domain sealed. Integers are little-endian. Decoding copies
//! nothing, allocates nothing, checks every size against the bytes that are there, and never
//! panics, whatever the input. The writer's half is in [`encode`].

pub mod encode;
mod maps;

pub use maps::{MapView, Maps, Pairs};

use crate::bytes::Cursor;
use crate::claims;
use crate::limits::ENTRY_SIZE_BYTES_MAX;
use crate::{Digest, ProofError, TxId};

/// The entry format written and read here.
pub const FORMAT_VERSION: u8 = 1;
/// Bytes of the header: format version, flags, 48-bit size of all that follows.
pub const HEADER_BYTES: usize = 8;
/// Bytes of the GCM tag, which stands before the IV.
pub const TAG_BYTES: usize = 16;
/// Bytes of the GCM IV.
pub const IV_BYTES: usize = 12;
/// Offset of the tag within the entry.
pub const TAG_OFFSET: usize = HEADER_BYTES;
/// Offset of the IV within the entry.
pub const IV_OFFSET: usize = TAG_OFFSET + TAG_BYTES;
/// Offset of the 64-bit size of the public domain within the entry.
pub const PUBLIC_SIZE_OFFSET: usize = IV_OFFSET + IV_BYTES;
/// Bytes before the public domain.
pub const FRAME_BYTES: usize = PUBLIC_SIZE_OFFSET + 8;
/// Bytes of the public domain of a transaction (kind 4) before its first map.
pub const PUBLIC_HEADER_BYTES: usize = 1 + 8 + 32 + 32 + 8;
/// Bytes of a transaction before its first map.
pub const OVERHEAD_BYTES: usize = FRAME_BYTES + PUBLIC_HEADER_BYTES;

/// Flag: the chunk ends after this entry, which is a signature.
pub const FLAG_CHUNK_AFTER: u8 = 0x01;
/// Flag: a chunk starts with this entry, the first of a recovered service.
pub const FLAG_CHUNK_BEFORE: u8 = 0x02;
const FLAGS_KNOWN: u8 = FLAG_CHUNK_AFTER | FLAG_CHUNK_BEFORE;

/// The bit of the IV's view that marks a snapshot; a transaction's view is below it.
pub const IV_SNAPSHOT_BIT: u32 = 1 << 31;

/// The key of a table that holds a single value.
pub const SINGLETON_KEY: [u8; 8] = [0; 8];
/// A map is public, and written in clear, iff its name starts so.
pub const PUBLIC_PREFIX: &[u8] = b"public:";

/// The kinds of entry, by the first byte of the public domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum EntryKind {
    /// A write set alone (deprecated; CCF 1.x wrote it).
    WriteSet = 0,
    /// A snapshot of the whole state.
    Snapshot = 1,
    /// A write set with claims (deprecated).
    WriteSetWithClaims = 2,
    /// A write set with commit evidence (deprecated).
    WriteSetWithCommitEvidence = 3,
    /// What is written today: a write set with commit evidence and claims.
    WriteSetWithCommitEvidenceAndClaims = 4,
}

impl EntryKind {
    fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::WriteSet,
            1 => Self::Snapshot,
            2 => Self::WriteSetWithClaims,
            3 => Self::WriteSetWithCommitEvidence,
            4 => Self::WriteSetWithCommitEvidenceAndClaims,
            _ => return None,
        })
    }

    const fn has_claims(self) -> bool {
        matches!(self, Self::WriteSetWithClaims | Self::WriteSetWithCommitEvidenceAndClaims)
    }

    const fn has_commit_evidence(self) -> bool {
        matches!(self, Self::WriteSetWithCommitEvidence | Self::WriteSetWithCommitEvidenceAndClaims)
    }
}

/// The IV of the entry `txid`: seqno, then view.
///
/// # Panics
/// If the view needs more than 31 bits: its top bit would mark a snapshot and repeat an IV.
#[must_use]
pub fn iv_for(txid: TxId) -> [u8; IV_BYTES] {
    let view = u32::try_from(txid.view).ok().filter(|view| view & IV_SNAPSHOT_BIT == 0);
    iv_bytes(txid.seqno, view.expect("a view has 31 bits"))
}

/// The IV of a snapshot at `seqno`: view 0 and the snapshot bit.
#[must_use]
pub fn iv_for_snapshot(seqno: u64) -> [u8; IV_BYTES] {
    iv_bytes(seqno, IV_SNAPSHOT_BIT)
}

fn iv_bytes(seqno: u64, view: u32) -> [u8; IV_BYTES] {
    let mut iv = [0; IV_BYTES];
    iv[..8].copy_from_slice(&seqno.to_le_bytes());
    iv[8..].copy_from_slice(&view.to_le_bytes());
    iv
}

/// The 48-bit size in an entry's header, and its flags, after version, flags and bounds are
/// checked. Lets a reader learn how many bytes to fetch before it has them.
///
/// # Errors
/// Fewer than 8 bytes, another format version, unknown flags, or a size out of bounds.
pub fn parse_header(bytes: &[u8]) -> Result<(u8, u64), ProofError> {
    let header: [u8; HEADER_BYTES] = Cursor::new(bytes, 0).array("entry header")?;
    let [version, flags, size @ ..] = header;
    if version != FORMAT_VERSION {
        return Err(ProofError::Unsupported {
            what: "entry format version",
            found: version.to_string(),
        });
    }
    if flags & !FLAGS_KNOWN != 0 {
        return Err(ProofError::Unsupported {
            what: "entry flags",
            found: format!("{flags:#04x}"),
        });
    }
    let [a, b, c, d, e, f] = size;
    let size = u64::from_le_bytes([a, b, c, d, e, f, 0, 0]);
    if size < (FRAME_BYTES - HEADER_BYTES) as u64 {
        return Err(ProofError::Malformed {
            what: "entry header",
            offset: 2,
            why: "the size leaves no room for tag, IV and public size",
        });
    }
    if size > ENTRY_SIZE_BYTES_MAX {
        return Err(ProofError::TooLarge {
            what: "entry size",
            found: size,
            limit: ENTRY_SIZE_BYTES_MAX,
        });
    }
    Ok((flags, size))
}

/// One entry, seen in the bytes it came in.
#[derive(Clone, Copy)]
pub struct EntryView<'a> {
    raw: &'a [u8],
    private_at: usize,
    maps_at: usize,
    kind: EntryKind,
    version: u64,
    reserved: u64,
    claims: Option<Digest>,
    commit_evidence: Option<Digest>,
}

impl<'a> EntryView<'a> {
    /// Reads the entry at the start of `bytes`; returns it and how many bytes it takes.
    /// The maps are not walked: see [`EntryView::maps`].
    ///
    /// # Errors
    /// [`ProofError::Truncated`] if `bytes` ends within the entry; otherwise what is malformed.
    pub fn parse(bytes: &'a [u8]) -> Result<(Self, usize), ProofError> {
        let (_, size) = parse_header(bytes)?;
        let raw = Cursor::new(bytes, 0).take(HEADER_BYTES as u64 + size, "entry")?;
        let mut frame = Cursor::new(raw, 0);
        frame.take(PUBLIC_SIZE_OFFSET as u64, "entry frame")?;
        let public_size = frame.u64_le("public domain size")?;
        let public = frame.take(public_size, "public domain")?;
        let private_at = frame.position();

        let mut domain = Cursor::new(public, FRAME_BYTES);
        let [kind] = domain.array("entry kind")?;
        let Some(kind) = EntryKind::of(kind) else {
            return Err(ProofError::Unsupported { what: "entry kind", found: kind.to_string() });
        };
        let version = domain.u64_le("entry seqno")?;
        let claims =
            kind.has_claims().then(|| domain.array("claims digest")).transpose()?.map(Digest);
        let commit_evidence = kind
            .has_commit_evidence()
            .then(|| domain.array("commit evidence digest"))
            .transpose()?
            .map(Digest);
        let reserved = domain.u64_le("reserved field")?;
        let maps_at = domain.offset();
        let consumed = raw.len();
        let view =
            Self { raw, private_at, maps_at, kind, version, reserved, claims, commit_evidence };
        Ok((view, consumed))
    }

    /// The whole entry, header included.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.raw
    }

    /// The flags of the header ([`FLAG_CHUNK_AFTER`], [`FLAG_CHUNK_BEFORE`]).
    #[must_use]
    pub fn flags(&self) -> u8 {
        self.raw[1]
    }

    /// The kind of entry.
    #[must_use]
    pub const fn kind(&self) -> EntryKind {
        self.kind
    }

    /// The transaction id, from the IV. For a snapshot: its seqno, and view 0.
    #[must_use]
    pub fn txid(&self) -> TxId {
        let iv = self.iv();
        let [a, b, c, d, e, f, g, h, i, j, k, l] = iv;
        let view = u32::from_le_bytes([i, j, k, l]) & !IV_SNAPSHOT_BIT;
        TxId::new(u64::from(view), u64::from_le_bytes([a, b, c, d, e, f, g, h]))
    }

    /// Whether the IV carries the mark of a snapshot.
    #[must_use]
    pub fn iv_marks_snapshot(&self) -> bool {
        self.iv()[IV_BYTES - 1] & 0x80 != 0
    }

    /// The seqno in the public domain; the GCM tag authenticates it, and it must equal that of
    /// [`EntryView::txid`].
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The reserved field of the public domain: 0 today, a conflict version in old ledgers.
    #[must_use]
    pub const fn reserved(&self) -> u64 {
        self.reserved
    }

    /// The GCM tag.
    #[must_use]
    pub fn tag(&self) -> [u8; TAG_BYTES] {
        let mut tag = [0; TAG_BYTES];
        tag.copy_from_slice(&self.raw[TAG_OFFSET..IV_OFFSET]);
        tag
    }

    /// The GCM IV.
    #[must_use]
    pub fn iv(&self) -> [u8; IV_BYTES] {
        let mut iv = [0; IV_BYTES];
        iv.copy_from_slice(&self.raw[IV_OFFSET..PUBLIC_SIZE_OFFSET]);
        iv
    }

    /// The public domain: the additional data that the tag authenticates.
    #[must_use]
    pub fn public_domain(&self) -> &'a [u8] {
        &self.raw[FRAME_BYTES..self.private_at]
    }

    /// The sealed private domain; as long as its plaintext, and possibly empty.
    #[must_use]
    pub fn private_ciphertext(&self) -> &'a [u8] {
        &self.raw[self.private_at..]
    }

    /// The claims digest, if this kind of entry has one (32 zero bytes: no claims).
    #[must_use]
    pub const fn claims_digest(&self) -> Option<Digest> {
        self.claims
    }

    /// The digest of the commit evidence, if this kind of entry has one.
    #[must_use]
    pub const fn commit_evidence_digest(&self) -> Option<Digest> {
        self.commit_evidence
    }

    /// The SHA-256 of the whole entry, header included.
    #[must_use]
    pub fn write_set_digest(&self) -> Digest {
        Digest::of(self.raw)
    }

    /// The entry's leaf in the Merkle tree.
    #[must_use]
    pub fn leaf(&self) -> Digest {
        let write_set = self.write_set_digest();
        match (self.commit_evidence, self.claims) {
            (Some(evidence), Some(claims)) => claims::leaf(&write_set, &evidence, &claims),
            (Some(evidence), None) => Digest::node(&write_set, &evidence),
            (None, Some(claims)) => Digest::node(&write_set, &claims),
            (None, None) => write_set,
        }
    }

    /// What follows the head of the public domain, and its offset in the entry.
    pub(crate) fn after_header(&self) -> (&'a [u8], usize) {
        (&self.raw[self.maps_at..self.private_at], self.maps_at)
    }

    /// The maps of the public domain. For a snapshot, whose maps are laid out otherwise, this is
    /// everything after the reserved field and must not be read as maps: see `snapshot`.
    #[must_use]
    pub fn maps(&self) -> Maps<'a> {
        let (maps, base) = self.after_header();
        Maps::new(maps, base)
    }
}

impl core::fmt::Debug for EntryView<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("EntryView")
            .field("txid", &self.txid())
            .field("kind", &self.kind)
            .field("flags", &self.flags())
            .field("bytes", &self.raw.len())
            .finish()
    }
}
