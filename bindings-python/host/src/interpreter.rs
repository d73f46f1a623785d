//! The interpreter of this process, and its thread.
//!
//! One thread starts CPython, or joins the one that the host has, and then does what needs Python besides
//! running handlers: it imports apps, one at a time, and ends them. So nothing depends on the stack, the
//! signal mask and the life of whichever thread of the host calls, and where CPython is ours this is its
//! main thread, which never ends.

use core::ffi::{CStr, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, ThreadId};

use parking_lot::Mutex;
use pyo3::ffi;
use pyo3::prelude::*;

use crate::limits::{MINOR_VERSION_MIN, STACK_BYTES};
use crate::place::{self, Version};
use crate::{config, modules, signals};

type Job = Box<dyn FnOnce() + Send>;

/// The interpreter, ready for apps.
pub(crate) struct Interpreter {
    jobs: mpsc::Sender<Job>,
    thread: ThreadId,
}

/// Why there is no interpreter.
#[derive(Clone)]
enum Failure {
    /// The next attempt may succeed.
    Now(String),
    /// CPython has been left half started, in this process for good.
    ForEver(String),
}

static STARTED: Mutex<Option<Result<Arc<Interpreter>, String>>> = Mutex::new(None);
/// The process that has begun to start it; 0 for none.
static PROCESS: AtomicU32 = AtomicU32::new(0);

impl Interpreter {
    /// The interpreter, started by the first call. May block: to be called without the GIL.
    ///
    /// # Errors
    /// There is none, in a sentence for whoever runs the host.
    pub(crate) fn get() -> Result<Arc<Self>, String> {
        // Ahead of the lock, which a forked process may find taken for ever.
        check_process()?;
        let mut started = STARTED.lock();
        if let Some(known) = &*started {
            return known.clone();
        }
        PROCESS.store(std::process::id(), Ordering::Relaxed);
        match launch() {
            Ok(interpreter) => {
                let interpreter = Arc::new(interpreter);
                *started = Some(Ok(interpreter.clone()));
                Ok(interpreter)
            }
            Err(Failure::Now(reason)) => Err(reason),
            Err(Failure::ForEver(reason)) => {
                *started = Some(Err(reason.clone()));
                Err(reason)
            }
        }
    }

    /// Runs a job on the interpreter's thread, behind those that wait there, and returns its result.
    ///
    /// # Errors
    /// This process has no such thread, or the job panicked.
    pub(crate) fn run<R: Send + 'static>(
        &self,
        job: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, String> {
        check_process()?;
        if thread::current().id() == self.thread {
            return Ok(job());
        }
        let (answer, result) = mpsc::sync_channel(1);
        let job: Job = Box::new(move || {
            // Whoever waited is there, or its process is at its end.
            let _ = answer.send(job());
        });
        self.jobs.send(job).map_err(|_| "Python's thread has ended".to_owned())?;
        result.recv().map_err(|_| "native code panicked while Python was used".to_owned())
    }
}

/// Whether this is the process in which Python was started, or none was.
fn check_process() -> Result<(), String> {
    let (started, here) = (PROCESS.load(Ordering::Relaxed), std::process::id());
    if started == 0 || started == here {
        return Ok(());
    }
    Err(format!(
        "Python was started in process {started}, of which this one ({here}) is a fork without its threads: \
         load Python apps after the fork, or start another program"
    ))
}

/// Starts the thread, and waits until it has an interpreter.
fn launch() -> Result<Interpreter, Failure> {
    let (ready, outcome) = mpsc::sync_channel(1);
    let (jobs, waiting) = mpsc::channel::<Job>();
    let thread = thread::Builder::new()
        .name("affiant-python".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || live(&ready, &waiting))
        .map_err(|error| Failure::Now(format!("no thread for Python: {error}")))?;
    let died = || Failure::ForEver("native code panicked while Python was started".to_owned());
    outcome.recv().map_err(|_| died())??;
    Ok(Interpreter { jobs, thread: thread.thread().id() })
}

fn live(ready: &mpsc::SyncSender<Result<(), Failure>>, jobs: &mpsc::Receiver<Job>) {
    signals::block_pipe();
    let outcome = prepare();
    let fine = outcome.is_ok();
    // Whoever started this thread waits for it.
    let _ = ready.send(outcome);
    if !fine {
        return;
    }
    for job in jobs {
        // Who waits for a job that panics learns of it by the end of its channel.
        let _ = catch_unwind(AssertUnwindSafe(job));
    }
}

