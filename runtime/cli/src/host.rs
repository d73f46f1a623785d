//! A configuration made to run: addresses, node, app, the files that launchers wait for, and the end.
//! The one way in which both `affiant node` and `affiant sandbox` start a service.
//!
//! Invariant: the app in the ledger is what is served. A command line deploys one only into a new
//! service, into a service that it opens without its members, or where the caller is a sandbox;
//! elsewhere that would be governance without a vote.

use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use affiant::config::{Configuration, ListenerSettings};
use affiant::hosting::{AppBundle, Frontend, RuntimeOptions};
use affiant::log::{self, Format, Level};
use affiant::node::{NewUser, Node, StartMode};
use affiant::{Endpoint, Listener, Runtime, RuntimeError, RuntimeResult, log_fail, log_info};
use affiant_kv::Snapshot;
use affiant_proof::TxId;
use serde_json::Value as Json;

use crate::app::{App, Apps};
use crate::proposal::{self, Proposal};
use crate::signals::{Signal, Signals};

/// How often the node's health is looked at.
const HEALTH_INTERVAL: Duration = Duration::from_millis(200);

/// What is to be started.
pub(crate) struct Plan {
    pub(crate) configuration: Configuration,
    /// Instead of what the configuration says.
    pub(crate) start: Option<StartMode>,
    /// Open a new service at once; the configuration may say so too.
    pub(crate) open: bool,
    /// Users of a new service.
    pub(crate) users: Vec<NewUser>,
    /// Deploy the app also into a service that has another one.
    pub(crate) redeploy: bool,
    /// Applied once the service runs, as if its members had accepted them.
    pub(crate) proposals: Vec<Proposal>,
    /// How apps are loaded and run.
    pub(crate) apps: Apps,
}

impl Plan {
    /// A configuration as it stands.
    pub(crate) fn new(configuration: Configuration, apps: Apps) -> Self {
        Self {
            configuration,
            start: None,
            open: false,
            users: Vec::new(),
            redeploy: false,
            proposals: Vec::new(),
            apps,
        }
    }
}

/// A running service.
pub(crate) struct Host {
    runtime: Runtime,
    /// By interface: where clients reach it.
    published: BTreeMap<String, String>,
    apps: Apps,
    served: Arc<Mutex<Served>>,
}

/// What of the tables is being served.
#[derive(Clone, Debug, Default, PartialEq)]
struct Served {
    /// [`AppBundle::stamp`].
    app: u64,
    /// [`RuntimeOptions::stamp`].
    options: u64,
    endpoints: Vec<Endpoint>,
    /// [`affiant::hosting::Frontend::language`].
    language: Option<&'static str>,
}

impl Served {
    /// Notes what the tables say; whether it is something else than before.
    fn note(&mut self, snapshot: &Snapshot) -> bool {
        let now = (AppBundle::stamp(snapshot), RuntimeOptions::stamp(snapshot));
        let changed = (self.app, self.options) != now;
        (self.app, self.options) = now;
        changed
    }

    /// Notes what is served now.
    fn app(&mut self, app: Option<&App>) {
        self.endpoints = app.map(|app| app.endpoints().to_vec()).unwrap_or_default();
        self.language = app.map(|app| app.frontend.language());
    }
}

