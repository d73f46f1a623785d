//! What a stranger can check: ledger entries, Merkle paths, receipts and whole ledgers in CCF's
//! format. No I/O, no clock and no keys; builds for wasm.
#![forbid(unsafe_code)]

mod bytes;
mod cbor;
mod digest;
mod error;
mod txid;

pub mod claims;
pub mod cose;
pub mod entry;
pub mod limits;
pub mod merkle;

pub use digest::{Digest, DigestParseError, to_hex};
pub use error::ProofError;
pub use txid::{TxId, TxIdParseError};
