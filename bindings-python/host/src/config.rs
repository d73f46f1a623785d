//! Starting CPython with a configuration, without knowing its version.
//!
//! `Py_Initialize` ends the process if the standard library is missing; `Py_InitializeFromConfig` says so.
//! The latter's structures belong to one version each, and this library is built for the stable ABI: of
//! `PyPreConfig` and `PyConfig` only the fields at the head are used, which no version since 3.8 has moved,
//! and they are used only if CPython's own function has put there what it puts there today. The rest is set
//! by functions.

use core::ffi::{CStr, c_char, c_int};
use core::mem::MaybeUninit;
use std::ffi::CString;

use crate::limits::{CONFIG_BYTES, PRE_CONFIG_BYTES};

/// `PyStatus`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Status {
    kind: c_int,
    function: *const c_char,
    message: *const c_char,
    exit_code: c_int,
}

/// The head of `PyPreConfig`.
#[derive(Clone, Copy)]
#[repr(C)]
struct PreConfigHead {
    initialised_as: c_int,
    parse_argv: c_int,
    isolated: c_int,
    use_environment: c_int,
    configure_locale: c_int,
    coerce_c_locale: c_int,
    coerce_c_locale_warn: c_int,
    utf8_mode: c_int,
}

/// The head of `PyConfig`.
#[derive(Clone, Copy)]
#[repr(C)]
struct ConfigHead {
    initialised_as: c_int,
    isolated: c_int,
    use_environment: c_int,
    dev_mode: c_int,
    install_signal_handlers: c_int,
}

#[repr(C)]
union PreConfig {
    head: PreConfigHead,
    room: [u64; PRE_CONFIG_BYTES / 8],
}

#[repr(C)]
union Config {
    head: ConfigHead,
    room: [u64; CONFIG_BYTES / 8],
}

/// `_PyConfig_INIT_PYTHON`.
const AS_PYTHON: c_int = 2;
/// `_PyConfig_INIT_ISOLATED`.
const AS_ISOLATED: c_int = 3;

// Exported by every libpython since 3.8, and no part of the stable ABI that pyo3 declares.
unsafe extern "C" {
    fn PyPreConfig_InitIsolatedConfig(config: *mut PreConfig);
    fn Py_PreInitialize(config: *const PreConfig) -> Status;
    fn PyConfig_InitPythonConfig(config: *mut Config);
    fn PyConfig_SetBytesArgv(
        config: *mut Config,
        count: isize,
        arguments: *const *const c_char,
    ) -> Status;
    fn Py_InitializeFromConfig(config: *const Config) -> Status;
    fn PyConfig_Clear(config: *mut Config);
}

const UNKNOWN: &str = "this version of CPython keeps its configuration in another way than those that \
     this library knows (3.11 to 3.15)";

impl Status {
    /// What CPython says, if this is no success.
    fn check(self) -> Result<(), String> {
        if self.kind == 0 {
            return Ok(());
        }
        if self.message.is_null() {
            return Err(format!("it wants to exit with code {}", self.exit_code));
        }
        // SAFETY: a message is a terminated text that lives as long as CPython.
        let message = unsafe { CStr::from_ptr(self.message) };
        Err(message.to_string_lossy().into_owned())
    }
}

/// Starts CPython on the calling thread, which then holds the GIL. `program` is what `sys.executable` will
/// be, and where CPython begins to look for its standard library.
///
/// # Errors
/// Why it cannot be started, in CPython's words. Whether it may be tried again is not known.
pub(crate) fn start(program: Option<&CStr>) -> Result<(), String> {
    pre_initialise()?;
    let mut config = MaybeUninit::<Config>::zeroed();
    // SAFETY: there is room for every known version's structure, which the function fills.
    let config = unsafe {
        PyConfig_InitPythonConfig(config.as_mut_ptr());
        config.assume_init_mut()
    };
    // SAFETY: all of it was zeroed, and then filled.
    let head = unsafe { &mut config.head };
    let as_known = head.initialised_as == AS_PYTHON
        && head.isolated == 0
        && head.use_environment == 1
        && head.install_signal_handlers == 1;
    if !as_known {
        return Err(UNKNOWN.to_owned());
    }
    // Ctrl-C and what else there is belong to the host.
    head.install_signal_handlers = 0;
    let started = initialise(config, program);
    // SAFETY: the structure was filled by CPython, and is not used again.
    unsafe { PyConfig_Clear(config) };
    started
}

/// UTF-8 everywhere, whatever the locale, which is the process's and stays as it is. Else as `python3`
/// begins: `PYTHONMALLOC` counts.
fn pre_initialise() -> Result<(), String> {
    let mut config = MaybeUninit::<PreConfig>::zeroed();
    // SAFETY: there is room for every known version's structure, which the function fills.
    let config = unsafe {
        PyPreConfig_InitIsolatedConfig(config.as_mut_ptr());
        config.assume_init_mut()
    };
    // SAFETY: all of it was zeroed, and then filled.
    let head = unsafe { &mut config.head };
    let as_known = head.initialised_as == AS_ISOLATED
        && head.parse_argv == 0
        && head.isolated == 1
        && head.use_environment == 0
        && head.configure_locale == 0
        && head.coerce_c_locale == 0
        && head.utf8_mode == 0;
    if !as_known {
        return Err(UNKNOWN.to_owned());
    }
    head.utf8_mode = 1;
    head.isolated = 0;
    head.use_environment = 1;
    // SAFETY: the structure is valid; a second call, after a failed start, does nothing.
    unsafe { Py_PreInitialize(config) }.check()
}

fn initialise(config: &mut Config, program: Option<&CStr>) -> Result<(), String> {
    if let Some(program) = program {
        let arguments = [program.as_ptr()];
        // SAFETY: one terminated text, which CPython copies.
        unsafe { PyConfig_SetBytesArgv(config, 1, arguments.as_ptr()) }.check()?;
    }
    // SAFETY: the structure is valid, and no interpreter runs.
    unsafe { Py_InitializeFromConfig(config) }.check()
}

/// A path for CPython.
///
/// # Errors
/// It holds a NUL.
pub(crate) fn terminated(path: &std::path::Path) -> Result<CString, String> {
    use std::os::unix::ffi::OsStrExt as _;
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| format!("{} has a NUL in its name", path.display()))
}
