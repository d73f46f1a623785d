//! `docs/embedding.md`: its Rust listing is the one beside this file, and runs.

#![allow(clippy::unwrap_used, reason = "tests")]

mod listing;

const PAGE: &str = include_str!("../../../docs/embedding.md");
const LISTING: &str = include_str!("listing.rs");

#[test]
fn the_listing_of_the_page_runs_and_resumes() {
    let (_, code) = LISTING.split_once("\n\n").unwrap();
    let code = code.trim_end().replace("pub(crate) fn main", "fn main");
    assert!(
        PAGE.contains(&format!("```rust\n{code}\n```")),
        "docs/embedding.md has another Rust listing than runtime/tests/embedding/listing.rs"
    );
    let place = tempfile::tempdir().unwrap();
    std::env::set_current_dir(&place).unwrap();
    listing::main().unwrap();
    assert!(
        place.path().join("data/ledger").is_dir() && place.path().join("data/sealing_key").exists()
    );
    listing::main().unwrap();
}
