//! One worker process, seen from the node: started, told what to serve, ended.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::limits::{
    EXIT_MS_MAX, LOAD_MS_MAX, LOOK_MS, OUTPUT_LINE_BYTES_MAX, SERVE_MS_MAX, STOP_MS_MAX,
};
use super::link::{frame, timespec};
use super::protocol::{FromWorker, ToWorker};
use super::{Broken, Link, Wait};
use crate::app::Description;

/// Where what workers print goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Console {
    /// Into the node's log.
    Log,
    /// To standard output, without the log's ornaments.
    Plain,
}

/// How a worker is started.
pub(super) struct Plan {
    /// The interpreter, and what it is given.
    pub(super) program: OsString,
    pub(super) arguments: Vec<OsString>,
    /// Everything of the environment that a worker has.
    pub(super) environment: Vec<(OsString, OsString)>,
    pub(super) console: Console,
    /// A frame: the app.
    pub(super) load: Vec<u8>,
}

/// A running worker. It ends when this is dropped.
pub(super) struct Process {
    child: Child,
    pid: Pid,
    pidfd: OwnedFd,
    link: Link,
}

type Spawned = io::Result<Child>;
type Job = (Command, SyncSender<Spawned>);

/// Starts a process from a thread that lives as long as the node does: the kernel ends a worker with
/// the thread that started it (`PR_SET_PDEATHSIG`).
fn spawn(command: Command) -> Spawned {
    static SPAWNER: OnceLock<Option<SyncSender<Job>>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, jobs) = sync_channel::<Job>(1);
        let run = move || {
            for (mut command, reply) in jobs {
                // Whoever asked may have given up.
                let _ = reply.send(command.spawn());
            }
        };
        let thread = std::thread::Builder::new().name("python-spawner".to_owned()).spawn(run);
        thread.is_ok().then_some(sender)
    });
    let gone = || io::Error::other("the thread that starts processes could not be started");
    let (reply, spawned) = sync_channel(1);
    spawner.as_ref().and_then(|jobs| jobs.send((command, reply)).ok()).ok_or_else(gone)?;
    spawned.recv().map_err(|_| gone())?
}

impl Process {
    /// Starts a worker and has it load the app; what it says of the app.
    ///
    /// # Errors
    /// Why there is none, in a sentence.
    pub(super) fn start(plan: &Plan) -> Result<(Self, Description), String> {
        let mut process = Self::launch(plan)?;
        let deadline = Instant::now() + Duration::from_millis(LOAD_MS_MAX);
        let sent = process.send(&plan.load, deadline);
        let loaded = match sent.and_then(|()| process.receive(deadline)) {
            Ok(FromWorker::Loaded(loaded)) => Ok(loaded),
            Ok(_) => Err(Broken::Malformed("it did not say what it loaded".to_owned())),
            Err(broken) => Err(broken),
        };
        match loaded {
            Ok(Ok(description)) => Ok((process, description)),
            Ok(Err(reason)) => Err(reason),
            Err(broken) => {
                let what = process.end(&broken);
                Err(format!("the app's process ended as the app was imported: {what}"))
            }
        }
    }

    /// Has it serve what the frame `serve` says.
    pub(super) fn serve(mut self, serve: &[u8]) -> Result<Self, String> {
        let deadline = Instant::now() + Duration::from_millis(SERVE_MS_MAX);
        let sent = self.send(serve, deadline);
        let serving = match sent.and_then(|()| self.receive(deadline)) {
            Ok(FromWorker::Serving(serving)) => Ok(serving),
            Ok(_) => Err(Broken::Malformed("it did not say that it serves".to_owned())),
            Err(broken) => Err(broken),
        };
        match serving {
            Ok(Ok(())) => Ok(self),
            Ok(Err(reason)) => Err(reason),
            Err(broken) => Err(self.end(&broken)),
        }
    }

    fn launch(plan: &Plan) -> Result<Self, String> {
        let failed = |error: io::Error| {
            format!("{}: the worker cannot be started: {error}", plan.program.display())
        };
        let (own, its) = UnixStream::pair().map_err(failed)?;
        own.set_read_timeout(Some(Duration::from_millis(LOOK_MS))).map_err(failed)?;
        let (output, printed) = io::pipe().map_err(failed)?;
        let mut command = Command::new(&plan.program);
        command
            .args(&plan.arguments)
            .env_clear()
            .envs(plan.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::from(OwnedFd::from(its)))
            .stdout(printed.try_clone().map_err(failed)?)
            .stderr(printed)
            .process_group(0);
        let mut child = spawn(command).map_err(failed)?;
        let pid = Pid::from_child(&child);
        let console = plan.console;
        let reader = std::thread::Builder::new().name("python-output".to_owned());
        let started =
            pidfd_open(pid, PidfdFlags::empty()).map_err(io::Error::from).and_then(|fd| {
                reader.spawn(move || forward(output, pid, console))?;
                Ok(fd)
            });
        match started {
            Ok(pidfd) => Ok(Self { child, pid, pidfd, link: Link::new(own.into()) }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(failed(error))
            }
        }
    }

