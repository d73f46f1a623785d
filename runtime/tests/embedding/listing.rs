//! The Rust listing of `docs/embedding.md`: below this line it is the page's, which a test compares and runs.

use std::time::Duration;

use affiant::{EndpointOptions, MapName, Peer, Response, Runtime};

pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    let patience = Duration::from_secs(10);
    let accounts = MapName::new("accounts")?;

    // A ledger in a directory, with an endpoint.
    let map = accounts.clone();
    let options = EndpointOptions::native().read_only();
    let runtime = Runtime::builder()
        .directory("data")
        .key_file()
        .endpoint("GET", "/balance/{name}", options, move |request, tx| {
            let name = request.param("name").unwrap_or_default();
            let found = tx.get(&map, name.as_bytes());
            Ok(found.map_or(Response::empty(404), |balance| Response::text(200, balance.to_vec())))
        })
        .start()?;

    // Put and get in a transaction, which is then on disk and signed.
    let mut tx = runtime.begin();
    tx.put(&accounts, b"alice", b"10")?;
    assert_eq!(tx.get(&accounts, b"alice").as_deref(), Some(&b"10"[..]));
    let txid = runtime.commit_and_wait(tx, patience)?;

    // Its proof, verified with nothing but the certificate.
    let receipt = runtime.receipt(txid, patience)?;
    let verdict = receipt.verify(&runtime.service_certificate())?;
    assert!(verdict.is_valid(), "{verdict}");

    // The endpoint, called without HTTP.
    let answer = runtime.call("GET", "/app/balance/alice", "", Peer::Anonymous)?;
    println!("{txid}: alice has {}", String::from_utf8_lossy(&answer.body));
    runtime.stop()?;
    Ok(())
}
