//! The cycles: start, check, write, kill.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use affiant_proof::{AuditReport, AuditVerdict};
use parking_lot::Mutex;
use rustls::ClientConfig;

use super::client::Client;
use super::journal::{Counts, Journal, Violation};
use super::record::{Random, contents, number};
use super::verify::{audit, count_chunks, dump, statuses};
use super::writer::Writers;
use crate::identity::Identity;
use crate::load::Protocol;
use crate::node::{NodeArguments, SERVICE_CERTIFICATE, USER_CERTIFICATE};
use crate::process::{NodeProcess, is_inside_disk_barrier};

const READY_PATIENCE: Duration = Duration::from_secs(30);
/// A cycle in which the node answers nothing still ends.
const LOAD_PATIENCE: Duration = Duration::from_millis(400);
/// The writer that the harness itself is, when it checks that a restarted node commits.
const OWN_WRITER: u8 = 255;

/// How the harness runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Kills.
    pub cycles: u32,
    /// What every random choice follows from.
    pub seed: u64,
    /// Connections that write.
    pub writers: u8,
    /// Most answers that are awaited before the random delay to the kill starts.
    pub answers_max: u64,
    /// Size at which a chunk ends, in bytes: small, so that many end under load.
    pub chunk_bytes: u64,
    /// An empty directory.
    pub directory: PathBuf,
    /// The program that is started with `node` as its first argument.
    pub program: PathBuf,
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Kills.
    pub cycles: u32,
    /// Records by how far they came.
    pub counts: Counts,
    /// Kills while a thread of the node was inside a sync or a rename.
    pub killed_in_barrier: u32,
    /// Kills before the node was ready.
    pub killed_in_start: u32,
    /// Kills that left more than one open chunk.
    pub killed_in_roll_over: u32,
    /// Chunks committed in all.
    pub chunks: usize,
    /// Answers that refused a request, and the last of them.
    pub refusals: (u64, String),
    /// Longest start, from launch to ready.
    pub slowest_start: Duration,
    /// Broken promises.
    pub violations: Vec<Violation>,
    /// The audit of the whole ledger at the end.
    pub audit: Option<AuditReport>,
}

impl Summary {
    /// Whether every promise was kept.
    #[must_use]
    pub fn passed(&self) -> bool {
        let audited = self
            .audit
            .as_ref()
            .is_some_and(|report| report.verdict == AuditVerdict::Valid && report.signatures > 0);
        self.violations.is_empty() && audited
    }
}

/// Runs all cycles, then one last start, check and audit.
pub struct Harness {
    settings: Settings,
    node: NodeArguments,
    identity: Identity,
    random: Random,
    journal: Journal,
    summary: Summary,
    client_tls: Option<Arc<ClientConfig>>,
}

struct Running {
    process: NodeProcess,
    address: SocketAddr,
    tls: Arc<ClientConfig>,
}

impl Harness {
    /// Prepares the directory.
    ///
    /// # Errors
    /// As the system says.
    pub fn new(settings: Settings) -> io::Result<Self> {
        let identity = Identity::generate("harness")?;
        std::fs::write(settings.directory.join(USER_CERTIFICATE), &identity.certificate_pem)?;
        let node = NodeArguments {
            data: settings.directory.clone(),
            app: None,
            chunk_bytes: settings.chunk_bytes,
            signature_delay_ms: 20,
            http_threads: 2,
            uncommitted_count_max: affiant_kv::limits::UNCOMMITTED_COUNT_MAX_DEFAULT,
        };
        let random = Random::new(settings.seed);
        Ok(Self {
            settings,
            node,
            identity,
            random,
            journal: Journal::default(),
            summary: Summary::default(),
            client_tls: None,
        })
    }

    /// Where the node's ledger lies.
    #[must_use]
    pub fn ledger(&self) -> PathBuf {
        self.settings.directory.join("node").join("ledger")
    }

    /// Runs. `progress` hears after every cycle.
    ///
    /// # Errors
    /// The node did not start again, or did not answer as it should: a failure as grave as a
    /// violation.
    pub fn run(mut self, mut progress: impl FnMut(&Summary)) -> io::Result<Summary> {
        for cycle in 1..=self.settings.cycles {
            self.cycle(cycle).map_err(|error| in_cycle(cycle, &error))?;
            self.summary.cycles = cycle;
            self.summary.counts = self.journal.counts();
            progress(&self.summary);
            if !self.summary.violations.is_empty() {
                break;
            }
        }
        let cycle = self.settings.cycles + 1;
        let mut running = self.start().map_err(|error| in_cycle(cycle, &error))?;
        self.check(&running, cycle).map_err(|error| in_cycle(cycle, &error))?;
        running.process.kill()?;
        self.summary.counts = self.journal.counts();
        self.summary.chunks = count_chunks(&self.ledger())?.committed;
        self.summary.audit = Some(audit(&self.ledger(), &self.service_certificate()?)?);
        Ok(self.summary)
    }

