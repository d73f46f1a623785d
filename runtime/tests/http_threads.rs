//! Front ends with threads of their own: where their handlers run, what happens to those that never
//! end, and when the threads go.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod http_support;

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak, mpsc};
use std::time::Duration;

use affiant::hosting::{Frontend, FrontendWorker, Threads};
use affiant::{AppError, Call, Endpoint, EndpointOptions, Mode, Peer, Respond, Response, Runtime};
use http_support::{Client, assert_serves, listener, records, settings, with_endpoints};

/// What a test and its handlers share.
struct Shared {
    entered: mpsc::Sender<()>,
    release: Mutex<mpsc::Receiver<()>>,
    workers: AtomicUsize,
    /// Who serves `/nested`, whose handler asks for `/where`.
    runtime: OnceLock<Weak<Runtime>>,
}

/// A language whose endpoints tell their thread (`/where`, `/past`), or wait to be let go (`/stuck`).
struct Slow {
    endpoints: Vec<Endpoint>,
    threads: Threads,
    patience: Option<Duration>,
    shared: Arc<Shared>,
}

struct Worker(Arc<Shared>);

impl Drop for Worker {
    fn drop(&mut self) {
        self.0.workers.fetch_sub(1, Ordering::SeqCst);
    }
}

impl FrontendWorker for Worker {
    fn call(&mut self, call: &mut Call<'_>) -> Result<Response, AppError> {
        match call.endpoint.path.as_str() {
            "/stuck" | "/stuck/too" => {
                call.tx.put(&records(), b"stuck", b"x")?;
                self.0.entered.send(()).unwrap();
                self.0.release.lock().unwrap().recv().ok();
                Ok(Response::text(200, "ended"))
            }
            "/nested" => {
                let runtime = self.0.runtime.get().and_then(Weak::upgrade).unwrap();
                Ok(runtime.call("GET", "/app/where", "", Peer::Anonymous).unwrap())
            }
            "/write" => {
                call.tx.put(&records(), b"written", b"x")?;
                Ok(Response::text(200, "written"))
            }
            _ => {
                let thread = std::thread::current();
                Ok(Response::text(200, thread.name().unwrap_or("unnamed").to_owned()))
            }
        }
    }
}

impl Frontend for Slow {
    fn language(&self) -> &'static str {
        "slow"
    }
    fn threads(&self) -> Threads {
        self.threads
    }
    fn give_up_after(&self) -> Option<Duration> {
        self.patience
    }
    fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }
    fn worker(&self) -> Result<Box<dyn FrontendWorker>, AppError> {
        self.shared.workers.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(Worker(self.shared.clone())))
    }
}

/// The front end, what its handlers share with the test, who says that `/stuck` runs, and what lets it
/// go.
fn slow(
    threads: usize,
    patience: Option<Duration>,
) -> (Arc<Slow>, Arc<Shared>, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let endpoint = |method: &str, path: &str, mode: Mode| Endpoint {
        method: method.to_owned(),
        path: path.to_owned(),
        options: EndpointOptions { mode, respond: Respond::AtOnce, ..EndpointOptions::default() },
        ..Endpoint::default()
    };
    let endpoints = vec![
        endpoint("GET", "/where", Mode::ReadOnly),
        endpoint("GET", "/past", Mode::Historical),
        endpoint("POST", "/stuck", Mode::ReadWrite),
        endpoint("POST", "/stuck/too", Mode::ReadWrite),
        endpoint("POST", "/write", Mode::ReadWrite),
        endpoint("POST", "/nested", Mode::ReadWrite),
    ];
    let (entered, has_entered) = mpsc::channel();
    let (let_go, release) = mpsc::channel();
    let shared = Arc::new(Shared {
        entered,
        release: Mutex::new(release),
        workers: AtomicUsize::new(0),
        runtime: OnceLock::new(),
    });
    let threads = NonZeroUsize::new(threads).map_or(Threads::Shared, Threads::Own);
    let frontend = Slow { endpoints, threads, patience, shared: shared.clone() };
    (Arc::new(frontend), shared, has_entered, let_go)
}

