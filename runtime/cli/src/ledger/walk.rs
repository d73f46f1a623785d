//! One pass over the entries of a ledger directory, for the commands that read and do not verify.
//!
//! A torn last entry of the last, open chunk ends the pass with a remark: its writer may be at work.
//! Anything else that cannot be read ends it with the file and the offset.

use affiant_proof::ProofError;
use affiant_proof::chunk::{ChunkName, ChunkView};
use affiant_proof::entry::EntryView;

use super::files::Listing;
use crate::exit::{self, Failure};
use crate::output::complain;

/// Where an entry was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) chunk: ChunkName,
    /// In bytes from the start of the file.
    pub(crate) offset: usize,
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Next,
    /// No later entry matters.
    Stop,
}

/// Calls `visit` with every entry, in order. Chunks that end before `from` are passed over.
pub(crate) fn walk(
    listing: &Listing,
    from: u64,
    mut visit: impl FnMut(Place, &EntryView<'_>) -> Result<Step, ProofError>,
) -> Result<(), Failure> {
    let progress = listing.progress();
    for (position, file) in listing.chunks.iter().enumerate() {
        if file.name.last.is_some_and(|last| last < from) {
            progress.inc(file.bytes);
            continue;
        }
        let (chunk, bytes) = listing.load(file)?;
        let damaged = |offset: usize, error: &ProofError| {
            let message = format!("{chunk} at offset {offset}: {error}");
            Failure::new(exit::UNREADABLE, message)
        };
        let view = ChunkView::parse(&bytes).map_err(|error| damaged(0, &error))?;
        let last = position + 1 == listing.chunks.len();
        for (offset, entry) in view.entries() {
            let entry = match entry {
                Err(ProofError::Truncated { .. }) if last && !view.is_completed() => {
                    complain(format!(
                        "affiant: {chunk} at offset {offset}: the last entry is not written whole"
                    ));
                    break;
                }
                Err(error) => return Err(damaged(offset, &error)),
                Ok(entry) => entry,
            };
            match visit(Place { chunk, offset }, &entry) {
                Ok(Step::Next) => {}
                Ok(Step::Stop) => {
                    progress.finish_and_clear();
                    return Ok(());
                }
                Err(error) => return Err(damaged(offset, &error)),
            }
        }
        progress.inc(file.bytes);
    }
    progress.finish_and_clear();
    Ok(())
}
