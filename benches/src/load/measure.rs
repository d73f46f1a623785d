//! Measuring one scenario: a node of its own, a warm-up, a window in which requests, node CPU and
//! response times are counted.

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use serde::Serialize;

use super::scenario::{Language, Operation, Scenario, Target};
use super::{Plan, Protocol, Tally};
use crate::identity::Identity;
use crate::node::{NodeArguments, SERVICE_CERTIFICATE, USER_CERTIFICATE, USER_KEY};
use crate::process::{NodeProcess, Usage};

const READY_PATIENCE: Duration = Duration::from_secs(600);
const WARM_UP: Duration = Duration::from_secs(1);
/// Different records that reads and writes name.
const RECORDS: u64 = 100_000;
/// Syncs that are timed to know the disk.
const SYNC_PROBES: usize = 200;

/// What runs the node under test.
#[derive(Clone, Debug)]
pub enum Program {
    /// This program again, with an app in Rust or JavaScript.
    Own {
        /// This program.
        path: PathBuf,
        /// The JavaScript bundle, if it is to be served.
        app: Option<PathBuf>,
    },
    /// An interpreter that has the wheel.
    Python {
        /// The interpreter.
        path: PathBuf,
        /// The directory with node.py and app.py.
        directory: PathBuf,
        /// Worker processes.
        workers: usize,
        /// What its listener speaks.
        protocol: Protocol,
    },
}

/// A node under load, with what its clients need.
pub struct Bench {
    node: NodeArguments,
    identity: Identity,
    program: Program,
    process: NodeProcess,
    address: SocketAddr,
    /// How long the node took from launch to ready.
    pub start_took: Duration,
}

impl Program {
    fn start(&self, node: &NodeArguments) -> io::Result<NodeProcess> {
        match self {
            Self::Own { path, .. } => NodeProcess::start(path, &node.to_command_line(), None),
            Self::Python { path, directory, workers, protocol } => {
                let mut line = vec![
                    "-I".to_owned(),
                    directory.join("node.py").display().to_string(),
                    node.data.display().to_string(),
                    directory.join("app.py").display().to_string(),
                    format!("--python-workers={workers}"),
                    format!("--sig-ms-interval={}", node.signature_delay_ms),
                ];
                if *protocol == Protocol::Http2 {
                    line.push("--http2".to_owned());
                }
                NodeProcess::start(path, &line, None)
            }
        }
    }
}

impl Bench {
    /// Starts a node on an empty directory.
    ///
    /// # Errors
    /// As the system says, or the node does not start.
    pub fn start(directory: &Path, program: Program) -> io::Result<Self> {
        let app = match &program {
            Program::Own { app, .. } => app.clone(),
            Program::Python { .. } => None,
        };
        let node = NodeArguments {
            data: directory.to_owned(),
            app,
            chunk_bytes: 5_000_000,
            signature_delay_ms: 100,
            http_threads: 2,
            uncommitted_count_max: 100_000,
        };
        let generated = match &program {
            Program::Own { .. } => {
                let identity = Identity::generate("user0")?;
                fs::write(directory.join(USER_CERTIFICATE), &identity.certificate_pem)?;
                Some(identity)
            }
            Program::Python { .. } => None,
        };
        let process = program.start(&node)?;
        let (address, start_took) = process.ready(READY_PATIENCE)?;
        let address = address.parse().map_err(io::Error::other)?;
        let identity = match generated {
            Some(identity) => identity,
            None => Identity::read(&directory.join(USER_CERTIFICATE), &directory.join(USER_KEY))?,
        };
        Ok(Self { node, identity, program, process, address, start_took })
    }

