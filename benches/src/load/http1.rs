//! A closed loop over HTTP/1.1: so many requests in flight per connection, the next leaves when an
//! answer arrives.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::wire::{ResponseHead, Template};
use crate::histogram::Histogram;

/// What the connections of one run share.
pub struct Plan {
    /// Where the node listens.
    pub address: SocketAddr,
    /// The client's TLS settings.
    pub tls: Arc<rustls::ClientConfig>,
    /// The request.
    pub template: Template,
    /// How many different records the requests name.
    pub records: u64,
    /// Requests in flight per connection (HTTP/1.1 pipelining or HTTP/2 streams).
    pub in_flight: usize,
    /// Requests that each connection sends at most; until the time is over, if not given.
    pub per_connection_max: Option<u64>,
    /// Answers that arrive before this are not counted.
    pub from: Instant,
    /// No request leaves after this.
    pub until: Instant,
}

/// What one run, or one connection of it, counted.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Answers within the measured time, by success.
    pub answered: u64,
    /// Answers with another status than 200, whenever they came.
    pub refused: u64,
    /// The last such status.
    pub refused_status: u16,
    /// Answers before the measured time.
    pub warm_up: u64,
    /// Response times within the measured time.
    pub times: Histogram,
}

impl Tally {
    /// Adds another's counts.
    pub fn merge(&mut self, other: &Self) {
        self.answered += other.answered;
        self.refused += other.refused;
        self.refused_status = self.refused_status.max(other.refused_status);
        self.warm_up += other.warm_up;
        self.times.merge(&other.times);
    }

    /// Counts one answer to a request sent at `sent`.
    pub fn note(&mut self, plan: &Plan, status: u16, sent: Instant, now: Instant) {
        if status != 200 {
            self.refused += 1;
            self.refused_status = status;
        } else if now < plan.from {
            self.warm_up += 1;
        } else if now <= plan.until {
            self.answered += 1;
            self.times.record(now - sent);
        }
    }
}

/// Opens a TLS connection to the node.
///
/// # Errors
/// As the system or TLS says.
pub(super) async fn connect(
    address: SocketAddr,
    tls: &Arc<rustls::ClientConfig>,
) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let name = ServerName::IpAddress(address.ip().into());
    TlsConnector::from(tls.clone()).connect(name, stream).await
}

/// Runs one connection's loop to its end. `number` starts the connection's own series of records.
///
/// # Errors
/// The connection broke or answered nonsense.
pub(super) async fn run(plan: &Plan, number: u64) -> io::Result<Tally> {
    let mut stream = connect(plan.address, &plan.tls).await?;
    let mut tally = Tally::default();
    let mut number = number;
    let mut sent = VecDeque::with_capacity(plan.in_flight);
    let mut outgoing = Vec::new();
    let mut incoming = Vec::with_capacity(64 * 1_024);
    let mut room = plan.in_flight;
    let mut left = plan.per_connection_max.unwrap_or(u64::MAX);
    loop {
        let now = Instant::now();
        room = room.min(usize::try_from(left).unwrap_or(usize::MAX));
        if now < plan.until && room > 0 {
            left -= room as u64;
            outgoing.clear();
            for _ in 0..room {
                plan.template.append_to(&mut outgoing, number % plan.records);
                number += 1;
                sent.push_back(now);
            }
            room = 0;
            stream.write_all(&outgoing).await?;
            stream.flush().await?;
        }
        if sent.is_empty() {
            return Ok(tally);
        }
        if stream.read_buf(&mut incoming).await? == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("the node closed the connection with {} requests in flight", sent.len()),
            ));
        }
        let now = Instant::now();
        let mut used = 0;
        while let Some(head) = ResponseHead::parse(&incoming[used..]).map_err(io::Error::other)? {
            if incoming.len() - used < head.bytes() {
                break;
            }
            used += head.bytes();
            let sent_at = sent.pop_front().ok_or_else(|| io::Error::other("an answer too many"))?;
            tally.note(plan, head.status, sent_at, now);
            room += 1;
        }
        incoming.drain(..used);
    }
}
