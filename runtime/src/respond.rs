//! When an answer leaves: at once, at commit, or at commit with its receipt.
//!
//! With a receipt the body becomes an envelope, `application/json`:
//! `{"body": ..., "transaction_id": "2.17", "receipt": {...}}`. A JSON body is embedded as it is, text
//! as a string, anything else as base64 under `body_base64`. `receipt` is null where nothing was
//! written. Status and other headers stay the handler's.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use affiant_proof::TxId;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value as Json;
use tokio::sync::oneshot;

use crate::core::CommitNotice;
use crate::dispatch::Host;
use crate::limits::RETRY_AFTER_S;
use crate::log_fail;
use crate::metrics::{Metrics, RouteMetrics};
use crate::node::{Node, ReceiptOutcome};
use crate::odata;
use crate::receipts::receipt_json;
use crate::request::Response;

/// What a waiter hears; an error if the node is gone.
type Heard = Result<CommitNotice, oneshot::error::RecvError>;

/// Reads the receipt of a committed transaction from the ledger. Blocks.
fn fetched(node: &Node, txid: TxId) -> CommitNotice {
    match node.receipt(txid) {
        Ok(ReceiptOutcome::Ready(parts)) => CommitNotice::Committed { receipt: Some(parts) },
        Ok(_) => CommitNotice::Committed { receipt: None },
        Err(error) => {
            log_fail!("http", "the receipt of {txid} cannot be read: {error}");
            CommitNotice::Committed { receipt: None }
        }
    }
}

/// A response on its way to the client.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) response: Response,
    /// Goes out as `x-ms-ccf-transaction-id`.
    pub(crate) txid: Option<TxId>,
    /// The session ends with this answer.
    pub(crate) close: bool,
}

impl From<Response> for Answer {
    fn from(response: Response) -> Self {
        Self { response, txid: None, close: false }
    }
}

/// How a request ended, as far as it did.
pub(crate) enum Outcome {
    Done(Answer),
    Waiting(Waiting),
}

/// An answer that leaves once a transaction is committed.
pub(crate) struct Waiting {
    answer: Answer,
    awaited: TxId,
    receiver: oneshot::Receiver<CommitNotice>,
    since: Instant,
    deadline: Instant,
    envelope: bool,
    receipt: bool,
    counters: Option<(Arc<RouteMetrics>, Arc<Metrics>, Instant)>,
}

impl Waiting {
    pub(crate) fn new(
        answer: Answer,
        awaited: TxId,
        receiver: oneshot::Receiver<CommitNotice>,
        wait: Duration,
    ) -> Self {
        let since = Instant::now();
        Self {
            answer,
            awaited,
            receiver,
            since,
            deadline: since + wait,
            envelope: false,
            receipt: false,
            counters: None,
        }
    }

    /// The answer is an envelope, with the receipt where something was written.
    pub(crate) fn in_envelope(mut self, receipt: bool) -> Self {
        self.envelope = true;
        self.receipt = receipt;
        self
    }

    /// Where the answer is counted when it leaves.
    pub(crate) fn count_for(
        &mut self,
        route: Arc<RouteMetrics>,
        metrics: Arc<Metrics>,
        started: Instant,
    ) {
        self.counters = Some((route, metrics, started));
    }

    /// Waits on the calling task. A receipt that the notice does not bring is read from the ledger
    /// on an executor thread.
    pub(crate) async fn answer(mut self, host: &Host) -> Answer {
        let deadline = tokio::time::Instant::from_std(self.deadline);
        let mut notice = tokio::time::timeout_at(deadline, &mut self.receiver).await.ok();
        if self.lacks_receipt(notice.as_ref()) {
            let (sender, receiver) = oneshot::channel();
            let (node, txid) = (host.node.clone(), self.awaited);
            let queued = host.executors.submit(Box::new(move || {
                // The client may be gone.
                sender.send(fetched(&node, txid)).ok();
            }));
            if queued && let Ok(found) = receiver.await {
                notice = Some(Ok(found));
            }
        }
        self.finish(notice)
    }

    fn lacks_receipt(&self, notice: Option<&Heard>) -> bool {
        self.receipt && matches!(notice, Some(Ok(CommitNotice::Committed { receipt: None })))
    }

    /// Waits on the calling thread, which no runtime needs to own.
    pub(crate) fn answer_blocking(mut self, node: &Node) -> Answer {
        let mut notice = self.hear();
        if self.lacks_receipt(notice.as_ref()) {
            notice = Some(Ok(fetched(node, self.awaited)));
        }
        self.finish(notice)
    }

    fn hear(&mut self) -> Option<Heard> {
        wait_blocking(&mut self.receiver, Some(self.deadline))
    }

    fn finish(self, notice: Option<Heard>) -> Answer {
        let awaited = self.awaited;
        let answer = match notice {
            Some(Ok(CommitNotice::Committed { receipt })) => {
                let receipt = receipt.map(|parts| receipt_json(&parts));
                self.answer.enveloped(self.envelope, receipt)
            }
            Some(Ok(CommitNotice::Invalid)) => failed(&format!(
                "Transaction {awaited} was rolled back before it was committed. Retry."
            )),
            Some(Ok(CommitNotice::Failed(_)) | Err(_)) => failed(&format!(
                "The node failed before transaction {awaited} was committed; whether it will be is \
                 unknown."
            )),
            None => Answer {
                response: Response::text(
                    202,
                    format!(
                        "Transaction {awaited} is not committed yet. Ask \
                         /app/tx?transaction_id={awaited} for its status."
                    ),
                ),
                txid: self.answer.txid,
                close: false,
            },
        };
        if let Some((route, metrics, started)) = self.counters {
            metrics.commit_latency.observe(self.since.elapsed());
            route.answered(answer.response.status, started.elapsed());
        }
        answer
    }
}

