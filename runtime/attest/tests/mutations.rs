//! The fuzz targets over seeds that are changed a little, in the same places in every run: a smoke
//! test that needs no fuzzer. `MUTATIONS` sets how many for each target; `SEEDS_DIR` names a directory to
//! write the seeds to, which is where `fuzz/run.sh` starts from.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[allow(
    clippy::expect_used,
    missing_docs,
    unreachable_pub,
    reason = "it is a crate of its own elsewhere; a broken property must panic there"
)]
#[path = "../fuzz/src/lib.rs"]
mod targets;

#[path = "seeds/mod.rs"]
mod seeds;

use affiant_attest::maa::MaaToken;
use affiant_attest::text::read;
use affiant_attest::{
    Attestation, CertificateTable, Chain, HclReport, Policy, Report, RevocationList, Statement,
};
use std::panic::catch_unwind;
use std::path::PathBuf;

/// Changed inputs for each target, unless `MUTATIONS` says otherwise.
const MUTATIONS: usize = 2_000;

/// Steele, Lea and Flood's splitmix64: small, and the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `bound`, which is not 0.
    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }
}

/// Bytes that formats have at their edges.
const EDGES: &[u8] = &[0, 1, 0x7f, 0x80, 0xff, b'\n', b'"', b'{', b'[', b'\\', 0x30, 0x82, 0xd2];

/// One change of one kind.
fn change(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    if bytes.is_empty() {
        bytes.push(EDGES[random.below(EDGES.len())]);
        return;
    }
    let at = random.below(bytes.len());
    let end = (at + 1 + random.below(64)).min(bytes.len());
    match random.below(8) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = EDGES[random.below(EDGES.len())],
        2 => bytes.insert(at, EDGES[random.below(EDGES.len())]),
        3 => drop(bytes.drain(at..end)),
        4 => bytes.truncate(at),
        5 => {
            let copied = bytes[at..end].to_vec();
            let to = random.below(bytes.len());
            bytes.splice(to..to, copied);
        }
        6 => {
            let number = [0, 1, u32::MAX, 0x8000_0000, 0x100][random.below(5)].to_le_bytes();
            for (to, from) in bytes[at..end].iter_mut().zip(number) {
                *to = from;
            }
        }
        _ if other.is_empty() => bytes.reverse(),
        _ => {
            let from = random.below(other.len());
            let until = (from + 1 + random.below(256)).min(other.len());
            bytes.splice(at..end, other[from..until].iter().copied());
        }
    }
}

#[test]
fn changed_seeds_break_no_promise() {
    let mutations = std::env::var("MUTATIONS").map_or(MUTATIONS, |text| text.parse().unwrap());
    targets::also_genuine(&seeds::evidence());
    for (name, target) in targets::TARGETS {
        let seeds = seeds::of(name);
        assert!(!seeds.is_empty(), "{name} has no seeds");
        seeds.iter().for_each(|seed| target(seed));
        let mut random = Random(1);
        for round in 0..mutations {
            let mut bytes = seeds[random.below(seeds.len())].clone();
            let other = &seeds[random.below(seeds.len())];
            for _ in 0..=random.below(4) {
                change(&mut bytes, other, &mut random);
            }
            if catch_unwind(|| target(&bytes)).is_err() {
                let path = std::env::temp_dir().join(format!("affiant-{name}-{round}"));
                std::fs::write(&path, &bytes).unwrap();
                panic!("{name} breaks a promise on {}", path.display());
            }
        }
    }
}

#[test]
fn writes_the_seeds() {
    let directory = std::env::var_os("SEEDS_DIR").map(PathBuf::from);
    for (name, _) in targets::TARGETS {
        for (number, seed) in seeds::of(name).iter().enumerate() {
            let Some(directory) = &directory else { continue };
            let directory = directory.join(name);
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(directory.join(format!("{number:03}")), seed).unwrap();
        }
    }
    if directory.is_none() {
        println!("skipped writing the seeds: SEEDS_DIR is not set");
    }
}

/// A target whose seeds are all refused at once would test nothing but the refusal.
#[test]
fn the_seeds_are_read() {
    let any = |target, is_read: &dyn Fn(&[u8]) -> bool| {
        let seeds = seeds::of(target);
        let read = seeds.iter().filter(|seed| is_read(seed)).count();
        assert!(2 * read >= seeds.len(), "{target}: {read} of {} seeds are read", seeds.len());
    };
    let text = |seed: &[u8]| String::from_utf8_lossy(seed).into_owned();
    any("certificate_chain", &|seed| Chain::parse(seed).is_ok());
    any("certificate_table", &|seed| CertificateTable::parse(seed).is_ok());
    any("evidence_json", &|seed| Attestation::from_json(seed).is_ok());
    any("hcl_report", &|seed| HclReport::parse(seed).is_ok());
    any("maa_token", &|seed| MaaToken::parse(&targets::token(seed)).is_ok());
    any("policy", &|seed| Policy::from_json(seed).is_ok());
    any("policy_text", &|seed| read(seed).is_ok());
    any("report", &|seed| Report::parse(seed).is_ok());
    any("revocation_list", &|seed| {
        RevocationList::from_der(seed).is_ok() || RevocationList::parse(&text(seed)).is_ok()
    });
    any("statement", &|seed| Statement::parse(seed).is_ok());
    any("verify", &|seed| targets::is_trusted(&targets::from_input(seed)));
    if seeds::fixtures().is_some() {
        any("uvm_endorsement", &|seed| affiant_attest::uvm::verify(seed).is_ok());
    } else {
        println!("skipped for UVM endorsements: no fixtures beside the workspace");
    }
}
