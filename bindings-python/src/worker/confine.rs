//! What a worker does to itself before it runs anything of an app: it ends with the node, leaves no
//! core file, gains no privilege, and is the first to go where memory is short.

use std::fs;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{
    Resource, Rlimit, Signal, getrlimit, kill_current_process_group,
    set_parent_process_death_signal, setrlimit,
};

use super::limits::MEMORY_SLACK_BYTES;

/// Out of 1000, added to the kernel's own estimate of whom to end where memory is short.
const OOM_SCORE: &str = "500";

/// Takes this process's place as a worker that speaks over `socket`.
///
/// # Errors
/// The system refuses, which no usual one does.
pub(super) fn begin(socket: OwnedFd) -> Result<(), String> {
    let failed = |what: &str, error: Errno| format!("{what}: {error}");
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| failed("prctl PR_SET_PDEATHSIG", error))?;
    rustix::thread::set_no_new_privs(true)
        .map_err(|error| failed("prctl PR_SET_NO_NEW_PRIVS", error))?;
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none).map_err(|error| failed("setrlimit RLIMIT_CORE", error))?;
    // Not everywhere may this be written; it only helps where memory is short.
    let _ = fs::write("/proc/self/oom_score_adj", OOM_SCORE);
    std::thread::Builder::new()
        .name("affiant-hangup".to_owned())
        .spawn(move || end_with_node(&socket))
        .map_err(|error| format!("a thread: {error}"))?;
    Ok(())
}

/// Ends this process and its children once the node's end of the socket is closed, whatever holds the
/// GIL then.
fn end_with_node(socket: &OwnedFd) {
    loop {
        let mut watched = [PollFd::new(socket, PollFlags::RDHUP)];
        match poll(&mut watched, None) {
            Err(Errno::INTR) => {}
            Ok(_) if watched[0].revents().is_empty() => {}
            _ => break,
        }
    }
    // There is nobody left to tell if it fails.
    let _ = kill_current_process_group(Signal::KILL);
    std::process::abort();
}

/// How much memory this process has of its own, and how much it may have.
pub(super) struct Memory {
    limit_bytes: u64,
}

impl Memory {
    /// Bounds the memory of this process to what it has now, `heap_bytes` for the handlers, and slack.
    ///
    /// The kernel counts what is private and writable (`RLIMIT_DATA`), so that libraries which reserve
    /// address space without using it are not hit, as they would be by `RLIMIT_AS`.
    ///
    /// # Errors
    /// The system refuses.
    pub(super) fn bound(heap_bytes: u64) -> Result<Self, String> {
        let now = data_bytes().ok_or("no VmData in /proc/self/status")?;
        let wanted = now.saturating_add(heap_bytes).saturating_add(MEMORY_SLACK_BYTES);
        let hard = getrlimit(Resource::Data).maximum.unwrap_or(u64::MAX);
        let limit_bytes = wanted.min(hard);
        let limit = Rlimit { current: Some(limit_bytes), maximum: Some(limit_bytes) };
        setrlimit(Resource::Data, limit).map_err(|error| format!("RLIMIT_DATA: {error}"))?;
        Ok(Self { limit_bytes })
    }

    /// Whether so much of it is in use that a fresh worker serves better.
    pub(super) fn is_short(&self) -> bool {
        data_bytes().is_some_and(|now| now > self.limit_bytes - self.limit_bytes / 8)
    }
}

/// What `RLIMIT_DATA` counts.
fn data_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmData:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}
