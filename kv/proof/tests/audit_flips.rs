//! Every single-byte change of a ledger is found: with the ledger secret all of them, without it
//! all but the tag and the commit evidence digest of the last signature entry.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use affiant_proof::chunk::ChunkView;
use affiant_proof::entry::{FRAME_BYTES, IV_OFFSET, TAG_OFFSET};
use affiant_proof::{AuditOptions, AuditReport, AuditVerdict, Auditor, LedgerSecret};
use common::Chunk;
use common::service::{Mode, small_ledger};

fn audit(chunks: &[Chunk], options: AuditOptions) -> AuditReport {
    let mut auditor = Auditor::new(options);
    chunks.iter().for_each(|chunk| auditor.chunk(&chunk.name, &chunk.bytes));
    auditor.finish()
}

fn options(secret: Option<&LedgerSecret>) -> AuditOptions {
    AuditOptions { secrets: secret.cloned().into_iter().collect(), ..AuditOptions::default() }
}

/// The positions (chunk, offset) at which changing a byte by `flips` leaves the verdict valid.
fn undetected(
    chunks: &[Chunk],
    secret: Option<&LedgerSecret>,
    flips: impl Fn(usize) -> Vec<u8>,
) -> Vec<(usize, usize)> {
    let mut before = Auditor::new(options(secret));
    let mut undetected = Vec::new();
    for (index, chunk) in chunks.iter().enumerate() {
        let mut bytes = chunk.bytes.clone();
        for at in 0..bytes.len() {
            for flip in flips(at) {
                assert_ne!(flip, 0);
                bytes[at] ^= flip;
                let mut auditor = before.clone();
                auditor.chunk(&chunk.name, &bytes);
                for later in &chunks[index + 1..] {
                    if !auditor.has_errors() {
                        auditor.chunk(&later.name, &later.bytes);
                    }
                }
                if !auditor.has_errors() && auditor.finish().verdict == AuditVerdict::Valid {
                    undetected.push((index, at));
                }
                bytes[at] ^= flip;
            }
        }
        before.chunk(&chunk.name, &chunk.bytes);
    }
    assert_eq!(before.finish().verdict, AuditVerdict::Valid, "unchanged, the ledger is valid");
    undetected.dedup();
    undetected
}

/// The bytes of the last entry that nothing covers without the secret.
fn unprovable(chunks: &[Chunk]) -> Vec<(usize, usize)> {
    let last = chunks.len() - 1;
    let chunk = ChunkView::parse(&chunks[last].bytes).unwrap();
    let (entry, _) = chunk.entries().last().unwrap();
    let evidence = entry + FRAME_BYTES + 1 + 8 + 32;
    let tag = entry + TAG_OFFSET..entry + IV_OFFSET;
    tag.chain(evidence..evidence + 32).map(|at| (last, at)).collect()
}

/// One flip per byte: each bit in turn, letter case, all bits.
fn one_flip(at: usize) -> Vec<u8> {
    const FLIPS: [u8; 10] = [0x01, 0x20, 0x02, 0xff, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80];
    vec![FLIPS[at % FLIPS.len()]]
}

/// Each bit, and all bits.
fn many_flips(_: usize) -> Vec<u8> {
    vec![0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff]
}

/// The part of a ledger whose last chunk alone is flipped, for flips too many for all of it.
fn undetected_at_the_end(
    chunks: &[Chunk],
    secret: Option<&LedgerSecret>,
    flips: impl Fn(usize) -> Vec<u8>,
) -> Vec<(usize, usize)> {
    let last = chunks.len() - 1;
    let mut before = Auditor::new(options(secret));
    chunks[..last].iter().for_each(|chunk| before.chunk(&chunk.name, &chunk.bytes));
    let mut found = Vec::new();
    let mut bytes = chunks[last].bytes.clone();
    for at in 0..bytes.len() {
        for flip in flips(at) {
            bytes[at] ^= flip;
            let mut auditor = before.clone();
            auditor.chunk(&chunks[last].name, &bytes);
            if auditor.finish().verdict == AuditVerdict::Valid {
                found.push((last, at));
            }
            bytes[at] ^= flip;
        }
    }
    found.dedup();
    found
}

#[test]
fn our_small_ledgers_are_valid_and_count_what_they_hold() {
    for (mode, open) in [(Mode::Dual, true), (Mode::Dual, false), (Mode::CoseOnly, true)] {
        let (chunks, secret) = small_ledger(mode, open);
        let report = audit(&chunks, options(Some(&secret)));
        assert_eq!(report.verdict, AuditVerdict::Valid, "{report}");
        assert_eq!((report.entries, report.seals), (7, 7), "{report}");
        assert_eq!((report.signatures, report.cose_signatures), (3, 3), "{report}");
        assert_eq!(report.last_signed, report.last);
        assert_eq!(report.unsigned_tail, 0);
        assert_eq!(report.services.len(), 1);
        let noted = report.findings.iter().any(|finding| finding.check == "coverage");
        assert!(!noted, "with the secret nothing is left unproven: {report}");
    }
}

#[test]
fn p10_with_the_secret_every_changed_byte_is_found() {
    // The chunks before are covered by the test without the secret, which only adds checks.
    let (chunks, secret) = small_ledger(Mode::Dual, true);
    assert_eq!(undetected_at_the_end(&chunks, Some(&secret), one_flip), []);
}

#[test]
fn p06_without_the_secret_all_but_48_bytes_are_found() {
    let (chunks, _) = small_ledger(Mode::Dual, false);
    assert_eq!(undetected(&chunks, None, one_flip), unprovable(&chunks));
    assert_eq!(unprovable(&chunks).len(), 48);
}

#[test]
fn the_last_chunk_holds_without_node_signatures() {
    for (mode, open) in [(Mode::CoseOnly, true), (Mode::CoseOnly, false)] {
        let (chunks, secret) = small_ledger(mode, open);
        assert_eq!(undetected_at_the_end(&chunks, Some(&secret), one_flip), []);
        assert_eq!(undetected_at_the_end(&chunks, None, one_flip), unprovable(&chunks));
    }
}

#[test]
fn the_end_of_a_real_ledger_holds_as_well() {
    let Some(chunks) = common::fixture_ledger("acme_containing_service") else { return };
    let mut expected = unprovable(&chunks);
    // Case flips of hex digits make other digests; every byte of the two fields is free.
    expected.sort_unstable();
    assert_eq!(undetected_at_the_end(&chunks, None, one_flip), expected);
}

/// Takes minutes: every byte of the small ledger, each bit.
#[test]
#[ignore = "takes minutes; run it when the audit changes"]
fn every_bit_of_every_byte() {
    for (mode, open) in [(Mode::Dual, true), (Mode::Dual, false), (Mode::CoseOnly, true)] {
        let (chunks, secret) = small_ledger(mode, open);
        assert_eq!(undetected(&chunks, Some(&secret), many_flips), []);
        assert_eq!(undetected(&chunks, None, many_flips), unprovable(&chunks));
    }
}
