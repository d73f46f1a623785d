//! The server's threads: one single-threaded runtime each, and one that accepts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use regex_lite::Regex;
use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Notify, mpsc};
use tokio_rustls::TlsAcceptor;

use super::session::{Context, Seat, run};
use super::{Bound, Listener, outbox};
use crate::config::Endorsement;
use crate::dispatch::Host;
use crate::error::RuntimeError;
use crate::gate::{Backups, Gate};
use crate::limits::{LISTEN_BACKLOG, SESSION_SWEEP_MS, STOP_MS_MAX};
use crate::metrics::ListenerMetrics;
use crate::replies::take_answers;
use crate::tls::{ServerIdentity, server_config};
use crate::workers;

/// Lets a thread's interpreters do postponed work when the thread has time.
#[derive(Default)]
pub(super) struct Idler {
    due: AtomicBool,
    wake: Notify,
}

impl Idler {
    /// A handler has run on this thread.
    pub(super) fn ran(&self) {
        if !self.due.load(Ordering::Relaxed) {
            self.due.store(true, Ordering::Relaxed);
            self.wake.notify_one();
        }
    }

    async fn work(&self) {
        loop {
            self.wake.notified().await;
            // Requests that are here already go first.
            tokio::time::sleep(Duration::from_millis(1)).await;
            self.due.store(false, Ordering::Relaxed);
            while workers::idle() {
                tokio::task::yield_now().await;
            }
        }
    }
}

struct Arrival {
    listener: usize,
    stream: std::net::TcpStream,
    seat: Seat,
}

/// Listeners that are bound, on threads that do not run yet.
pub(crate) struct Prepared {
    /// Where the sockets live.
    accepting: Runtime,
    runtimes: Vec<Runtime>,
    sockets: Vec<TcpListener>,
    pub(crate) bound: Vec<Bound>,
}

/// The running server.
pub(crate) struct Server {
    pub(crate) bound: Vec<Bound>,
    stopping: Arc<AtomicBool>,
    stop: Arc<Notify>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

fn failed(what: &'static str) -> impl Fn(std::io::Error) -> RuntimeError {
    move |error| RuntimeError::Host { reason: format!("{what}: {error}") }
}

impl Prepared {
    /// Binds every listener; connections wait until [`Server::start`].
    pub(crate) fn bind(listeners: &[Listener], threads: usize) -> Result<Self, RuntimeError> {
        let prepare = || {
            Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(failed("a thread of the HTTP server could not be prepared"))
        };
        let accepting = prepare()?;
        let runtimes: Result<Vec<Runtime>, RuntimeError> =
            (0..threads.max(1)).map(|_| prepare()).collect();
        let mut bound = Vec::new();
        let mut sockets = Vec::new();
        for listener in listeners {
            let socket = accepting.block_on(bind(listener))?;
            let address = socket
                .local_addr()
                .map_err(failed("the address of a listener could not be read"))?;
            let accepted = compile(listener)?;
            let backups = Backups::of_interface(&listener.configured);
            let gate = Arc::new(Gate { accepted, backups });
            bound.push(Bound { settings: listener.clone(), gate, address });
            sockets.push(socket);
        }
        Ok(Self { accepting, runtimes: runtimes?, sockets, bound })
    }
}

impl Server {
    /// Starts to serve.
    pub(crate) fn start(
        prepared: Prepared,
        host: &Arc<Host>,
        identities: &Identities,
    ) -> Result<Self, RuntimeError> {
        let Prepared { accepting, runtimes, sockets, bound } = prepared;
        let stopping = Arc::new(AtomicBool::new(false));
        let mut contexts = Vec::new();
        for Bound { settings, gate, .. } in &bound {
            let identity = match settings.endorsement {
                Endorsement::Service => Some(&identities.service),
                Endorsement::Node => Some(&identities.node),
                Endorsement::Unsecured => None,
            };
            let tls = if let Some(identity) = identity {
                let config = server_config(identity.clone(), settings.protocols)
                    .map_err(|error| RuntimeError::Host { reason: error.to_string() })?;
                Some(TlsAcceptor::from(config))
            } else {
                None
            };
            let metrics = Arc::new(ListenerMetrics::new(
                &settings.name,
                settings.sessions_soft_max,
                settings.sessions_hard_max,
            ));
            host.metrics.listeners.lock().push(metrics.clone());
            contexts.push(Context {
                host: host.clone(),
                listener: Arc::new(settings.clone()),
                gate: gate.clone(),
                metrics,
                idler: Arc::new(Idler::default()),
                tls,
                stopping: stopping.clone(),
            });
        }
        let server =
            Self { bound, stopping, stop: Arc::new(Notify::new()), threads: Mutex::default() };
        server
            .spawn(accepting, runtimes, &contexts, sockets)
            .map_err(failed("a thread of the HTTP server could not be started"))?;
        Ok(server)
    }

    /// Accepts on a thread of its own, so that no handler delays a handshake on other threads.
    fn accept(
        &self,
        runtime: Runtime,
        contexts: &[Context],
        sockets: Vec<TcpListener>,
        threads: Vec<mpsc::UnboundedSender<Arrival>>,
    ) -> std::io::Result<()> {
        let next = Arc::new(AtomicUsize::new(0));
        for (listener, (socket, context)) in sockets.into_iter().zip(contexts).enumerate() {
            let (metrics, threads) = (context.metrics.clone(), threads.clone());
            runtime.spawn(accept(socket, listener, metrics, threads, next.clone()));
        }
        let stop = self.stop.clone();
        let thread = std::thread::Builder::new()
            .name("http-accept".to_owned())
            .spawn(move || runtime.block_on(stop.notified()))?;
        self.threads.lock().push(thread);
        Ok(())
    }

