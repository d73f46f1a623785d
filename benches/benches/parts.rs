//! Micro-benchmarks of the parts: hashes and seals, the Merkle tree, signatures, a transaction from
//! `begin` to its place in the queue, receipts, and requests without a network. Single-threaded; CPU
//! time of the measuring thread per iteration.

#![allow(clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]
#![allow(missing_docs, reason = "criterion's macros generate undocumented items")]

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use affiant::crypto::{Curve, LedgerSecret, RuntimeSealer, SigningKey};
use affiant::hosting::{AppBundle, RuntimeOptions, receipt_cose, receipt_json};
use affiant::node::{Node, NodeSettings, ReceiptOutcome};
use affiant::{Caller, CommitNotice, EndpointOptions, MapName, Peer, Respond, Response, Runtime};
use affiant_js::JsFrontend;
use affiant_kv::{CommitOutcome, Sealer, Tx};
use affiant_proof::entry::EntryView;
use affiant_proof::merkle::Tree;
use affiant_proof::{Digest, TxId};
use criterion::{Criterion, criterion_group, criterion_main};

mod common;

use common::CpuTime;

fn hashes(c: &mut Criterion<CpuTime>) {
    let sealer = RuntimeSealer::new(&[LedgerSecret::generate(0).unwrap()]).unwrap();
    let mut group = c.benchmark_group("hash");
    let bytes = [5_u8; 512];
    for size in [64, 256, 512] {
        group.bench_function(format!("sha256/{size}"), |b| {
            b.iter(|| Digest::of(black_box(&bytes[..size])));
        });
    }
    group.bench_function("commit_nonce", |b| {
        b.iter(|| sealer.commit_nonce(black_box(TxId::new(2, 77))).unwrap());
    });
    group.bench_function("seal/256", |b| {
        let mut private = [3_u8; 256];
        b.iter(|| sealer.seal(TxId::new(2, 77), &bytes[..81], &mut private).unwrap());
    });
    group.finish();
}

fn trees(c: &mut Criterion<CpuTime>) {
    let mut group = c.benchmark_group("merkle");
    group.bench_function("append", |b| {
        let mut tree = Tree::new();
        b.iter(|| tree.append(black_box(Digest::ZERO)));
    });
    let mut tree = Tree::new();
    (0..1_000_000).for_each(|_| tree.append(Digest::ZERO));
    group.bench_function("root_of_a_million", |b| b.iter(|| black_box(&tree).root()));
    group.bench_function("path_in_a_million", |b| b.iter(|| tree.path(black_box(77_777)).unwrap()));
    group.finish();
}

fn signatures(c: &mut Criterion<CpuTime>) {
    let key = SigningKey::generate(Curve::P384).unwrap();
    let mut group = c.benchmark_group("sign");
    let root = Digest::of(b"root");
    group.bench_function("node_key_over_root", |b| {
        b.iter(|| key.sign_digest(black_box(&root)).unwrap());
    });
    group.bench_function("service_key_over_cose", |b| {
        b.iter(|| key.sign_fixed(black_box(&[9; 300])).unwrap());
    });
    group.finish();
}

/// A node in memory with so many records.
fn node_with(map: &MapName, keys: u64) -> Arc<Node> {
    let mut settings = NodeSettings::in_memory();
    settings.uncommitted_count_max = 100_000;
    let node = Node::start(settings).unwrap();
    for chunk in 0..keys.div_ceil(1_000) {
        commit(&node, |tx| {
            for n in chunk * 1_000..(chunk + 1) * 1_000 {
                tx.put(map, &n.to_le_bytes(), &[1; 64]).unwrap();
            }
        });
    }
    node
}

/// Commits, and waits where the node asks for patience; waiting takes no CPU time.
fn commit(node: &Node, fill: impl Fn(&mut Tx)) -> TxId {
    loop {
        let mut tx = node.begin();
        fill(&mut tx);
        match node.commit(tx) {
            CommitOutcome::Sequenced(txid) => return txid,
            CommitOutcome::TooManyPending => std::thread::sleep(Duration::from_millis(2)),
            other => panic!("{other:?}"),
        }
    }
}

fn commits(c: &mut Criterion<CpuTime>) {
    let map = MapName::new("records").unwrap();
    let mut group = c.benchmark_group("transaction");
    for keys in [1_000_u64, 1_000_000] {
        let node = node_with(&map, keys);
        let mut n = 0_u64;
        let mut next = move || {
            n = (n + 7_919) % keys;
            n.to_le_bytes()
        };
        group.bench_function(format!("put/{keys}_keys"), |b| {
            b.iter(|| {
                let key = next();
                commit(&node, |tx| tx.put(&map, &key, &[9; 64]).unwrap())
            });
        });
        group.bench_function(format!("get/{keys}_keys"), |b| {
            b.iter(|| node.begin().get(&map, &next()));
        });
        group.bench_function(format!("get_put/{keys}_keys"), |b| {
            b.iter(|| {
                let key = next();
                commit(&node, |tx| {
                    black_box(tx.get(&map, &key));
                    tx.put(&map, &key, &[9; 64]).unwrap();
                })
            });
        });
        node.shutdown().unwrap();
    }
    group.finish();
}

