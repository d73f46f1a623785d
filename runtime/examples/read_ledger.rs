//! Opens ledgers in Rust, and compares what is in them with what their writers said is. `make test-capi`
//! has it read what C programs wrote.
//!
//! Arguments: files `NAME.expect`, each beside a data directory `NAME`, with lines of a map, a key and a
//! value, the last two in hex, tabs between them. The directories are resumed, hence written to.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};

use affiant::node::{Node, NodeSettings};

type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

fn main() -> Result<(), Box<dyn Error>> {
    let (mut ledgers, mut values) = (0, 0);
    for path in std::env::args_os().skip(1).map(PathBuf::from) {
        values += compare(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        ledgers += 1;
    }
    println!("Rust: {ledgers} ledgers opened, {values} values as expected");
    Ok(())
}

/// How many values a ledger was found to hold as expected.
fn compare(path: &Path) -> Result<usize, Box<dyn Error>> {
    let expected = expected(&std::fs::read_to_string(path)?)?;
    let node = Node::start(NodeSettings::in_directory(path.with_extension("")))?;
    let snapshot = node.snapshot();
    for (map, entries) in &expected {
        let found: Entries =
            snapshot.entries(map).map(|(key, value, _)| (key.to_vec(), value.to_vec())).collect();
        if found != *entries {
            return Err(format!("the map {map} holds something else").into());
        }
    }
    node.shutdown()?;
    Ok(expected.values().map(Entries::len).sum())
}

fn expected(text: &str) -> Result<BTreeMap<String, Entries>, Box<dyn Error>> {
    let mut maps: BTreeMap<String, Entries> = BTreeMap::new();
    for line in text.lines() {
        let [map, key, value] = line.split('\t').collect::<Vec<_>>()[..] else {
            return Err(format!("not three fields: {line}").into());
        };
        maps.entry(map.to_owned()).or_default().insert(from_hex(key)?, from_hex(value)?);
    }
    if maps.is_empty() { Err("it expects nothing".into()) } else { Ok(maps) }
}

fn from_hex(text: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let digits = |at| text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let bytes: Option<Vec<u8>> = (0..text.len()).step_by(2).map(digits).collect();
    bytes.ok_or_else(|| format!("not hex: {text}").into())
}
