//! What a restarted node says it holds, read over HTTP, and its ledger, read from disk.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use affiant_proof::chunk::ChunkName;
use affiant_proof::{AuditOptions, AuditReport, Auditor, Certificate, Digest, TxId};
use serde_json::Value as Json;

use super::client::{Client, Outgoing};
use super::journal::{Held, Violation};
use super::record::contents;
use crate::app::DUMP_RECORDS_MAX;

/// Status requests sent before their answers are read.
const BURST: usize = 64;

/// Reads every record that the node holds. What contradicts itself there is reported too.
///
/// # Errors
/// The node does not answer as it should.
pub fn dump(client: &mut Client, seed: u64) -> io::Result<(Vec<Held>, Vec<Violation>)> {
    let mut held: Vec<Held> = Vec::new();
    let mut violations = Vec::new();
    let mut from = 0;
    loop {
        let answer = client.request("GET", &format!("/app/dump?from={from}"), "", None)?;
        let text = String::from_utf8_lossy(&answer.body);
        if answer.status != 200 {
            return Err(io::Error::other(format!("dump: {}: {text}", answer.status)));
        }
        let before = held.len();
        let mut totals = None;
        for line in text.lines() {
            if let Some(counts) = line.strip_prefix("total ") {
                totals = counts.split_once(" digests ");
                continue;
            }
            let record = parse_line(line, seed)
                .ok_or_else(|| io::Error::other(format!("dump: the line {line:?}")))?;
            from = record.number + 1;
            held.push(record);
        }
        if held.len() - before == DUMP_RECORDS_MAX {
            continue;
        }
        let expected = held.len().to_string();
        match totals {
            Some((counted, digests)) if counted == expected && digests == expected => {}
            Some((counted, digests)) => violations.push(Violation(format!(
                "{expected} records, but {digests} digests, and the writers counted {counted}"
            ))),
            None => return Err(io::Error::other("dump: no totals")),
        }
        return Ok((held, violations));
    }
}

fn parse_line(line: &str, seed: u64) -> Option<Held> {
    let mut words = line.split(' ');
    let number: u64 = words.next()?.parse().ok()?;
    let seqno: u64 = words.next()?.parse().ok()?;
    let digest_seqno: u64 = words.next()?.parse().ok()?;
    let digest = words.next()?;
    let text = words.next()?;
    let expected = contents(seed, number);
    let intact = text == expected
        && digest == Digest::of(expected.as_bytes()).to_hex()
        && digest_seqno == seqno;
    Some(Held { number, seqno, intact })
}

/// Asks the node for the status of each id: whether it says `Committed`. `Pending` is impossible once
/// a later transaction is committed, and reported.
///
/// # Errors
/// The node does not answer as it should.
pub fn statuses(
    client: &mut Client,
    ids: &[TxId],
) -> io::Result<(BTreeMap<TxId, bool>, Vec<Violation>)> {
    let mut statuses = BTreeMap::new();
    let mut violations = Vec::new();
    for ids in ids.chunks(BURST) {
        let mut outgoing = Outgoing::default();
        for txid in ids {
            outgoing.add("GET", &format!("/app/tx?transaction_id={txid}"), "", None);
        }
        client.send(&outgoing)?;
        for txid in ids {
            let answer = client.receive()?;
            let body: Json = serde_json::from_slice(&answer.body)?;
            match body["status"].as_str() {
                Some("Committed") => _ = statuses.insert(*txid, true),
                Some("Invalid" | "Unknown") => _ = statuses.insert(*txid, false),
                _ => violations.push(Violation(format!("the status of {txid} is {body}"))),
            }
        }
    }
    Ok((statuses, violations))
}

/// What lies in a ledger directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chunks {
    /// Chunks whose name says that they are committed.
    pub committed: usize,
    /// Other chunks: one, unless the node died while it went from one to the next.
    pub open: usize,
}

/// Counts the chunks of a ledger directory.
///
/// # Errors
/// As the system says; a directory that is missing holds none.
pub fn count_chunks(directory: &Path) -> io::Result<Chunks> {
    let mut chunks = Chunks::default();
    let listed = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(chunks),
        listed => listed?,
    };
    for file in listed {
        if file?.file_name().to_string_lossy().ends_with(".committed") {
            chunks.committed += 1;
        } else {
            chunks.open += 1;
        }
    }
    Ok(chunks)
}

/// Audits the whole ledger as a stranger would who knows the service's certificate.
///
/// # Errors
/// A file cannot be read, or its name is no chunk's.
pub fn audit(directory: &Path, service_certificate_pem: &str) -> io::Result<AuditReport> {
    let trusted = Certificate::from_pem(service_certificate_pem).map_err(io::Error::other)?;
    let mut chunks = BTreeMap::new();
    for file in fs::read_dir(directory)? {
        let name = file?.file_name().to_string_lossy().into_owned();
        let first = ChunkName::parse(&name).map_err(io::Error::other)?.first;
        chunks.insert(first, name);
    }
    let mut auditor =
        Auditor::new(AuditOptions { trusted_service: Some(trusted), ..AuditOptions::default() });
    for name in chunks.values() {
        auditor.chunk(name, &fs::read(directory.join(name))?);
    }
    Ok(auditor.finish())
}