    /// Its number, for messages.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn send(&self, frame: &[u8], deadline: Instant) -> Result<(), Broken> {
        self.link.send(frame, Wait::Until(deadline, self.pidfd.as_fd()))
    }

    pub(super) fn receive<'a>(&'a mut self, deadline: Instant) -> Result<FromWorker<'a>, Broken> {
        self.link.receive(Wait::Until(deadline, self.pidfd.as_fd()))
    }

    /// Whether it has not ended.
    pub(super) fn is_alive(&self) -> bool {
        !self.has_ended(Duration::ZERO)
    }

    fn has_ended(&self, patience: Duration) -> bool {
        let mut watched = [PollFd::new(&self.pidfd, PollFlags::IN)];
        poll(&mut watched, Some(&timespec(patience))).is_ok_and(|ready| ready > 0)
    }

    /// Ends a worker of which nothing more is to be had; says how that came.
    pub(super) fn end(mut self, broken: &Broken) -> String {
        let (patience, why) = match broken {
            Broken::Closed => (Duration::from_millis(EXIT_MS_MAX), "it closed its socket"),
            Broken::Overdue => (Duration::ZERO, "it took too long"),
            Broken::Malformed(what) => (Duration::ZERO, what.as_str()),
        };
        let by_itself = self.has_ended(patience);
        let status = self.kill();
        match status {
            Ok(status) if by_itself => told(status),
            _ => format!("killed, since {why}"),
        }
    }

    /// Tells it to stop; [`Self::stopped`] waits for that.
    pub(super) fn tell_to_stop(&self) {
        let deadline = Instant::now() + Duration::from_millis(STOP_MS_MAX);
        if let Ok(stop) = frame(&ToWorker::Stop) {
            // If it cannot be told it is killed.
            let _ = self.send(&stop, deadline);
        }
    }

    /// Waits until it has ended, or kills it then.
    pub(super) fn stopped(self, deadline: Instant) {
        self.has_ended(deadline.saturating_duration_since(Instant::now()));
    }

    fn kill(&mut self) -> io::Result<ExitStatus> {
        // Its children too. Until it is waited for, the number is not another's.
        let _ = kill_process_group(self.pid, Signal::KILL);
        let _ = self.child.kill();
        self.child.wait()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            let _ = self.kill();
        }
    }
}

/// How a process ended.
fn told(status: ExitStatus) -> String {
    let Some(signal) = status.signal() else {
        return status
            .code()
            .map_or_else(|| "ended".to_owned(), |code| format!("exit code {code}"));
    };
    let name = match signal {
        4 => ", illegal instruction",
        6 => ", aborted",
        7 => ", bus error",
        8 => ", arithmetic error",
        9 => ", killed: perhaps by the kernel, for want of memory",
        11 => ", segmentation fault",
        15 => ", terminated",
        _ => "",
    };
    format!("signal {signal}{name}")
}

/// Passes on what a worker prints, line by line, until nobody can print any more.
fn forward(mut output: io::PipeReader, pid: Pid, console: Console) {
    let pid = pid.as_raw_nonzero();
    let mut pending = Vec::new();
    let mut chunk = [0_u8; OUTPUT_LINE_BYTES_MAX];
    loop {
        let count = match output.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        pending.extend_from_slice(chunk.get(..count).unwrap_or_default());
        let mut from = 0;
        while let Some(rest) = pending.get(from..) {
            let bound = rest.len().min(OUTPUT_LINE_BYTES_MAX);
            let line = match rest.iter().take(bound).position(|byte| *byte == b'\n') {
                Some(end) => end + 1,
                None if rest.len() >= OUTPUT_LINE_BYTES_MAX => bound,
                None => break,
            };
            print(rest.get(..line).unwrap_or_default(), pid.get(), console);
            from += line;
        }
        pending.drain(..from);
    }
    if !pending.is_empty() {
        print(&pending, pid.get(), console);
    }
}

fn print(line: &[u8], pid: i32, console: Console) {
    let line = String::from_utf8_lossy(line);
    let line = line.trim_end_matches(['\n', '\r']);
    match console {
        Console::Log => affiant::log_info!("app", "Python worker {pid}: {line}"),
        // Nobody who reads it is no reason to stop.
        Console::Plain => {
            let _ = writeln!(io::stdout().lock(), "{line}");
        }
    }
}

/// Stops workers together.
pub(super) fn stop_all(workers: Vec<Process>) {
    for worker in &workers {
        worker.tell_to_stop();
    }
    let deadline = Instant::now() + Duration::from_millis(STOP_MS_MAX);
    for worker in workers {
        worker.stopped(deadline);
    }
}

/// Shared by those who start workers.
pub(super) type SharedPlan = Arc<Plan>;
