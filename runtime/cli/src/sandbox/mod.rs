//! `affiant sandbox`: a one-node service with an app, users and members, for development.
//!
//! The sandbox writes a node configuration as an operator would, and starts the node from that; what
//! it adds are the identities, the files where CCF's sandbox has them, and words about what to do.
//! Invariant: nothing of a previous sandbox is removed before the app is known to load and the
//! address to be free.

mod address;
mod announce;
mod constitution;
mod identities;
mod user_data;
mod watch;
mod workspace;

use std::net::TcpListener;
use std::time::Instant;

use affiant::config::Configuration;
use affiant::hosting::RuntimeOptions;
use affiant::node::{NewUser, StartMode};
use serde_json::{Value as Json, json};

use crate::app::{App, Apps};
use crate::args::SandboxArgs;
use crate::exit::{self, Failure};
use crate::host::{self, Host, Plan};
use crate::language::{Console, Languages, Manner, PYTHON};
use crate::output::{Output, count};
use crate::proposal::Proposal;
use crate::signals::Signals;
use address::NodeAddress;
use user_data::UserData;
use watch::Watch;
use workspace::{Workspace, write_whole};

pub(crate) use constitution::read_bounded;

const PUBLIC: u32 = 0o644;
/// Names the sandbox's interface in the configuration, as CCF's sandbox does.
const INTERFACE: &str = "primary_rpc_interface";
/// The constitution, among the node's own files.
const CONSTITUTION: &str = "constitution.js";

pub(crate) fn run(arguments: &SandboxArgs, languages: Languages) -> Result<u8, Failure> {
    let began = Instant::now();
    let failed = |message: String| Failure::new(exit::FAILURE, message);
    let address = address::parse_nodes(&arguments.node)
        .map_err(|message| Failure::new(exit::USAGE, message))?;
    let signals = Signals::listen().map_err(failed)?;
    host::init_log(arguments.verbose);
    let mut output = Output::new();
    for option in arguments.without_effect() {
        output.line(format!("Note: {option} has no effect here."));
    }
    if arguments.resume && arguments.user_data.is_some() {
        output.line("Note: --user-data has no effect on a service that is resumed.");
    }
    let workspace = Workspace::new(arguments.workspace.clone());
    let apps = Apps { languages, manner: manner(arguments, &workspace) };
    let watched = arguments.app.as_deref().filter(|_| arguments.watch);
    let mut watch = watched.map(|app| Watch::new(app, &apps.languages));
    prepare_others(arguments, &apps, &workspace).map_err(failed)?;
    let app = load_app(arguments, &apps).map_err(failed)?;
    note_unknown(app.as_ref(), &mut output);
    note_python_options(arguments, app.as_ref(), &mut output);
    let proposals: Result<_, _> = arguments.apply.iter().map(|path| Proposal::load(path)).collect();
    let proposals: Vec<Proposal> = proposals.map_err(failed)?;
    let (directory, files) = (arguments.constitution_dir.as_deref(), &*arguments.constitution);
    let constitution = constitution::assemble(directory, files).map_err(failed)?;
    if arguments.resume {
        workspace.check_resumable().map_err(failed)?;
    }
    require_free(&address).map_err(failed)?;
    let _held = workspace.hold().map_err(failed)?;
    let mut plan =
        prepare(arguments, &address, &workspace, apps.clone(), &constitution, &mut output)
            .map_err(failed)?;
    plan.redeploy = true;
    plan.proposals = proposals;
    let host =
        Host::start(plan, app, &signals).map_err(|error| failed(explained(&error, &address)))?;
    let endpoints = host.endpoints();
    let base = format!("https://{}", host.published(INTERFACE));
    announce_start(&mut output, arguments, &workspace, &host, &base, endpoints.len());
    let requests = announce::requests(&endpoints, &base, &workspace, arguments.http2);
    if !requests.is_empty() {
        output.line("Try, in another terminal:");
    }
    for line in requests {
        output.line(format!("  {line}"));
    }
    announce_end(&mut output, arguments, &workspace, &base, began);
    output.flush();
    let mut noted = None;
    note_language(&host, &workspace, &mut noted);
    let outcome = host.run_until(&signals, false, |host| {
        note_language(host, &workspace, &mut noted);
        if watch.as_mut().is_some_and(Watch::due) {
            reload(host, arguments, &apps, &mut output);
        }
    });
    output.line("");
    match outcome.and_then(|_| host.stop()) {
        Ok(()) => {
            output.line("Stopped. Continue with --resume; a start without it begins anew.");
            Ok(exit::SUCCESS)
        }
        Err(error) => Err(failed(error.to_string())),
    }
}