    fn spawn(
        &self,
        accepting: Runtime,
        runtimes: Vec<Runtime>,
        contexts: &[Context],
        sockets: Vec<TcpListener>,
    ) -> std::io::Result<()> {
        let (senders, receivers): (Vec<_>, Vec<_>) =
            runtimes.iter().map(|_| mpsc::unbounded_channel::<Arrival>()).unzip();
        self.accept(accepting, contexts, sockets, senders)?;
        for (index, (runtime, arrivals)) in runtimes.into_iter().zip(receivers).enumerate() {
            let idler = Arc::new(Idler::default());
            let contexts: Vec<Context> = contexts
                .iter()
                .map(|context| Context { idler: idler.clone(), ..context.clone() })
                .collect();
            let stopping = self.stopping.clone();
            let thread = std::thread::Builder::new()
                .name(format!("http-{index}"))
                .spawn(move || runtime.block_on(serve(contexts, arrivals, idler, stopping)))?;
            self.threads.lock().push(thread);
        }
        Ok(())
    }

    /// The addresses bound, in the order of the listeners.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.bound.iter().map(|bound| bound.address).collect()
    }

    /// Accepts nothing more, lets the answers under way leave, and ends the threads.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.stop.notify_one();
        for thread in core::mem::take(&mut *self.threads.lock()) {
            // Sessions are tasks: their panics stay in the task.
            thread.join().ok();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Who speaks for the node, by endorsement.
pub(crate) struct Identities {
    pub(crate) service: Arc<ServerIdentity>,
    pub(crate) node: Arc<ServerIdentity>,
}

fn compile(listener: &Listener) -> Result<Option<Vec<Regex>>, RuntimeError> {
    let Some(patterns) = &listener.accepted_endpoints else { return Ok(None) };
    let compiled: Result<Vec<Regex>, RuntimeError> = patterns
        .iter()
        .map(|pattern| {
            Regex::new(&format!("^(?:{pattern})$")).map_err(|error| {
                let location = format!("{}.accepted_endpoints", listener.name);
                RuntimeError::config(location, format!("{pattern:?} is no expression: {error}"))
            })
        })
        .collect();
    compiled.map(Some)
}

async fn bind(listener: &Listener) -> Result<TcpListener, RuntimeError> {
    let unavailable = |reason: String| RuntimeError::AddressUnavailable {
        interface: listener.name.clone(),
        address: listener.address.clone(),
        reason,
    };
    let addresses =
        lookup_host(&listener.address).await.map_err(|error| unavailable(error.to_string()))?;
    let mut last = unavailable("it resolves to nothing".to_owned());
    for address in addresses {
        let open = || -> std::io::Result<TcpListener> {
            let socket =
                if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            socket.listen(LISTEN_BACKLOG)
        };
        match open() {
            Ok(socket) => return Ok(socket),
            Err(error) => last = unavailable(why(&error, address)),
        }
    }
    Err(last)
}

fn why(error: &std::io::Error, address: SocketAddr) -> String {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => format!(
            "{error}; find who listens with `ss -ltnp 'sport = :{}'`, or choose another port (0 \
             lets the system choose one)",
            address.port()
        ),
        std::io::ErrorKind::PermissionDenied => {
            format!("{error}; ports below 1024 need a privilege, choose a higher one")
        }
        std::io::ErrorKind::AddrNotAvailable => {
            format!("{error}; the host has no interface with the address {}", address.ip())
        }
        _ => error.to_string(),
    }
}

async fn accept(
    socket: TcpListener,
    listener: usize,
    metrics: Arc<ListenerMetrics>,
    threads: Vec<mpsc::UnboundedSender<Arrival>>,
    next: Arc<AtomicUsize>,
) {
    loop {
        let stream = match socket.accept().await {
            Ok((stream, _)) => stream,
            Err(_) => {
                // No descriptor or no memory left: others must end first.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Some(seat) = Seat::take(&metrics) else { continue };
        // A socket that fails here is gone already.
        let Ok(()) = stream.set_nodelay(true) else { continue };
        let Ok(stream) = stream.into_std() else { continue };
        let thread = next.fetch_add(1, Ordering::Relaxed) % threads.len();
        threads[thread].send(Arrival { listener, stream, seat }).ok();
    }
}

async fn serve(
    contexts: Vec<Context>,
    mut arrivals: mpsc::UnboundedReceiver<Arrival>,
    idler: Arc<Idler>,
    stopping: Arc<AtomicBool>,
) {
    tokio::spawn(async move { idler.work().await });
    tokio::spawn(outbox::run());
    tokio::spawn(take_answers());
    let sessions = Arc::new(());
    let mut sweep = tokio::time::interval(Duration::from_millis(SESSION_SWEEP_MS / 4));
    while !stopping.load(Ordering::Relaxed) {
        tokio::select! {
            arrival = arrivals.recv() => {
                let Some(Arrival { listener, stream, seat }) = arrival else { break };
                let Ok(stream) = TcpStream::from_std(stream) else { continue };
                let Some(context) = contexts.get(listener).cloned() else { continue };
                let present = sessions.clone();
                tokio::spawn(async move {
                    run(context, stream, seat).await;
                    drop(present);
                });
            }
            _ = sweep.tick() => {}
        }
    }
    let deadline = Instant::now() + Duration::from_millis(STOP_MS_MAX);
    while Arc::strong_count(&sessions) > 1 && Instant::now() < deadline {
        sweep.tick().await;
    }
}