fn lock(served: &Mutex<Served>) -> MutexGuard<'_, Served> {
    served.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Host {
    /// Starts what `plan` says, with `app` if it is given.
    pub(crate) fn start(
        mut plan: Plan,
        app: Option<App>,
        signals: &Signals,
    ) -> RuntimeResult<Self> {
        let node_to_node = reserve_node_to_node(&mut plan.configuration)?;
        let interfaces = plan
            .configuration
            .listeners
            .iter()
            .map(|listener| (listener.name.clone(), interface(listener)))
            .collect();
        let mut settings = plan.configuration.node_settings(interfaces)?;
        settings.start = plan.start.unwrap_or(settings.start);
        settings.service.open |= plan.open;
        settings.service.users.append(&mut plan.users);
        forget_stale_pid(&plan.configuration.output_files.pid_file, settings.start);
        plan.configuration.output_files.write_pid()?;

        let opened_here = settings.service.open;
        let apps = plan.apps;
        let served = Arc::new(Mutex::new(Served::default()));
        let deployment = Deployment {
            app,
            opened_here,
            redeploy: plan.redeploy,
            proposals: plan.proposals,
            apps: apps.clone(),
            served: served.clone(),
        };
        let mut builder = Runtime::builder().node(settings).constitution(apps.constitution());
        for listener in &plan.configuration.listeners {
            builder = builder.listen(Listener::from(listener));
        }
        if plan.configuration.worker_threads > 0 {
            builder = builder.http_threads(plan.configuration.worker_threads);
        }
        let runtime = builder.frontends_from(move |node| deployment.frontends(node)).start()?;
        // Before anybody learns that the service is there.
        signals.hold();
        let published = write_files(&plan.configuration, &node_to_node, &runtime)?;
        Ok(Self { runtime, published, apps, served })
    }

    /// Serves what the tables say now, if they say something else than before: the app, the options
    /// that its handlers run under, and the node's certificate. Returns whether anything changed.
    ///
    /// [`Host::run_until`] looks by itself a few times a second, so that whoever writes to the tables
    /// need not call this, except to be served at once. Requests under way finish with what they
    /// began with.
    ///
    /// # Errors
    /// It cannot be served; what was served before is served on, and it is not tried again.
    pub(crate) fn reload_application(&self) -> RuntimeResult<bool> {
        let renewed = self.runtime.refresh_certificate()?;
        let snapshot = self.runtime.node().snapshot();
        {
            let mut served = lock(&self.served);
            if !served.note(&snapshot) {
                return Ok(renewed);
            }
        }
        self.serve(stored_app(self.runtime.node(), &self.apps)?)?;
        log_info!("app", "The application in the tables is served from now on");
        Ok(true)
    }

    /// Serves an app that is in the tables, under the options that are there.
    fn serve(&self, app: Option<App>) -> RuntimeResult<()> {
        let snapshot = self.runtime.node().snapshot();
        let app = under_options(app, &snapshot, &self.apps)?;
        let frontends = app.iter().map(|app| app.frontend.clone()).collect();
        self.runtime.set_application(frontends)?;
        let mut served = lock(&self.served);
        served.note(&snapshot);
        served.app(app.as_ref());
        Ok(())
    }

    /// The endpoints of the app that is served.
    pub(crate) fn endpoints(&self) -> Vec<Endpoint> {
        lock(&self.served).endpoints.clone()
    }

    /// The language of the app that is served.
    pub(crate) fn language(&self) -> Option<&'static str> {
        lock(&self.served).language
    }

    pub(crate) fn node_id(&self) -> String {
        self.runtime.node().node_id().to_owned()
    }

    /// Where clients reach an interface.
    pub(crate) fn published(&self, interface: &str) -> &str {
        self.published.get(interface).map_or("", String::as_str)
    }

    /// Replaces the app, in the tables and in service, without an interruption: requests under way
    /// end with the app that they began with. Returns the transaction that deployed it; none if it
    /// is the app that the tables hold.
    ///
    /// # Errors
    /// The app before stays in service, and in the tables too unless they were written already.
    pub(crate) fn replace(&self, app: App) -> RuntimeResult<Option<TxId>> {
        let node = self.runtime.node();
        let txid = app.bundle.deploy(node)?;
        // Also the same app: its source maps, which are not in the tables, may have changed.
        self.serve(Some(app))?;
        Ok(txid)
    }

    /// Serves until somebody wants it to stop, or the node fails; calls `idle` several times a
    /// second meanwhile.
    pub(crate) fn run_until(
        &self,
        signals: &Signals,
        ignore_first_sigterm: bool,
        mut idle: impl FnMut(&Self),
    ) -> RuntimeResult<()> {
        let mut notice_due = ignore_first_sigterm;
        loop {
            match signals.next(HEALTH_INTERVAL) {
                Some(Signal::Terminate) if notice_due => {
                    notice_due = false;
                    self.runtime.node().set_stop_notice();
                    log_info!("node", "Terminated: notice given, the next signal stops the node");
                }
                Some(Signal::HangUp) => {
                    // Not below `fail`: launchers look for this record at any common level.
                    log_fail!("node", "Hangup: stopping the node");
                    return Ok(());
                }
                Some(Signal::Interrupt | Signal::Terminate) => {
                    log_info!("node", "Stopping the node");
                    return Ok(());
                }
                None => {
                    if let Some(reason) = self.runtime.node().failed() {
                        return Err(RuntimeError::Stopped { reason });
                    }
                    if let Err(error) = self.reload_application() {
                        log_fail!("app", "What the tables say now cannot be served: {error}");
                    }
                    idle(self);
                }
            }
        }
    }

    /// Lets answers leave, signs and syncs what there is, and ends.
    pub(crate) fn stop(self) -> RuntimeResult<()> {
        self.runtime.stop()
    }
}

