//! Snapshots: the whole state at one seqno, framed as an entry, followed by a receipt.
//!
//! The receipt is that of a later transaction whose claims digest is the SHA-256 of the snapshot,
//! so a snapshot is checked like any receipt. Its maps are laid out otherwise than those of a
//! transaction: each row carries the seqno that last wrote it, and is padded to 8 bytes.

use crate::bytes::Cursor;
use crate::entry::{EntryKind, EntryView};
use crate::key::PublicKey;
use crate::receipt::{
    ExpectedClaims, Receipt, VerifyOptions, certificates, verify_cose, verify_json,
};
use crate::verdict::Verdict;
use crate::{Digest, ProofError, TxId};

const WHAT: &str = "snapshot";
const FORMAT: &str = "format";
const STEP: u64 = 8;

/// A snapshot file, seen in its bytes.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotView<'a> {
    entry: EntryView<'a>,
    leaf: Digest,
    views: &'a [u8],
    maps: &'a [u8],
    maps_at: usize,
    receipt: &'a [u8],
}

impl<'a> SnapshotView<'a> {
    /// Reads a snapshot file.
    ///
    /// # Errors
    /// The bytes do not start with a snapshot in its form. The maps are not walked.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ProofError> {
        let (entry, size) = EntryView::parse(bytes)?;
        let malformed = |why| Err(ProofError::Malformed { what: WHAT, offset: 0, why });
        if entry.kind() != EntryKind::Snapshot {
            return malformed("the entry is that of a transaction");
        }
        if !entry.iv_marks_snapshot() || entry.txid() != TxId::new(0, entry.version()) {
            return malformed("the IV is not that of a snapshot at its seqno");
        }
        if entry.flags() != 0 || entry.reserved() != 0 {
            return malformed("its flags or its reserved field are not 0");
        }
        let (domain, base) = entry.after_header();
        let mut cursor = Cursor::new(domain, base);
        let leaf_size = cursor.u64_le("snapshot hash")?;
        let leaf = cursor.take(leaf_size, "snapshot hash")?;
        let Ok(leaf) = leaf.try_into() else {
            return malformed("the hash of its last entry has not 32 bytes");
        };
        let views_size = cursor.u64_le("view history")?;
        let views = cursor.take(views_size, "view history")?;
        if views.is_empty() || !views.len().is_multiple_of(8) {
            return malformed("the view history is not a list of seqnos");
        }
        let maps_at = cursor.offset();
        let rest = cursor.remaining() as u64;
        let maps = cursor.take(rest, WHAT)?;
        let receipt = &bytes[size..];
        Ok(Self { entry, leaf: Digest(leaf), views, maps, maps_at, receipt })
    }

    /// The transaction after which the snapshot was taken.
    #[must_use]
    pub fn txid(&self) -> TxId {
        TxId::new(self.view_starts().count() as u64, self.entry.version())
    }

    /// The leaf of the entry at that transaction.
    #[must_use]
    pub const fn leaf(&self) -> Digest {
        self.leaf
    }

    /// The first seqno of each view, from view 1 on.
    pub fn view_starts(&self) -> impl Iterator<Item = u64> + use<'a> {
        let (starts, _) = self.views.as_chunks::<8>();
        starts.iter().map(|start| u64::from_le_bytes(*start))
    }

    /// The SHA-256 of the snapshot without its receipt: what the receipt claims.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.entry.write_set_digest()
    }

    /// The receipt: JSON, or COSE, or nothing in a snapshot that is not yet committed.
    #[must_use]
    pub const fn receipt(&self) -> &'a [u8] {
        self.receipt
    }

    /// The entry that frames the state.
    #[must_use]
    pub const fn entry(&self) -> EntryView<'a> {
        self.entry
    }

    /// The public maps.
    #[must_use]
    pub const fn maps(&self) -> SnapshotMaps<'a> {
        SnapshotMaps { cursor: Cursor::new(self.maps, self.maps_at), failed: false }
    }

    /// Checks the receipt against the service certificates in `trusted_pem`, and that it is the
    /// receipt of this very snapshot. `options.claims` is not looked at.
    pub fn verify(&self, trusted_pem: &str, options: &VerifyOptions<'_>) -> Verdict {
        let claims = ExpectedClaims::Digest(self.digest());
        let mut verdict = Verdict::default();
        match self.receipt.first() {
            None => verdict.failed(FORMAT, "the snapshot carries no receipt: not committed"),
            Some(b'{') => match Receipt::parse(self.receipt) {
                Ok(receipt) => {
                    let options = VerifyOptions { claims, ..*options };
                    verdict = verify_json(&receipt, trusted_pem, &options);
                }
                Err(error) => verdict.failed(FORMAT, error.to_string()),
            },
            Some(_) => match trusted_keys(trusted_pem) {
                Ok(keys) => {
                    for key in keys {
                        verdict = verify_cose(self.receipt, &key, claims);
                        if verdict.is_valid() {
                            break;
                        }
                    }
                }
                Err(error) => verdict.failed(FORMAT, error.to_string()),
            },
        }
        verdict
    }
}

