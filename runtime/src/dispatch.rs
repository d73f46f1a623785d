//! One request from endpoint to answer, for sockets and for callers in process alike
//! (reference B.3, B.7).
//!
//! Invariants
//! * Each attempt has its own transaction: identification, handler and commit see one state.
//! * `x-ms-ccf-transaction-id` goes out exactly with answers whose transaction was kept.
//! * An answer that is to be committed reveals nothing that may still be rolled back.
//! * Nothing here blocks but the handler; waiting for commit is the caller's to drive.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use affiant_kv::{CommitOutcome, Tx};
use affiant_proof::TxId;
use arc_swap::ArcSwap;
use http::HeaderMap;
use http::header::HeaderName;
use tokio::sync::oneshot;

use crate::admin::BuiltInCall;
use crate::application::{Application, Entry, Handler};
use crate::auth::{AuthRequest, Peer};
use crate::clock::unix_seconds;
use crate::endpoint::{Mode, Respond};
use crate::executor::{Executors, Refused};
use crate::frontend::{AppError, Call};
use crate::gate::Gate;
use crate::governance::Governance;
use crate::historical::HistoricalNamespace;
use crate::http::outbox;
use crate::jwt::RefreshCounters;
use crate::limits::{COMMIT_ATTEMPTS_MAX, COMMIT_WAIT_MS_DEFAULT, COMMIT_WAIT_MS_MAX};
use crate::log_fail;
use crate::metrics::Metrics;
use crate::node::Node;
use crate::odata;
use crate::replies::{Reply, reply, reply_alone};
use crate::request::{Request, Response};
use crate::respond::{Answer, Outcome, Waiting, retry_later, wait_blocking};
use crate::router::{Actor, Found};
use crate::seat::Seat;
use crate::workers;

const RESPOND: HeaderName = HeaderName::from_static("x-affiant-respond");
const TIMEOUT: HeaderName = HeaderName::from_static("x-affiant-timeout-ms");
/// Attempts after which a conflicting handler lets other threads go first.
const EAGER_ATTEMPTS: usize = 5;

/// Everything that requests share.
pub(crate) struct Host {
    pub(crate) node: Arc<Node>,
    pub(crate) application: ArcSwap<Application>,
    pub(crate) executors: Executors,
    /// Where constitutions can be run.
    pub(crate) governance: Option<Governance>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) jwt_refresh: Arc<RefreshCounters>,
    /// A service that was open once stays so while the node runs.
    pub(crate) open: AtomicBool,
}

/// One client's session: who it is, what its listener lets through, and the view in which its
/// earlier requests ran (0: none yet).
#[derive(Debug, Default)]
pub(crate) struct Session {
    pub(crate) peer: Peer,
    gate: Arc<Gate>,
    view: AtomicU64,
}

impl Session {
    pub(crate) fn new(peer: Peer, gate: Arc<Gate>) -> Self {
        Self { peer, gate, view: AtomicU64::new(0) }
    }

    /// Notes the view of this request; the error answer if an earlier one ran in another view.
    fn check_view(&self, view: u64) -> Result<(), Answer> {
        let before = self.view.load(Ordering::Relaxed);
        if before == 0 {
            self.view.store(view, Ordering::Relaxed);
        } else if before != view {
            let message = format!(
                "Session consistency may be lost: this session started in view {before}, now is \
                 view {view}. Closing session."
            );
            let response = odata::error(500, odata::SESSION_CONSISTENCY_LOST, &message);
            return Err(Answer { response, txid: None, close: true });
        }
        Ok(())
    }
}

/// How far a request has come without waiting.
pub(crate) enum Begun {
    Outcome(Outcome),
    /// An executor thread runs it.
    Queued(oneshot::Receiver<Outcome>),
}

/// A request on its way to another thread.
struct Queued {
    application: Arc<Application>,
    index: usize,
    request: Request,
    session: Arc<Session>,
}

/// When the answer may leave, by endpoint and request.
#[derive(Clone, Copy)]
struct Timing {
    respond: Respond,
    wait: Duration,
}

