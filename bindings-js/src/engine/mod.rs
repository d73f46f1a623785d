//! A safe face on the C engine (QuickJS-ng through its raw bindings): one runtime with one realm in
//! memory of its own, values tied to the call that made them, native functions from static tables.
//!
//! The raw bindings are used rather than rquickjs's safe layer because an interpreter is put back to
//! its pristine state by copying its memory ([`Engine::restore`]): nothing on the Rust side may own
//! or count what lives inside. All unsafe code of this crate is in this directory.

mod guard;
mod heap;
mod names;
mod runtime;
mod scope;

pub(crate) use guard::{arm, disarm};
pub(crate) use names::{Atoms, Name};
pub(crate) use runtime::{Engine, Function, Pinned, engine_version};
pub(crate) use scope::{Args, Arity, ErrorKind, Native, Promised, Scope, Script, Thrown, Value};
