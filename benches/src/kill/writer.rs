//! A connection that writes until its node is gone, and tells the journal what it heard.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use affiant_proof::TxId;
use parking_lot::Mutex;
use rustls::ClientConfig;
use serde_json::Value as Json;

use super::client::{Answer, Client, Outgoing};
use super::journal::Journal;
use super::record::{Random, contents, number};

/// Most requests that a writer sends before it reads their answers.
const BURST_MAX: u64 = 8;

/// What all writers of one cycle share.
pub struct Writers {
    /// Where the node listens.
    pub address: SocketAddr,
    /// The client's TLS settings.
    pub tls: Arc<ClientConfig>,
    /// What the records' contents follow from.
    pub seed: u64,
    /// The cycle.
    pub cycle: u32,
    /// Who is told.
    pub journal: Mutex<Journal>,
    /// Answers received by all writers.
    pub answers: AtomicU64,
    /// Answers that refused a request, with the last such answer.
    pub refusals: Mutex<(u64, String)>,
}

/// How one burst is sent and answered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Early,
    /// The answer itself comes at commit.
    AtCommit,
    /// At commit, with the receipt.
    WithReceipt,
    /// Early, and then its status is asked until it is committed.
    Polled,
}

impl Writers {
    /// Writes until the node is gone; the error that ended it is what a killed node looks like.
    pub fn run(&self, writer: u8) {
        let mut random = Random::new(self.seed ^ (u64::from(self.cycle) << 8) ^ u64::from(writer));
        // A killed node breaks connections at any point: nothing to report.
        let _ = self.write_until_gone(writer, &mut random);
    }

    fn write_until_gone(&self, writer: u8, random: &mut Random) -> io::Result<()> {
        let mut client = Client::connect(self.address, &self.tls)?;
        let mut index = 0;
        loop {
            let way = match random.below(8) {
                0..=3 => Way::Early,
                4..=5 => Way::AtCommit,
                6 => Way::WithReceipt,
                _ => Way::Polled,
            };
            let burst: Vec<u64> = (0..=random.below(BURST_MAX))
                .map(|_| {
                    index += 1;
                    number(self.cycle, writer, index)
                })
                .collect();
            self.burst(&mut client, way, writer, &burst)?;
        }
    }

    fn burst(&self, client: &mut Client, way: Way, writer: u8, numbers: &[u64]) -> io::Result<()> {
        let headers = match way {
            Way::Early | Way::Polled => "x-affiant-respond: early\r\n",
            Way::AtCommit => "x-affiant-respond: committed\r\n",
            Way::WithReceipt => "x-affiant-respond: receipt\r\n",
        };
        let mut outgoing = Outgoing::default();
        for number in numbers {
            let text = contents(self.seed, *number);
            let body = format!(r#"{{"number":{number},"writer":{writer},"text":"{text}"}}"#);
            outgoing.add("POST", "/app/record", headers, Some(&body));
        }
        let mut journal = self.journal.lock();
        numbers.iter().for_each(|number| journal.submitted(*number));
        drop(journal);
        client.send(&outgoing)?;
        let mut early = Vec::new();
        for number in numbers {
            let answer = client.receive()?;
            self.answers.fetch_add(1, Ordering::Relaxed);
            let Some(txid) = self.txid_of(&answer, 200) else { continue };
            match way {
                Way::Early | Way::Polled => {
                    self.journal.lock().answered(*number, txid);
                    early.push((*number, txid));
                }
                Way::AtCommit => self.journal.lock().committed(*number, txid),
                Way::WithReceipt => {
                    let body: Json = serde_json::from_slice(&answer.body)?;
                    if body["receipt"]["proof"].is_array() {
                        self.journal.lock().committed(*number, txid);
                    } else {
                        self.refuse(format!("no receipt in {body}"));
                    }
                }
            }
        }
        if way == Way::Polled
            && let Some(last) = early.last()
        {
            self.poll(client, last.1)?;
            // What precedes a committed transaction of the same view is committed.
            let mut journal = self.journal.lock();
            early.iter().for_each(|(number, txid)| journal.committed(*number, *txid));
        }
        Ok(())
    }

    /// Asks until `txid` is said to be committed.
    fn poll(&self, client: &mut Client, txid: TxId) -> io::Result<()> {
        let target = format!("/app/tx?transaction_id={txid}");
        loop {
            let answer = client.request("GET", &target, "", None)?;
            let body: Json = serde_json::from_slice(&answer.body)?;
            match body["status"].as_str() {
                Some("Committed") => return Ok(()),
                Some("Pending" | "Unknown") => {
                    std::thread::sleep(std::time::Duration::from_millis(1));
                }
                _ => {
                    self.refuse(format!("status of {txid}: {body}"));
                    return Err(io::ErrorKind::InvalidData.into());
                }
            }
        }
    }

    fn txid_of(&self, answer: &Answer, wanted: u16) -> Option<TxId> {
        let txid = answer.txid.as_deref().and_then(|text| text.parse().ok());
        if answer.status == wanted && txid.is_some() {
            return txid;
        }
        let body = String::from_utf8_lossy(&answer.body);
        self.refuse(format!("{} {}", answer.status, body.chars().take(200).collect::<String>()));
        None
    }

    fn refuse(&self, what: String) {
        let mut refusals = self.refusals.lock();
        refusals.0 += 1;
        refusals.1 = what;
    }
}
