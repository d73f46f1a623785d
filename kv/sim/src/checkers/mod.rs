//! The checkers: one promise each, one file each, each with a test that feeds it a violation.

mod commit_synced;
mod durable_synced;
mod history;
mod monotone_commit;
mod none_invented;
mod receipts;
mod refusal;
mod replay;
mod seal_once;
mod serialisable;
mod survives;
mod tx_status;

pub(crate) use commit_synced::check_commit_synced;
pub(crate) use durable_synced::check_durable_synced;
pub(crate) use history::check_history;
pub(crate) use monotone_commit::MonotoneCommit;
pub(crate) use none_invented::{Submissions, Submitted};
pub(crate) use receipts::{IssuedReceipt, Receipts};
pub(crate) use refusal::check_refusal;
pub(crate) use replay::check_replay;
pub(crate) use seal_once::SealOnce;
pub(crate) use serialisable::{Read, check_serialisable};
pub(crate) use survives::Survives;
pub(crate) use tx_status::StatusTransitions;
