//! Apps in JavaScript and Python, served beside the program's own endpoints.

use std::path::Path;

use affiant::hosting::RuntimeOptions;

use crate::boundary;
use crate::fault::Fault;
use crate::language;
use crate::memory::{Versioned, affiant_slice, versioned};
use crate::runtime::affiant_runtime;
use crate::status::{AFFIANT_APPLICATION, affiant_status};

/// How an app is run.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct affiant_app_options {
    /// `sizeof(affiant_app_options)`.
    pub size: usize,
    /// How long one request's handler may run, in milliseconds; 0: 5000.
    pub execution_ms_max: u64,
    /// Heap of one handler, in bytes; 0: 100 MiB. In Python the memory of all objects in the process, beyond
    /// what there is when the app is loaded; 0: no bound.
    pub heap_bytes_max: u64,
    /// Stack of one handler, in bytes; 0: 1 MiB. Python bounds the depth of calls itself.
    pub stack_bytes_max: u64,
    /// 1: clients are told of exceptions and where they were thrown. They are in the log in any case.
    pub exception_details: u8,
    /// 1: the app is also written into the ledger's tables, as governance would, instead of the one that is
    /// there: everybody can see what is served.
    pub record: u8,
}

// SAFETY: repr(C), begins with its size; integers only.
unsafe impl Versioned for affiant_app_options {
    const NAME: &'static str = "affiant_app_options";
    const SIZE_MIN: usize = size_of::<Self>();
}

impl affiant_app_options {
    const DEFAULT: Self = Self {
        size: size_of::<Self>(),
        execution_ms_max: 0,
        heap_bytes_max: 0,
        stack_bytes_max: 0,
        exception_details: 0,
        record: 0,
    };

    fn check(&self) -> Result<(), Fault> {
        if self.exception_details > 1 || self.record > 1 {
            let text = "exception_details and record of affiant_app_options are 0 or 1";
            return Err(Fault::argument(text));
        }
        Ok(())
    }

    fn runtime_options(&self) -> RuntimeOptions {
        let usual = RuntimeOptions::default();
        let or = |given: u64, usual: u64| if given == 0 { usual } else { given };
        RuntimeOptions {
            max_execution_time_ms: or(self.execution_ms_max, usual.max_execution_time_ms),
            max_heap_bytes: or(self.heap_bytes_max, usual.max_heap_bytes),
            max_stack_bytes: or(self.stack_bytes_max, usual.max_stack_bytes),
            return_exception_details: self.exception_details == 1,
            log_exception_details: true,
            ..usual
        }
    }
}

/// Loads an app and serves it from now on, beside the endpoints of the options and the apps that were loaded
/// before. `path` is a directory with `app.json` and `src/`, a `bundle.json`, or a Python app (`app.py`,
/// `app.py:attribute`, a directory with one); the language is told from what is there. `options` may be NULL.
///
/// `AFFIANT_APPLICATION`, with file, line and reason, for an app that is faulty, of which something would
/// fail when it is called, or that has an endpoint which is served already: what was served before is served
/// on. `AFFIANT_UNSUPPORTED` for a language that this library was built without. Blocks while the app is
/// loaded.
///
/// The first Python app starts CPython in this process, unless the program has; `VIRTUAL_ENV` names the
/// environment that packages come from. It installs no signal handler, and is there until the process ends.
/// All Python apps of a process share it, each with a thread for its handlers, whichever thread calls;
/// functions of this library let the GIL go while they run, should their thread hold it, and so callbacks
/// are called without it.
///
/// # Safety
/// `path` leads to as many bytes as it says, `options` is NULL or leads to as many as its size says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_runtime_load_app(
    runtime: *const affiant_runtime,
    path: affiant_slice,
    options: *const affiant_app_options,
) -> affiant_status {
    boundary::shared(runtime, |host| {
        // SAFETY: as promised to this function.
        let path = unsafe { path.text("path")? };
        if path.is_empty() || path.contains('\0') {
            return Err(Fault::argument("path is empty, or holds a NUL"));
        }
        let mut chosen = affiant_app_options::DEFAULT;
        if !options.is_null() {
            // SAFETY: as promised to this function.
            chosen = unsafe { versioned(options)? };
        }
        chosen.check()?;
        let runtime = host.enter()?;
        let loaded = language::load(Path::new(path), &chosen.runtime_options())?;
        if !loaded.warnings.is_empty() {
            return Err(Fault::new(AFFIANT_APPLICATION, loaded.warnings.join("\n")));
        }
        // Held until it is served: apps that are loaded at once come one after the other.
        let mut apps = host.apps.lock();
        let mut all = apps.clone();
        all.push(loaded.frontend);
        runtime.set_application(all.clone())?;
        if chosen.record == 1
            && let Err(error) = loaded.bundle.deploy(runtime.node())
        {
            runtime.set_application(apps.clone())?;
            return Err(error.into());
        }
        *apps = all;
        Ok(())
    })
}

/// Serves none of the apps any more that were loaded; requests that they are answering are answered. The
/// endpoints of the options stay.
#[unsafe(no_mangle)]
pub extern "C" fn affiant_runtime_unload_apps(runtime: *const affiant_runtime) -> affiant_status {
    boundary::shared(runtime, |host| {
        let runtime = host.enter()?;
        let mut apps = host.apps.lock();
        runtime.set_application(Vec::new())?;
        let ended = core::mem::take(&mut *apps);
        drop(apps);
        drop(ended);
        Ok(())
    })
}
