//! What a stranger can check: ledger entries, Merkle paths, receipts and whole ledgers in CCF's
//! format. No I/O, no clock and no keys; builds for wasm.
#![forbid(unsafe_code)]

mod bytes;
mod cert;
mod digest;
mod error;
mod key;
mod txid;
mod verdict;

pub mod audit;
pub mod cbor;
pub mod chunk;
pub mod claims;
pub mod cose;
pub mod entry;
pub mod limits;
pub mod merkle;
pub mod receipt;
pub mod snapshot;
pub mod tables;

pub use audit::{AuditOptions, AuditReport, AuditVerdict, Auditor, LedgerSecret};
pub use cert::{Certificate, verify_chain};
pub use digest::{Digest, DigestParseError, from_hex, to_hex};
pub use error::ProofError;
pub use key::PublicKey;
pub use receipt::{
    ExpectedClaims, Receipt, ReceiptForm, UnreadableReceipt, VerifyOptions, verify_cose,
    verify_cose_endorsed, verify_json, verify_receipt,
};
pub use txid::{TxId, TxIdParseError};
pub use verdict::{Check, Outcome, Verdict};

/// The examples of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
