//! `affiant ledger stat`: figures of a ledger directory.

use std::collections::BTreeMap;

use affiant_proof::TxId;
use affiant_proof::chunk::ChunkState;
use affiant_proof::entry::EntryView;
use serde_json::{Value as Json, json};

use super::files::Listing;
use super::text::{encoded, is_public, kind};
use super::walk::{Step, walk};
use crate::args::LedgerStatArgs;
use crate::exit::{self, Failure};
use crate::output::{Output, bytes, count, grouped};

#[derive(Default)]
struct Figures {
    transactions: u64,
    signatures: u64,
    with_claims: u64,
    with_private_data: u64,
    private_bytes: u64,
    first: Option<TxId>,
    last: Option<TxId>,
    last_signature: Option<TxId>,
    /// View, and its first transaction.
    views: Vec<(u64, TxId)>,
    /// Writes and removes by public table.
    tables: BTreeMap<Vec<u8>, (u64, u64)>,
    /// Entries by the first seqno of their chunk.
    entries: BTreeMap<u64, u64>,
}

pub(crate) fn stat(arguments: &LedgerStatArgs) -> Result<u8, Failure> {
    let listing = Listing::read(&arguments.dir, arguments.committed_only)?.require_chunks()?;
    let mut figures = Figures::default();
    walk(&listing, 1, |place, entry| {
        *figures.entries.entry(place.chunk.first).or_default() += 1;
        figures.add(entry)?;
        Ok(Step::Next)
    })?;
    let mut output = Output::new();
    if arguments.json {
        output.line(figures.as_json(&listing).to_string());
    } else {
        figures.print(&listing, &mut output);
    }
    Ok(exit::SUCCESS)
}

impl Figures {
    fn add(&mut self, entry: &EntryView<'_>) -> Result<(), affiant_proof::ProofError> {
        let txid = entry.txid();
        self.transactions += 1;
        self.first = self.first.or(Some(txid));
        self.last = Some(txid);
        if self.views.last().is_none_or(|(view, _)| *view != txid.view) {
            self.views.push((txid.view, txid));
        }
        if kind(entry)? == "signature" {
            self.signatures += 1;
            self.last_signature = Some(txid);
        }
        self.with_claims += u64::from(entry.claims_digest().is_some_and(|d| d.0 != [0; 32]));
        let private = entry.private_ciphertext().len() as u64;
        self.with_private_data += u64::from(private > 0);
        self.private_bytes += private;
        for map in entry.maps() {
            let map = map?;
            let (writes, removes) = self.tables.entry(map.name().to_vec()).or_default();
            *writes += map.write_count();
            *removes += map.remove_count();
        }
        Ok(())
    }

    fn as_json(&self, listing: &Listing) -> Json {
        let text = |txid: Option<TxId>| txid.map(|txid| txid.to_string());
        let files: Vec<_> = listing
            .chunks
            .iter()
            .map(|chunk| {
                json!({
                    "name": chunk.name.to_string(),
                    "state": state(chunk.name.state),
                    "bytes": chunk.bytes,
                    "entries": self.entries.get(&chunk.name.first).copied().unwrap_or(0),
                })
            })
            .collect();
        let tables: Vec<_> = self
            .tables
            .iter()
            .map(|(name, (writes, removes))| {
                json!({
                    "name": encoded(name, false).1,
                    "public": is_public(name),
                    "writes": writes,
                    "removes": removes,
                })
            })
            .collect();
        let views: Vec<_> = self
            .views
            .iter()
            .map(|(view, first)| json!({ "view": view, "first": first.to_string() }))
            .collect();
        json!({
            "files": files,
            "foreign_files": listing.foreign,
            "bytes": listing.bytes(),
            "transactions": self.transactions,
            "signatures": self.signatures,
            "with_claims": self.with_claims,
            "with_private_data": self.with_private_data,
            "private_bytes": self.private_bytes,
            "first": text(self.first),
            "last": text(self.last),
            "last_signature": text(self.last_signature),
            "views": views,
            "tables": tables,
        })
    }

    fn print(&self, listing: &Listing, output: &mut Output) {
        let text = |txid: Option<TxId>| txid.map_or_else(|| "-".to_owned(), |t| t.to_string());
        output.line(format!(
            "{} in {}, {}",
            count(self.transactions, "transaction", "transactions"),
            count(listing.chunks.len() as u64, "file", "files"),
            bytes(listing.bytes())
        ));
        output.line(format!("  from            {}", text(self.first)));
        output.line(format!("  to              {}", text(self.last)));
        output.line(format!(
            "  signatures      {}, the last {}",
            grouped(self.signatures),
            text(self.last_signature)
        ));
        output.line(format!("  with claims     {}", grouped(self.with_claims)));
        output.line(format!(
            "  private data    {} in {}",
            bytes(self.private_bytes),
            count(self.with_private_data, "transaction", "transactions")
        ));
        for (view, first) in &self.views {
            output.line(format!("  view {view:<10} from {first}"));
        }
        output.line("Files");
        for chunk in &listing.chunks {
            let entries = self.entries.get(&chunk.name.first).copied().unwrap_or(0);
            output.line(format!(
                "  {:<34} {:>10}  {} ({})",
                chunk.name.to_string(),
                bytes(chunk.bytes),
                count(entries, "entry", "entries"),
                state(chunk.name.state)
            ));
        }
        for name in &listing.foreign {
            output.line(format!("  {name} is no ledger chunk"));
        }
        output.line("Public tables                                          writes   removes");
        for (name, (writes, removes)) in &self.tables {
            let name = String::from_utf8_lossy(name);
            output.line(format!("  {name:<50} {:>8}  {:>8}", grouped(*writes), grouped(*removes)));
        }
    }
}

const fn state(state: ChunkState) -> &'static str {
    match state {
        ChunkState::Open => "open",
        ChunkState::Completed => "completed",
        ChunkState::Committed => "committed",
        ChunkState::CommittedPrefix => "committed prefix",
    }
}
