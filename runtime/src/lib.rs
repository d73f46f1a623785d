//! Affiant: an embeddable application runtime for ledger apps in confidential virtual machines.
//!
//! The root has what a host needs that embeds a ledger; the modules have the rest, each for its field.
#![forbid(unsafe_code)]

mod access;
mod admin;
mod application;
pub mod attestation;
pub mod auth;
mod builder;
mod bundle;
mod client;
mod clock;
pub mod config;
mod core;
pub mod crypto;
mod dispatch;
mod endpoint;
mod error;
mod executor;
mod frontend;
mod gate;
pub mod genesis;
pub mod governance;
pub mod historical;
pub mod hosting;
mod http;
pub mod jwt;
mod ledger;
pub mod limits;
pub mod log;
mod metrics;
mod native;
pub mod node;
pub mod odata;
mod options;
pub mod platform;
mod receipts;
pub mod relying;
mod replies;
mod request;
mod respond;
mod router;
mod runtime;
mod seat;
pub mod tables;
mod tls;
mod workers;

pub use affiant_attest as attest;
pub use affiant_kv::{CommitOutcome, Key, KvError, MapName, Snapshot, Tx, TxStatus, Value};
pub use affiant_proof as proof;
pub use affiant_proof::{TxId, Verdict};

pub use auth::peer::Peer;
pub use builder::{RuntimeBuilder, WantsSealing, WantsStorage};
pub use core::{CommitNotice, DurableNotice};
pub use endpoint::{Endpoint, EndpointOptions, Mode, Respond};
pub use error::{RuntimeError, RuntimeResult};
pub use frontend::{AppError, Call};
pub use http::{Listener, Protocols};
pub use ledger::{LedgerError, Receipt};
pub use request::{Caller, InvalidRequest, Request, Response};
pub use runtime::Runtime;
