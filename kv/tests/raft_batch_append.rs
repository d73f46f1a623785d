//! Why the consensus engine's `batch_append` stays off: a merged append may claim "after entry n" while
//! its entries start earlier, and the leader then counts entries that a follower does not hold. The
//! same simulation, with the option off, sees nothing of the kind.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use raft::eraftpb::{ConfState, Message, MessageType};
use raft::storage::MemStorage;
use raft::{Config, RawNode, StateRole};

const NODES: u64 = 5;

/// A seeded sequence of numbers (xorshift64*).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }
}

struct Network {
    nodes: Vec<RawNode<MemStorage>>,
    under_way: Vec<Message>,
    dice: Dice,
    cut_off: Option<u64>,
    committed: u64,
}

impl Network {
    fn new(seed: u64, batch_append: bool) -> Self {
        let voters: Vec<u64> = (1..=NODES).collect();
        let conf = ConfState { voters, ..ConfState::default() };
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let nodes = (1..=NODES)
            .map(|id| {
                let config = Config {
                    id,
                    election_tick: 10,
                    heartbeat_tick: 2,
                    min_election_tick: 10,
                    max_election_tick: 11,
                    max_size_per_msg: 1 << 20,
                    check_quorum: true,
                    pre_vote: true,
                    batch_append,
                    ..Config::default()
                };
                let storage = MemStorage::new_with_conf_state(conf.clone());
                RawNode::new(&config, storage, &logger).unwrap()
            })
            .collect();
        let dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        Self { nodes, under_way: Vec::new(), dice, cut_off: None, committed: 0 }
    }

    fn step(&mut self) {
        if self.dice.percent(2) {
            let node = self.dice.below(NODES) + 1;
            self.cut_off = self.dice.percent(60).then_some(node);
        }
        for node in &mut self.nodes {
            if self.dice.percent(50) {
                node.tick();
            }
            if node.raft.state == StateRole::Leader && self.dice.percent(40) {
                for _ in 0..=self.dice.below(3) {
                    // Refused while leadership is handed over: nothing depends upon it.
                    let _ = node.propose(Vec::new(), vec![1]);
                }
            }
        }
        for _ in 0..self.dice.below(40) {
            self.deliver();
        }
        // Only now: what a node says in answer to several messages may be merged.
        for node in 0..self.nodes.len() {
            self.collect(node);
        }
    }

    fn collect(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        if !node.has_ready() {
            return;
        }
        let mut ready = node.ready();
        self.under_way.extend(ready.take_messages());
        if !ready.entries().is_empty() {
            node.mut_store().wl().append(ready.entries()).unwrap();
        }
        if let Some(hard) = ready.hs() {
            node.mut_store().wl().set_hardstate(hard.clone());
        }
        self.under_way.extend(ready.take_persisted_messages());
        let mut light = node.advance(ready);
        if let Some(commit) = light.commit_index() {
            node.mut_store().wl().mut_hard_state().commit = commit;
        }
        self.under_way.extend(light.take_messages());
        node.advance_apply();
        self.committed = self.committed.max(node.raft.raft_log.committed);
    }

    /// Delivers any message under way, drops it, or delivers it and keeps it for a second time.
    fn deliver(&mut self) {
        if self.under_way.is_empty() {
            return;
        }
        let chosen = self.dice.below(self.under_way.len() as u64) as usize;
        let message = self.under_way.swap_remove(chosen);
        let cut = [message.to, message.from].iter().any(|end| Some(*end) == self.cut_off);
        if cut || self.dice.percent(10) {
            return;
        }
        if message.get_msg_type() == MessageType::MsgAppend && self.dice.percent(10) {
            self.under_way.push(message.clone());
        }
        let receiver = (message.to - 1) as usize;
        // A stale message may be refused: that is an answer, not a fault.
        let _ = self.nodes[receiver].step(message);
    }

    /// No leader may believe that a follower of its term holds more than it does.
    fn leader_believes_too_much(&self) -> bool {
        let leaders = self.nodes.iter().filter(|node| node.raft.state == StateRole::Leader);
        leaders.into_iter().any(|leader| {
            self.nodes.iter().any(|follower| {
                let raft = &follower.raft;
                let matched = leader.raft.prs().get(raft.id).map_or(0, |progress| progress.matched);
                raft.term == leader.raft.term
                    && raft.leader_id == leader.raft.id
                    && matched > raft.raft_log.last_index()
            })
        })
    }
}

/// Whether the run broke safety, by our count or by the engine's own panic; and what it committed.
fn breaks_safety(seed: u64, batch_append: bool) -> (bool, u64) {
    let run = catch_unwind(AssertUnwindSafe(|| {
        let mut network = Network::new(seed, batch_append);
        for _ in 0..1_500 {
            network.step();
            if network.leader_believes_too_much() {
                return (true, network.committed);
            }
        }
        (false, network.committed)
    }));
    run.unwrap_or((true, 0))
}

#[test]
fn without_merged_appends_no_leader_counts_entries_that_nobody_holds() {
    let mut committed = 0;
    for seed in 1..=40 {
        let (broken, reached) = breaks_safety(seed, false);
        assert!(!broken, "seed {seed}");
        committed += reached;
    }
    assert!(committed > 40 * 100, "the network worked: {committed}");
}

#[test]
fn with_merged_appends_the_simulation_sees_the_fault() {
    assert!((1..=40).any(|seed| breaks_safety(seed, true).0));
}