/// Starts the log of a sandbox: everything, or what went wrong.
pub(crate) fn init_log(verbose: bool) {
    log::init(if verbose { Level::Info } else { Level::Fail }, Format::Text);
}

/// The interface as `/node/network/nodes` is to show it: without a published address, the bound one
/// counts. Port 0 is replaced once the real one is known.
fn interface(settings: &ListenerSettings) -> Json {
    let mut interface = settings.configured.clone();
    if settings.published_address.is_empty() && interface.is_object() {
        interface["published_address"] = Json::String(settings.bind_address.clone());
    }
    interface
}

/// Takes a port for other nodes where the configuration leaves it open. Nothing listens there yet.
fn reserve_node_to_node(configuration: &mut Configuration) -> RuntimeResult<String> {
    let configured = configuration.node_to_node_bind_address().to_owned();
    let Some((host, "0")) = configured.rsplit_once(':') else { return Ok(configured) };
    let port = TcpListener::bind(&configured).and_then(|listener| listener.local_addr());
    let port =
        port.as_ref().map(SocketAddr::port).map_err(|error| RuntimeError::AddressUnavailable {
            interface: "node_to_node_interface".to_owned(),
            address: configured.clone(),
            reason: error.to_string(),
        })?;
    configuration.set_node_to_node_port(port);
    Ok(format!("{host}:{port}"))
}

/// A node leaves its PID file behind, as CCF does, but CCF's never come back: where a service is
/// resumed, the file of a process that is gone is no obstacle.
fn forget_stale_pid(pid_file: &str, start: StartMode) {
    if start == StartMode::New || pid_file.is_empty() {
        return;
    }
    let Ok(text) = fs::read_to_string(pid_file) else { return };
    let Ok(pid) = text.trim().parse::<u32>() else { return };
    let alive = pid != std::process::id() && Path::new("/proc").join(pid.to_string()).exists();
    if !alive && let Err(error) = fs::remove_file(pid_file) {
        log_fail!("node", "The stale PID file {pid_file} cannot be removed: {error}");
    }
}

/// What launchers wait for, in the order in which they rely on it.
fn write_files(
    configuration: &Configuration,
    node_to_node: &str,
    runtime: &Runtime,
) -> RuntimeResult<BTreeMap<String, String>> {
    let files = &configuration.output_files;
    let (mut bound, mut published) = (BTreeMap::new(), BTreeMap::new());
    for (listener, address) in configuration.listeners.iter().zip(runtime.addresses()) {
        bound.insert(listener.name.clone(), address.to_string());
        let real = listener.with_real_addresses(address);
        let real = real.get("published_address").and_then(Json::as_str);
        let real = real.map_or_else(|| address.to_string(), str::to_owned);
        published.insert(listener.name.clone(), real);
    }
    files.write_addresses(node_to_node, &bound)?;
    let info = runtime.node().info();
    files.write_certificates(&info.service_certificate_pem, &info.self_signed_certificate_pem)?;
    Ok(published)
}

/// What is put into the tables when a host starts.
struct Deployment {
    app: Option<App>,
    opened_here: bool,
    redeploy: bool,
    proposals: Vec<Proposal>,
    apps: Apps,
    served: Arc<Mutex<Served>>,
}

impl Deployment {
    /// The front ends to serve: the app in the ledger, which may first have to be put there.
    fn frontends(self, node: &Arc<Node>) -> RuntimeResult<Vec<Arc<dyn Frontend>>> {
        let Self { app, opened_here, redeploy, proposals, apps, served } = self;
        let app = deployed(node, app, opened_here, redeploy)?;
        proposal::enact(node, &proposals, &apps)?;
        let snapshot = node.snapshot();
        let app = match app {
            app @ Some(_) if proposals.is_empty() => under_options(app, &snapshot, &apps)?,
            _ => stored_app(node, &apps)?,
        };
        let mut served = lock(&served);
        served.note(&snapshot);
        served.app(app.as_ref());
        Ok(app.into_iter().map(|app| app.frontend).collect())
    }
}

/// The app under the options in the tables.
fn under_options(app: Option<App>, snapshot: &Snapshot, apps: &Apps) -> RuntimeResult<Option<App>> {
    let options = RuntimeOptions::read(snapshot, &apps.manner.options);
    app.map(|app| apps.under(app, options))
        .transpose()
        .map_err(|reason| RuntimeError::Host { reason })
}