fn receipts(c: &mut Criterion<CpuTime>) {
    let map = MapName::new("records").unwrap();
    let node = node_with(&map, 100_000);
    let txid = commit(&node, |tx| tx.put(&map, b"one", b"record").unwrap());
    let last = commit(&node, |tx| tx.put(&map, b"two", b"record").unwrap());
    assert!(matches!(node.wait_committed_blocking(last), CommitNotice::Committed { .. }));
    let mut group = c.benchmark_group("receipt");
    group.bench_function("from_the_ledger", |b| b.iter(|| node.receipt(txid).unwrap()));
    let ReceiptOutcome::Ready(parts) = node.receipt(txid).unwrap() else { panic!("no receipt") };
    group.bench_function("as_json", |b| b.iter(|| receipt_json(black_box(&parts))));
    group.bench_function("as_cose", |b| b.iter(|| receipt_cose(black_box(&parts))));
    let entry = node.ledger_entry(txid.seqno).unwrap().unwrap();
    group.bench_function("decode_entry", |b| {
        b.iter(|| EntryView::parse(black_box(&entry)).unwrap());
    });
    group.bench_function("leaf_of_entry", |b| {
        b.iter(|| EntryView::parse(black_box(&entry)).unwrap().0.leaf());
    });
    group.finish();
    node.shutdown().unwrap();
}

fn requests(c: &mut Criterion<CpuTime>) {
    let map = MapName::new("records").unwrap();
    let (written, read) = (map.clone(), map);
    let options = EndpointOptions::native().respond(Respond::AtOnce);
    let mut settings = NodeSettings::in_memory();
    settings.uncommitted_count_max = 100_000;
    let runtime = Runtime::builder()
        .node(settings)
        .endpoint("POST", "/log/{id}", options.clone(), move |request, tx| {
            let id = request.param("id").unwrap_or_default();
            tx.put(&written, id.as_bytes(), request.body())?;
            Ok(Response::empty(204))
        })
        .endpoint("GET", "/log/{id}", options.read_only(), move |request, tx| {
            let id = request.param("id").unwrap_or_default();
            let value = tx.get(&read, id.as_bytes()).unwrap_or_default();
            Ok(Response::text(200, value.to_vec()))
        })
        .start()
        .unwrap();
    let mut group = c.benchmark_group("request");
    group.bench_function("write", |b| {
        b.iter(|| {
            loop {
                let response =
                    runtime.call("POST", "/app/log/17", &b"message"[..], Peer::default());
                match response.unwrap().status {
                    204 => break,
                    503 => std::thread::sleep(Duration::from_millis(2)),
                    other => panic!("status {other}"),
                }
            }
        });
    });
    group.bench_function("read", |b| {
        b.iter(|| {
            let response = runtime.call("GET", "/app/log/17", "", Peer::default()).unwrap();
            assert_eq!(response.status, 200);
        });
    });
    group.finish();
    runtime.stop().unwrap();
}

/// The bundle of the load driver: what a JavaScript handler adds to a request.
fn javascript(c: &mut Criterion<CpuTime>) {
    let bundle =
        AppBundle::from_directory(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/app"))).unwrap();
    let endpoints = bundle.endpoints().unwrap();
    let frontend = JsFrontend::load(&bundle, endpoints, RuntimeOptions::default()).unwrap();
    let mut settings = NodeSettings::in_memory();
    settings.uncommitted_count_max = 100_000;
    let runtime = Runtime::builder().node(settings).frontend(Arc::new(frontend)).start().unwrap();
    let mut group = c.benchmark_group("javascript");
    for (name, path) in [("reused", "/app/log/private"), ("fresh", "/app/fresh/log/private")] {
        let body = r#"{"id":17,"msg":"a private message of about fifty bytes, no more"}"#;
        let ask = |method: &str, target: &str, body: &'static str| loop {
            let peer = Peer::Trusted(Caller::NoAuth);
            let response = runtime.call(method, target, body, peer).unwrap();
            match response.status {
                200 => break response,
                503 => std::thread::sleep(Duration::from_millis(2)),
                _ => panic!("{}", String::from_utf8_lossy(&response.body)),
            }
        };
        group.bench_function(format!("write/{name}"), |b| b.iter(|| ask("POST", path, body)));
        let read = format!("{path}?id=17");
        group.bench_function(format!("read/{name}"), |b| b.iter(|| ask("GET", &read, "")));
    }
    group.finish();
    runtime.stop().unwrap();
}

criterion_group! {
    name = parts;
    config = common::criterion();
    targets = hashes, trees, signatures, commits, receipts, requests, javascript
}
criterion_main!(parts);
