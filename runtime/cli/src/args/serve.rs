//! What runs: `affiant sandbox` and `affiant node`.
//!
//! Invariant: options that CCF's scripts pass are either honoured or named in
//! [`SandboxArgs::without_effect`], so that nothing is dropped silently.

use std::path::PathBuf;

use affiant::limits::PYTHON_WORKERS_MAX;
use clap::{ArgAction, Args};

const SANDBOX_HELP: &str = "\
The sandbox makes the certificates of users and members, starts a fresh service of one node, deploys
the app, opens the service, applies proposals and prints requests to try. The app is one of:

  a directory with app.json and src/      JavaScript, or Python (py_module, py_function)
  a directory with pyproject.toml         Python, if it has a table [tool.affiant]
  app.py, or app.py:ATTRIBUTE             Python: handlers, or a web app; a directory with app.py too
  a bundle                                bundle.json, app.affiant
  a proposal                              with set_js_app or set_python_app

A Python app runs in an interpreter that has the package affiant (pip install affiant). Files lie where
CCF's sandbox puts them:

  WORKSPACE/sandbox_common/   service_cert.pem, user0_cert.pem, user0_privk.pem, member0_cert.pem,
                              member0_privk.pem, member0_enc_pubk.pem, member0_enc_privk.pem, ...
  WORKSPACE/sandbox_0/        0.ledger (the ledger), constitution.js, 0.pem, 0.rpc_addresses, node.pid

Every start removes what the previous sandbox left in these two directories, and nothing else;
--resume continues the previous service instead. Certificates and keys of users and members that lie in
sandbox_common are used, not replaced, whoever made them.

A proposal is CCF's: {\"actions\": [{\"name\": \"set_user\", \"args\": {\"cert\": \"...\"}}]}. Each --apply is
validated and applied at start, in order, in a transaction of its own, by the constitution in force; one
that fails stops the start. A proposal with an app may take the place of --app.

--constitution-dir takes actions.js, validate.js, resolve.js and apply.js from DIR; where one is
missing, the built-in one stays, and other *.js files follow actions.js.

Examples:
  affiant sandbox --app examples/logging
  affiant sandbox --app dist --node local://127.0.0.1:8443 --initial-user-count 2
  affiant sandbox --app examples/logging --resume
  affiant sandbox --app . --watch
  affiant sandbox --app app.py --python venv/bin/python3
  affiant sandbox --app examples/logging --node local://127.0.0.1:0     any free port
  affiant sandbox --apply set_js_app.json --apply set_user.json

Exit codes: 0 stopped by Ctrl-C or SIGTERM, 1 could not start or had to stop, 2 wrong usage.";

/// `affiant sandbox`.
#[derive(Debug, Args)]
#[command(after_help = SANDBOX_HELP)]
pub(crate) struct SandboxArgs {
    /// The app: a directory, a bundle, a proposal with one, or app.py[:ATTRIBUTE]
    #[arg(
        long,
        alias = "js-app-bundle",
        value_name = "DIR",
        required_unless_present_any = ["apply", "resume"]
    )]
    pub(crate) app: Option<PathBuf>,
    /// Apply this proposal when the service has started; may be repeated
    #[arg(long, value_name = "FILE", action = ArgAction::Append)]
    pub(crate) apply: Vec<PathBuf>,
    /// The constitution of a new service: a directory with actions.js, resolve.js, ...
    #[arg(long, value_name = "DIR", conflicts_with = "constitution")]
    pub(crate) constitution_dir: Option<PathBuf>,
    /// The constitution of a new service: this file, and all others so given, in order
    #[arg(long, value_name = "FILE", action = ArgAction::Append)]
    pub(crate) constitution: Vec<PathBuf>,
    /// Where to listen: local://HOST:PORT, port 0 for any free port [default: local://127.0.0.1:8000]
    #[arg(short, long, value_name = "URL", action = ArgAction::Append)]
    pub(crate) node: Vec<String>,
    /// Serve changes of the app's files as they are saved
    #[arg(long, requires = "app")]
    pub(crate) watch: bool,
    /// The Python interpreter for a Python app [default: that of $VIRTUAL_ENV, else python3]
    #[arg(long, value_name = "PATH")]
    pub(crate) python: Option<PathBuf>,
    /// Run Python handlers in N worker processes; 0: in this one
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = workers())]
    pub(crate) python_workers: u16,
    /// Users to make: user0, user1, ...
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) initial_user_count: u16,
    /// What the service knows about users, as JSON: {"user0": {"role": "clerk"}, "user1": ...}
    #[arg(long, value_name = "FILE")]
    pub(crate) user_data: Option<PathBuf>,
    /// Members to make: member0, member1, ...
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) initial_member_count: u16,
    /// Speak HTTP/2 instead of HTTP/1.1
    #[arg(long)]
    pub(crate) http2: bool,
    /// Show the node's log
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// Where the sandbox keeps its files
    #[arg(long, value_name = "DIR", default_value = "workspace")]
    pub(crate) workspace: PathBuf,
    /// Continue the service that the previous sandbox left in the workspace
    #[arg(long)]
    pub(crate) resume: bool,
    /// Sign after this many transactions
    #[arg(long, value_name = "N")]
    pub(crate) sig_tx_interval: Option<u64>,
    /// Sign at the latest after this many milliseconds
    #[arg(long, value_name = "MS")]
    pub(crate) sig_ms_interval: Option<u64>,
    /// Size at which a ledger chunk ends, such as 5MB
    #[arg(long, value_name = "SIZE")]
    pub(crate) ledger_chunk_bytes: Option<String>,
    #[command(flatten)]
    pub(crate) ignored: IgnoredArgs,
}

