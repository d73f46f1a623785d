//! A running `affiant`: its output as it comes, and signals.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::binary;

/// Long enough for a debug build on a busy machine; only ever waited for when something is wrong.
const PATIENCE: Duration = Duration::from_secs(120);

/// A process that is killed when the test ends.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    /// Everything printed so far.
    pub(crate) seen: Vec<String>,
}

impl Running {
    /// Starts `affiant` in `directory` with an empty environment.
    pub(crate) fn start(directory: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(binary())
            .args(arguments)
            .current_dir(directory)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, lines, seen: Vec::new() }
    }

    /// Waits for a line that contains `needle`.
    #[track_caller]
    pub(crate) fn line(&mut self, needle: &str) -> String {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.contains(needle) {
                        return line;
                    }
                }
                Err(why) => {
                    let _ = self.child.kill();
                    let errors = self.errors();
                    panic!("no line with {needle:?} ({why}): {:#?}\n{errors}", self.seen);
                }
            }
        }
    }

    /// Sends a signal, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let command = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("/bin/sh").args(["-c", &command]).status().unwrap().success());
    }

    /// Waits for the end; returns how it ended and what it wrote to standard error.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> (ExitStatus, String) {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                self.seen.extend(self.lines.iter());
                return (status, self.errors());
            }
            assert!(start.elapsed() < PATIENCE, "it does not end: {:#?}", self.seen);
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops it as an operator would, and expects success and silence.
    #[track_caller]
    pub(crate) fn stop(&mut self) {
        self.signal("TERM");
        let (status, errors) = self.wait();
        assert_eq!((status.code(), errors.as_str()), (Some(0), ""), "{:#?}", self.seen);
    }

    fn errors(&mut self) -> String {
        let mut errors = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            let _ = stderr.read_to_string(&mut errors);
        }
        errors
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until `condition` holds.
#[track_caller]
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