/// The app in the tables, under the options in the tables.
fn stored_app(node: &Node, apps: &Apps) -> RuntimeResult<Option<App>> {
    let failed = |reason: String| RuntimeError::Host { reason };
    let snapshot = node.snapshot();
    let stored = AppBundle::read(&snapshot).map_err(|error| failed(error.to_string()))?;
    let Some(stored) = stored else { return Ok(None) };
    let options = RuntimeOptions::read(&snapshot, &apps.manner.options);
    let app = apps.of_bundle(stored, options).map_err(failed)?;
    for warning in &app.warnings {
        log_fail!("app", "{warning}");
    }
    Ok(Some(app))
}

/// Puts the given app into the tables if it may be; it, if it is the one that the tables hold then.
fn deployed(
    node: &Node,
    app: Option<App>,
    opened_here: bool,
    redeploy: bool,
) -> RuntimeResult<Option<App>> {
    let Some(app) = app else { return Ok(None) };
    let stored = AppBundle::read(&node.snapshot())
        .map_err(|error| RuntimeError::Host { reason: error.to_string() })?;
    let new = node.info().startup_seqno == 0;
    match stored {
        Some(stored) if app.bundle.is_same_app(&stored) => Ok(Some(app)),
        stored if new || redeploy || (opened_here && stored.is_none()) => {
            app.bundle.deploy(node)?;
            Ok(Some(app))
        }
        Some(_) => {
            log_fail!("app", "The service has another app, which is served; --app is ignored");
            Ok(None)
        }
        None => {
            log_fail!("app", "The service is governed by its members; --app is ignored");
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use affiant::Peer;
    use affiant::tables::{ENDPOINTS, MODULES, RUNTIME_OPTIONS, put_single};
    use serde_json::json;

    use affiant_kv::CommitOutcome;

    use super::*;
    use crate::fake::{Asked, Fake};
    use crate::language::{Console, Languages, Manner};

    fn plan(root: &Path, languages: Languages) -> Plan {
        let configuration = json!({
            "network": {
                "node_to_node_interface": {"bind_address": "127.0.0.1:0"},
                "rpc_interfaces": {"main": {"bind_address": "127.0.0.1:0"}},
            },
            "command": {"type": "Start", "service_certificate_file": root.join("service.pem"),
                "start": {"members": []}},
            "ledger": {"directory": root.join("ledger")},
            "output_files": {"node_certificate_file": root.join("node.pem"),
                "pid_file": root.join("pid")},
            "affiant": {"open_service": true},
        });
        let manner = Manner {
            options: RuntimeOptions::default(),
            console: Console::Log,
            python: None,
            python_workers: 0,
            packages: root.join("packages"),
        };
        let apps = Apps { languages, manner };
        Plan::new(Configuration::parse(&configuration.to_string()).unwrap(), apps)
    }

    fn bundle(source: &str) -> AppBundle {
        let endpoint = json!({"js_module": "a.js", "js_function": "f", "mode": "readonly",
            "forwarding_required": "never", "authn_policies": []});
        let bundle = json!({"metadata": {"endpoints": {"/x": {"get": endpoint}}},
            "modules": [{"name": "a.js", "module": source}]});
        AppBundle::from_json(&bundle.to_string(), "bundle.json").unwrap()
    }

    fn write(host: &Host, run: impl FnOnce(&mut affiant::Tx)) {
        let mut tx = host.runtime.node().begin();
        run(&mut tx);
        assert!(matches!(host.runtime.node().commit(tx), CommitOutcome::Sequenced(_)));
    }

    #[test]
    fn an_app_of_another_language_is_served_from_disk_and_tables() {
        let root = tempfile::tempdir().unwrap();
        let fake = Arc::new(Fake::default());
        let plan = plan(root.path(), Languages::hosting(fake.clone()));
        let app = plan.apps.load(Path::new("one.fake")).unwrap();
        let host = Host::start(plan, Some(app), &Signals::listen().unwrap()).unwrap();
        let get = || {
            let answer = host.runtime.call("GET", "/app/x", "", Peer::default()).unwrap();
            String::from_utf8(answer.body.to_vec()).unwrap()
        };
        assert_eq!((get().as_str(), host.language()), ("one.fake", Some("fake")));
        assert!(matches!(fake.asked()[..], [Asked::Load(..)]), "loaded once");

        // By a vote: what the tables hold, under the options that they hold.
        write(&host, |tx| Fake::bundle("two").store(tx).unwrap());
        assert_eq!((host.reload_application(), get().as_str()), (Ok(true), "two"));
        assert_eq!(fake.asked(), [Asked::OfBundle(RuntimeOptions::default())]);
        let options = json!({"max_execution_time_ms": 77});
        write(&host, |tx| put_single(tx, &RUNTIME_OPTIONS, &options).unwrap());
        host.replace(host.apps.load(Path::new("three.fake")).unwrap()).unwrap();
        assert_eq!(get(), "three.fake");
        let asked = fake.asked();
        let [Asked::Load(..), Asked::OfBundle(options)] = &asked[..] else { panic!("{asked:?}") };
        assert_eq!(options.max_execution_time_ms, 77);

        // And back to JavaScript.
        bundle("export function f() { return { body: 'js' }; }")
            .deploy(host.runtime.node())
            .unwrap();
        assert_eq!((host.reload_application(), get().as_str()), (Ok(true), "js"));
        assert_eq!((host.language(), fake.asked()), (Some("javascript"), Vec::new()));
        host.stop().unwrap();
    }

    #[test]
    fn a_python_app_without_an_interpreter_is_refused_and_the_one_before_served_on() {
        let root = tempfile::tempdir().unwrap();
        let plan = plan(root.path(), Languages::plain(&[]));
        let host = Host::start(plan, None, &Signals::listen().unwrap()).unwrap();
        let source = "export function f() { return { body: 'one' }; }";
        bundle(source).deploy(host.runtime.node()).unwrap();
        assert_eq!(host.reload_application(), Ok(true));

        let endpoint = json!({"py_module": "a.py", "py_function": "f", "mode": "readonly",
            "authn_policies": []});
        let python = json!({"metadata": {"endpoints": {"/x": {"get": endpoint}}},
            "modules": [{"name": "a.py", "module": "def f(request): return 'two'"}]});
        let python = AppBundle::from_json(&python.to_string(), "bundle.json").unwrap();
        python.deploy(host.runtime.node()).unwrap();
        let why = host.reload_application().unwrap_err().to_string();
        assert!(why.contains("python3 -m affiant`, or add --python"), "{why}");
        let answer = host.runtime.call("GET", "/app/x", "", Peer::default()).unwrap();
        assert_eq!((&answer.body[..], host.language()), (&b"one"[..], Some("javascript")));
        host.stop().unwrap();
    }

    #[test]
    fn what_the_tables_say_is_served() {
        let root = tempfile::tempdir().unwrap();
        let plan = plan(root.path(), Languages::plain(&[]));
        let host = Host::start(plan, None, &Signals::listen().unwrap()).unwrap();
        let get = || {
            let answer = host.runtime.call("GET", "/app/x", "", Peer::default()).unwrap();
            (answer.status, String::from_utf8(answer.body.to_vec()).unwrap())
        };
        assert_eq!(get().0, 404);
        assert_eq!(host.reload_application(), Ok(false));

        let source = "export function f() { return { body: 'one' }; }";
        bundle(source).deploy(host.runtime.node()).unwrap();
        assert_eq!(host.reload_application(), Ok(true));
        assert_eq!((get(), host.endpoints().len()), ((200, "one".to_owned()), 1));
        assert_eq!(host.reload_application(), Ok(false));
        let thrower = bundle("export function f() { throw 2; }");
        let app = host.apps.of_bundle(thrower, RuntimeOptions::default()).unwrap();
        host.replace(app).unwrap();
        assert_eq!(host.reload_application(), Ok(false), "it is served already");
        assert!(!get().1.contains("JSException"));

        let options = json!({"return_exception_details": true});
        write(&host, |tx| put_single(tx, &RUNTIME_OPTIONS, &options).unwrap());
        assert_eq!(host.reload_application(), Ok(true));
        assert!(get().1.contains("JSException"));

        write(&host, |tx| tx.put(&ENDPOINTS, b"GET /x", b"nonsense").unwrap());
        assert!(host.reload_application().unwrap_err().to_string().contains("GET /x"));
        assert_eq!((get().0, host.reload_application()), (500, Ok(false)));
        write(&host, |tx| {
            tx.clear(&ENDPOINTS);
            tx.clear(&MODULES);
        });
        assert_eq!((host.reload_application(), get().0), (Ok(true), 404));

        let hour = time::OffsetDateTime::now_utc() - time::Duration::hours(1);
        let valid_from = hour.format(&time::format_description::well_known::Rfc3339).unwrap();
        let renew = json!({"actions": [{"name": "set_all_nodes_certificate_validity",
            "args": {"valid_from": valid_from}}]});
        host.runtime.governance().unwrap().enact(&renew.to_string()).unwrap();
        assert_eq!(host.reload_application(), Ok(true));
        assert_eq!(host.reload_application(), Ok(false));
        host.stop().unwrap();
    }
}
