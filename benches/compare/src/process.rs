//! A fresh process for each measurement: the job goes in by its command line, the result comes back as
//! JSON.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::Outcome;
use crate::measure::{self, Job, Measured};

/// The first argument of a process that is to do a job.
pub const CHILD: &str = "do-job";

/// Does the job of this process's command line.
pub fn child() -> Outcome<()> {
    let job = std::env::args().nth(2).ok_or("no job given")?;
    let measured = measure::perform(&serde_json::from_str(&job)?)?;
    println!("{}", serde_json::to_string(&measured)?);
    Ok(())
}

/// Has a job done by a fresh process.
pub fn run(job: &Job) -> Outcome<Measured> {
    let output = Command::new(std::env::current_exe()?)
        .arg(CHILD)
        .arg(serde_json::to_string(job)?)
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(
            format!("the process for {} ended as {}", job.engine.name(), output.status).into()
        );
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// CPU time that this process has used.
pub fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let (seconds, nanoseconds) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or(0), nanoseconds.unwrap_or(0))
}

/// Memory of this process that is resident, in bytes, files mapped included.
pub fn resident_bytes() -> Outcome<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()).ok_or("no VmRSS")?;
    Ok(kilobytes.parse::<u64>()? * 1024)
}

/// Bytes that the files below `directory` occupy on the disk.
pub fn bytes_below(directory: &Path) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes +=
            if metadata.is_dir() { bytes_below(&entry.path())? } else { metadata.blocks() * 512 };
    }
    Ok(bytes)
}
