//! The `affiant` binary as its users meet it: real processes, real files, real sockets.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod help;
mod https;
mod ledger;
mod node;
mod process;
mod project;
mod python;
mod receipt;
mod sandbox;
mod sandbox_apply;
mod secret;
mod support;
mod verify;
mod watch;
