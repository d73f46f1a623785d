//! Torn or damaged? The decision about bytes in the newest chunk that are no authentic entry.
//!
//! Cut is what was never synced, and nothing else. A lone node acknowledges what is synced, so a cut
//! of synced bytes would lose what users were told is committed. Evidence that the first bad entry,
//! n, had been synced:
//! * the consensus record says that a seqno at or above n was synced;
//! * a signature entry, before or behind the bad bytes, says so: its tree table begins at the commit
//!   point of its time;
//! * authentic entries follow, and no sector can have been lost between: a crash loses whole sectors
//!   of an unsynced write, which then read as zeros or as what the device held before, while damage
//!   may be smaller.
//!
//! With evidence the file is refused; without, it is cut after the last authentic entry. After a loss
//! of power the record may lag behind the last synced batch, for it is not synced itself; damage to
//! that batch is then taken for a tear if it is large or at its end. RELIABILITY.md says so.

use affiant_proof::entry::{
    EntryKind, FRAME_BYTES, HEADER_BYTES, PUBLIC_HEADER_BYTES, parse_header,
};

use super::check::authenticate;
use crate::disk::Disk;
use crate::error::KvError;
use crate::history;
use crate::limits::RECOVERY_WINDOW_BYTES;
use crate::seal::Sealer;

/// What a crash loses of an unsynced write, at least, in bytes.
const SECTOR_BYTES: u64 = 512;
/// The fewest bytes of an entry.
const ENTRY_BYTES_MIN: u64 = (FRAME_BYTES + PUBLIC_HEADER_BYTES) as u64;

/// The bytes in question, from the first that are no authentic entry to the end of the file.
pub(crate) struct Tail<'a> {
    pub(crate) disk: &'a dyn Disk,
    pub(crate) path: &'a str,
    pub(crate) sealer: &'a dyn Sealer,
    pub(crate) at: u64,
    pub(crate) end: u64,
    /// The seqno that belongs at `at`.
    pub(crate) seqno: u64,
    pub(crate) view_max: u64,
}

/// Why the tail may not be cut: evidence, in words.
pub(crate) type Evidence = String;

impl Tail<'_> {
    /// Looks for evidence behind the bad bytes that they had been synced.
    pub(crate) fn evidence(&self) -> Result<Option<Evidence>, KvError> {
        // From the bad bytes themselves: they may be an entry that a damaged header cuts in two.
        let mut base = self.at;
        let mut first_follower = None;
        while base + ENTRY_BYTES_MIN <= self.end {
            let size = (self.end - base).min(RECOVERY_WINDOW_BYTES as u64);
            let window = self.disk.read_at(self.path, base, size as usize)?;
            let starts = window.len() - ENTRY_BYTES_MIN as usize + 1;
            for from in (0..starts).filter(|from| window[*from] == 1) {
                let at = base + from as u64;
                let Some(rest) = window.get(from..) else { break };
                if !self.may_be_entry(rest, at) {
                    continue;
                }
                let Some(committed) = self.authentic(at, rest)? else { continue };
                if committed >= self.seqno {
                    let found = format!("a signature at offset {at} shows that it was committed");
                    return Ok(Some(found));
                }
                first_follower = first_follower.or(Some(at));
            }
            base += starts as u64;
        }
        let Some(follower) = first_follower else { return Ok(None) };
        if self.lost_a_sector(follower)? {
            return Ok(None);
        }
        Ok(Some(format!("an authentic entry follows at offset {follower}")))
    }

    /// A cheap look at the fixed fields of an entry.
    fn may_be_entry(&self, bytes: &[u8], at: u64) -> bool {
        let number = |at: usize| -> Option<u64> {
            Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
        };
        let Ok((_, body)) = parse_header(bytes) else { return false };
        let kind = bytes.get(FRAME_BYTES).copied();
        let (Some(seqno), Some(version)) = (number(24), number(FRAME_BYTES + 1)) else {
            return false;
        };
        let distance_max = (at - self.at) / ENTRY_BYTES_MIN + 1;
        body + HEADER_BYTES as u64 <= self.end - at
            && kind == Some(EntryKind::WriteSetWithCommitEvidenceAndClaims as u8)
            && seqno == version
            && (self.seqno..=self.seqno + distance_max).contains(&seqno)
    }

    /// If an authentic entry stands at `at`: the commit point it tells of, 0 if it tells of none.
    fn authentic(&self, at: u64, start: &[u8]) -> Result<Option<u64>, KvError> {
        let Ok((_, body)) = parse_header(start) else { return Ok(None) };
        let Ok(size) = usize::try_from(body + HEADER_BYTES as u64) else { return Ok(None) };
        let read;
        let bytes = match start.get(..size) {
            Some(bytes) => bytes,
            None => {
                read = self.disk.read_at(self.path, at, size)?;
                &read
            }
        };
        let Ok((entry, _)) = authenticate(bytes, self.sealer) else { return Ok(None) };
        if entry.txid().view > self.view_max {
            return Ok(None);
        }
        let signature = history::parse_signature(&entry).ok().flatten();
        Ok(Some(signature.map_or(0, |signature| committed_at(&signature.tree))))
    }

    /// Whether a sector between the first bad byte and `follower` can have been lost. The first one may
    /// have been begun by an earlier write and then reads as zeros from there on; the last one is
    /// shared with an authentic entry.
    fn lost_a_sector(&self, follower: u64) -> Result<bool, KvError> {
        let boundary = self.at.next_multiple_of(SECTOR_BYTES);
        if boundary + SECTOR_BYTES <= follower {
            return Ok(true);
        }
        if boundary == self.at || boundary > follower {
            return Ok(false);
        }
        let bytes = self.disk.read_at(self.path, self.at, (boundary - self.at) as usize)?;
        Ok(bytes.iter().all(|byte| *byte == 0))
    }
}

/// The commit point when a tree table was written: the number of its flushed leaves.
pub(crate) fn committed_at(tree: &[u8]) -> u64 {
    let flushed = tree.get(8..16).and_then(|bytes| bytes.try_into().ok());
    flushed.map_or(0, u64::from_be_bytes)
}
