//! What each fuzz target does with its bytes. `tests/mutations.rs` includes this file: the same
//! properties are replayed over changed seeds by every test run, without a fuzzer.
#![forbid(unsafe_code)]

mod policy_text;
mod statement;

pub use policy_text::policy_text;
pub use statement::statement;

/// Every target by its name, which is the name of its file in `fuzz_targets`.
pub const TARGETS: &[(&str, fn(&[u8]))] = &[("policy_text", policy_text), ("statement", statement)];
