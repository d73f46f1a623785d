//! What each fuzz target does with its bytes. `tests/mutations.rs` includes this file: the same
//! properties are replayed over changed seeds by every test run, without a fuzzer.
#![forbid(unsafe_code)]

mod policy_text;
mod statement;

pub use policy_text::policy_text;
pub use statement::statement;

/// What a target does with its bytes; a broken promise panics.
pub type Target = fn(&[u8]);

/// Every target by its name, which is the name of its file in `fuzz_targets`.
pub const TARGETS: &[(&str, Target)] = &[("policy_text", policy_text), ("statement", statement)];
