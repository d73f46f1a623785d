//! One session: handshake, protocol, timers, and an end that lets the last answer arrive.

use std::future::Future as _;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};
use tokio_rustls::TlsAcceptor;

use super::exchange::serve;
use super::streams::{Ran, Streams};
use super::threads::Idler;
use super::watched::{Activity, Patience, Watched};
use super::{Listener, Protocols};
use crate::auth::{Peer, PeerCertificate};
use crate::dispatch::{Host, Session};
use crate::gate::Gate;
use crate::limits::{
    H2_CONNECTION_WINDOW_BYTES, H2_FRAME_BYTES_MAX, H2_RESET_STREAMS_MAX, H2_SEND_BUFFER_BYTES_MAX,
    H2_STREAM_WINDOW_BYTES, H2_STREAMS_MAX, H2_STREAMS_RUN_MAX, HEADER_SLACK_BYTES,
    SESSION_SWEEP_MS,
};
use crate::metrics::ListenerMetrics;

/// What every exchange of a session shares.
pub(super) struct Connection {
    pub(super) host: Arc<Host>,
    pub(super) session: Arc<Session>,
    pub(super) listener: Arc<Listener>,
    pub(super) metrics: Arc<ListenerMetrics>,
    pub(super) activity: Arc<Activity>,
    pub(super) idler: Arc<Idler>,
    /// The listener had too many sessions when this one came.
    pub(super) over_cap: bool,
}

/// What a session needs of its listener and thread.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) host: Arc<Host>,
    pub(super) listener: Arc<Listener>,
    pub(super) gate: Arc<Gate>,
    pub(super) metrics: Arc<ListenerMetrics>,
    pub(super) idler: Arc<Idler>,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) stopping: Arc<AtomicBool>,
}

/// Counts the session as open until it is dropped.
pub(super) struct Seat {
    metrics: Arc<ListenerMetrics>,
    active: usize,
}

impl Seat {
    /// A seat, unless the listener is full.
    pub(super) fn take(metrics: &Arc<ListenerMetrics>) -> Option<Self> {
        let seat = Self { metrics: metrics.clone(), active: metrics.opened() };
        if seat.active > metrics.hard_max {
            metrics.sessions_refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(seat)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.metrics.closed();
    }
}

/// Serves one accepted connection to its end.
pub(super) async fn run(context: Context, stream: TcpStream, seat: Seat) {
    let over_cap = seat.active > context.metrics.soft_max;
    let Some(acceptor) = context.tls.clone() else {
        let http2 = context.listener.protocols == Protocols::Http2;
        converse(context, stream, Peer::Anonymous, http2, over_cap).await;
        return;
    };
    let handshake = timeout(context.listener.handshake_max, acceptor.accept(stream));
    let Ok(Ok(stream)) = handshake.await else {
        context.metrics.handshakes_failed.fetch_add(1, Ordering::Relaxed);
        return;
    };
    let (_, tls) = stream.get_ref();
    let peer = match tls.peer_certificates() {
        Some([certificate, ..]) => {
            Peer::Certificate(Arc::new(PeerCertificate::from_der(certificate)))
        }
        _ => Peer::Anonymous,
    };
    let http2 = match tls.alpn_protocol() {
        Some(protocol) => protocol == b"h2",
        None => context.listener.protocols == Protocols::Http2,
    };
    converse(context, stream, peer, http2, over_cap).await;
}

async fn converse<T>(context: Context, stream: T, peer: Peer, http2: bool, over_cap: bool)
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let activity = Arc::new(Activity::default());
    let connection = Arc::new(Connection {
        host: context.host.clone(),
        session: Arc::new(Session::new(peer, context.gate.clone())),
        listener: context.listener.clone(),
        metrics: context.metrics.clone(),
        activity: activity.clone(),
        idler: context.idler.clone(),
        over_cap,
    });
    let stream = TokioIo::new(Watched::new(stream, activity, context.metrics.clone(), !http2));
    let timers = Timers::new(&connection, &context);
    if http2 {
        speak_http2(connection, stream, timers).await;
    } else {
        speak_http1(connection, stream, timers).await;
    }
}

