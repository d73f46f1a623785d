//! A stream that notes what its session is doing, so that a slow client is told from a busy server.
//!
//! The request path reads no clock: a sweep counts how often it has found a session in the same
//! phase, and every change of phase starts the count anew.
//!
//! Two more things happen here because only a stream under the parser can do them. Answers to
//! pipelined requests gather until the client has nothing more to say (or they fill the buffer), so
//! that many leave in one TLS record. And the bare refusals that the parser writes by itself (400,
//! 431) get a body.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::outbox::{self, Present, Sender};
use crate::limits::{
    ANSWERS_BYTES_MAX, LINGER_BYTES_MAX, LINGER_MS_MAX, SESSION_SWEEP_MS, WRITE_STALL_MS_MAX,
};
use crate::metrics::ListenerMetrics;
use crate::odata;

const IDLE: u8 = 0;
const HEAD: u8 = 1;
const BUSY: u8 = 2;
const WRITING: u8 = 3;
const PARTING: u8 = 4;

/// What one session is doing.
#[derive(Debug, Default)]
pub(super) struct Activity {
    phase: AtomicU8,
    /// Sweeps that have found the session in this phase.
    sweeps: AtomicU32,
    /// Requests begun and not answered; more than one on HTTP/2 only.
    running: AtomicU32,
    /// The session ends with the answer that is being sent; what the client still sends is dropped.
    pub(super) linger: AtomicBool,
    /// The session ends as soon as the answers under way are sent.
    pub(super) close: AtomicBool,
}

/// How long a session may stay in a phase.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub(super) idle: Duration,
    pub(super) head: Duration,
}

impl Activity {
    fn phase(&self) -> u8 {
        self.phase.load(Ordering::Relaxed)
    }

    fn enter(&self, phase: u8) {
        self.phase.store(phase, Ordering::Relaxed);
        self.sweeps.store(0, Ordering::Relaxed);
    }

    pub(super) fn request_begun(&self) {
        self.running.fetch_add(1, Ordering::Relaxed);
        self.enter(BUSY);
    }

    pub(super) fn request_ended(&self) {
        if self.running.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.enter(WRITING);
        }
    }

    /// Called once per sweep: whether the session has been in its phase for too long.
    pub(super) fn expired(&self, patience: Patience) -> bool {
        let sweeps = self.sweeps.fetch_add(1, Ordering::Relaxed);
        let limit = match self.phase() {
            IDLE => patience.idle,
            HEAD => patience.head,
            WRITING => Duration::from_millis(WRITE_STALL_MS_MAX),
            PARTING => Duration::from_millis(LINGER_MS_MAX),
            _ => return false,
        };
        u128::from(sweeps) * u128::from(SESSION_SWEEP_MS) >= limit.as_millis()
    }
}

/// The stream under the HTTP parser.
pub(super) struct Watched<T> {
    wire: Arc<Wire<T>>,
    metrics: Arc<ListenerMetrics>,
    http1: bool,
    /// The last read found nothing, so the parser has used up what came before.
    drained: bool,
    /// Our side is closed.
    shut: bool,
    /// Bytes dropped since.
    dropped: usize,
    _present: Present,
}

/// What a session's stream shares with the thread's outbox.
struct Wire<T> {
    activity: Arc<Activity>,
    outgoing: Mutex<Outgoing<T>>,
}

struct Outgoing<T> {
    inner: T,
    /// Answers that have not left yet, from `sent` on (HTTP/1.1 only).
    out: Vec<u8>,
    sent: usize,
    /// The session's task.
    waker: Waker,
    /// The outbox has it.
    put_off: bool,
    /// The outbox could not send everything: the session's task has to.
    stuck: bool,
}

