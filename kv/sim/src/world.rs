//! The world: virtual time, the order in which things happen, and what clients and operators do.
//!
//! Everything is an event with a time; equal times happen in the order in which they were planned.
//! Events of a process that has stopped are void. A world has one node today; nodes are numbered so
//! that more of them, and a network between them, fit in.

mod client;
mod core;
mod lifecycle;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::disk::SimDisk;
use crate::mutant::Mutant;
use crate::node::Node;
use crate::oracle::Oracle;
use crate::rng::Rng;
use crate::scenario::Scenario;
use crate::stats::Stats;
use crate::trace::Trace;
use crate::violation::{Checked, Violation};
use crate::workload::OpenTx;
use affiant_proof::TxId;

/// Wall clock at the start of every run, in unix seconds.
const EPOCH_UNIX_S: u64 = 1_800_000_000;
/// How long the quiet end may take, in simulated microseconds, until everything is committed.
const QUIET_US_MAX: u64 = 120_000_000;
/// Events after which a run is taken to go in circles.
const EVENT_COUNT_MAX: u64 = 100_000;

/// What happens at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    /// The process is started.
    Start,
    /// The machine stops.
    Stop,
    /// The core's thread wakes.
    Core,
    /// The disk thread has done its batch.
    DiskDone,
    /// A client does something.
    Client,
}

/// One planned event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Planned {
    at_us: u64,
    order: u64,
    node: usize,
    life: u64,
    happening: Happening,
}

/// What a client waits for.
struct Waiter {
    txid: TxId,
    receipt: bool,
}

/// A run of one seed.
pub(crate) struct World {
    now_us: u64,
    order: u64,
    planned: BinaryHeap<Reverse<Planned>>,
    scenario: Scenario,
    mutant: Option<Mutant>,
    /// Chance, by part.
    schedule: Rng,
    clients: Rng,
    faults: Rng,
    nodes: Vec<Node>,
    oracle: Oracle,
    open: Vec<OpenTx>,
    waiters: Vec<Waiter>,
    /// The seqnos that clients wait for to be durable.
    durable_waiters: Vec<u64>,
    /// Steps that clients have left in this life.
    steps_left: u64,
    lives_left: u64,
    /// When the core's thread wakes next, by node: it is woken once however many call.
    core_due_us: Vec<Option<u64>>,
    /// Failed starts in a row.
    failed_starts: u64,
    /// The process has its first batch on disk and may answer clients.
    serving: bool,
    /// Faults are over; since when.
    quiet_since_us: Option<u64>,
    finished: bool,
    stats: Stats,
    trace: Trace,
}

impl World {
    /// The world of `seed`.
    #[must_use]
    pub(crate) fn new(seed: u64, mutant: Option<Mutant>, trace: Trace) -> Self {
        let rng = Rng::new(seed);
        let scenario = Scenario::new(&mut rng.fork("scenario"));
        Self::with(&rng, scenario, mutant, trace)
    }

    /// A world of a chosen scenario.
    #[must_use]
    pub(crate) fn with(
        rng: &Rng,
        scenario: Scenario,
        mutant: Option<Mutant>,
        trace: Trace,
    ) -> Self {
        let disk = SimDisk::new(rng.fork("disk"));
        disk.set_latency(scenario.latency);
        let nodes = vec![Node::new(disk, &scenario, mutant)];
        Self {
            now_us: 0,
            order: 0,
            planned: BinaryHeap::new(),
            mutant,
            schedule: rng.fork("schedule"),
            clients: rng.fork("clients"),
            faults: rng.fork("faults"),
            nodes,
            oracle: Oracle::new(scenario.signer),
            open: Vec::new(),
            waiters: Vec::new(),
            durable_waiters: Vec::new(),
            steps_left: 0,
            lives_left: scenario.lives,
            core_due_us: vec![None],
            failed_starts: 0,
            serving: false,
            quiet_since_us: None,
            finished: false,
            stats: Stats::default(),
            trace,
            scenario,
        }
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// The first promise that was broken.
    pub(crate) fn run(&mut self) -> Checked {
        if self.lives_left == 0 {
            self.quiet_since_us = Some(0);
        }
        self.plan(0, 0, Happening::Start);
        let mut events = 0;
        while !self.finished {
            let Some(Reverse(event)) = self.planned.pop() else {
                return Err(Violation::new("liveness", "nothing is planned, and not all is done"));
            };
            events += 1;
            if events > EVENT_COUNT_MAX {
                return Err(Violation::new("liveness", "the run goes in circles"));
            }
            self.now_us = event.at_us;
            if let Some(since) = self.quiet_since_us
                && self.now_us - since > QUIET_US_MAX
            {
                return Err(self.not_live());
            }
            let node = event.node;
            if event.life != self.nodes[node].life && event.happening != Happening::Start {
                continue;
            }
            match event.happening {
                Happening::Start => self.start(node)?,
                Happening::Stop => self.stop(node)?,
                Happening::Core if self.core_due_us[node] != Some(event.at_us) => {}
                Happening::Core => {
                    self.core_due_us[node] = None;
                    self.core(node)?;
                }
                Happening::DiskDone => self.disk_done(node)?,
                Happening::Client => self.client(node)?,
            }
        }
        Ok(())
    }

    /// What was visited.
    #[must_use]
    pub(crate) fn stats(&self) -> Stats {
        let mut stats = self.stats.clone();
        stats.seeds = 1;
        stats.simulated_us = self.now_us;
        for node in &self.nodes {
            for (fault, count) in node.disk.counts() {
                stats.add(&format!("fault: {fault}"), count);
            }
            for (operation, count) in node.disk.operations() {
                stats.add(&format!("disk: {operation}"), count);
            }
        }
        stats
    }

    /// The trace.
    #[must_use]
    pub(crate) fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The options of this run.
    #[must_use]
    pub(crate) fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// The first node.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn node(&self) -> &Node {
        &self.nodes[0]
    }

    /// The oracle.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn oracle(&self) -> &Oracle {
        &self.oracle
    }

    fn plan(&mut self, node: usize, after_us: u64, happening: Happening) {
        self.order += 1;
        let life = self.nodes[node].life;
        self.planned.push(Reverse(Planned {
            at_us: self.now_us + after_us,
            order: self.order,
            node,
            life,
            happening,
        }));
    }

    /// Wakes the core's thread at the latest in so many microseconds.
    fn wake_core(&mut self, node: usize, after_us: u64) {
        let at_us = self.now_us + after_us;
        if self.core_due_us[node].is_none_or(|due_us| at_us < due_us) {
            self.core_due_us[node] = Some(at_us);
            self.plan(node, after_us, Happening::Core);
        }
    }

    fn is_quiet(&self) -> bool {
        self.quiet_since_us.is_some()
    }

    fn step(&mut self, what: &'static str, a: u64, b: u64) {
        self.trace.step(self.now_us, what, a, b);
    }

    fn not_live(&self) -> Violation {
        let running = self.nodes[0].running.as_ref();
        let detail = format!(
            "faults ended {QUIET_US_MAX} us ago; commit point {}, last submitted {:?}, {} wait, \
             disk idle: {:?}, poisoned: {:?}",
            self.oracle.commit_point(),
            self.oracle.last_submitted(),
            self.waiters.len(),
            running.map(crate::node::Running::disk_is_idle),
            running.and_then(|running| running.poisoned.clone())
        );
        Violation::new("liveness", detail)
    }
}
