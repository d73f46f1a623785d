//! Every bound of the host's side, with its unit in its name.

/// Stack of the interpreter's thread, on which apps are imported, in bytes. Only what is used is paid for.
pub(crate) const STACK_BYTES: usize = 16 << 20;
/// Largest `pyvenv.cfg` that is read, in bytes.
pub(crate) const ENVIRONMENT_BYTES_MAX: u64 = 64 << 10;
/// Room for CPython's `PyConfig`, which has grown from 400 to 500 bytes in six versions, in bytes.
pub(crate) const CONFIG_BYTES: usize = 4096;
/// Room for CPython's `PyPreConfig`, which has 40, in bytes.
pub(crate) const PRE_CONFIG_BYTES: usize = 256;
/// The first minor version of Python 3 that the stable ABI of this library knows.
pub(crate) const MINOR_VERSION_MIN: u8 = 11;