impl Host {
    /// Whether users are served.
    pub(crate) fn service_open(&self) -> bool {
        if self.open.load(Ordering::Relaxed) {
            return true;
        }
        let open = self.node.service_open();
        if open {
            self.open.store(true, Ordering::Relaxed);
        }
        open
    }

    /// Runs a request as far as it goes on this thread.
    pub(crate) fn begin(self: &Arc<Self>, session: &Arc<Session>, mut request: Request) -> Begun {
        let started = Instant::now();
        let application = self.application.load();
        let index = match self.find(&application, &session.gate, &mut request) {
            Ok(index) => index,
            Err(response) => {
                self.metrics.unmatched.answered(response.status, started.elapsed());
                return Begun::Outcome(Outcome::Done(response.into()));
            }
        };
        let entry = &application.entries[index];
        let own = application.own_threads(entry);
        if own.is_none() && !entry.is_slow() {
            if entry.takes_time() {
                outbox::send_pending();
            }
            return Begun::Outcome(self.run(&application, index, request, session, started, None));
        }
        let (reply, receiver) = reply();
        let queued =
            Queued { application: application.clone(), index, request, session: session.clone() };
        if own.is_some() && entry.endpoint.options.mode == Mode::Historical {
            let host = self.clone();
            let task = move || host.queue(host.load_past(queued), started, reply);
            // A task that is refused drops the reply, which says that the host is busy.
            self.executors.submit(Box::new(task));
        } else {
            self.queue(queued, started, reply);
        }
        Begun::Queued(receiver)
    }

    /// Queues a request to its front end's own threads, or else to the host's executors.
    fn queue(self: &Arc<Self>, queued: Queued, started: Instant, reply: Reply) {
        let host = self.clone();
        let application = queued.application.clone();
        let entry = &application.entries[queued.index];
        let executors = application.own_threads(entry).unwrap_or(&self.executors);
        executors.serve(reply, !entry.takes_time(), move |seat| {
            let Queued { application, index, request, session } = queued;
            host.run(&application, index, request, &session, started, Some(seat))
        });
    }

    /// Waits until the past that a request is about is loaded, so that its front end's threads find it
    /// there. Nothing is loaded for those who may not ask.
    fn load_past(&self, mut queued: Queued) -> Queued {
        let entry = &queued.application.entries[queued.index];
        let mut tx = self.node.committer().begin();
        if self.identify(entry, &mut queued.request, &queued.session, &mut tx).is_ok() {
            // What there is to say about it is said when the request runs.
            drop(self.node.state_for(&queued.request));
        }
        queued.request.caller = None;
        queued
    }

    /// Runs a request for a caller in process: on this thread, whatever its pace, unless its front end
    /// is for other threads only.
    pub(crate) fn run_here(
        self: &Arc<Self>,
        session: Arc<Session>,
        mut request: Request,
    ) -> Outcome {
        let started = Instant::now();
        let application = self.application.load_full();
        let index = match self.find(&application, &session.gate, &mut request) {
            Ok(index) => index,
            Err(response) => return Outcome::Done(response.into()),
        };
        let entry = &application.entries[index];
        if !application.is_apart(entry) {
            return self.run(&application, index, request, &session, started, None);
        }
        let historical = entry.endpoint.options.mode == Mode::Historical;
        let (reply, mut receiver) = reply_alone();
        let mut queued = Queued { application, index, request, session };
        if historical {
            queued = self.load_past(queued);
        }
        self.queue(queued, started, reply);
        wait_blocking(&mut receiver, None).and_then(Result::ok).unwrap_or_else(busy)
    }

