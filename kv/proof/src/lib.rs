//! What a stranger can check: ledger entries, Merkle paths, receipts and whole ledgers in CCF's
//! format. No I/O, no clock and no keys; builds for wasm.
#![forbid(unsafe_code)]

mod digest;
mod txid;

pub use digest::{Digest, DigestParseError, to_hex};
pub use txid::{TxId, TxIdParseError};
