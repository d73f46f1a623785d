//! Consensus: the `raft` crate behind a small wall. Nothing outside this module names it.
//!
//! Invariants
//! * `batch_append` is off: with it on, a merged append may claim entries that a follower does not
//!   hold. Asserted here, and shown in `kv/tests/raft_batch_append.rs`.
//! * Deterministic: the election timeout has one possible value, and nothing is logged.
//! * A panic of the engine (it panics on impossible input) makes this value unusable, and the node
//!   stops; it never becomes a wrong answer.
//! * One engine entry stands for one batch of ledger entries; the leader's own empty entry for none.
//!
//! A node alone is a group of one: it elects itself at once, and nothing in it waits for ticks.

mod log;

use std::panic::{AssertUnwindSafe, catch_unwind};

use raft::{Config, RawNode, StateRole};
use serde::{Deserialize, Serialize};

use crate::error::KvError;
use log::Log;

/// The seqnos of one batch of ledger entries, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Span {
    pub(crate) first: u64,
    pub(crate) last: u64,
}

/// What must be durable before anything of its term is written or sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Hard {
    pub(crate) term: u64,
    pub(crate) vote: u64,
    pub(crate) commit: u64,
}

/// An engine entry as the consensus record keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) index: u64,
    pub(crate) term: u64,
    pub(crate) span: Option<Span>,
}

/// What the engine wants done before [`Consensus::persisted`] is called with `number`. Numbers are
/// acknowledged in order, and one stands for all below it: one without records and without a hard
/// state asks for nothing and must not be acknowledged while earlier ones are under way.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    pub(crate) number: u64,
    /// Present if term or vote have changed.
    pub(crate) hard: Option<Hard>,
    pub(crate) records: Vec<Record>,
    /// The highest seqno that the engine has newly found committed.
    pub(crate) committed: Option<u64>,
}

pub(crate) struct Consensus {
    node: RawNode<Log>,
    id: u64,
    hard: Hard,
    failed: Option<String>,
}

impl Consensus {
    /// A group of one, resuming after the engine entry at `index` (0, 0 for a new group). A lone
    /// node's ledger is the truth: all it holds counts as committed.
    pub(crate) fn alone(id: u64, hard: Hard, index: u64, term: u64) -> Result<Self, KvError> {
        assert!(index == 0 || hard.term >= term, "the current term is above every entry's");
        let config = config(id, index);
        assert!(!config.batch_append, "merged appends are unsafe in this engine");
        let hard = Hard { commit: index, ..hard };
        let log = Log::new(vec![id], hard, index, term);
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let made = catch_unwind(AssertUnwindSafe(|| RawNode::new(&config, log, &logger)));
        let node = made
            .map_err(|_| KvError::Consensus("the engine panicked as it started".to_owned()))?
            .map_err(|error| KvError::Consensus(error.to_string()))?;
        Ok(Self { node, id, hard, failed: None })
    }

    /// The current term.
    pub(crate) fn term(&self) -> u64 {
        self.hard.term
    }

    /// Stands for election and, alone, wins it. The new term is in the next [`Self::take`].
    pub(crate) fn campaign(&mut self) -> Result<(), KvError> {
        let id = self.id;
        let (leads, term) = self.guarded("campaign", |node| {
            node.campaign()?;
            Ok((node.raft.state == StateRole::Leader && node.raft.leader_id == id, node.raft.term))
        })?;
        if !leads || term <= self.hard.term {
            return Err(KvError::Consensus("a lone node did not win its election".to_owned()));
        }
        Ok(())
    }

    /// Proposes a batch of ledger entries.
    pub(crate) fn propose(&mut self, span: Span) -> Result<(), KvError> {
        assert!(span.first <= span.last, "a batch holds at least one entry");
        let data = postcard::to_allocvec(&span)
            .map_err(|error| KvError::Consensus(format!("a batch does not encode: {error}")))?;
        self.guarded("propose", |node| node.propose(Vec::new(), data))
    }

    /// Takes what the engine wants done, if anything.
    pub(crate) fn take(&mut self) -> Result<Option<Pending>, KvError> {
        let known = self.hard;
        let taken = self.guarded("ready", |node| {
            if !node.has_ready() {
                return Ok(None);
            }
            let mut ready = node.ready();
            assert!(ready.snapshot().get_metadata().index == 0, "a lone node gets no snapshot");
            let messages = ready.messages().len() + ready.persisted_messages().len();
            assert_eq!(messages, 0, "a lone node has nobody to write to");
            let hard =
                ready.hs().map(|hs| Hard { term: hs.term, vote: hs.vote, commit: hs.commit });
            let entries = ready.take_entries();
            let applied = ready.take_committed_entries();
            let records = entries.iter().map(record).collect::<Result<Vec<_>, _>>()?;
            let number = ready.number();
            if let Some(hard) = hard {
                node.mut_store().set_hard(hard);
            }
            node.mut_store().append(entries);
            node.advance_append_async(ready);
            let mut committed = None;
            for entry in &applied {
                committed = record(entry)?.span.map(|span| span.last).or(committed);
            }
            if let Some(last) = applied.last() {
                node.advance_apply_to(last.index);
                node.mut_store().compact(last.index);
            }
            Ok(Some((Pending { number, hard: None, records, committed }, hard)))
        })?;
        let Some((mut pending, hard)) = taken else { return Ok(None) };
        if let Some(hard) = hard {
            assert!(hard.term >= known.term && hard.commit >= known.commit, "neither goes back");
            self.hard = hard;
            let changed = (hard.term, hard.vote) != (known.term, known.vote);
            pending.hard = changed.then_some(hard);
        }
        Ok(Some(pending))
    }

