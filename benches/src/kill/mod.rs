//! kill -9 under load: a node as a process is killed at random instants and restarted on the same
//! data, and what it holds is checked against what it said.

mod client;
mod harness;
mod journal;
mod record;
mod verify;
mod writer;

pub use client::{Answer, Client, Outgoing};
pub use harness::{Harness, Settings, Summary};
pub use journal::{Counts, Held, Journal, Said, Violation};
pub use record::{Random, contents, number};
pub use verify::{Chunks, audit, count_chunks, dump, statuses};
pub use writer::Writers;