/// In a sandbox the author of the app sees what it says and how it fails.
fn manner(arguments: &SandboxArgs, workspace: &Workspace) -> Manner {
    let options = RuntimeOptions {
        log_exception_details: true,
        return_exception_details: true,
        ..RuntimeOptions::default()
    };
    let console = if arguments.verbose { Console::Log } else { Console::Plain };
    Manner {
        options,
        console,
        python: arguments.python.clone(),
        python_workers: arguments.python_workers.into(),
        packages: workspace.packages(),
    }
}

/// Sees to it that what is not loaded from `--app` can be run: the app of a proposal, or the one that
/// a previous sandbox left in the tables.
fn prepare_others(
    arguments: &SandboxArgs,
    apps: &Apps,
    workspace: &Workspace,
) -> Result<(), String> {
    for proposal in &arguments.apply {
        apps.languages.of_app(proposal)?.prepare(&apps.manner)?;
    }
    if arguments.app.is_some() {
        return Ok(());
    }
    let left = if arguments.resume { workspace.language() } else { None };
    match left {
        Some(language) => apps.prepare(&language),
        // Who names an interpreter expects an app for it.
        None if arguments.python.is_some() => apps.prepare(PYTHON),
        None => Ok(()),
    }
}

/// Notes for a later `--resume` in which language the app is. It is tried again if it cannot be noted.
fn note_language(host: &Host, workspace: &Workspace, noted: &mut Option<&'static str>) {
    let language = host.language();
    if language != *noted && workspace.set_language(language.unwrap_or_default()).is_ok() {
        *noted = language;
    }
}

/// In a sandbox an app that cannot work is a mistake to be told at once.
fn load_app(arguments: &SandboxArgs, apps: &Apps) -> Result<Option<App>, String> {
    let Some(path) = &arguments.app else { return Ok(None) };
    let app = apps.load(path)?;
    if app.warnings.is_empty() {
        return Ok(Some(app));
    }
    Err(format!("{} cannot run:\n  {}", path.display(), app.warnings.join("\n  ")))
}

/// Tells of properties that are perhaps misspelt.
fn note_unknown(app: Option<&App>, output: &mut Output) {
    for note in app.iter().flat_map(|app| app.bundle.unknown_properties()) {
        output.line(format!("Note: {note}."));
    }
}

/// Tells of options that only a Python app heeds.
fn note_python_options(arguments: &SandboxArgs, app: Option<&App>, output: &mut Output) {
    let Some(language) = app.map(|app| app.frontend.language()).filter(|l| *l != PYTHON) else {
        return;
    };
    let options = [
        ("--python", arguments.python.is_some()),
        ("--python-workers", arguments.python_workers > 0),
    ];
    for (name, _) in options.into_iter().filter(|(_, given)| *given) {
        output.line(format!("Note: {name} has no effect: the app is {language}."));
    }
}

/// Loads the app again and puts it in the place of the running one; if it has a fault, says so and
/// leaves the running one.
fn reload(host: &Host, arguments: &SandboxArgs, apps: &Apps, output: &mut Output) {
    let began = Instant::now();
    let Some(path) = arguments.app.as_ref().map(|path| path.display()) else { return };
    let replaced = load_app(arguments, apps).and_then(|app| {
        let Some(app) = app else { return Ok((None, String::new())) };
        note_unknown(Some(&app), output);
        let endpoints = count(app.endpoints().len() as u64, "endpoint", "endpoints");
        let txid = host.replace(app).map_err(|error| error.to_string())?;
        Ok((txid, endpoints))
    });
    output.line(match replaced {
        Ok((Some(txid), endpoints)) => format!(
            "Reloaded {path}: {endpoints}, transaction {txid}, {} ms.",
            began.elapsed().as_millis()
        ),
        Ok((None, _)) => format!("{path} is the app that is served already: nothing to reload."),
        Err(fault) => format!(
            "{fault}\nNot reloaded: the app from before is served on. Mend the file and save it; it \
             is then loaded again."
        ),
    });
    output.flush();
}

