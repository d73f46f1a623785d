//! The ledger: CCF's chunk files, byte for byte (FORMAT.md, "Chunks").
//!
//! A chunk is created as `ledger_<first>` with a header of 8 zero bytes. It ends with a signature
//! whose entry says so (flag 0x01): the table of positions is appended, the header gets the table's
//! offset, and both are synced. When the signature is committed, the file is renamed to
//! `ledger_<first>-<last>.committed` and never changes again.

mod check;
mod index;
mod reader;
mod recover;
mod scan;
mod tail;
mod writer;

pub use index::LedgerIndex;
pub use reader::{CommittedEntry, EntryWrites, LedgerReader, SignatureEntry};
pub(crate) use recover::{Bounds, Found, recover};
pub(crate) use writer::Writer;
