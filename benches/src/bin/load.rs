//! `affiant-load`: starts a release node as a process of its own, drives it over TLS and compares its
//! figures with CCF's and with the targets of the design.
//!
//! Node CPU per request is the node process's alone, from `/proc/<pid>/stat`.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use affiant_bench::load::{Footprint, Programs, Row, SCENARIOS, Scenario, footprint, run_scenario};
use affiant_bench::node::{NodeArguments, serve};
use clap::{Parser, Subcommand};
use serde_json::json;

/// Name of the measurement of memory, ledger size and restart.
const FOOTPRINT: &str = "footprint";

/// Measures a whole node under load. Run it on a quiet machine.
#[derive(Parser)]
#[command(name = "affiant-load")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Scenarios to run; all, if none is named.
    #[arg(long, value_delimiter = ',')]
    scenario: Vec<String>,
    /// Length of each measurement, in seconds, after a warm-up of one.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// Size of the ledger on which restart is timed, in MiB.
    #[arg(long, default_value_t = 256)]
    ledger_mib: u64,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// List the scenarios.
    #[arg(long)]
    list: bool,
    /// The JavaScript bundle.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/app"))]
    app: PathBuf,
    /// An interpreter that has the wheel, for the scenarios in Python; without it these are left out,
    /// unless they are named.
    #[arg(long)]
    python: Option<PathBuf>,
    /// The directory of the Python app.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/python"))]
    python_app: PathBuf,
}

#[derive(Subcommand)]
enum Command {
    /// The node under test (started by this program itself).
    #[command(hide = true)]
    Node(NodeArguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match &arguments.command {
        Some(Command::Node(arguments)) => serve(arguments).map_err(|error| error.to_string()),
        None => run(&arguments).map_err(|error| error.to_string()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("affiant-load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> io::Result<()> {
    if arguments.list {
        SCENARIOS.iter().for_each(|scenario| println!("{}", scenario.name));
        println!("{FOOTPRINT}");
        return Ok(());
    }
    let all = arguments.scenario.is_empty();
    let mut scenarios: Vec<&Scenario> = Vec::new();
    for name in &arguments.scenario {
        match Scenario::find(name) {
            Some(scenario) => scenarios.push(scenario),
            None if name == FOOTPRINT => {}
            None => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!("no scenario is called {name:?}; --list shows them"),
                ));
            }
        }
    }
    if all {
        let possible = |scenario: &&Scenario| {
            arguments.python.is_some() || scenario.language.python_workers().is_none()
        };
        scenarios.extend(SCENARIOS.iter().filter(possible));
    }
    let programs = Programs {
        own: std::env::current_exe()?,
        app: arguments.app.clone(),
        python: arguments.python.clone(),
        python_app: arguments.python_app.clone(),
    };
    let load = load_average();
    if !arguments.json {
        println!("load average before the run: {load}");
        if !scenarios.is_empty() {
            print_head();
        }
    }
    let mut rows = Vec::new();
    for scenario in scenarios {
        let row = run_scenario(scenario, &programs, arguments.seconds)?;
        if !arguments.json {
            print_row(&row);
        }
        rows.push(row);
    }
    let wanted = all || arguments.scenario.iter().any(|name| name == FOOTPRINT);
    let footprint = wanted.then(|| footprint(&programs.own, arguments.ledger_mib)).transpose()?;
    if arguments.json {
        let report = json!({"load_average": load, "rows": rows, "footprint": footprint});
        println!("{report:#}");
    } else if let Some(footprint) = footprint {
        print_footprint(&footprint);
    }
    Ok(())
}

fn load_average() -> String {
    std::fs::read_to_string(Path::new("/proc/loadavg"))
        .ok()
        .and_then(|text| text.split(' ').next().map(str::to_owned))
        .unwrap_or_else(|| "unknown".to_owned())
}

fn print_head() {
    println!(
        "{:<19} {:>9} {:>8} {:>8} {:>8} {:>8} {:>6}  {:<19} {:<25} verdict",
        "scenario", "req/s", "CPU us", "p50 ms", "p99 ms", "refused", "MiB", "CCF", "target"
    );
}

fn print_row(row: &Row) {
    let ccf = match (row.ccf_requests_per_s, row.ccf_cpu_us, row.ccf_p50_ms) {
        (Some(rate), Some(cpu), _) => format!("{rate:.0}/s, {cpu:.0} us"),
        (_, _, Some(p50)) => format!("p50 {p50} ms"),
        _ => String::new(),
    };
    let verdict = if row.of_target <= 1.0 {
        format!("met ({:.2} of it)", row.of_target)
    } else {
        format!("MISSED by {:.0} %", (row.of_target - 1.0) * 100.0)
    };
    println!(
        "{:<19} {:>9.0} {:>8.1} {:>8.3} {:>8.3} {:>8} {:>6.0}  {:<19} {:<25} {verdict}",
        row.scenario,
        row.requests_per_s,
        row.cpu_us,
        row.p50_ms,
        row.p99_ms,
        row.refused,
        row.peak_mib,
        ccf,
        row.target,
    );
}

fn print_footprint(footprint: &Footprint) {
    println!(
        "{} records: {:.0} bytes of ledger and {:.0} bytes of memory per record",
        footprint.records, footprint.ledger_bytes_per_record, footprint.memory_bytes_per_record
    );
    println!(
        "restart after kill -9 on a ledger of {:.0} MiB: {:.2} s, {:.2} s per GiB",
        footprint.ledger_mib, footprint.restart_s, footprint.restart_s_per_gib
    );
}