/// Before anything is removed: somebody may be using the address, perhaps another sandbox.
fn require_free(address: &NodeAddress) -> Result<(), String> {
    TcpListener::bind(address.bind).map(drop).map_err(|error| taken(address, &error.to_string()))
}

fn taken(address: &NodeAddress, why: &str) -> String {
    format!(
        "cannot listen on {}: {why}.\nStop what uses that port, or choose another: --node \
         local://127.0.0.1:8001, or --node local://127.0.0.1:0 for any free port.",
        address.bind
    )
}

fn explained(error: &affiant::RuntimeError, address: &NodeAddress) -> String {
    match error {
        affiant::RuntimeError::AddressUnavailable { reason, .. } => taken(address, reason),
        other => other.to_string(),
    }
}

/// Clears or keeps the workspace, makes identities where there are none, writes the configuration.
fn prepare(
    arguments: &SandboxArgs,
    address: &NodeAddress,
    workspace: &Workspace,
    apps: Apps,
    constitution: &str,
    output: &mut Output,
) -> Result<Plan, String> {
    let mut users = Vec::new();
    let mut members = Vec::new();
    if !arguments.resume {
        let data = UserData::read(arguments.user_data.as_deref())?;
        if workspace.start_fresh()? {
            output.line(format!(
                "Cleared the previous sandbox in {}.",
                arguments.workspace.display()
            ));
        }
        for number in 0..arguments.initial_member_count {
            let name = format!("member{number}");
            identities::member(workspace, &name)?;
            let file = |suffix: &str| workspace.common_file(&format!("{name}_{suffix}.pem"));
            members.push(json!({
                "certificate_file": file("cert"),
                "encryption_public_key_file": file("enc_pubk"),
            }));
        }
        for number in 0..arguments.initial_user_count.max(data.user_count()) {
            let certificate_pem = identities::user(workspace, &format!("user{number}"))?;
            users.push(NewUser { certificate_pem, user_data: data.of(number) });
        }
    }
    let configuration = configuration(arguments, address, workspace, members);
    let text = format!("{configuration:#}\n");
    let path = workspace.node().join(CONSTITUTION);
    write_whole(&path, constitution.as_bytes(), PUBLIC)?;
    write_whole(&workspace.node().join("0.config.json"), text.as_bytes(), PUBLIC)?;
    let configuration = Configuration::parse(&text).map_err(|error| error.to_string())?;
    let mut plan = Plan::new(configuration, apps);
    plan.users = users;
    plan.start = Some(if arguments.resume { StartMode::Resume } else { StartMode::New });
    Ok(plan)
}

/// The node's configuration, as CCF's sandbox would write it.
fn configuration(
    arguments: &SandboxArgs,
    address: &NodeAddress,
    workspace: &Workspace,
    members: Vec<Json>,
) -> Json {
    let node = workspace.node();
    let host = address.bind.ip();
    let mut ledger = json!({ "directory": workspace.ledger() });
    if let Some(size) = &arguments.ledger_chunk_bytes {
        ledger["chunk_size"] = json!(size);
    }
    let mut signatures = json!({});
    if let Some(count) = arguments.sig_tx_interval {
        signatures["tx_count"] = json!(count);
    }
    if let Some(milliseconds) = arguments.sig_ms_interval {
        signatures["delay"] = json!(format!("{milliseconds}ms"));
    }
    json!({
        "network": {
            "node_to_node_interface": { "bind_address": format!("{}:0", bracketed(host)) },
            "rpc_interfaces": { INTERFACE: {
                "bind_address": address.bind.to_string(),
                "published_address": address.published.clone().unwrap_or_default(),
                "app_protocol": if arguments.http2 { "HTTP2" } else { "HTTP1" },
            }},
        },
        "node_certificate": {
            "subject_alt_names": alternative_names(address),
            "initial_validity_days": 365,
        },
        "command": {
            "type": "Start",
            "service_certificate_file": workspace.common_file("service_cert.pem"),
            "start": {
                "members": members,
                "constitution_files": [node.join(CONSTITUTION)],
                "service_configuration": { "recovery_threshold": 0 },
                "initial_service_certificate_validity_days": 365,
                "service_subject_name": "CN=Affiant Sandbox Service",
            },
        },
        "ledger": ledger,
        "ledger_signatures": signatures,
        "output_files": {
            "node_certificate_file": node.join("0.pem"),
            "pid_file": node.join("node.pid"),
            "node_to_node_address_file": node.join("0.node_address"),
            "rpc_addresses_file": node.join("0.rpc_addresses"),
        },
        "affiant": { "open_service": true },
    })
}

