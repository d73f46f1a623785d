//! Every bound of the Python front end, with its unit in its name.

/// Nesting of values that become JSON.
pub(crate) const JSON_DEPTH_MAX: usize = 200;
/// How much JSON is written between two looks at the time, in bytes.
pub(crate) const LOOK_BYTES: usize = 1 << 20;
/// Names and values of the headers of one response, in bytes.
pub(crate) const RESPONSE_HEADERS_BYTES_MAX: usize = 64 << 10;
/// Text of a value that becomes JSON, in bytes; a last string may go beyond it.
pub(crate) const JSON_BYTES_MAX: usize = 256 << 20;
/// Text of an exception, and of its traceback, in characters.
pub(crate) const FAILURE_CHARS_MAX: usize = 32 << 10;
/// Map handles that `ccf.kv` keeps; more names get a fresh handle each time.
pub(crate) const MAP_HANDLES_COUNT_MAX: usize = 4096;
/// Headers of one response.
pub(crate) const RESPONSE_HEADER_COUNT_MAX: usize = 256;
/// How often the watchdog looks at the running handler, in milliseconds.
pub(crate) const WATCHDOG_TICK_MS: u64 = 20;
/// How often a handler that swallows its interruption is interrupted again, in milliseconds.
pub(crate) const INTERRUPT_AGAIN_MS: u64 = 100;
/// How long a handler may run in a process that ends, in milliseconds.
pub(crate) const ENDING_MS_MAX: u64 = 1_000;
/// How long after its limit a handler that cannot be interrupted holds its client, in milliseconds.
pub(crate) const GIVE_UP_GRACE_MS: u64 = 1_000;
/// Memory of Python objects beyond what the loaded app takes, where governance sets no bound, in bytes.
pub(crate) const OBJECT_BYTES_DEFAULT: u64 = 1 << 30;
/// Hashing of at least so much lets go of the GIL, in bytes.
pub(crate) const DETACH_BYTES_MIN: usize = 32 * 1024;
/// How long the end of a ledger waits for calls under way, in milliseconds.
pub(crate) const CLOSE_WAIT_MS_MAX: u64 = 5_000;
/// How long past transactions are kept for code that has asked for them, in seconds.
pub(crate) const HISTORY_EXPIRY_S: u64 = 60;
/// How long code waits for past transactions before it looks for signals, in milliseconds.
pub(crate) const HISTORY_SLICE_MS: u64 = 100;
/// JSON texts that are parsed here instead of by Python, in bytes: longer ones gain nothing.
pub(crate) const JSON_PARSE_BYTES_MAX: usize = 64 * 1024;
/// Nesting of JSON texts that are parsed here; deeper ones are Python's to judge.
pub(crate) const JSON_PARSE_DEPTH_MAX: usize = 64;