fn workers() -> clap::builder::RangedI64ValueParser<u16> {
    clap::value_parser!(u16).range(0..=i64::from(PYTHON_WORKERS_MAX))
}

/// Options of CCF's sandbox that mean nothing here; taken so that scripts run unmodified.
#[derive(Debug, Args)]
pub(crate) struct IgnoredArgs {
    #[arg(short, long, hide = true)]
    package: Option<String>,
    #[arg(short, long, hide = true)]
    enclave_type: Option<String>,
    #[arg(short = 't', long, hide = true)]
    enclave_platform: Option<String>,
    #[arg(short, long, hide = true)]
    binary_dir: Option<PathBuf>,
    #[arg(long, hide = true)]
    library_dir: Option<PathBuf>,
    #[arg(long, hide = true)]
    snapshot_tx_interval: Option<u64>,
    #[arg(long, hide = true)]
    label: Option<String>,
}

impl SandboxArgs {
    /// Options given that have no effect, for a warning.
    pub(crate) fn without_effect(&self) -> Vec<&'static str> {
        let ignored = &self.ignored;
        [
            ("--constitution-dir", self.resume && self.constitution_dir.is_some()),
            ("--constitution", self.resume && !self.constitution.is_empty()),
            ("--package", ignored.package.is_some()),
            ("--enclave-type", ignored.enclave_type.is_some()),
            ("--enclave-platform", ignored.enclave_platform.is_some()),
            ("--binary-dir", ignored.binary_dir.is_some()),
            ("--library-dir", ignored.library_dir.is_some()),
            ("--snapshot-tx-interval", ignored.snapshot_tx_interval.is_some()),
            ("--label", ignored.label.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, given)| given.then_some(name))
        .collect()
    }
}

const NODE_HELP: &str = "\
FILE is CCF's node configuration (JSON). A launcher written for CCF may start this binary unchanged:
`affiant --config FILE` means `affiant node --config FILE`. The log goes to standard output.

Beyond CCF, the configuration may hold an object \"affiant\":
  \"app_directory\"      an app to deploy when the service is new, as --app
  \"open_service\"       true: a new service opens at once, without a vote of its members (--open)
  \"resume_if_present\"  true: continue the service in the ledger directory if there is one
  \"python\"             the interpreter for a Python app, as --python
  \"python_workers\"     worker processes for Python handlers; 0, the default: none
  \"packages_directory\" where the packages of Python apps lie; the default is beside the ledger
  \"state_directory\"    the node's own records, beside the ledger directory
  \"sealing\"            what seals the node's keys at rest: {\"kind\": \"insecure-file\", \"key_file\"}
and command.type may be \"Resume\", as --resume.

Examples:
  affiant node --config node.json --check
  affiant node --config node.json --app dist --open
  affiant node --config node.json --resume
  affiant node --config /mnt/config/node.json --config-timeout 30s --log-level fail

Exit codes: 0 stopped by SIGTERM or SIGHUP, 103 the PID file exists, 105 the configuration cannot be
used as it stands, 106 --config is missing, 255 a file the configuration names cannot be read, 1 the
node had to stop.";

/// `affiant node`.
#[derive(Debug, Args)]
#[command(after_help = NODE_HELP)]
pub(crate) struct NodeArgs {
    /// CCF's node configuration
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// trace, debug, info, fail or fatal; or 0 to 4
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub(crate) log_level: String,
    /// How long the configuration may be missing or half written, such as 10s or 500ms
    #[arg(long, value_name = "TIME", default_value = "0s")]
    pub(crate) config_timeout: String,
    /// Check the configuration and exit; nothing is written or started
    #[arg(long)]
    pub(crate) check: bool,
    /// Deploy this app when the service is new: as `affiant sandbox --app`
    #[arg(long, value_name = "DIR")]
    pub(crate) app: Option<PathBuf>,
    /// The Python interpreter for a Python app [default: that of $VIRTUAL_ENV, else python3]
    #[arg(long, value_name = "PATH")]
    pub(crate) python: Option<PathBuf>,
    /// Open a new service at once, without a vote of its members
    #[arg(long)]
    pub(crate) open: bool,
    /// Continue the service in the ledger directory
    #[arg(long)]
    pub(crate) resume: bool,
    /// Print the version and the platform
    #[arg(long)]
    pub(crate) version: bool,
}