    /// Kills the node and starts it again on its data.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn restart(&mut self) -> io::Result<()> {
        self.process.kill()?;
        self.process = self.program.start(&self.node)?;
        let (address, start_took) = self.process.ready(READY_PATIENCE)?;
        self.address = address.parse().map_err(io::Error::other)?;
        self.start_took = start_took;
        Ok(())
    }

    /// What the node's process has used.
    ///
    /// # Errors
    /// It has ended.
    pub fn usage(&self) -> io::Result<Usage> {
        self.process.usage()
    }

    /// Bytes in the ledger directory.
    ///
    /// # Errors
    /// As the system says.
    pub fn ledger_bytes(&self) -> io::Result<u64> {
        let mut bytes = 0;
        for file in fs::read_dir(self.node.data.join("node").join("ledger"))? {
            bytes += file?.metadata()?.len();
        }
        Ok(bytes)
    }

    fn tls(&self, protocol: Protocol) -> io::Result<Arc<ClientConfig>> {
        let certificate = fs::read_to_string(self.node.data.join(SERVICE_CERTIFICATE))?;
        self.identity.client(&certificate, protocol.alpn())
    }

    /// Writes records `0..records` once, as fast as they go, or until `deadline`; returns how many
    /// were answered.
    ///
    /// # Errors
    /// A connection broke, or a write was refused for another reason than too many pending.
    pub fn fill(&self, scenario: &Scenario, records: u64) -> io::Result<u64> {
        const CONNECTIONS: usize = 10;
        let now = Instant::now();
        let plan = Plan {
            address: self.address,
            tls: self.tls(scenario.protocol)?,
            template: scenario.template(Operation::Write),
            records,
            in_flight: 50,
            per_connection_max: Some(records / CONNECTIONS as u64),
            from: now,
            until: now + Duration::from_secs(3_600),
        };
        let tally = super::run(plan, scenario.protocol, CONNECTIONS)?;
        if tally.refused > 0 && tally.refused_status != 503 {
            return Err(io::Error::other(format!("a write was refused: {}", tally.refused_status)));
        }
        Ok(tally.answered)
    }

    /// Runs the scenario's load and measures it.
    ///
    /// # Errors
    /// A connection broke or the node ended.
    pub fn measure(&self, scenario: &Scenario, seconds: u64) -> io::Result<(Tally, Duration)> {
        let from = Instant::now() + WARM_UP;
        let until = from + Duration::from_secs(seconds);
        let plan = Plan {
            address: self.address,
            tls: self.tls(scenario.protocol)?,
            template: scenario.template(scenario.operation),
            records: RECORDS,
            in_flight: scenario.in_flight,
            per_connection_max: None,
            from,
            until,
        };
        let id = self.process.id();
        std::thread::scope(|scope| {
            let sampler = scope.spawn(move || {
                std::thread::sleep(from.saturating_duration_since(Instant::now()));
                let before = crate::process::usage_of(id)?;
                std::thread::sleep(until.saturating_duration_since(Instant::now()));
                let after = crate::process::usage_of(id)?;
                Ok::<_, io::Error>(after.cpu - before.cpu)
            });
            let tally = super::run(plan, scenario.protocol, scenario.connections)?;
            let cpu = sampler.join().map_err(|_| io::Error::other("the sampler panicked"))??;
            Ok((tally, cpu))
        })
    }
}

/// Everything that can run a node.
#[derive(Clone, Debug)]
pub struct Programs {
    /// This program.
    pub own: PathBuf,
    /// The JavaScript bundle.
    pub app: PathBuf,
    /// An interpreter that has the wheel, if there is one.
    pub python: Option<PathBuf>,
    /// The directory with node.py and app.py.
    pub python_app: PathBuf,
}

impl Programs {
    fn of(&self, scenario: &Scenario) -> io::Result<Program> {
        let Scenario { language, protocol, .. } = *scenario;
        let own = |app: Option<PathBuf>| Program::Own { path: self.own.clone(), app };
        let Some(workers) = language.python_workers() else {
            return Ok(own((language != Language::Native).then(|| self.app.clone())));
        };
        let Some(path) = self.python.clone() else {
            return Err(io::Error::other(
                "no interpreter with the wheel: name one with --python (make wheel, then pip install)",
            ));
        };
        let directory = self.python_app.clone();
        Ok(Program::Python { path, directory, workers, protocol })
    }
}

/// One row of the report.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The scenario.
    pub scenario: &'static str,
    /// Requests answered per second.
    pub requests_per_s: f64,
    /// Node CPU per request, in microseconds.
    pub cpu_us: f64,
    /// Median response time, in milliseconds.
    pub p50_ms: f64,
    /// 99th percentile of the response time, in milliseconds.
    pub p99_ms: f64,
    /// Requests answered with another status than 200.
    pub refused: u64,
    /// The node's resident memory at its highest, in MiB.
    pub peak_mib: f64,
    /// CCF's requests per second.
    pub ccf_requests_per_s: Option<f64>,
    /// CCF's node CPU per request, in microseconds.
    pub ccf_cpu_us: Option<f64>,
    /// CCF's median response time, in milliseconds.
    pub ccf_p50_ms: Option<f64>,
    /// What the target is, in words.
    pub target: String,
    /// Our figure divided by the target: at most 1 where it is met.
    pub of_target: f64,
}

