//! The contract with a constitution, and the one that a service has unless it is given another.

use core::fmt;
use std::sync::{Arc, LazyLock};

use affiant_kv::Tx;

use super::effects::GovEffects;
use crate::attestation::NodeAttestor;
use crate::options::RuntimeOptions;

/// Runs constitutions and ballots (reference F.1). Every call is made in an interpreter of its own,
/// which sees nothing of any other.
pub trait Constitution: Send + Sync {
    /// Calls `validate(input)` with the proposal's text.
    ///
    /// # Errors
    /// The script threw, broke a limit or answered nonsense.
    fn validate(
        &self,
        call: GovernanceCall<'_>,
        proposal: &str,
    ) -> Result<Validation, ScriptFailure>;

    /// Calls `vote(proposal, proposerId, proposalId)` of a ballot, which is `call.source`. Only
    /// `true` itself is a yes.
    ///
    /// # Errors
    /// The script threw or broke a limit.
    fn vote(
        &self,
        call: GovernanceCall<'_>,
        proposal: &str,
        proposer_id: &str,
        proposal_id: &str,
    ) -> Result<bool, ScriptFailure>;

    /// Calls `resolve(proposal, proposerId, votes, proposalId)`.
    ///
    /// # Errors
    /// The script threw, broke a limit or answered nonsense.
    fn resolve(
        &self,
        call: GovernanceCall<'_>,
        proposal: &str,
        proposer_id: &str,
        votes: &[Vote],
        proposal_id: &str,
    ) -> Result<Resolution, ScriptFailure>;

    /// Calls `apply(proposal, proposalId)`, which writes to the transaction.
    ///
    /// # Errors
    /// The script threw or broke a limit; what it wrote must not be kept.
    fn apply(
        &self,
        call: GovernanceCall<'_>,
        proposal: &str,
        proposal_id: &str,
        effects: Arc<dyn GovEffects>,
    ) -> Result<(), ScriptFailure>;

    /// Checks that a source can be evaluated and exports what a constitution must, as
    /// `ccf.gov.validateConstitution` does.
    ///
    /// # Errors
    /// What it lacks.
    fn check(&self, source: &str) -> Result<(), String>;
}

/// What a script of governance runs in.
pub struct GovernanceCall<'a> {
    /// The constitution, or a ballot.
    pub source: &'a str,
    /// What traces call the source.
    pub name: &'a str,
    /// The transaction it reads, and in `apply` writes. An interpreter that cannot hold a borrow
    /// takes it with [`Tx::take`] and puts it back.
    pub tx: &'a mut Tx,
    /// Its limits.
    pub limits: &'a RuntimeOptions,
    /// Makes evidence of the platform; `None` where there is no node.
    pub attestor: Option<&'a Arc<NodeAttestor>>,
}

/// What `validate` says of a proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validation {
    /// Whether it may be voted on.
    pub valid: bool,
    /// Why not.
    pub description: String,
}

/// A ballot's outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vote {
    /// Hex id of the member.
    pub member_id: String,
    /// Whether it is a yes.
    pub vote: bool,
}

/// What `resolve` says of a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// More votes are needed.
    Open,
    /// It is to be applied.
    Accepted,
    /// It will never be.
    Rejected,
}

/// Why a script gave no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptFailure {
    /// What was thrown, as text.
    pub reason: String,
    /// Where, a frame a line.
    pub trace: Option<String>,
}

impl fmt::Display for ScriptFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl core::error::Error for ScriptFailure {}

const ACTIONS: &str = include_str!("../constitution/actions.js");
const VALIDATE: &str = include_str!("../constitution/validate.js");
const RESOLVE: &str = include_str!("../constitution/resolve.js");
const APPLY: &str = include_str!("../constitution/apply.js");

/// In place of `resolve.js`, for development: a proposal is accepted as soon as it is made.
pub const SANDBOX_RESOLVE: &str = include_str!("../constitution/sandbox_resolve.js");

/// The files that make up the default constitution, in order, by the names that CCF gives them.
#[must_use]
pub const fn constitution_fragments() -> [(&'static str, &'static str); 4] {
    [
        ("actions.js", ACTIONS),
        ("validate.js", VALIDATE),
        ("resolve.js", RESOLVE),
        ("apply.js", APPLY),
    ]
}

/// The constitution of a service that is not given another: members decide by majority, with CCF's
/// actions.
pub static DEFAULT_CONSTITUTION: LazyLock<String> =
    LazyLock::new(|| constitution_fragments().map(|(_, source)| source).join("\n"));
