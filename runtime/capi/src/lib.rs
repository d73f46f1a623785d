//! The C interface of Affiant. `include/affiant.h` is generated from this crate (`make header`), so
//! that the documentation of each function here is what C programmers read there.
//!
//! How a function is made
//! * Handles are looked up in a table ([`handle`]) and never dereferenced: whatever a caller passes for one,
//!   the worst that comes of it is a status.
//! * [`boundary`] is the only way in: it catches panics, refuses forks and wrong threads, and keeps the
//!   reason of a failure for `affiant_error_text`.
//! * Pointers that are no handles (slices, outputs, structs) are read and written in [`memory`] alone.
//!
//! Nothing here decides anything: what a function does is done by the crates below.
#![allow(non_camel_case_types, reason = "types are named as C names them")]

mod app;
mod boundary;
mod bytes;
mod call;
mod callback;
mod crypto;
mod endpoint;
mod error_text;
mod evidence;
mod fault;
mod fork;
mod handle;
mod iterator;
mod language;
mod limits;
mod memory;
mod options;
mod range;
mod receipt;
mod request;
mod response;
mod runtime;
mod snapshot;
mod status;
#[cfg(test)]
mod tests;
mod tx;
mod txid;
mod verdict;
mod version;

pub use app::*;
pub use bytes::{affiant_bytes, affiant_bytes_free, affiant_bytes_view};
pub use call::*;
pub use crypto::*;
pub use endpoint::*;
pub use error_text::{affiant_error_text, affiant_status_name, affiant_status_text};
pub use evidence::*;
pub use iterator::*;
pub use memory::affiant_slice;
pub use options::*;
pub use range::affiant_range;
pub use receipt::*;
pub use request::*;
pub use response::*;
pub use runtime::*;
pub use snapshot::*;
pub use status::*;
pub use tx::*;
pub use txid::*;
pub use verdict::*;
pub use version::*;

#[cfg(not(target_pointer_width = "64"))]
compile_error!("a handle has 64 bits");
