//! The constitution in force, run against a transaction.

use std::sync::Arc;

use affiant_kv::{CommitOutcome, Tx};
use affiant_proof::{Digest, TxId};

use super::constitution::{
    Constitution, GovernanceCall, Resolution, ScriptFailure, Validation, Vote,
};
use super::effects::NodeEffects;
use crate::core::CommitNotice;
use crate::error::{RuntimeError, RuntimeResult};
use crate::limits::COMMIT_ATTEMPTS_MAX;
use crate::node::Node;
use crate::options::RuntimeOptions;
use crate::tables;

/// Judges and applies proposals by the constitution in a node's tables.
#[derive(Clone)]
pub struct Governance {
    node: Arc<Node>,
    constitution: Arc<dyn Constitution>,
}

/// What a proposal with that text is called where no signed request names it: hex SHA-256.
#[must_use]
pub fn proposal_id(proposal: &str) -> String {
    Digest::of(proposal.as_bytes()).to_hex()
}

/// A member's ballot.
#[derive(Clone, Copy, Debug)]
pub struct Ballot<'a> {
    /// Hex id of the member.
    pub member_id: &'a str,
    /// A module that exports `vote`.
    pub source: &'a str,
}

/// What scripts of governance read first.
struct InForce {
    source: String,
    name: String,
    limits: RuntimeOptions,
}

impl InForce {
    fn read(tx: &mut Tx) -> Result<Self, ScriptFailure> {
        let source =
            tables::get_single(tx, &tables::CONSTITUTION).ok_or_else(|| ScriptFailure {
                reason: format!("there is no constitution in {}", tables::CONSTITUTION.as_str()),
                trace: None,
            })?;
        let name = format!("{}[0]", tables::CONSTITUTION.as_str());
        Ok(Self { source, name, limits: RuntimeOptions::for_governance(tx) })
    }
}

impl Governance {
    /// Governs a node by constitutions in the language of `constitution`.
    #[must_use]
    pub fn new(node: Arc<Node>, constitution: Arc<dyn Constitution>) -> Self {
        Self { node, constitution }
    }

    /// The language of constitutions.
    #[must_use]
    pub fn constitution(&self) -> &Arc<dyn Constitution> {
        &self.constitution
    }

    fn call<'a>(&'a self, force: &'a InForce, tx: &'a mut Tx) -> GovernanceCall<'a> {
        GovernanceCall {
            source: &force.source,
            name: &force.name,
            tx,
            limits: &force.limits,
            attestor: Some(self.node.attestor()),
        }
    }

    /// Whether a proposal may be voted on.
    ///
    /// # Errors
    /// The constitution failed.
    pub fn validate(&self, tx: &mut Tx, proposal: &str) -> Result<Validation, ScriptFailure> {
        let force = InForce::read(tx)?;
        self.constitution.validate(self.call(&force, tx), proposal)
    }

    /// Evaluates the ballot of a member.
    ///
    /// # Errors
    /// The ballot failed, which counts as no vote.
    pub fn vote(
        &self,
        tx: &mut Tx,
        ballot: &Ballot<'_>,
        proposal: &str,
        proposer_id: &str,
        proposal_id: &str,
    ) -> Result<bool, ScriptFailure> {
        let Ballot { member_id, source } = *ballot;
        let table = tables::PROPOSALS_INFO.as_str();
        let force = InForce {
            source: source.to_owned(),
            name: format!("{table}[{proposal_id}].ballots[{member_id}]"),
            limits: RuntimeOptions::for_governance(tx),
        };
        let call = self.call(&force, tx);
        self.constitution.vote(call, proposal, proposer_id, proposal_id)
    }

    /// What becomes of a proposal with these votes.
    ///
    /// # Errors
    /// The constitution failed.
    pub fn resolve(
        &self,
        tx: &mut Tx,
        proposal: &str,
        proposer_id: &str,
        votes: &[Vote],
        proposal_id: &str,
    ) -> Result<Resolution, ScriptFailure> {
        let force = InForce::read(tx)?;
        let call = self.call(&force, tx);
        self.constitution.resolve(call, proposal, proposer_id, votes, proposal_id)
    }

    /// Applies an accepted proposal to the transaction. Once that is kept, the caller calls
    /// [`NodeEffects::committed`].
    ///
    /// # Errors
    /// The constitution failed; the transaction must be dropped.
    pub fn apply(
        &self,
        tx: &mut Tx,
        proposal: &str,
        proposal_id: &str,
    ) -> Result<Arc<NodeEffects>, ScriptFailure> {
        let force = InForce::read(tx)?;
        let effects = Arc::new(NodeEffects::new(self.node.clone()));
        let call = self.call(&force, tx);
        self.constitution.apply(call, proposal, proposal_id, effects.clone())?;
        Ok(effects)
    }

    /// Validates and applies a proposal in one transaction as if its members had accepted it, and
    /// waits until it is committed; for hosts that decide by themselves, such as a sandbox. `None`
    /// if it wrote nothing.
    ///
    /// # Errors
    /// [`RuntimeError::Proposal`] if the constitution refuses it or fails; nothing is written.
    pub fn enact(&self, proposal: &str) -> RuntimeResult<Option<TxId>> {
        for _ in 0..COMMIT_ATTEMPTS_MAX {
            let mut tx = self.node.begin();
            let validation =
                self.validate(&mut tx, proposal).map_err(|failure| refused("validate", failure))?;
            if !validation.valid {
                let description = validation.description.trim_end();
                let reason = format!("the constitution does not take it: {description}");
                return Err(RuntimeError::Proposal { reason, trace: None });
            }
            let effects = self
                .apply(&mut tx, proposal, &proposal_id(proposal))
                .map_err(|failure| refused("apply", failure))?;
            let txid = match self.node.commit(tx) {
                CommitOutcome::Sequenced(txid) => txid,
                CommitOutcome::ReadOnly(_) => {
                    effects.committed();
                    return Ok(None);
                }
                CommitOutcome::Poisoned(reason) => return Err(RuntimeError::Stopped { reason }),
                _ => continue,
            };
            effects.committed();
            return match self.node.wait_committed_blocking(txid) {
                CommitNotice::Committed { .. } => Ok(Some(txid)),
                CommitNotice::Invalid => continue,
                CommitNotice::Failed(reason) => Err(RuntimeError::Stopped { reason }),
            };
        }
        let reason = format!("it conflicted with other transactions {COMMIT_ATTEMPTS_MAX} times");
        Err(RuntimeError::Proposal { reason, trace: None })
    }
}

fn refused(function: &str, failure: ScriptFailure) -> RuntimeError {
    let reason = format!("{function} failed: {}", failure.reason);
    RuntimeError::Proposal { reason, trace: failure.trace }
}
