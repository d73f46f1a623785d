//! What each fuzz target does with its bytes. `tests/mutations.rs` includes this file: the same
//! properties are replayed over changed seeds by every test run, without a fuzzer.
#![forbid(unsafe_code)]

mod chain;
mod policy;
mod policy_text;
mod report;
mod statement;
mod verify;

pub use chain::{certificate_chain, revocation_list};
pub use policy::policy;
pub use policy_text::policy_text;
pub use report::report;
pub use statement::statement;
pub use verify::{is_trusted, to_input, verify_evidence};

/// What a target does with its bytes; a broken promise panics.
pub type Target = fn(&[u8]);

/// Every target by its name, which is the name of its file in `fuzz_targets`.
pub const TARGETS: &[(&str, Target)] = &[
    ("certificate_chain", certificate_chain),
    ("policy", policy),
    ("policy_text", policy_text),
    ("report", report),
    ("revocation_list", revocation_list),
    ("statement", statement),
    ("verify", verify_evidence),
];