/// The keys of one or more certificates, or one bare key.
fn trusted_keys(pem: &str) -> Result<Vec<PublicKey>, ProofError> {
    if !pem.contains("-----BEGIN CERTIFICATE-----") {
        return PublicKey::from_pem(pem).map(|key| vec![key]);
    }
    Ok(certificates(pem)?.iter().map(|cert| cert.public_key().clone()).collect())
}

/// The maps of a snapshot. Stops after the first error.
#[derive(Clone)]
pub struct SnapshotMaps<'a> {
    cursor: Cursor<'a>,
    failed: bool,
}

impl<'a> Iterator for SnapshotMaps<'a> {
    type Item = Result<SnapshotMap<'a>, ProofError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.cursor.remaining() == 0 {
            return None;
        }
        let map = SnapshotMap::read(&mut self.cursor);
        self.failed = map.is_err();
        Some(map)
    }
}

/// One map of a snapshot.
#[derive(Clone, Copy)]
pub struct SnapshotMap<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// The seqno that last wrote to it.
    pub version: u64,
    rows: Cursor<'a>,
}

impl<'a> SnapshotMap<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ProofError> {
        let name_size = cursor.u64_le("map name size")?;
        let name = cursor.take(name_size, "map name")?;
        let version = cursor.u64_le("map version")?;
        let size = cursor.u64_le("map size")?;
        let base = cursor.offset();
        let rows = Cursor::new(cursor.take(size, "map")?, base);
        // Walked once here, so that the rows can be iterated without errors.
        let mut ahead = rows;
        while ahead.remaining() > 0 {
            row(&mut ahead)?;
        }
        Ok(Self { name, version, rows })
    }

    /// The rows: key, seqno of the last write, value.
    pub fn rows(&self) -> impl Iterator<Item = (&'a [u8], u64, &'a [u8])> + use<'a> {
        let mut rows = self.rows;
        core::iter::from_fn(move || (rows.remaining() > 0).then(|| row(&mut rows).ok()).flatten())
    }
}

fn row<'a>(rows: &mut Cursor<'a>) -> Result<(&'a [u8], u64, &'a [u8]), ProofError> {
    let key_size = rows.u64_le("key size")?;
    let key = padded(rows, key_size)?;
    let value_size = rows.u64_le("value size")?;
    let value = padded(rows, value_size)?;
    let mut value = Cursor::new(value, 0);
    let version = value.u64_le("version of a row")?;
    let rest = value.remaining() as u64;
    Ok((key, version, value.take(rest, "value")?))
}

/// `size` bytes, and after them zeros up to a multiple of 8.
fn padded<'a>(rows: &mut Cursor<'a>, size: u64) -> Result<&'a [u8], ProofError> {
    let bytes = rows.take(size, "row")?;
    let at = rows.offset();
    let padding = rows.take((STEP - size % STEP) % STEP, "padding of a row")?;
    if padding.iter().any(|byte| *byte != 0) {
        let why = "it is not zeros";
        return Err(ProofError::Malformed { what: "padding of a row", offset: at, why });
    }
    Ok(bytes)
}