fn bracketed(host: std::net::IpAddr) -> String {
    if host.is_ipv6() { format!("[{host}]") } else { host.to_string() }
}

/// Names by which clients on this machine, and through the published address, may call the node.
fn alternative_names(address: &NodeAddress) -> Vec<String> {
    let host = address.bind.ip();
    let mut names = vec!["iPAddress:127.0.0.1".to_owned(), "dNSName:localhost".to_owned()];
    if !host.is_unspecified() && host.to_string() != "127.0.0.1" {
        names.push(format!("iPAddress:{host}"));
    }
    if let Some((published, _)) = address.published.as_deref().and_then(|p| p.rsplit_once(':')) {
        let kind =
            if published.parse::<std::net::IpAddr>().is_ok() { "iPAddress" } else { "dNSName" };
        names.push(format!("{kind}:{published}"));
    }
    names.dedup();
    names
}

fn announce_start(
    output: &mut Output,
    arguments: &SandboxArgs,
    workspace: &Workspace,
    host: &Host,
    base: &str,
    endpoints: usize,
) {
    let state = if arguments.resume { "continues" } else { "is open" };
    let app = arguments.app.as_ref().map(|path| format!("app {}, ", path.display()));
    output.line(format!(
        "The service {state}: {}{}.",
        app.unwrap_or_default(),
        count(endpoints as u64, "endpoint", "endpoints")
    ));
    if !arguments.apply.is_empty() {
        let applied = arguments.apply.len() as u64;
        output.line(format!("  Applied    {}", count(applied, "proposal", "proposals")));
    }
    output.line(format!("  Node [0] = {base}"));
    output.line(format!("  Node id    {}", host.node_id()));
    output.line(format!("  Identities {}", workspace.common().display()));
    output.line(format!("  Ledger     {}", workspace.ledger().display()));
    output.line("");
}

fn announce_end(
    output: &mut Output,
    arguments: &SandboxArgs,
    workspace: &Workspace,
    base: &str,
    began: Instant,
) {
    let curl = announce::curl(workspace, arguments.http2);
    let service = workspace.common_file("service_cert.pem").display().to_string();
    output
        .line("Answers that wrote something carry x-ms-ccf-transaction-id. Its receipt, checked:");
    output.line(format!(
        "  {curl} {} > receipt.json",
        announce::quoted(&format!("{base}/app/receipt?transaction_id=ID"))
    ));
    output.line(format!(
        "  affiant receipt verify receipt.json --service-cert {}",
        announce::quoted(&service)
    ));
    output
        .line("(-H 'x-affiant-respond: receipt' on a request brings the receipt with the answer.)");
    output.line("Everything the service did, checked:");
    output.line(format!(
        "  affiant ledger verify {}",
        announce::quoted(&workspace.ledger().display().to_string())
    ));
    output.line("");
    output.line(format!("Ready after {} ms. Press Ctrl+C to stop.", began.elapsed().as_millis()));
    if let Some(app) = arguments.app.as_ref().filter(|_| arguments.watch) {
        output.line(format!("Changes of {} are served as they are saved.", app.display()));
    }
    if !arguments.verbose {
        output.line("(--verbose shows the node's log.)");
    }
}