/// Waits on this thread for what a channel brings, which a thread of tokio may do too; `None` once the
/// deadline has passed.
pub(crate) fn wait_blocking<F: Future + Unpin>(
    receiver: &mut F,
    deadline: Option<Instant>,
) -> Option<F::Output> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(heard) = Pin::new(&mut *receiver).poll(&mut context) {
            return Some(heard);
        }
        match deadline.map(|deadline| deadline.checked_duration_since(Instant::now())) {
            None => std::thread::park(),
            Some(None | Some(Duration::ZERO)) => return None,
            Some(Some(left)) => std::thread::park_timeout(left),
        }
    }
}

/// The response as it may leave: without a body where HTTP has none. A HEAD is told the length of what
/// a GET would bring, which is what the handler says or else what it returned.
pub(crate) fn bodiless(mut response: Response, head: bool) -> Response {
    let never = matches!(response.status, 204 | 304);
    let is_length = |(name, _): &&(String, String)| name == "content-length";
    let mut lengths = response.headers.iter().filter(is_length);
    let told = matches!((lengths.next(), lengths.next()),
        (Some((_, text)), None) if text.parse::<u64>().is_ok());
    if head && !told {
        response.headers.retain(|header| !is_length(&header));
        if !never && !response.body.is_empty() {
            let length = response.body.len().to_string();
            response = response.with_header("content-length", length);
        }
    }
    if head || never {
        response.body = Bytes::new();
    }
    response
}

/// Tells the client when to try again.
pub(crate) fn retry_later(response: Response) -> Response {
    response.with_header("retry-after", RETRY_AFTER_S.to_string())
}

fn failed(message: &str) -> Answer {
    odata::error(503, odata::TRANSACTION_REPLICATION_FAILED, message).into()
}

impl Answer {
    /// Wraps the body and the receipt, if that was asked for.
    pub(crate) fn enveloped(mut self, wanted: bool, receipt: Option<Json>) -> Self {
        let Some(txid) = self.txid.filter(|_| wanted) else { return self };
        let body = core::mem::take(&mut self.response.body);
        let content_type = self.response.header("content-type").unwrap_or("");
        let is_json = content_type.starts_with("application/json");
        let mut envelope = serde_json::Map::new();
        let embedded = if body.is_empty() {
            Some(Json::Null)
        } else if is_json {
            serde_json::from_slice(&body).ok()
        } else if content_type.starts_with("text/") {
            core::str::from_utf8(&body).ok().map(Json::from)
        } else {
            None
        };
        match embedded {
            Some(value) => envelope.insert("body".to_owned(), value),
            None => envelope.insert("body_base64".to_owned(), STANDARD.encode(&body).into()),
        };
        envelope.insert("transaction_id".to_owned(), txid.to_string().into());
        envelope.insert("receipt".to_owned(), receipt.unwrap_or(Json::Null));
        self.response
            .headers
            .retain(|(name, _)| !["content-type", "content-length"].contains(&name.as_str()));
        let text = Json::Object(envelope).to_string();
        self.response.body = text.into();
        self.response = self.response.with_header("content-type", "application/json");
        self
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn answer(content_type: &str, body: &'static [u8]) -> Answer {
        Answer {
            response: Response::typed(200, content_type, body),
            txid: Some(TxId::new(2, 17)),
            close: false,
        }
    }

    #[test]
    fn an_envelope_embeds_json_text_and_bytes() {
        let receipt = Some(serde_json::json!({"signature": "x"}));
        let wrapped = answer("application/json", b"{\"a\":1}").enveloped(true, receipt);
        assert_eq!(
            wrapped.response.body,
            r#"{"body":{"a":1},"receipt":{"signature":"x"},"transaction_id":"2.17"}"#
        );
        assert_eq!(wrapped.response.header("content-type"), Some("application/json"));
        let wrapped = answer("text/plain", b"hi").enveloped(true, None);
        assert_eq!(
            wrapped.response.body,
            r#"{"body":"hi","receipt":null,"transaction_id":"2.17"}"#
        );
        let wrapped = answer("application/octet-stream", b"\xff").enveloped(true, None);
        assert_eq!(
            wrapped.response.body,
            r#"{"body_base64":"/w==","receipt":null,"transaction_id":"2.17"}"#
        );
        let plain = answer("text/plain", b"hi").enveloped(false, None);
        assert_eq!(plain.response.body, "hi");
    }

    #[test]
    fn a_blocking_wait_ends_with_the_notice_or_the_deadline() {
        let wait = |notice: Option<CommitNotice>, ms| {
            let (sender, receiver) = oneshot::channel();
            let txid = TxId::new(2, 17);
            let waiting = Waiting::new(
                answer("text/plain", b"hi"),
                txid,
                receiver,
                Duration::from_millis(ms),
            );
            let thread = std::thread::spawn(move || {
                let mut waiting = waiting;
                let notice = waiting.hear();
                waiting.finish(notice)
            });
            let keep = notice.map_or_else(|| None, |notice| sender.send(notice).err());
            let answer = thread.join().unwrap();
            drop(keep);
            answer
        };
        assert_eq!(
            wait(Some(CommitNotice::Committed { receipt: None }), 60_000).response.status,
            200
        );
        assert_eq!(wait(Some(CommitNotice::Invalid), 60_000).response.status, 503);
        assert_eq!(wait(Some(CommitNotice::Failed("x".to_owned())), 60_000).response.status, 503);
        // The sender is dropped: the node went away.
        assert_eq!(wait(None, 60_000).response.status, 503);
    }
}