    fn find(
        &self,
        application: &Application,
        gate: &Gate,
        request: &mut Request,
    ) -> Result<usize, Response> {
        let (actor, offset) = Actor::of(request.path());
        let found = application.router(actor).find(request.http_method(), request.path(), offset);
        if actor == Actor::App && !self.service_open() {
            let exempt = matches!(&found, Found::Endpoint { index, .. }
                if matches!(application.entries[*index].handler,
                    Handler::BuiltIn(built_in) if built_in.always_open));
            if !exempt {
                return Err(odata::error(404, odata::FRONTEND_NOT_OPEN, "Frontend is not open."));
            }
        }
        let below = request.path().get(offset..).unwrap_or("");
        match found {
            Found::Endpoint { index, route, spans } => {
                let redirection = application.entries[index].endpoint.options.redirection;
                gate.admit(request, &route.text, redirection)?;
                request.route = Some(route);
                request.spans = spans;
                Ok(index)
            }
            Found::OtherMethods(allow) if request.method() == "OPTIONS" => {
                Err(Response::empty(204).with_header("allow", allow))
            }
            Found::OtherMethods(allow) => {
                let message = format!("Allowed methods for '{below}' are: {allow}.");
                Err(odata::error(405, odata::UNSUPPORTED_HTTP_VERB, &message)
                    .with_header("allow", allow))
            }
            Found::Ambiguous(rivals) => {
                let message = format!(
                    "{} {below} matches more than one endpoint: {}.",
                    request.method(),
                    rivals.join(", ")
                );
                Err(odata::error(500, odata::INTERNAL_ERROR, &message))
            }
            Found::Nothing => {
                let message = format!("Unknown path: {below}.");
                Err(odata::error(404, odata::RESOURCE_NOT_FOUND, &message))
            }
        }
    }