fn start(frontend: Arc<Slow>) -> Runtime {
    with_endpoints(Runtime::builder().node(settings(&[])))
        .frontend(frontend)
        .http_threads(1)
        .listen(listener())
        .start()
        .unwrap()
}

fn send(client: &mut Client, method: &str, path: &str) {
    client.write(format!("{method} {path} HTTP/1.1\r\ncontent-length: 0\r\n\r\n").as_bytes());
}

/// Until `path` is answered with `status`.
fn wait_for(client: &mut Client, path: &str, status: u16) -> http_support::Answer {
    loop {
        let answer = client.get(path);
        if answer.status == status {
            return answer;
        }
        std::thread::yield_now();
    }
}

#[test]
fn handlers_run_on_their_front_ends_own_threads_only() {
    let (frontend, ..) = slow(1, None);
    let runtime = start(frontend);
    let mut client = Client::new(&runtime);
    assert_eq!(client.get("/app/where").text(), "slow-0");
    let written = client.post("/app/write", b"");
    assert_eq!((written.status, written.text()), (200, "written"));
    let txid = written.txid().unwrap().to_owned();
    let past = loop {
        let headers = [("x-ms-ccf-transaction-id", txid.as_str())];
        let answer = client.request("GET", "/app/past", &headers, b"");
        if answer.status == 200 {
            break answer;
        }
    };
    assert_eq!(past.text(), "slow-0");
    for (header, code) in [("", "TransactionInvalid"), ("2.9999", "TransactionPendingOrUnknown")] {
        let headers = [("x-ms-ccf-transaction-id", header)];
        let answer = client.request("GET", "/app/past", &headers, b"");
        assert_eq!((answer.status, answer.code().as_str()), (404, code));
    }
    // Endpoints in Rust are not concerned, nor are callers in process.
    assert_eq!(client.get("/app/plain").text(), "hello");
    let here = runtime.call("GET", "/app/where", "", Peer::Anonymous).unwrap();
    let this = std::thread::current();
    assert_eq!(here.body, this.name().unwrap().to_owned());
    runtime.stop().unwrap();
}

#[test]
fn callers_in_process_wait_for_threads_that_are_apart() {
    let (frontend, shared, has_entered, let_go) = slow(0, Some(Duration::from_millis(50)));
    let mut frontend = Arc::into_inner(frontend).unwrap();
    frontend.threads = Threads::Apart(NonZeroUsize::MIN);
    let runtime = Arc::new(start(Arc::new(frontend)));
    shared.runtime.set(Arc::downgrade(&runtime)).unwrap();
    let call = |method: &str, path: &str| runtime.call(method, path, "", Peer::Anonymous).unwrap();
    assert_eq!(call("GET", "/app/where").body, "slow-0");
    assert_eq!(Client::new(&runtime).get("/app/where").text(), "slow-0");
    let written = call("POST", "/app/write");
    let txid = written.header("x-ms-ccf-transaction-id").unwrap().to_owned();
    let past = loop {
        let request = affiant::Request::new("GET", "/app/past").unwrap();
        let request = request.with_header("x-ms-ccf-transaction-id", &txid).unwrap();
        let answer = runtime.send(request, Peer::Anonymous);
        if answer.status == 200 {
            break answer;
        }
    };
    assert_eq!(past.body, "slow-0");
    // The only thread does not wait for itself.
    assert_eq!(call("POST", "/app/nested").body, "slow-0");
    // A handler that does not end holds up nobody for ever, nor is anything of it kept.
    assert_eq!(call("POST", "/app/stuck").status, 500);
    has_entered.recv().unwrap();
    assert_eq!(call("GET", "/app/where").status, 503);
    let_go.send(()).unwrap();
    let again = loop {
        let answer = call("GET", "/app/where");
        if answer.status == 200 {
            break answer;
        }
    };
    assert_eq!(again.body, "slow-0");
    assert_eq!(call("GET", "/app/records/stuck").status, 404);
    Arc::into_inner(runtime).unwrap().stop().unwrap();
}

