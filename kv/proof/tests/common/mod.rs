//! Where the fixtures are, and how to read them. Tests that need them pass with one line of
//! notice where they are absent.
#![allow(dead_code, reason = "each test file uses a part")]
#![allow(unreachable_pub, reason = "shared by several test binaries")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

pub mod service;

use std::fs;
use std::path::{Path, PathBuf};

/// `folder` of the fixtures, or none after a notice.
pub fn fixtures(folder: &str) -> Option<PathBuf> {
    let root = std::env::var_os("AFFIANT_FIXTURES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures"),
        PathBuf::from,
    );
    let path = root.join(folder);
    if path.is_dir() {
        return Some(path);
    }
    println!("skipped: no fixtures at {}", path.display());
    None
}

/// One chunk file, read whole.
pub struct Chunk {
    pub name: String,
    pub bytes: Vec<u8>,
}

/// The chunks of a ledger directory, in order of their first seqno.
pub fn ledger(directory: &Path) -> Vec<Chunk> {
    let mut chunks: Vec<Chunk> = fs::read_dir(directory)
        .unwrap()
        .map(|file| {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            Chunk { name, bytes: fs::read(&path).unwrap() }
        })
        .collect();
    chunks.sort_by_key(|chunk| first_seqno(&chunk.name));
    chunks
}

/// The chunks of one fixture ledger, or none after a notice.
pub fn fixture_ledger(service: &str) -> Option<Vec<Chunk>> {
    Some(ledger(&fixtures(&format!("ccf-ledgers/{service}/ledger"))?))
}

/// All fixture ledgers; empty after a notice.
pub fn fixture_ledgers() -> Vec<(String, Vec<Chunk>)> {
    let Some(root) = fixtures("ccf-ledgers") else { return Vec::new() };
    let mut services: Vec<_> = fs::read_dir(root).unwrap().map(|d| d.unwrap().path()).collect();
    services.sort();
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    services.iter().map(|path| (name(path), ledger(&path.join("ledger")))).collect()
}

fn first_seqno(name: &str) -> u64 {
    let digits = name.strip_prefix("ledger_").unwrap();
    digits.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}