    fn run(
        &self,
        application: &Application,
        index: usize,
        mut request: Request,
        session: &Session,
        started: Instant,
        seat: Option<&Seat>,
    ) -> Outcome {
        let entry = &application.entries[index];
        // Where all requests are queued, their time in the queue says nothing about the handler.
        let own = application.own_threads(entry).is_some();
        let begun = if own { Instant::now() } else { started };
        let outcome = match timing(entry, request.header_map()) {
            Ok(timing) => self
                .attempts(application, entry, &mut request, session, timing, seat)
                .unwrap_or_else(|answer| Outcome::Done(*answer)),
            Err(response) => Outcome::Done(response.into()),
        };
        entry.ran(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
        if seat.is_some_and(Seat::given_up) {
            return outcome;
        }
        let elapsed = started.elapsed();
        match outcome {
            Outcome::Done(answer) => {
                entry.metrics.answered(answer.response.status, elapsed);
                Outcome::Done(answer)
            }
            Outcome::Waiting(mut waiting) => {
                waiting.count_for(entry.metrics.clone(), self.metrics.clone(), started);
                Outcome::Waiting(waiting)
            }
        }
    }

    fn attempts(
        &self,
        application: &Application,
        entry: &Arc<Entry>,
        request: &mut Request,
        session: &Session,
        timing: Timing,
        seat: Option<&Seat>,
    ) -> Result<Outcome, Box<Answer>> {
        let committer = self.node.committer();
        for attempt in 0..COMMIT_ATTEMPTS_MAX {
            if attempt > 0 {
                entry.metrics.retried();
                session.peer.forget();
            }
            if attempt > EAGER_ATTEMPTS {
                std::thread::yield_now();
            }
            let mut tx = committer.begin();
            self.identify(entry, request, session, &mut tx)?;
            if let Some(seat) = seat {
                seat.handler_begins(entry);
            }
            let (response, keep) = self.handle(application, entry, request, &mut tx);
            if !seat.is_none_or(Seat::handler_ends) {
                // The client has its answer: that nothing came of it.
                return Ok(Outcome::Done(response.into()));
            }
            if !keep {
                if !tx.reliance_holds() {
                    continue;
                }
                return Ok(self.without_commit(response, &tx, timing));
            }
            if tx.has_writes() {
                if let Some(view) = committer.store().sequencing_view() {
                    session.check_view(view).map_err(Box::new)?;
                }
            } else if application.reads_always && entry.actor == Actor::App {
                tx.read_version();
            }
            match committer.commit(tx) {
                CommitOutcome::Sequenced(txid) => {
                    session.check_view(txid.view).map_err(Box::new)?;
                    return Ok(self.with_commit(response, Some(txid), true, timing));
                }
                CommitOutcome::ReadOnly(txid) => {
                    if let Some(txid) = txid {
                        session.check_view(txid.view).map_err(Box::new)?;
                    }
                    return Ok(self.with_commit(response, txid, false, timing));
                }
                CommitOutcome::Conflict => {}
                refused => return Ok(Outcome::Done(self.refused(&refused).into())),
            }
        }
        let message = format!(
            "Transaction continued to conflict after {COMMIT_ATTEMPTS_MAX} attempts. Retry later."
        );
        let code = odata::TRANSACTION_COMMIT_ATTEMPTS_EXCEED_LIMIT;
        Ok(Outcome::Done(retry_later(odata::error(503, code, &message)).into()))
    }

    fn identify(
        &self,
        entry: &Entry,
        request: &mut Request,
        session: &Session,
        tx: &mut Tx,
    ) -> Result<(), Box<Answer>> {
        if entry.admission.is_open() && !matches!(session.peer, Peer::Trusted(_)) {
            return Ok(());
        }
        let unix_s = i64::try_from(unix_seconds()).unwrap_or(i64::MAX);
        let asked = AuthRequest { request, peer: &session.peer, unix_s };
        let caller =
            entry.admission.admit(&asked, tx).map_err(|response| Box::new(response.into()))?;
        request.caller = caller;
        Ok(())
    }

    /// Runs the handler once: its response, and whether its transaction is kept.
    fn handle(
        &self,
        application: &Application,
        entry: &Entry,
        request: &Request,
        tx: &mut Tx,
    ) -> (Response, bool) {
        let historical_state = match entry.endpoint.options.mode {
            Mode::Historical => match self.node.state_for(request) {
                Ok(state) => Some(state),
                Err(response) => {
                    let keep = response.is_success();
                    return (*response, keep);
                }
            },
            _ => None,
        };
        let mut apply_writes = None;
        let result = match &entry.handler {
            Handler::BuiltIn(built_in) => {
                let mut call =
                    BuiltInCall { host: self, application, actor: entry.actor, request, tx };
                built_in.call(&mut call)
            }
            Handler::Frontend { frontend, index } => {
                let mut call = Call {
                    endpoint_index: *index,
                    endpoint: &entry.endpoint,
                    request,
                    tx,
                    store: self.node.store(),
                    attestor: Some(self.node.attestor()),
                    apply_writes: None,
                    historical: Some(self.node.historical()),
                    namespace: HistoricalNamespace {
                        application: application.id,
                        frontend: *frontend,
                    },
                    historical_state: historical_state.as_ref(),
                };
                let ended = catch_unwind(AssertUnwindSafe(|| {
                    workers::with(application, *frontend, |worker| worker.call(&mut call))
                }));
                apply_writes = call.apply_writes;
                ended
                    .unwrap_or_else(|_| {
                        let mut error = AppError::internal("The handler of this endpoint failed.");
                        error.log = Some("the handler panicked".to_owned());
                        Ok(Err(error))
                    })
                    .and_then(|result| result)
            }
        };
        let response = match result {
            Ok(response) => checked(entry, response, tx),
            Err(error) => {
                if let Some(log) = &error.log {
                    let endpoint = &entry.endpoint;
                    log_fail!("app", "{} {}: {log}", endpoint.method, endpoint.path);
                }
                error.into()
            }
        };
        let keep = apply_writes.unwrap_or_else(|| response.is_success());
        (response, keep)
    }

    /// An answer whose transaction is dropped: no id, but if it is to be committed, what it read must
    /// be.
    fn without_commit(&self, response: Response, tx: &Tx, timing: Timing) -> Outcome {
        let read = tx.snapshot_taken().map(affiant_kv::Snapshot::version);
        match (timing.respond, read) {
            (Respond::AtCommit | Respond::WithReceipt, Some(read)) if self.is_uncommitted(read) => {
                self.wait(response, read, None, false, timing)
            }
            _ => Outcome::Done(response.into()),
        }
    }

    fn with_commit(
        &self,
        response: Response,
        txid: Option<TxId>,
        wrote: bool,
        timing: Timing,
    ) -> Outcome {
        let receipt = timing.respond == Respond::WithReceipt;
        match txid {
            Some(txid) if timing.respond != Respond::AtOnce => {
                if wrote || self.is_uncommitted(txid) {
                    self.wait(response, txid, Some(txid), receipt && wrote, timing)
                } else {
                    let answer = Answer { response, txid: Some(txid), close: false };
                    Outcome::Done(answer.enveloped(receipt, None))
                }
            }
            _ => Outcome::Done(Answer { response, txid, close: false }),
        }
    }

    fn is_uncommitted(&self, txid: TxId) -> bool {
        txid.seqno > self.node.store().committed().seqno
    }

    fn wait(
        &self,
        response: Response,
        awaited: TxId,
        txid: Option<TxId>,
        receipt: bool,
        timing: Timing,
    ) -> Outcome {
        let receiver = self.node.wait_committed(awaited, receipt);
        let answer = Answer { response, txid, close: false };
        let waiting = Waiting::new(answer, awaited, receiver, timing.wait);
        Outcome::Waiting(if timing.respond == Respond::WithReceipt && txid.is_some() {
            waiting.in_envelope(receipt)
        } else {
            waiting
        })
    }

    fn refused(&self, outcome: &CommitOutcome) -> Response {
        match outcome {
            CommitOutcome::TooManyPending => retry_later(odata::error(
                503,
                odata::TOO_MANY_PENDING_TRANSACTIONS,
                "Too many transactions pending commit on the service.",
            )),
            CommitOutcome::Poisoned(reason) => {
                log_fail!("http", "a write was refused: {reason}");
                odata::error(
                    503,
                    odata::TRANSACTION_REPLICATION_FAILED,
                    "This node accepts no more writes since an earlier failure; its log says why.",
                )
            }
            _ => retry_later(odata::error(
                503,
                odata::TRANSACTION_REPLICATION_FAILED,
                "Transaction failed to replicate: this node is not the primary.",
            )),
        }
    }
}

fn timing(entry: &Entry, headers: &HeaderMap) -> Result<Timing, Response> {
    let bad = |name: &HeaderName, expected: &str| {
        let message = format!("Header {name} must be {expected}.");
        odata::error(400, odata::INVALID_HEADER_VALUE, &message)
    };
    let respond = match headers.get(&RESPOND).map(http::HeaderValue::as_bytes) {
        None => entry.endpoint.options.respond,
        Some(b"early") => Respond::AtOnce,
        Some(b"committed") => Respond::AtCommit,
        Some(b"receipt") => Respond::WithReceipt,
        Some(_) => return Err(bad(&RESPOND, "early, committed or receipt")),
    };
    let wait_ms = match headers.get(&TIMEOUT) {
        None => COMMIT_WAIT_MS_DEFAULT,
        Some(value) => value
            .to_str()
            .ok()
            .and_then(|text| text.parse().ok())
            .filter(|ms| *ms <= COMMIT_WAIT_MS_MAX)
            .ok_or_else(|| bad(&TIMEOUT, &format!("milliseconds, at most {COMMIT_WAIT_MS_MAX}")))?,
    };
    Ok(Timing { respond, wait: Duration::from_millis(wait_ms) })
}

/// Refuses what a handler must not do: a status that is none, or a write where none is allowed.
fn checked(entry: &Entry, response: Response, tx: &Tx) -> Response {
    if !(200..=999).contains(&response.status) {
        let message = format!("The handler returned the status {}.", response.status);
        return odata::error(500, odata::INTERNAL_ERROR, &message);
    }
    if entry.endpoint.options.mode != Mode::ReadWrite && tx.has_writes() {
        let message = "The handler wrote, but its endpoint is declared read-only.";
        return odata::error(500, odata::INTERNAL_ERROR, message);
    }
    response
}

/// The answer where no executor thread takes the request.
pub(crate) fn busy() -> Outcome {
    Refused::Busy.outcome()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_sees_another_view_ends() {
        let session = Session::default();
        assert!(session.check_view(2).is_ok());
        assert!(session.check_view(2).is_ok());
        let Err(answer) = session.check_view(3) else { panic!("the view has changed") };
        assert!(answer.close && answer.txid.is_none());
        assert_eq!(answer.response.status, 500);
        let body = String::from_utf8_lossy(&answer.response.body).into_owned();
        assert!(body.contains("SessionConsistencyLost"), "{body}");
    }
}
