//! What a call through the C interface costs beyond the same call in Rust: CPU time of one thread, the
//! least of many rounds, in nanoseconds.

use std::sync::Arc;
use std::time::Duration;

use affiant::MapName;
use affiant::node::{Node, NodeSettings};
use rustix::time::{ClockId, clock_gettime};

use crate::Outcome;
use crate::engines::affiant_c::{self, AffiantC};
use crate::work::{self, Key, Value};

/// Keys in the ledger: few, so that what is measured is the call and not memory.
const KEYS: u64 = 1_000;
/// Calls of a round; so many writes a transaction holds at most.
const CALLS: usize = 1_000;
const ROUNDS: usize = 300;

/// A call through Rust and through C.
pub struct Cost {
    pub name: &'static str,
    pub rust_ns: f64,
    pub c_ns: f64,
}

struct Both {
    node: Arc<Node>,
    map: MapName,
    runtime: AffiantC,
    keys: Vec<Key>,
    value: Value,
}

/// Measures all calls.
pub fn measure() -> Outcome<Vec<Cost>> {
    let node = Node::start(NodeSettings::in_memory())?;
    let map = MapName::new("records")?;
    let runtime = affiant_c::open(None)?;
    let keys: Vec<Key> = (0..CALLS as u64).map(|number| work::key(number % KEYS)).collect();
    let both = Both { node, map, runtime, keys, value: work::value(1) };
    both.load()?;
    let costs = vec![both.puts()?, both.gets()?, both.snapshot_gets()?];
    both.node.shutdown()?;
    Ok(costs)
}

impl Both {
    fn load(&self) -> Outcome<()> {
        let (mut tx, mut c_tx) = (self.node.begin(), self.runtime.begin()?);
        for key in &self.keys {
            tx.put(&self.map, key, &self.value)?;
            c_tx.put(key, &self.value)?;
        }
        let outcome = (self.node.commit(tx), c_tx.commit());
        match outcome {
            (affiant::CommitOutcome::Sequenced(_), 0) => Ok(()),
            other => Err(format!("loading ended as {other:?}").into()),
        }
    }

    fn puts(&self) -> Outcome<Cost> {
        let mut c_tx = self.runtime.begin()?;
        least(
            "tx_put",
            || {
                let mut tx = self.node.begin();
                let took = timed(|| {
                    self.keys.iter().try_for_each(|key| Ok(tx.put(&self.map, key, &self.value)?))
                })?;
                drop(tx);
                Ok(took)
            },
            || {
                let took =
                    timed(|| self.keys.iter().try_for_each(|key| c_tx.put(key, &self.value)))?;
                c_tx.reset()?;
                Ok(took)
            },
        )
    }

    fn gets(&self) -> Outcome<Cost> {
        let mut c_tx = self.runtime.begin()?;
        least(
            "tx_get",
            || {
                let mut tx = self.node.begin();
                timed(|| {
                    self.keys.iter().try_for_each(|key| {
                        tx.get(&self.map, key).map(drop).ok_or_else(|| "a key is missing".into())
                    })
                })
            },
            || {
                let took = timed(|| self.keys.iter().try_for_each(|key| c_tx.get(key).map(drop)))?;
                c_tx.reset()?;
                Ok(took)
            },
        )
    }

    fn snapshot_gets(&self) -> Outcome<Cost> {
        let snapshot = self.node.snapshot();
        self.runtime.with_snapshot(|c_snapshot| {
            least(
                "snapshot_get",
                || {
                    timed(|| {
                        self.keys.iter().try_for_each(|key| {
                            let found = snapshot.get_ref(self.map.as_str(), key);
                            let size = found.map(|value| work::touched(value));
                            size.map(drop).ok_or_else(|| "a key is missing".into())
                        })
                    })
                },
                || {
                    timed(|| {
                        let mut keys = self.keys.iter();
                        keys.try_for_each(|key| affiant_c::snapshot_get(c_snapshot, key).map(drop))
                    })
                },
            )
        })?
    }
}

/// Runs both in turn, so that what else the machine does meets both.
fn least(
    name: &'static str,
    mut rust: impl FnMut() -> Outcome<Duration>,
    mut c: impl FnMut() -> Outcome<Duration>,
) -> Outcome<Cost> {
    let (mut rust_least, mut c_least) = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        rust_least = rust_least.min(rust()?);
        c_least = c_least.min(c()?);
    }
    let per_call = |took: Duration| took.as_nanos() as f64 / CALLS as f64;
    Ok(Cost { name, rust_ns: per_call(rust_least), c_ns: per_call(c_least) })
}

fn timed(act: impl FnOnce() -> Outcome<()>) -> Outcome<Duration> {
    let before = thread_cpu();
    act()?;
    Ok(thread_cpu().saturating_sub(before))
}

fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let (seconds, nanoseconds) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or(0), nanoseconds.unwrap_or(0))
}
