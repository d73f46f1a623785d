//! A closed loop over HTTP/2: so many streams per connection, the next opens when one ends.

use std::io;
use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use h2::client::SendRequest;
use http::Request;

use super::http1::{Plan, Tally, connect};

/// Runs one connection's loop to its end. `number` starts the connection's own series of records.
///
/// # Errors
/// The connection broke or answered nonsense.
pub(super) async fn run(plan: Rc<Plan>, number: u64) -> io::Result<Tally> {
    let stream = connect(plan.address, &plan.tls).await?;
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        return Err(io::Error::other("the node did not choose HTTP/2"));
    }
    let (sender, connection) = h2::client::Builder::new()
        .initial_window_size(1 << 20)
        .initial_connection_window_size(1 << 24)
        .handshake::<_, Bytes>(stream)
        .await
        .map_err(io::Error::other)?;
    let driver = tokio::task::spawn_local(connection);
    let streams: Vec<_> = (0..plan.in_flight as u64)
        .map(|index| {
            let plan = plan.clone();
            let sender = sender.clone();
            tokio::task::spawn_local(run_stream(plan, sender, number + index))
        })
        .collect();
    drop(sender);
    let mut tally = Tally::default();
    for stream in streams {
        tally.merge(&stream.await.map_err(io::Error::other)??);
    }
    driver.abort();
    Ok(tally)
}

async fn run_stream(
    plan: Rc<Plan>,
    mut sender: SendRequest<Bytes>,
    mut number: u64,
) -> io::Result<Tally> {
    let mut tally = Tally::default();
    let streams = plan.in_flight as u64;
    let mut left = plan.per_connection_max.map_or(u64::MAX, |requests| requests / streams);
    loop {
        let sent = Instant::now();
        if sent >= plan.until || left == 0 {
            return Ok(tally);
        }
        left -= 1;
        let (method, path, body) = plan.template.parts(number % plan.records);
        number += streams;
        let mut request = Request::builder()
            .method(method)
            .uri(format!("https://127.0.0.1{path}"))
            .header("content-type", "application/json");
        for (name, value) in plan.template.headers() {
            request = request.header(name, value);
        }
        let request = request.body(()).map_err(io::Error::other)?;
        sender = sender.ready().await.map_err(io::Error::other)?;
        let (response, mut out) =
            sender.send_request(request, body.is_none()).map_err(io::Error::other)?;
        if let Some(body) = body {
            out.send_data(Bytes::from(body), true).map_err(io::Error::other)?;
        }
        let (head, mut body) = response.await.map_err(io::Error::other)?.into_parts();
        while let Some(data) = body.data().await {
            let data = data.map_err(io::Error::other)?;
            body.flow_control().release_capacity(data.len()).map_err(io::Error::other)?;
        }
        tally.note(&plan, head.status.as_u16(), sent, Instant::now());
    }
}