    /// What the [`Pending`] of `number` asked for is durable, and all before it.
    pub(crate) fn persisted(&mut self, number: u64) -> Result<(), KvError> {
        self.guarded("persisted", |node| {
            node.on_persist_ready(number);
            Ok(())
        })
    }

    fn guarded<T>(
        &mut self,
        what: &str,
        act: impl FnOnce(&mut RawNode<Log>) -> raft::Result<T>,
    ) -> Result<T, KvError> {
        if let Some(reason) = &self.failed {
            return Err(KvError::Poisoned { reason: reason.clone() });
        }
        let node = &mut self.node;
        let outcome = catch_unwind(AssertUnwindSafe(|| act(node)));
        let reason = match outcome {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => format!("{what}: {error}"),
            Err(_) => format!("{what}: the engine panicked"),
        };
        self.failed = Some(reason.clone());
        Err(KvError::Consensus(reason))
    }
}

fn config(id: u64, applied: u64) -> Config {
    let election_tick = 10;
    Config {
        id,
        applied,
        election_tick,
        heartbeat_tick: 1,
        // Only one value lies in the half-open range of the two: the engine's dice have one face.
        min_election_tick: election_tick,
        max_election_tick: election_tick + 1,
        max_size_per_msg: 1 << 20,
        check_quorum: true,
        pre_vote: true,
        batch_append: false,
        ..Config::default()
    }
}

fn record(entry: &raft::eraftpb::Entry) -> raft::Result<Record> {
    let span = if entry.data.is_empty() {
        None
    } else {
        let span: Span = postcard::from_bytes(&entry.data)
            .map_err(|error| raft::Error::ConfigInvalid(format!("batch descriptor: {error}")))?;
        Some(span)
    };
    Ok(Record { index: entry.index, term: entry.term, span })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn settle(consensus: &mut Consensus) -> Vec<Pending> {
        let mut all = Vec::new();
        while let Some(pending) = consensus.take().unwrap() {
            // To acknowledge one that asks for nothing would acknowledge all before it.
            if !pending.records.is_empty() {
                consensus.persisted(pending.number).unwrap();
            }
            all.push(pending);
        }
        all
    }

    #[test]
    fn a_lone_node_leads_at_once_and_commits_what_is_persisted_in_order() {
        let mut consensus = Consensus::alone(1, Hard::default(), 0, 0).unwrap();
        consensus.campaign().unwrap();
        let opening = consensus.take().unwrap().unwrap();
        assert_eq!(opening.hard.map(|hard| (hard.term, hard.vote)), Some((1, 1)));
        assert_eq!(opening.records, [Record { index: 1, term: 1, span: None }]);

        consensus.propose(Span { first: 1, last: 9 }).unwrap();
        let first = consensus.take().unwrap().unwrap();
        consensus.propose(Span { first: 10, last: 10 }).unwrap();
        let second = consensus.take().unwrap().unwrap();
        assert_eq!(first.committed.or(second.committed), None, "nothing is persisted yet");

        consensus.persisted(first.number).unwrap();
        let committed = settle(&mut consensus).iter().filter_map(|p| p.committed).max();
        assert_eq!(committed, Some(9));
        consensus.persisted(second.number).unwrap();
        let committed = settle(&mut consensus).iter().filter_map(|p| p.committed).max();
        assert_eq!(committed, Some(10));
        assert_eq!(consensus.term(), 1);
    }

    #[test]
    fn a_restart_leads_in_the_next_term() {
        let hard = Hard { term: 4, vote: 1, commit: 0 };
        let mut consensus = Consensus::alone(1, hard, 77, 4).unwrap();
        consensus.campaign().unwrap();
        let opening = consensus.take().unwrap().unwrap();
        assert_eq!(opening.hard.map(|hard| hard.term), Some(5));
        assert_eq!(opening.records, [Record { index: 78, term: 5, span: None }]);
        consensus.propose(Span { first: 500, last: 501 }).unwrap();
        let committed = settle(&mut consensus).iter().filter_map(|p| p.committed).max();
        assert_eq!(committed, Some(501));
    }

    #[test]
    fn an_engine_that_panicked_answers_nothing_more() {
        let mut consensus = Consensus::alone(1, Hard::default(), 0, 0).unwrap();
        let error = consensus.guarded::<()>("test", |_| panic!("impossible input")).unwrap_err();
        assert!(matches!(error, KvError::Consensus(_)));
        assert!(matches!(consensus.campaign(), Err(KvError::Poisoned { .. })));
    }

    #[test]
    fn the_engine_never_merges_appends() {
        assert!(!config(1, 0).batch_append);
        let config = config(1, 0);
        assert_eq!(config.max_election_tick(), config.min_election_tick() + 1);
    }
}
