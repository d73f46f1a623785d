//! The load driver's client: closed loops over TLS, on one thread, formatted once and parsed as
//! little as can be, so that it takes as little as it can of the cores that the node runs on.

mod http1;
mod http2;
mod measure;
mod scenario;
mod wire;

use std::io;
use std::rc::Rc;

pub use http1::{Plan, Tally};
pub use measure::{Bench, Footprint, Program, Programs, Row, footprint, median_sync, run_scenario};
pub use scenario::{Ccf, Language, Operation, SCENARIOS, Scenario, Target};
pub use wire::{ID_BASE, ResponseHead, Template, header};

/// The protocol of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1, pipelined where a connection has several requests in flight.
    Http1,
    /// HTTP/2, one stream per request in flight.
    Http2,
}

impl Protocol {
    /// Its name in TLS.
    #[must_use]
    pub const fn alpn(self) -> &'static [u8] {
        match self {
            Self::Http1 => b"http/1.1",
            Self::Http2 => b"h2",
        }
    }
}

/// Runs `plan` over so many connections and adds up what they counted.
///
/// # Errors
/// A connection could not be opened, broke, or was answered with nonsense.
pub fn run(plan: Plan, protocol: Protocol, connections: usize) -> io::Result<Tally> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async move {
        let plan = Rc::new(plan);
        let share = plan.records / connections as u64;
        let tasks: Vec<_> = (0..connections as u64)
            .map(|index| {
                let plan = plan.clone();
                tokio::task::spawn_local(async move {
                    match protocol {
                        Protocol::Http1 => http1::run(&plan, index * share).await,
                        Protocol::Http2 => http2::run(plan, index * share).await,
                    }
                })
            })
            .collect();
        let mut tally = Tally::default();
        for task in tasks {
            tally.merge(&task.await.map_err(io::Error::other)??);
        }
        Ok(tally)
    })
}
