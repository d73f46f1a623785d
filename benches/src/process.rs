//! A node as a separate process: started, watched through `/proc`, killed.
//!
//! Invariant: a [`NodeProcess`] never outlives its owner; dropping it kills the process.

use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Linux reports process times in this unit whatever the kernel's own tick is.
const TICK: Duration = Duration::from_millis(10);

/// A running node.
pub struct NodeProcess {
    child: Child,
    lines: mpsc::Receiver<String>,
    started: Instant,
}

/// What `/proc` says of a process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// User and system time since its start.
    pub cpu: Duration,
    /// Resident memory now, in bytes.
    pub resident_bytes: u64,
    /// Resident memory at its highest, in bytes.
    pub peak_bytes: u64,
}

impl NodeProcess {
    /// Starts `program`. Its standard output is read for the line that says it is ready; its
    /// standard error goes to `log`, or to ours if there is none.
    ///
    /// # Errors
    /// The program cannot be started or the log cannot be written.
    pub fn start(program: &Path, arguments: &[String], log: Option<&Path>) -> io::Result<Self> {
        let errors = match log {
            Some(path) => {
                Stdio::from(std::fs::OpenOptions::new().create(true).append(true).open(path)?)
            }
            None => Stdio::inherit(),
        };
        let started = Instant::now();
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .map_err(|error| {
                io::Error::new(error.kind(), format!("{}: {error}", program.display()))
            })?;
        let (sender, lines) = mpsc::channel();
        if let Some(output) = child.stdout.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        return;
                    }
                }
            });
        }
        Ok(Self { child, lines, started })
    }

    /// Waits for a line `READY <address>` and returns the address and how long it took.
    ///
    /// # Errors
    /// The process ended first, or `patience` passed.
    pub fn ready(&self, patience: Duration) -> io::Result<(String, Duration)> {
        let deadline = self.started + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    if let Some(address) = line.strip_prefix("READY ") {
                        return Ok((address.to_owned(), self.started.elapsed()));
                    }
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    return Err(io::Error::new(
                        io::ErrorKind::TimedOut,
                        format!("the node was not ready within {} s", patience.as_secs()),
                    ));
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    return Err(io::Error::other("the node ended before it was ready"));
                }
            }
        }
    }

    /// The process's id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has used.
    ///
    /// # Errors
    /// The process has ended.
    pub fn usage(&self) -> io::Result<Usage> {
        usage_of(self.id())
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Kills it as `kill -9` does and waits until it is gone.
    ///
    /// # Errors
    /// As the system says.
    pub fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(|_| ())
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        // Already gone is as good as killed.
        let _ = self.kill();
    }
}

/// What the process `id` has used.
///
/// # Errors
/// It has ended, or `/proc` is not what Linux documents.
pub fn usage_of(id: u32) -> io::Result<Usage> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    parse_usage(&stat, &status)
        .ok_or_else(|| io::Error::other(format!("/proc/{id} does not read as documented")))
}

fn parse_usage(stat: &str, status: &str) -> Option<Usage> {
    // The command, in parentheses, may hold spaces: fields count from behind it.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    let kibibytes = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_ascii_whitespace().next()?.parse().ok()
    };
    Some(Usage {
        cpu: TICK * (user + system),
        resident_bytes: kibibytes("VmRSS:")? * 1_024,
        peak_bytes: kibibytes("VmHWM:")? * 1_024,
    })
}

/// Whether any thread of the process is inside a system call that makes data durable or renames a
/// file, at this instant; false where the system does not tell.
#[must_use]
pub fn is_inside_disk_barrier(id: u32) -> bool {
    // x86-64 numbers: fsync, fdatasync, rename, renameat, renameat2, sync_file_range.
    const BARRIERS: &[&str] = &["74", "75", "82", "264", "316", "277"];
    let Ok(threads) = std::fs::read_dir(format!("/proc/{id}/task")) else { return false };
    threads.flatten().any(|thread| {
        std::fs::read_to_string(thread.path().join("syscall"))
            .is_ok_and(|text| text.split(' ').next().is_some_and(|call| BARRIERS.contains(&call)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_is_read_as_documented() {
        let stat = "17 (a b) c) S 1 17 17 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 4 0 100";
        let status = "Name:\tx\nVmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\n";
        let usage = parse_usage(stat, status)
            .map(|usage| (usage.cpu.as_millis(), usage.resident_bytes, usage.peak_bytes));
        assert_eq!(usage, Some((3_000, 1 << 20, 2 << 20)));
        assert!(parse_usage("17 (a) S", status).is_none());
    }

    #[test]
    fn our_own_usage_can_be_read() {
        let usage = usage_of(std::process::id());
        assert!(usage.is_ok_and(|usage| usage.peak_bytes > 0));
    }
}
