//! Worker processes: handlers that may take the interpreter down, or never end, do so in a process of
//! their own.
//!
//! The node keeps the transaction. A worker is an interpreter with the app in it and one socket, over
//! which it is handed requests, asks for what handlers read, and hands back what they wrote and answer.
//! What comes from it is as untrusted as what comes from a client: it is bounded and checked, and a
//! worker that breaks the protocol ends.
//!
//! * `protocol`, `link`: the messages, and how they travel.
//! * `process`, `pool`, `parent`: the node's side: one process, all of them, one request.
//! * `child`, `confine`: the worker's side.

mod blob;
mod child;
mod confine;
pub(crate) mod limits;
mod link;
mod parent;
mod pool;
mod process;
pub(crate) mod protocol;
mod request;
mod serving;

pub use parent::{PyWorkersFrontend, WorkersApp};
pub use process::Console;

pub(crate) use blob::{Blob, Text};
pub(crate) use child::register;
pub(crate) use link::{Broken, Link, Wait, frame};