/// Makes the calling thread one of an interpreter that has our modules; without the GIL.
fn prepare() -> Result<(), Failure> {
    let version = checked_version().map_err(Failure::Now)?;
    let library = library();
    if let Some(library) = library {
        make_global(library);
    }
    // SAFETY: may be called at any time.
    let is_ours = unsafe { ffi::Py_IsInitialized() } == 0;
    if is_ours {
        start(library, version)?;
    } else {
        // Waits for the GIL, which the host lets go of sooner or later. The thread keeps its state, so
        // that what Python keeps per thread stays.
        // SAFETY: the interpreter runs, and this thread has no state yet.
        unsafe {
            ffi::PyGILState_Ensure();
            ffi::PyEval_SaveThread();
        }
    }
    Python::attach(|py| modules::install(py, is_ours).map_err(|error| said(py, &error)))
        .map_err(Failure::Now)
}

/// What an exception says of itself.
fn said(py: Python<'_>, error: &PyErr) -> String {
    format!("Python is not usable: {}", error.value(py))
}

fn start(library: Option<&CStr>, version: Version) -> Result<(), Failure> {
    let library = library.map(|name| PathBuf::from(name.to_string_lossy().into_owned()));
    let found = place::program(std::env::var_os("VIRTUAL_ENV"), library.as_deref(), version);
    let program = found.map_err(Failure::Now)?;
    let name = program.as_deref().map(config::terminated).transpose().map_err(Failure::Now)?;
    let started = config::start(name.as_deref());
    // SAFETY: where an interpreter was made, this thread holds its GIL, and lets go of it.
    unsafe {
        if ffi::Py_IsInitialized() != 0 {
            ffi::PyEval_SaveThread();
        }
    }
    started.map_err(|reason| Failure::ForEver(not_started(version, program.as_deref(), &reason)))
}

fn not_started((major, minor): Version, program: Option<&Path>, reason: &str) -> String {
    let program = program.map(|program| format!(" as {}", program.display())).unwrap_or_default();
    let advice = match std::env::var_os("PYTHONHOME").filter(|home| !home.is_empty()) {
        Some(home) => format!(
            "PYTHONHOME is {}: unset it, or set it to the directory that has lib/python{major}.{minor}",
            home.display()
        ),
        None => format!(
            "is its standard library installed (Debian, Ubuntu: libpython{major}.{minor}-stdlib)? Else set \
             PYTHONHOME to the directory that has lib/python{major}.{minor}"
        ),
    };
    format!(
        "Python {major}.{minor} could not be started{program}: {reason}; {advice}; then start this program again"
    )
}

/// The version of the running libpython, which was chosen when the host was linked and loaded.
fn checked_version() -> Result<Version, String> {
    // SAFETY: may be called at any time; a terminated text that lives as long as the library.
    let text = unsafe { CStr::from_ptr(ffi::Py_GetVersion()) }.to_string_lossy();
    let version =
        place::parse(&text).ok_or_else(|| format!("a Python of unknown version: {text}"))?;
    if version.0 != 3 || version.1 < MINOR_VERSION_MIN {
        return Err(format!(
            "this program runs Python {}.{}, and this library wants Python 3.{MINOR_VERSION_MIN} or newer: \
             link the program with its libpython",
            version.0, version.1
        ));
    }
    if text.contains("free-threading") {
        return Err(format!(
            "this program runs a Python {}.{} without a global lock (free-threading), which this library \
             does not know: link it with the usual libpython",
            version.0, version.1
        ));
    }
    Ok(version)
}

/// The file that holds CPython: a libpython, or the program itself.
fn library() -> Option<&'static CStr> {
    let mut found = core::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    let function: unsafe extern "C" fn() -> *const core::ffi::c_char = ffi::Py_GetVersion;
    // SAFETY: any address will do, and the structure is filled where the result says so.
    let found = unsafe {
        if libc::dladdr(function as *const c_void, found.as_mut_ptr()) == 0 {
            return None;
        }
        found.assume_init()
    };
    if found.dli_fname.is_null() {
        return None;
    }
    // SAFETY: the name of a library that is never unloaded.
    Some(unsafe { CStr::from_ptr(found.dli_fname) })
}

/// Gives Python's symbols to extension modules, which expect them to be there for everybody, also where
/// the host has loaded this library, and libpython with it, for itself alone (`RTLD_LOCAL`).
fn make_global(library: &CStr) {
    let how = libc::RTLD_NOW | libc::RTLD_NOLOAD | libc::RTLD_GLOBAL;
    // SAFETY: the library is loaded already. The handle is kept for ever; where there is none, because the
    // program itself holds Python, nothing is to be done.
    unsafe { libc::dlopen(library.as_ptr(), how) };
}
