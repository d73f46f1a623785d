//! `affiant node`: a node as CCF's operators and launchers start it.
//!
//! Invariants: a healthy node writes nothing to standard error; the last record of the log says why
//! a node ended; exit codes are CCF's.

mod waiting;

use std::path::{Path, PathBuf};
use std::time::Duration;

use affiant::config::Configuration;
use affiant::hosting::RuntimeOptions;
use affiant::log::{self, Level};
use affiant::node::StartMode;
use affiant::{RuntimeError, log_fail, log_fatal};

use crate::app::{App, Apps};
use crate::args::NodeArgs;
use crate::exit::{self, Failure};
use crate::host::{Host, Plan};
use crate::language::{Console, Languages, Manner, PYTHON};
use crate::output::Output;
use crate::signals::Signals;
use waiting::{parse_time, read_config};

pub(crate) fn run(arguments: &NodeArgs, languages: Languages) -> Result<u8, Failure> {
    if arguments.version {
        Output::new().line(crate::version());
        return Ok(exit::SUCCESS);
    }
    let level = Level::parse(&arguments.log_level).ok_or_else(|| {
        Failure::new(
            exit::CONFIGURATION,
            format!(
                "--log-level {}: must be trace, debug, info, fail or fatal, or 0 to 4",
                arguments.log_level
            ),
        )
    })?;
    let timeout = parse_time(&arguments.config_timeout).ok_or_else(|| {
        Failure::new(
            exit::CONFIGURATION,
            format!(
                "--config-timeout {}: must be a time such as 10s or 500ms",
                arguments.config_timeout
            ),
        )
    })?;
    let Some(config) = &arguments.config else {
        let message = "--config is required: CCF's node configuration, a JSON file";
        return Err(Failure::new(exit::ARGUMENT_MISSING, message));
    };
    let signals = Signals::listen().map_err(|message| Failure::new(exit::FAILURE, message))?;
    let plan = plan(arguments, languages, config, timeout)?;
    if arguments.check {
        plan.configuration.check().map_err(|error| failure(&error))?;
        load_app(arguments, &plan)?;
        return Ok(exit::SUCCESS);
    }
    log::init(plan.configuration.log_level.unwrap_or(level), plan.configuration.log_format);
    // From here on the log is where an operator looks.
    serve(arguments, plan, &signals)
        .inspect_err(|failure| log_fatal!("node", "{}", failure.message))
}

fn plan(
    arguments: &NodeArgs,
    languages: Languages,
    config: &Path,
    timeout: Duration,
) -> Result<Plan, Failure> {
    let text = read_config(config, timeout)
        .map_err(|why| Failure::new(exit::CONFIGURATION, format!("--config {why}")))?;
    let configuration = Configuration::parse(&text).map_err(|error| {
        let Failure { code, message } = failure(&error);
        Failure::new(code, format!("{}: {message}", config.display()))
    })?;
    let python = configuration.python.as_ref().map(PathBuf::from);
    let manner = Manner {
        options: RuntimeOptions::default(),
        console: Console::Log,
        python: arguments.python.clone().or(python),
        python_workers: configuration.python_workers,
        packages: configuration.packages_directory.clone().into(),
    };
    let mut plan = Plan::new(configuration, Apps { languages, manner });
    plan.open = arguments.open;
    if arguments.resume {
        plan.start = Some(StartMode::Resume);
    }
    Ok(plan)
}

fn serve(arguments: &NodeArgs, plan: Plan, signals: &Signals) -> Result<u8, Failure> {
    let ignore_first_sigterm = plan.configuration.ignore_first_sigterm;
    let app = load_app(arguments, &plan)?;
    let host = Host::start(plan, app, signals).map_err(|error| failure(&error))?;
    host.run_until(signals, ignore_first_sigterm, |_| ()).map_err(|error| failure(&error))?;
    host.stop().map_err(|error| failure(&error))?;
    Ok(exit::SUCCESS)
}

/// The app of the command line, or of the configuration.
fn load_app(arguments: &NodeArgs, plan: &Plan) -> Result<Option<App>, Failure> {
    let configured = plan.configuration.app_directory.as_ref().map(PathBuf::from);
    let failed = |message| Failure::new(exit::CONFIGURATION, message);
    let Some(path) = arguments.app.clone().or(configured) else {
        // Who names an interpreter expects an app for it in the tables.
        if plan.apps.manner.python.is_some() {
            plan.apps.prepare(PYTHON).map_err(failed)?;
        }
        return Ok(None);
    };
    let app = plan.apps.load(&path).map_err(failed)?;
    for warning in &app.warnings {
        log_fail!("app", "{warning}");
    }
    Ok(Some(app))
}

fn failure(error: &RuntimeError) -> Failure {
    let code = match error {
        RuntimeError::PidFileExists { .. } => exit::PID_FILE_EXISTS,
        RuntimeError::FileUnreadable { .. } => exit::FILE_UNREADABLE,
        RuntimeError::ConfigInvalid { .. }
        | RuntimeError::LedgerNotEmpty { .. }
        | RuntimeError::NothingToResume { .. }
        | RuntimeError::InUse { .. }
        | RuntimeError::RecoveryThreshold { .. }
        | RuntimeError::Unsupported { .. } => exit::CONFIGURATION,
        _ => exit::FAILURE,
    };
    Failure::new(code, error.to_string())
}
