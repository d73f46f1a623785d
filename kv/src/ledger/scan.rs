//! Reads the entries of one chunk in order, in bounded windows, and checks them on several threads.
//!
//! Invariants
//! * Entries are handed on in order, and none behind the first that is refused.
//! * Memory is bounded by a window, or by one entry where that is larger.

use affiant_proof::entry::{HEADER_BYTES, parse_header};

use super::check::{Checked, Names, Refusal, check};
use crate::disk::Disk;
use crate::error::KvError;
use crate::limits::{RECOVERY_THREADS_MAX, RECOVERY_WINDOW_BYTES};
use crate::seal::Sealer;

/// One stretch of a chunk file that should hold entries.
pub(crate) struct Scan<'a> {
    pub(crate) disk: &'a dyn Disk,
    pub(crate) path: &'a str,
    pub(crate) sealer: &'a dyn Sealer,
    /// Where the next entry begins, in bytes.
    pub(crate) at: u64,
    /// Where entries end, in bytes.
    pub(crate) end: u64,
    /// The next entry's seqno.
    pub(crate) seqno: u64,
}

/// An entry and where it begins.
struct Piece<'a> {
    at: u64,
    seqno: u64,
    bytes: &'a [u8],
}

/// Entries smaller than this together are not worth another thread, in bytes.
const PARALLEL_BYTES_MIN: usize = 1 << 17;

impl Scan<'_> {
    /// Hands each entry to `take`, with its offset and size. Stops at the end, or at the first entry
    /// that is refused, by a check or by `take`; `self.at` is then its offset.
    pub(crate) fn run(
        &mut self,
        names: &mut [Names; RECOVERY_THREADS_MAX],
        mut take: impl FnMut(u64, u32, Checked) -> Result<(), Refusal>,
    ) -> Result<Option<Refusal>, KvError> {
        while self.at < self.end {
            let window = self.window()?;
            let pieces = self.split(&window);
            if pieces.is_empty() {
                let reason = "the file ends within the entry, or its size is damaged";
                return Ok(Some(Refusal::NotAuthentic(reason.to_owned())));
            }
            for (piece, checked) in pieces.iter().zip(check_all(&pieces, self.sealer, names)) {
                let size = piece.bytes.len() as u32;
                let taken = checked.and_then(|checked| take(piece.at, size, checked));
                if let Err(refusal) = taken {
                    return Ok(Some(refusal));
                }
                self.at = piece.at + u64::from(size);
                self.seqno = piece.seqno + 1;
            }
        }
        Ok(None)
    }

    fn window(&self) -> Result<Vec<u8>, KvError> {
        let left = self.end - self.at;
        let mut size = left.min(RECOVERY_WINDOW_BYTES as u64);
        if left > size {
            // An entry larger than the window is read whole.
            let header = self.disk.read_at(self.path, self.at, HEADER_BYTES)?;
            if let Ok((_, body)) = parse_header(&header) {
                let whole = body.saturating_add(HEADER_BYTES as u64);
                if whole > size && whole <= left {
                    size = whole;
                }
            }
        }
        Ok(self.disk.read_at(self.path, self.at, size as usize)?)
    }

    /// The whole entries in the window, by their headers.
    fn split<'w>(&self, window: &'w [u8]) -> Vec<Piece<'w>> {
        let mut pieces = Vec::new();
        let mut from = 0;
        while let Some((_, body)) = window.get(from..).and_then(|rest| parse_header(rest).ok())
            && let Some(size) = usize::try_from(body).ok().and_then(|s| s.checked_add(HEADER_BYTES))
            && let Some(bytes) = window.get(from..from.saturating_add(size))
        {
            let at = self.at + from as u64;
            pieces.push(Piece { at, seqno: self.seqno + pieces.len() as u64, bytes });
            from += size;
        }
        pieces
    }
}

/// Checks pieces on several threads; the results are in the order of the pieces.
fn check_all(
    pieces: &[Piece<'_>],
    sealer: &dyn Sealer,
    names: &mut [Names; RECOVERY_THREADS_MAX],
) -> Vec<Result<Checked, Refusal>> {
    let check_part = |pieces: &[Piece<'_>], names: &mut Names| -> Vec<_> {
        pieces.iter().map(|piece| check(piece.bytes, piece.seqno, sealer, names)).collect()
    };
    let all: usize = pieces.iter().map(|piece| piece.bytes.len()).sum();
    let [own_names, other_names] = names;
    if all < PARALLEL_BYTES_MIN || pieces.len() < 2 {
        return check_part(pieces, own_names);
    }
    let mut so_far = 0;
    let half = pieces.iter().position(|piece| {
        so_far += piece.bytes.len();
        so_far >= all / 2
    });
    let (own, other) = pieces.split_at(half.map_or(1, |half| half + 1).min(pieces.len()));
    std::thread::scope(|scope| {
        let other = scope.spawn(|| check_part(other, other_names));
        let mut results = check_part(own, own_names);
        match other.join() {
            Ok(more) => results.extend(more),
            Err(panic) => std::panic::resume_unwind(panic),
        }
        results
    })
}
