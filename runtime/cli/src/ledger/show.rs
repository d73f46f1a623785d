//! `affiant ledger show`: transactions, as text or as one JSON object a line.

use affiant_proof::ProofError;
use affiant_proof::entry::{EntryView, MapView, Maps};
use serde_json::{Value as Json, json};

use super::files::Listing;
use super::secret::{Opener, read_secrets};
use super::text::{encoded, is_public, kind, line};
use super::walk::{Place, Step, walk};
use crate::args::LedgerShowArgs;
use crate::exit::{self, Failure};
use crate::output::{Output, count};

pub(crate) fn show(arguments: &LedgerShowArgs) -> Result<u8, Failure> {
    let range = match &arguments.seqno {
        Some(text) => parse_range(text)?,
        None => (1, u64::MAX),
    };
    let secrets = match &arguments.reading.secret {
        Some(path) => read_secrets(path)?,
        None => Vec::new(),
    };
    let listing =
        Listing::read(&arguments.dir, arguments.reading.committed_only)?.require_chunks()?;
    let mut printer = Printer {
        output: Output::new(),
        opener: Opener::new(&secrets),
        table: arguments.table.as_deref().map(str::as_bytes),
        json: arguments.reading.json,
    };
    walk(&listing, range.0, |place, entry| {
        let seqno = entry.txid().seqno;
        if seqno > range.1 || printer.output.is_closed() {
            return Ok(Step::Stop);
        }
        if seqno >= range.0 {
            printer.print(place, entry)?;
        }
        Ok(Step::Next)
    })?;
    Ok(exit::SUCCESS)
}

struct Printer<'a> {
    output: Output,
    opener: Opener,
    table: Option<&'a [u8]>,
    json: bool,
}

impl Printer<'_> {
    fn print(&mut self, place: Place, entry: &EntryView<'_>) -> Result<(), ProofError> {
        let opened = self.opener.open(entry);
        let mut maps: Vec<MapView<'_>> = entry.maps().collect::<Result<_, _>>()?;
        if let Some(plaintext) = &opened {
            for map in Maps::of_private(plaintext) {
                maps.push(map?);
            }
        }
        if let Some(table) = self.table {
            maps.retain(|map| map.name() == table);
            if maps.is_empty() {
                return Ok(());
            }
        }
        if self.json {
            let json = as_json(place, entry, &maps, opened.is_some())?;
            self.output.line(json.to_string());
            return Ok(());
        }
        self.print_text(place, entry, &maps, opened.is_some())
    }

    fn print_text(
        &mut self,
        place: Place,
        entry: &EntryView<'_>,
        maps: &[MapView<'_>],
        opened: bool,
    ) -> Result<(), ProofError> {
        self.output.line(format!(
            "{}  {}, {} bytes, {} at offset {}",
            entry.txid(),
            kind(entry)?,
            entry.bytes().len(),
            place.chunk,
            place.offset
        ));
        if let Some(claims) = entry.claims_digest().filter(|digest| digest.0 != [0; 32]) {
            self.output.line(format!("    claims digest {claims}"));
        }
        for map in maps {
            let private = if is_public(map.name()) { "" } else { " (private)" };
            self.output.line(format!("    {}{private}", line(map.name())));
            for (key, value) in map.writes() {
                self.output.line(format!("        {} = {}", key_line(key), line(value)));
            }
            for key in map.removes() {
                self.output.line(format!("        {} removed", key_line(key)));
            }
        }
        let sealed = entry.private_ciphertext().len() as u64;
        if sealed > 0 && !opened && self.table.is_none() {
            self.output
                .line(format!("    {} sealed", count(sealed, "private byte", "private bytes")));
        }
        Ok(())
    }
}

fn key_line(key: &[u8]) -> String {
    if key == affiant_proof::entry::SINGLETON_KEY { "(value)".to_owned() } else { line(key) }
}

fn as_json(
    place: Place,
    entry: &EntryView<'_>,
    maps: &[MapView<'_>],
    opened: bool,
) -> Result<Json, ProofError> {
    let txid = entry.txid();
    let claims = entry.claims_digest().filter(|digest| digest.0 != [0; 32]);
    let private = match (entry.private_ciphertext().len(), opened) {
        (0, _) => "none",
        (_, true) => "opened",
        (_, false) => "sealed",
    };
    Ok(json!({
        "txid": txid.to_string(),
        "view": txid.view,
        "seqno": txid.seqno,
        "kind": kind(entry)?,
        "file": place.chunk.to_string(),
        "offset": place.offset,
        "bytes": entry.bytes().len(),
        "write_set_digest": entry.write_set_digest().to_hex(),
        "claims_digest": claims.map(|digest| digest.to_hex()),
        "private": private,
        "private_bytes": entry.private_ciphertext().len(),
        "tables": maps.iter().map(map_json).collect::<Vec<_>>(),
    }))
}

fn map_json(map: &MapView<'_>) -> Json {
    let writes: Vec<_> = map
        .writes()
        .map(|(key, value)| {
            let (key_encoding, key) = encoded(key, false);
            let (value_encoding, value) = encoded(value, true);
            json!({
                "key": key,
                "key_encoding": key_encoding,
                "value": value,
                "value_encoding": value_encoding,
            })
        })
        .collect();
    let removes: Vec<_> = map
        .removes()
        .map(|key| {
            let (key_encoding, key) = encoded(key, false);
            json!({ "key": key, "key_encoding": key_encoding })
        })
        .collect();
    json!({
        "name": encoded(map.name(), false).1,
        "public": is_public(map.name()),
        "writes": writes,
        "removes": removes,
    })
}

/// `17`, `5..9`, `5..`, `..9`: first and last, both included.
fn parse_range(text: &str) -> Result<(u64, u64), Failure> {
    let wrong = || {
        Failure::new(
            exit::USAGE,
            format!("--seqno {text}: write one number, or A..B with A at most B (both included)"),
        )
    };
    let number = |text: &str, default: u64| match text {
        "" => Ok(default),
        text => text.parse::<u64>().map_err(|_| wrong()),
    };
    let (first, last) = match text.split_once("..") {
        None => {
            let seqno = text.parse().map_err(|_| wrong())?;
            (seqno, seqno)
        }
        Some((first, last)) => (number(first, 1)?, number(last, u64::MAX)?),
    };
    if first <= last { Ok((first, last)) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_include_both_ends() {
        assert_eq!(parse_range("17"), Ok((17, 17)));
        assert_eq!(parse_range("5..9"), Ok((5, 9)));
        assert_eq!(parse_range("5.."), Ok((5, u64::MAX)));
        assert_eq!(parse_range("..9"), Ok((1, 9)));
        for wrong in ["", "9..5", "a..b", "1-2", "-1"] {
            assert_eq!(parse_range(wrong).map_err(|failure| failure.code), Err(exit::USAGE));
        }
    }
}
