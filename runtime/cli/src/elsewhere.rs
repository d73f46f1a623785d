//! Python apps in a program without an interpreter: it becomes `python3 -I -m affiant` with the same
//! arguments, which has the same commands and runs the app in itself.
//!
//! Invariant: this happens while an app is loaded, and so before anything is written, removed or
//! bound; a process that has done it is the same process, with the same number and parent.

use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use affiant::hosting::{AppBundle, python};

use crate::exit::{self, Failure};
use crate::language::{AppLoader, LoadedApp, Manner, PYTHON};

/// Holds the number of the process that became an interpreter. The number stays the same, so a
/// process that finds its own would go round in circles; children find another's.
const GUARD: &str = "AFFIANT_HANDED_OVER_BY";
/// The interpreter's name where none is given.
const PROGRAM: &str = "python3";
/// How long an interpreter may take to import the module.
const IMPORT_TIME_MAX: Duration = Duration::from_secs(60);
/// How often it is looked at meanwhile.
const IMPORT_POLL: Duration = Duration::from_millis(2);
/// Ends with a reason on its last line of standard error.
const IMPORT_CHECK: &str = "\
import sys
if sys.version_info < (3, 11):
    sys.exit('it is Python %d.%d; 3.11 or newer is needed' % sys.version_info[:2])
import affiant
";

/// Hands Python apps over to an interpreter.
pub(crate) struct PythonElsewhere {
    /// Without the program's name.
    arguments: Vec<OsString>,
}

impl PythonElsewhere {
    /// For a program that was called with `arguments`, its name first.
    pub(crate) fn new(arguments: &[OsString]) -> Self {
        Self { arguments: arguments.get(1..).unwrap_or_default().to_vec() }
    }

    /// Becomes the interpreter; returns only if that cannot be.
    fn hand_over(&self, named: Option<&Path>) -> Result<Infallible, String> {
        let interpreter = interpreter(named);
        let own = std::process::id().to_string();
        if std::env::var(GUARD).is_ok_and(|process| process == own) {
            return Err(format!(
                "{} -m affiant came back to a program without Python: another module named affiant is \
                 installed there. Install the right one: {0} -m pip install --force-reinstall affiant",
                interpreter.display()
            ));
        }
        check(&interpreter)?;
        let error = Command::new(&interpreter)
            .args(["-I", "-m", "affiant"])
            .args(&self.arguments)
            .env(GUARD, own)
            .exec();
        Err(not_started(&interpreter, &error))
    }
}

impl AppLoader for PythonElsewhere {
    fn language(&self) -> &'static str {
        PYTHON
    }

    fn recognises(&self, app: &Path) -> bool {
        python::is_app(app)
    }

    fn recognises_bundle(&self, bundle: &AppBundle) -> bool {
        python::is_bundle(bundle)
    }

    fn load(&self, app: &Path, manner: &Manner) -> Result<LoadedApp, String> {
        let (path, _) = python::entry(app);
        if !path.exists() {
            return Err(format!("{}: no such file or directory", path.display()));
        }
        let never = self.hand_over(manner.python.as_deref());
        never
            .map(|never| match never {})
            .map_err(|why| format!("{} is Python: {why}", app.display()))
    }

    /// Too late to hand over: a service is being started, or runs.
    fn of_bundle(&self, _bundle: AppBundle, manner: &Manner) -> Result<LoadedApp, String> {
        Err(format!(
            "the app in the tables is Python, and this program has no interpreter. Start it with the \
             same arguments as `{} -m affiant`, or add --python {0}",
            interpreter(manner.python.as_deref()).display()
        ))
    }

    fn files(&self, app: &Path) -> Vec<PathBuf> {
        python::files(app)
    }

    fn prepare(&self, manner: &Manner) -> Result<(), String> {
        let never = self.hand_over(manner.python.as_deref());
        never
            .map(|never| match never {})
            .map_err(|why| format!("the service's app is Python: {why}"))
    }

    fn bundle(&self, _arguments: &[OsString]) -> Result<u8, Failure> {
        let never = self.hand_over(None);
        never.map(|never| match never {}).map_err(|why| {
            Failure::new(exit::FAILURE, format!("bundles are made by Python: {why}"))
        })
    }
}

/// The interpreter: the one that was named, else that of the environment that is active, else the
/// first in the path.
fn interpreter(named: Option<&Path>) -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(named) = named {
        return named.to_owned();
    }
    if let Some(environment) = set("VIRTUAL_ENV") {
        return Path::new(&environment).join("bin").join(PROGRAM);
    }
    let path = set("PATH").unwrap_or_default();
    // The whole path, so that messages say which of several it is.
    let found = std::env::split_paths(&path).map(|folder| folder.join(PROGRAM));
    found.into_iter().find(|file| file.is_file()).unwrap_or_else(|| PathBuf::from(PROGRAM))
}

fn not_started(interpreter: &Path, error: &std::io::Error) -> String {
    format!(
        "its interpreter {} cannot be started: {error}. Name another one with --python PATH, or \
         activate an environment that has the package affiant",
        interpreter.display()
    )
}

/// Asks the interpreter for the module, so that what is missing is said in the app's author's words.
fn check(interpreter: &Path) -> Result<(), String> {
    let mut child = Command::new(interpreter)
        .args(["-I", "-c", IMPORT_CHECK])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| not_started(interpreter, &error))?;
    if !finished(&mut child)? {
        // It may have ended by itself meanwhile.
        let _ = child.kill();
        let _ = child.wait();
        return Err(format!(
            "its interpreter {} did not import the module affiant within {} s",
            interpreter.display(),
            IMPORT_TIME_MAX.as_secs()
        ));
    }
    let output = child.wait_with_output().map_err(|error| not_started(interpreter, &error))?;
    if output.status.success() {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let reason = errors.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
    let reason = if reason.is_empty() { output.status.to_string() } else { reason.to_owned() };
    Err(format!(
        "its interpreter {0} cannot run it: {reason}.\nInstall the package there: {0} -m pip install \
         affiant; or name another interpreter: --python PATH",
        interpreter.display()
    ))
}

/// Whether the child ended in time.
fn finished(child: &mut Child) -> Result<bool, String> {
    let began = Instant::now();
    while began.elapsed() < IMPORT_TIME_MAX {
        if child.try_wait().map_err(|error| error.to_string())?.is_some() {
            return Ok(true);
        }
        std::thread::sleep(IMPORT_POLL);
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use affiant::hosting::RuntimeOptions;

    use super::*;
    use crate::language::Console;

    #[test]
    fn an_app_in_the_tables_comes_too_late() {
        let manner = Manner {
            options: RuntimeOptions::default(),
            console: Console::Log,
            python: Some("venv/bin/python3".into()),
            python_workers: 0,
            packages: PathBuf::new(),
        };
        let loaded = PythonElsewhere::new(&[]).of_bundle(AppBundle::default(), &manner);
        let why = loaded.err().unwrap_or_default();
        for needle in ["`venv/bin/python3 -m affiant`", "--python venv/bin/python3"] {
            assert!(why.contains(needle), "{why}");
        }
    }
}