    fn cycle(&mut self, cycle: u32) -> io::Result<()> {
        if cycle > 1 && self.random.below(8) == 0 {
            return self.kill_in_start();
        }
        let mut running = self.start()?;
        self.check(&running, cycle)?;
        if !self.summary.violations.is_empty() {
            return Ok(());
        }
        let writers = Writers {
            address: running.address,
            tls: running.tls.clone(),
            seed: self.settings.seed,
            cycle,
            journal: Mutex::new(std::mem::take(&mut self.journal)),
            answers: AtomicU64::new(0),
            refusals: Mutex::default(),
        };
        let wanted = self.random.below(self.settings.answers_max + 1);
        let delay = Duration::from_micros(self.random.below(60_000));
        let killed = std::thread::scope(|scope| {
            for writer in 0..self.settings.writers {
                let writers = &writers;
                scope.spawn(move || writers.run(writer));
            }
            let deadline = Instant::now() + LOAD_PATIENCE;
            while writers.answers.load(Ordering::Relaxed) < wanted && Instant::now() < deadline {
                std::thread::sleep(Duration::from_micros(200));
            }
            std::thread::sleep(delay);
            self.kill(&mut running.process)
        });
        self.journal = writers.journal.into_inner();
        let refusals = writers.refusals.into_inner();
        if refusals.0 > 0 {
            self.summary.refusals = (self.summary.refusals.0 + refusals.0, refusals.1);
        }
        killed
    }

    fn kill(&mut self, process: &mut NodeProcess) -> io::Result<()> {
        if !process.is_running() {
            return Err(io::Error::other("the node ended by itself; see node.log"));
        }
        let in_barrier = is_inside_disk_barrier(process.id());
        process.kill()?;
        self.summary.killed_in_barrier += u32::from(in_barrier);
        let chunks = count_chunks(&self.ledger())?;
        self.summary.killed_in_roll_over += u32::from(chunks.open > 1);
        self.summary.chunks = chunks.committed;
        Ok(())
    }

    /// Kills the node while it reads its data or opens its view.
    fn kill_in_start(&mut self) -> io::Result<()> {
        let mut process = self.launch()?;
        std::thread::sleep(Duration::from_micros(self.random.below(80_000)));
        if process.ready(Duration::ZERO).is_err() {
            self.summary.killed_in_start += 1;
        }
        self.kill(&mut process)
    }

    fn launch(&self) -> io::Result<NodeProcess> {
        let log = self.settings.directory.join("node.log");
        NodeProcess::start(&self.settings.program, &self.node.to_command_line(), Some(&log))
    }

    fn start(&mut self) -> io::Result<Running> {
        let process = self.launch()?;
        let (address, took) = process.ready(READY_PATIENCE)?;
        self.summary.slowest_start = self.summary.slowest_start.max(took);
        let tls = match &self.client_tls {
            Some(tls) => tls.clone(),
            None => {
                let certificate = self.service_certificate()?;
                let tls = self.identity.client(&certificate, Protocol::Http1.alpn())?;
                // The service stays the same over all restarts, so its certificate does.
                self.client_tls = Some(tls.clone());
                tls
            }
        };
        let address = address.parse().map_err(io::Error::other)?;
        Ok(Running { process, address, tls })
    }

    fn service_certificate(&self) -> io::Result<String> {
        std::fs::read_to_string(self.settings.directory.join(SERVICE_CERTIFICATE))
    }

    /// Commits a transaction of its own, so that everything before it is decided, then checks.
    fn check(&mut self, running: &Running, cycle: u32) -> io::Result<()> {
        let mut client = Client::connect(running.address, &running.tls)?;
        let own = number(cycle, OWN_WRITER, 0);
        let text = contents(self.settings.seed, own);
        let body = format!(r#"{{"number":{own},"writer":{OWN_WRITER},"text":"{text}"}}"#);
        self.journal.submitted(own);
        let headers = "x-affiant-respond: committed\r\n";
        let answer = client.request("POST", "/app/record", headers, Some(&body))?;
        match answer.txid.as_deref().and_then(|txid| txid.parse().ok()) {
            Some(txid) if answer.status == 200 => self.journal.committed(own, txid),
            _ => {
                let body = String::from_utf8_lossy(&answer.body);
                return Err(io::Error::other(format!(
                    "the restarted node does not commit: {} {body}",
                    answer.status
                )));
            }
        }
        let mut ids = self.journal.undecided();
        let decided = self.journal.decided();
        if !decided.is_empty() {
            ids.extend((0..64).map(|_| decided[self.random.below(decided.len() as u64) as usize]));
        }
        let (is_committed, mut violations) = statuses(&mut client, &ids)?;
        let (held, contradictions) = dump(&mut client, self.settings.seed)?;
        violations.extend(contradictions);
        violations.extend(self.journal.check(&held, &is_committed));
        self.summary.violations.extend(violations);
        Ok(())
    }
}

fn in_cycle(cycle: u32, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cycle {cycle}: {error}"))
}