/// Runs one scenario on a node of its own.
///
/// # Errors
/// As the system says, or the node misbehaves.
pub fn run_scenario(scenario: &Scenario, programs: &Programs, seconds: u64) -> io::Result<Row> {
    let directory = tempfile::Builder::new().prefix("affiant-load-").tempdir()?;
    let bench = Bench::start(directory.path(), programs.of(scenario)?)?;
    if scenario.operation == Operation::Read {
        bench.fill(scenario, RECORDS)?;
    }
    let sync = median_sync(directory.path())?;
    let (tally, cpu) = bench.measure(scenario, seconds)?;
    if tally.answered == 0 {
        return Err(io::Error::other(format!(
            "{}: no request succeeded; {} were refused, the last with {}",
            scenario.name, tally.refused, tally.refused_status
        )));
    }
    let milliseconds = |duration: Duration| duration.as_secs_f64() * 1_000.0;
    let cpu_us = cpu.as_secs_f64() * 1e6 / tally.answered as f64;
    let p50_ms = milliseconds(tally.times.percentile(50.0));
    let (target, of_target) = match scenario.target {
        Target::CpuUs(us) => (format!("<= {us} us"), cpu_us / us),
        Target::MedianMs(ms) => (format!("p50 <= {ms} ms"), p50_ms / ms),
        Target::SyncPlusMs(ms) => {
            let allowed = milliseconds(sync) + ms;
            (format!("p50 <= sync {:.2} + {ms} ms", milliseconds(sync)), p50_ms / allowed)
        }
    };
    Ok(Row {
        scenario: scenario.name,
        requests_per_s: tally.answered as f64 / seconds as f64,
        cpu_us,
        p50_ms,
        p99_ms: milliseconds(tally.times.percentile(99.0)),
        refused: tally.refused,
        peak_mib: bench.usage()?.peak_bytes as f64 / f64::from(1 << 20),
        ccf_requests_per_s: scenario.ccf.requests_per_s,
        ccf_cpu_us: scenario.ccf.cpu_us,
        ccf_p50_ms: scenario.ccf.median_ms,
        target,
        of_target,
    })
}

/// What lasting data cost.
#[derive(Clone, Debug, Serialize)]
pub struct Footprint {
    /// Records written, each once.
    pub records: u64,
    /// Ledger bytes per record.
    pub ledger_bytes_per_record: f64,
    /// Growth of resident memory per record, in bytes.
    pub memory_bytes_per_record: f64,
    /// The ledger's size, in MiB.
    pub ledger_mib: f64,
    /// From launch to ready on that ledger, in seconds.
    pub restart_s: f64,
    /// The same per GiB of ledger, the time of an empty start taken off.
    pub restart_s_per_gib: f64,
}

/// Writes records until the ledger has at least `ledger_mib`, then kills and restarts the node.
///
/// # Errors
/// As the system says, or the node misbehaves.
pub fn footprint(program: &Path, ledger_mib: u64) -> io::Result<Footprint> {
    let directory = tempfile::Builder::new().prefix("affiant-load-").tempdir()?;
    let own = Program::Own { path: program.to_owned(), app: None };
    let mut bench = Bench::start(directory.path(), own)?;
    let scenario = &super::SCENARIOS[0];
    let empty_start = bench.start_took;
    // The first records bring threads, buffers and caches to their size.
    bench.fill(scenario, 20_000)?;
    let (memory, ledger) = (bench.usage()?.resident_bytes, bench.ledger_bytes()?);
    let (mut records, mut written) = (50_000_u64, 0);
    while bench.ledger_bytes()? < ledger_mib << 20 {
        records = (records * 2).min(2_000_000);
        written += bench.fill(scenario, records)?;
    }
    let distinct = records - 20_000;
    let ledger_bytes = bench.ledger_bytes()?;
    let grown = bench.usage()?.resident_bytes.saturating_sub(memory);
    bench.restart()?;
    let gib = ledger_bytes as f64 / f64::from(1 << 30);
    Ok(Footprint {
        records: written,
        ledger_bytes_per_record: (ledger_bytes - ledger) as f64 / written as f64,
        memory_bytes_per_record: grown as f64 / distinct as f64,
        ledger_mib: ledger_bytes as f64 / f64::from(1 << 20),
        restart_s: bench.start_took.as_secs_f64(),
        restart_s_per_gib: bench.start_took.saturating_sub(empty_start).as_secs_f64() / gib,
    })
}

/// The median time in which this disk appends 4 KiB and syncs them.
///
/// # Errors
/// As the system says.
pub fn median_sync(directory: &Path) -> io::Result<Duration> {
    let path = directory.join("sync-probe");
    let mut file = fs::File::create(&path)?;
    let mut times = Vec::with_capacity(SYNC_PROBES);
    for _ in 0..SYNC_PROBES {
        let started = Instant::now();
        file.write_all(&[7; 4_096])?;
        file.sync_data()?;
        times.push(started.elapsed());
    }
    fs::remove_file(path)?;
    times.sort_unstable();
    Ok(times[times.len() / 2])
}