#[test]
fn without_threads_of_its_own_a_front_end_shares_them() {
    let (frontend, ..) = slow(0, Some(Duration::from_millis(1)));
    let runtime = start(frontend);
    assert_eq!(Client::new(&runtime).get("/app/where").text(), "http-0");
    runtime.stop().unwrap();
}

#[test]
fn what_is_queued_waits_for_its_turn_and_holds_up_nobody_else() {
    let (frontend, _, has_entered, let_go) = slow(1, None);
    let runtime = start(frontend);
    let (mut first, mut second) = (Client::new(&runtime), Client::new(&runtime));
    send(&mut first, "POST", "/app/stuck");
    has_entered.recv().unwrap();
    send(&mut second, "GET", "/app/where");
    let mut other = Client::new(&runtime);
    while !other.get("/metrics").text().contains("affiant_executor_queue 1\n") {
        std::thread::yield_now();
    }
    let_go.send(()).unwrap();
    assert_eq!(first.read(false).unwrap().text(), "ended");
    assert_eq!(second.read(false).unwrap().text(), "slow-0");
    assert_eq!(other.get("/app/records/stuck").text(), "x");
    runtime.stop().unwrap();
}

#[test]
fn two_threads_serve_two_requests_at_a_time() {
    let (frontend, shared, has_entered, let_go) = slow(2, None);
    let runtime = start(frontend);
    // Interpreters are made before the first request.
    while shared.workers.load(Ordering::SeqCst) < 2 {
        std::thread::yield_now();
    }
    let mut clients = [Client::new(&runtime), Client::new(&runtime)];
    for client in &mut clients {
        send(client, "POST", "/app/stuck");
    }
    has_entered.recv().unwrap();
    // `release` is received under a lock, so the second one enters without having been let go.
    has_entered.recv().unwrap();
    assert_eq!(shared.workers.load(Ordering::SeqCst), 2);
    for client in &mut clients {
        let_go.send(()).unwrap();
        assert_eq!(client.read(false).unwrap().status, 200);
    }
    runtime.stop().unwrap();
    assert_eq!(shared.workers.load(Ordering::SeqCst), 0, "interpreters end with their threads");
}

#[test]
fn a_handler_that_does_not_end_is_given_up_and_nothing_of_it_is_kept() {
    let (frontend, _, has_entered, let_go) = slow(1, Some(Duration::from_millis(20)));
    let runtime = start(frontend);
    let (mut first, mut second) = (Client::new(&runtime), Client::new(&runtime));
    send(&mut first, "POST", "/app/stuck");
    has_entered.recv().unwrap();
    send(&mut second, "GET", "/app/where");
    let failed = first.read(false).unwrap();
    assert_eq!((failed.status, failed.code().as_str()), (500, "InternalError"));
    let message = failed.message();
    let start = "The handler of POST /stuck did not end within 20 ms and cannot be stopped; ";
    assert!(message.starts_with(start), "{message}");
    assert_eq!(failed.txid(), None);
    // Who waits for the thread is refused, and so is who comes now.
    let mut other = Client::new(&runtime);
    for refused in [second.read(false).unwrap(), other.get("/app/where"), other.get("/app/past")] {
        assert_eq!((refused.status, refused.header("retry-after")), (503, Some("3")));
        assert!(refused.message().contains("blocks this application"), "{}", refused.text());
    }
    // Everybody else is served.
    assert_eq!(other.get("/app/plain").text(), "hello");
    let seqno = runtime.node().store().last().seqno;
    let_go.send(()).unwrap();
    assert_eq!(wait_for(&mut second, "/app/where", 200).text(), "slow-0");
    assert_eq!(second.get("/app/records/stuck").status, 404, "it was dropped");
    assert_eq!(first.post("/app/write", b"").status, 200);
    assert!(runtime.node().store().last().seqno > seqno);
    let metrics = second.get("/metrics").text().to_owned();
    let counted = metrics.lines().find(|line| {
        line.contains("POST /app/stuck") && line.contains("5xx") && line.ends_with(" 1")
    });
    assert!(counted.is_some(), "{metrics}");
    assert_serves(&runtime);
    runtime.stop().unwrap();
}

