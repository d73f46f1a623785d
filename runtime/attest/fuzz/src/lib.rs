//! What each fuzz target does with its bytes. `tests/mutations.rs` includes this file: the same
//! properties are replayed over changed seeds by every test run, without a fuzzer.
#![forbid(unsafe_code)]

mod chain;
mod evidence;
mod maa;
mod policy;
mod policy_text;
mod report;
mod statement;
mod uvm;
mod verify;

pub use chain::{certificate_chain, revocation_list};
pub use evidence::{attested_message, certificate_table, evidence_json, hcl_report};
pub use maa::{maa_documents, maa_token, token};
pub use policy::policy;
pub use policy_text::policy_text;
pub use report::report;
pub use statement::statement;
pub use uvm::uvm_endorsement;
pub use verify::{also_genuine, from_input, is_trusted, to_input, verify_evidence};

/// What a target does with its bytes; a broken promise panics.
pub type Target = fn(&[u8]);

/// Every target by its name, which is the name of its file in `fuzz_targets`.
pub const TARGETS: &[(&str, Target)] = &[
    ("attested_message", attested_message),
    ("certificate_chain", certificate_chain),
    ("certificate_table", certificate_table),
    ("evidence_json", evidence_json),
    ("hcl_report", hcl_report),
    ("maa_documents", maa_documents),
    ("maa_token", maa_token),
    ("policy", policy),
    ("policy_text", policy_text),
    ("report", report),
    ("revocation_list", revocation_list),
    ("statement", statement),
    ("uvm_endorsement", uvm_endorsement),
    ("verify", verify_evidence),
];
