//! The JavaScript front end of Affiant: runs CCF application bundles unmodified on QuickJS-ng.
//!
//! [`JsFrontend::load`] compiles a bundle once; each worker thread has its own interpreters. By
//! default every request runs in pristine state, as in CCF, which costs a copy of some hundred
//! kilobytes instead of the making of an interpreter; endpoints with an `interpreter_reuse` key share
//! a kept one. [`JsConstitution`] runs constitutions and ballots, each call in an interpreter of its
//! own.
#![deny(unsafe_code)]

mod engine;
mod exception;
mod frontend;
mod governance;
mod host;
mod interpreter;
mod limits;
mod log;
mod program;
mod response;
mod source_map;
mod surface;

pub use frontend::JsFrontend;
pub use governance::JsConstitution;
pub use log::LogSink;