#[test]
fn answers_that_are_ready_leave_although_a_handler_takes_time_that_never_did() {
    let (frontend, _, has_entered, let_go) = slow(1, Some(Duration::from_secs(3_600)));
    let runtime = start(frontend);
    let mut clients = [Client::new(&runtime), Client::new(&runtime), Client::new(&runtime)];
    let [first, second, third] = &mut clients;
    send(first, "POST", "/app/stuck");
    has_entered.recv().unwrap();
    // Both are quick, as far as is known, so their answers would leave together.
    for (client, method, path, depth) in
        [(&mut *second, "GET", "/app/where", 1), (&mut *third, "POST", "/app/stuck/too", 2)]
    {
        send(client, method, path);
        let metric = format!("affiant_executor_queue {depth}\n");
        let mut other = Client::new(&runtime);
        while !other.get("/metrics").text().contains(&metric) {
            std::thread::yield_now();
        }
    }
    let_go.send(()).unwrap();
    has_entered.recv().unwrap();
    assert_eq!(first.read(false).unwrap().text(), "ended");
    assert_eq!(second.read(false).unwrap().text(), "slow-0");
    let_go.send(()).unwrap();
    assert_eq!(third.read(false).unwrap().text(), "ended");
    runtime.stop().unwrap();
}

#[test]
fn a_stuck_thread_leaves_the_others_and_does_not_keep_the_host() {
    let (frontend, _, has_entered, let_go) = slow(2, Some(Duration::from_millis(20)));
    let runtime = start(frontend);
    let mut client = Client::new(&runtime);
    send(&mut client, "POST", "/app/stuck");
    has_entered.recv().unwrap();
    assert_eq!(client.read(false).unwrap().status, 500);
    for _ in 0..20 {
        assert_eq!(client.get("/app/where").status, 200);
    }
    drop(client);
    // The thread is left behind: nobody has let its handler go.
    runtime.stop().unwrap();
    let_go.send(()).unwrap();
}

#[test]
fn threads_end_with_their_application_and_its_requests() {
    let (frontend, shared, has_entered, let_go) = slow(1, None);
    let runtime = start(frontend);
    let mut client = Client::new(&runtime);
    send(&mut client, "POST", "/app/stuck");
    has_entered.recv().unwrap();
    let mut queued = Client::new(&runtime);
    send(&mut queued, "GET", "/app/where");
    let mut other = Client::new(&runtime);
    while !other.get("/metrics").text().contains("affiant_executor_queue 1\n") {
        std::thread::yield_now();
    }
    // Replacing waits for nobody.
    runtime.set_application(Vec::new()).unwrap();
    assert_eq!(other.get("/app/where").status, 404);
    assert_eq!(shared.workers.load(Ordering::SeqCst), 1);
    let_go.send(()).unwrap();
    assert_eq!(client.read(false).unwrap().text(), "ended");
    assert_eq!(queued.read(false).unwrap().text(), "slow-0");
    while shared.workers.load(Ordering::SeqCst) > 0 {
        std::thread::yield_now();
    }
    runtime.stop().unwrap();
}

#[test]
fn too_many_threads_are_refused() {
    let (frontend, ..) = slow(1_000, None);
    let failed = Runtime::builder().node(settings(&[])).frontend(frontend).start().err().unwrap();
    let expected = "slow application: 1000 threads; at most 256 are started";
    assert!(failed.to_string().contains(expected), "{failed}");
}