/// Looks at a session from time to time.
struct Timers {
    sweep: Interval,
    activity: Arc<Activity>,
    metrics: Arc<ListenerMetrics>,
    stopping: Arc<AtomicBool>,
    patience: Patience,
    closing: bool,
}

enum Verdict {
    GoOn,
    /// Say goodbye once the answers under way are sent.
    Close,
    TimedOut,
}

impl Timers {
    fn new(connection: &Connection, context: &Context) -> Self {
        let period = Duration::from_millis(SESSION_SWEEP_MS);
        let mut sweep = interval_at(Instant::now() + period, period);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let patience =
            Patience { idle: context.listener.idle_max, head: context.listener.header_read_max };
        Self {
            sweep,
            activity: connection.activity.clone(),
            metrics: connection.metrics.clone(),
            stopping: context.stopping.clone(),
            patience,
            closing: false,
        }
    }

    fn look(&mut self, context: &mut std::task::Context<'_>) -> Verdict {
        while self.sweep.poll_tick(context).is_ready() {
            if self.activity.expired(self.patience) {
                self.metrics.sessions_timed_out.fetch_add(1, Ordering::Relaxed);
                return Verdict::TimedOut;
            }
            let close = self.stopping.load(Ordering::Relaxed)
                || self.activity.close.load(Ordering::Relaxed);
            if close && !self.closing {
                self.closing = true;
                return Verdict::Close;
            }
        }
        Verdict::GoOn
    }
}

async fn speak_http1<T>(
    connection: Arc<Connection>,
    stream: TokioIo<Watched<T>>,
    mut timers: Timers,
) where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let listener = &connection.listener;
    let mut builder = http1::Builder::new();
    builder
        .auto_date_header(false)
        // The parser clears a slot for each of them on every request: no more than needed.
        .max_headers(listener.header_count_max)
        .max_buf_size(listener.header_bytes_max + HEADER_SLACK_BYTES);
    let shared = connection.clone();
    let service = service_fn(move |request| serve(shared.clone(), request));
    let mut talk = pin!(builder.serve_connection(stream, service));
    poll_fn(|context| {
        loop {
            if talk.as_mut().poll(context).is_ready() {
                return Poll::Ready(());
            }
            match timers.look(context) {
                Verdict::GoOn => return Poll::Pending,
                Verdict::Close => talk.as_mut().graceful_shutdown(),
                Verdict::TimedOut => return Poll::Ready(()),
            }
        }
    })
    .await;
}

async fn speak_http2<T>(
    connection: Arc<Connection>,
    stream: TokioIo<Watched<T>>,
    mut timers: Timers,
) where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let listener = &connection.listener;
    let headers_max = listener.header_bytes_max + HEADER_SLACK_BYTES;
    let streams = Streams::default();
    let mut builder = http2::Builder::new(streams.clone());
    builder
        .timer(TokioTimer::new())
        .auto_date_header(false)
        .max_concurrent_streams(H2_STREAMS_MAX)
        .initial_stream_window_size(H2_STREAM_WINDOW_BYTES)
        .initial_connection_window_size(H2_CONNECTION_WINDOW_BYTES)
        .max_frame_size(H2_FRAME_BYTES_MAX)
        .max_send_buf_size(H2_SEND_BUFFER_BYTES_MAX)
        .max_header_list_size(u32::try_from(headers_max).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(H2_RESET_STREAMS_MAX)
        .max_local_error_reset_streams(H2_RESET_STREAMS_MAX);
    let shared = connection.clone();
    let service = service_fn(move |request| serve(shared.clone(), request));
    let mut talk = pin!(builder.serve_connection(stream, service));
    poll_fn(|context| {
        let mut room = H2_STREAMS_RUN_MAX;
        loop {
            if talk.as_mut().poll(context).is_ready() {
                streams.leave();
                return Poll::Ready(());
            }
            match streams.run(&mut room) {
                Ran::Nothing => {}
                Ran::All => continue,
                Ran::Some => context.waker().wake_by_ref(),
            }
            match timers.look(context) {
                Verdict::GoOn => return Poll::Pending,
                Verdict::Close => talk.as_mut().graceful_shutdown(),
                Verdict::TimedOut => return Poll::Ready(()),
            }
        }
    })
    .await;
}