impl<T> Watched<T> {
    pub(super) fn new(
        inner: T,
        activity: Arc<Activity>,
        metrics: Arc<ListenerMetrics>,
        http1: bool,
    ) -> Self {
        let outgoing = Outgoing {
            inner,
            out: Vec::new(),
            sent: 0,
            waker: Waker::noop().clone(),
            put_off: false,
            stuck: false,
        };
        Self {
            wire: Arc::new(Wire { activity, outgoing: Mutex::new(outgoing) }),
            metrics,
            http1,
            drained: false,
            shut: false,
            dropped: 0,
            _present: Present::new(),
        }
    }

    fn activity(&self) -> &Activity {
        &self.wire.activity
    }

    fn phase(&self) -> u8 {
        self.activity().phase()
    }
}

impl<T: AsyncWrite + Unpin> Outgoing<T> {
    /// Sends what has gathered.
    fn poll_send(
        &mut self,
        activity: &Activity,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while let Some(rest) = self.out.get(self.sent..).filter(|rest| !rest.is_empty()) {
            let count = ready!(Pin::new(&mut self.inner).poll_write(context, rest))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += count;
            activity.sweeps.store(0, Ordering::Relaxed);
        }
        if self.sent > 0 {
            ready!(Pin::new(&mut self.inner).poll_flush(context))?;
            self.out.clear();
            self.sent = 0;
        }
        self.stuck = false;
        if activity.phase() == WRITING {
            activity.enter(IDLE);
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> Sender for Wire<T> {
    fn send(&self) {
        let mut outgoing = self.outgoing.lock();
        outgoing.put_off = false;
        let waker = outgoing.waker.clone();
        match outgoing.poll_send(&self.activity, &mut Context::from_waker(&waker)) {
            Poll::Ready(Ok(())) => {}
            // The task is woken when there is room again.
            Poll::Pending => outgoing.stuck = true,
            // The task meets the same error, and ends the session.
            Poll::Ready(Err(_)) => {
                outgoing.stuck = true;
                waker.wake();
            }
        }
    }
}

impl<T: AsyncWrite + Unpin + Send + 'static> Watched<T> {
    fn poll_send(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire.outgoing.lock().poll_send(&self.wire.activity, context)
    }

    /// Sends what has gathered, together with other sessions of this thread if there are any.
    fn poll_send_soon(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut outgoing = self.wire.outgoing.lock();
        if outgoing.put_off {
            return Poll::Ready(Ok(()));
        }
        if outgoing.stuck || outgoing.out.is_empty() {
            return outgoing.poll_send(&self.wire.activity, context);
        }
        if !outgoing.waker.will_wake(context.waker()) {
            outgoing.waker = context.waker().clone();
        }
        outgoing.put_off = true;
        drop(outgoing);
        if outbox::put_off(self.wire.clone()) {
            return Poll::Ready(Ok(()));
        }
        let mut outgoing = self.wire.outgoing.lock();
        outgoing.put_off = false;
        outgoing.poll_send(&self.wire.activity, context)
    }

    /// Takes over a refusal that the parser wrote before any handler ran.
    fn take_over(&mut self, bytes: &[u8]) -> bool {
        if self.phase() != HEAD {
            return false;
        }
        let Some((status, text)) = refusal(bytes) else { return false };
        self.wire.outgoing.lock().out.extend_from_slice(&text);
        let counter = match status {
            431 => &self.metrics.errors_header_too_large,
            _ => &self.metrics.errors_parsing,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        self.activity().linger.store(true, Ordering::Relaxed);
        true
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> AsyncRead for Watched<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.wire.outgoing.lock().inner).poll_read(context, buffer);
        if !self.http1 {
            return read;
        }
        match read {
            Poll::Ready(Ok(())) => {
                self.drained = false;
                if buffer.filled().len() > before && matches!(self.phase(), IDLE | WRITING) {
                    self.activity().enter(HEAD);
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                // The client waits for us now.
                self.drained = true;
                if let Poll::Ready(sent) = self.poll_send_soon(context) {
                    sent?;
                }
                Poll::Pending
            }
        }
    }
}

fn refusal(bytes: &[u8]) -> Option<(u16, Vec<u8>)> {
    const LONGEST: usize = 256;
    if bytes.len() > LONGEST || !bytes.ends_with(b"\r\n\r\n") {
        return None;
    }
    let (status, reason, content_type, body) = if bytes.starts_with(b"HTTP/1.1 400 ") {
        let body = "This is not a valid HTTP/1.1 request.\n".to_owned();
        (400, "Bad Request", "text/plain", body)
    } else if bytes.starts_with(b"HTTP/1.1 431 ") || bytes.starts_with(b"HTTP/1.1 414 ") {
        let refusal = odata::error(
            431,
            odata::REQUEST_HEADER_TOO_LARGE,
            "The request's headers are larger than this node accepts.",
        );
        let body = String::from_utf8_lossy(&refusal.body).into_owned();
        (431, "Request Header Fields Too Large", "application/json", body)
    } else {
        return None;
    };
    let text = format!(
        "HTTP/1.1 {status} {reason}\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{body}",
        body.len()
    );
    Some((status, text.into_bytes()))
}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> AsyncWrite for Watched<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.http1 && self.take_over(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        let mut outgoing = self.wire.outgoing.lock();
        if !self.http1 {
            return Pin::new(&mut outgoing.inner).poll_write(context, bytes);
        }
        if outgoing.out.len() + bytes.len() > ANSWERS_BYTES_MAX {
            ready!(outgoing.poll_send(self.activity(), context))?;
            if bytes.len() > ANSWERS_BYTES_MAX / 2 {
                let count = ready!(Pin::new(&mut outgoing.inner).poll_write(context, bytes))?;
                self.activity().sweeps.store(0, Ordering::Relaxed);
                return Poll::Ready(Ok(count));
            }
        }
        outgoing.out.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    /// Answers wait only while the parser holds more of what the client has sent and no handler is
    /// under way: the next thing it does then is to take the next request, or to read, and a read
    /// that finds nothing sends.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.http1 {
            return Pin::new(&mut self.wire.outgoing.lock().inner).poll_flush(context);
        }
        if self.drained || self.phase() == BUSY {
            self.poll_send_soon(context)
        } else {
            Poll::Ready(Ok(()))
        }
    }

    /// A client that still sends would lose our last answer to a reset if we closed under it, so
    /// after a refusal its bytes are read and dropped for a while.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.shut {
            ready!(self.poll_send(context))?;
            ready!(Pin::new(&mut self.wire.outgoing.lock().inner).poll_shutdown(context))?;
            self.shut = true;
            self.activity().enter(PARTING);
        }
        let mut scrap = [0; 4096];
        while self.activity().linger.load(Ordering::Relaxed) && self.dropped < LINGER_BYTES_MAX {
            let mut buffer = ReadBuf::new(&mut scrap);
            let read =
                Pin::new(&mut self.wire.outgoing.lock().inner).poll_read(context, &mut buffer);
            ready!(read)?;
            match buffer.filled().len() {
                0 => break,
                count => self.dropped += count,
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_bare_refusal_gets_a_body() {
        assert!(refusal(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").is_some());
        assert!(refusal(b"HTTP/1.1 431 X\r\ncontent-length: 0\r\n\r\n").is_some());
        assert!(refusal(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").is_none());
        assert!(refusal(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\nhi").is_none());
    }

    #[test]
    fn each_phase_has_its_own_patience() {
        let patience = Patience { idle: Duration::from_secs(3600), head: Duration::from_millis(1) };
        let activity = Activity::default();
        assert!(!activity.expired(patience));
        activity.enter(HEAD);
        assert!(!activity.expired(patience));
        assert!(activity.expired(patience));
        activity.request_begun();
        for _ in 0..1_000 {
            assert!(!activity.expired(patience), "a running request never expires here");
        }
        activity.request_ended();
        assert!(!activity.expired(patience));
    }
}
