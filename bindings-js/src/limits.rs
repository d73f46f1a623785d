//! Every bound of this crate, with its unit in its name.

/// Memory is taken from the system in pieces of this size, in bytes.
pub(crate) const HEAP_CHUNK_BYTES: usize = 256 * 1024;
/// Chunks kept for the next request beyond those of the pristine interpreter.
pub(crate) const HEAP_SPARE_CHUNK_COUNT_MAX: usize = 4;
/// Growth of the heap at which cyclic garbage is collected, in bytes.
pub(crate) const GARBAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Stack of one handler whatever the options say, in bytes: the host's threads have 2 MiB.
pub(crate) const STACK_BYTES_MAX: u64 = 1024 * 1024;
/// Stack of what a native function runs in an interpreter of its own, in bytes: it comes on top of the
/// caller's.
pub(crate) const NESTED_STACK_BYTES_MAX: u64 = 256 * 1024;
/// Heap of one handler whatever the options say, in bytes.
pub(crate) const HEAP_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;
/// Pristine interpreters per worker (one per module that endpoints name); the least recently used
/// goes first.
pub(crate) const FRESH_INTERPRETER_COUNT_MAX: usize = 32;
/// Interpreters kept for reuse per worker, whatever the options say.
pub(crate) const REUSED_INTERPRETER_COUNT_MAX: u64 = 1000;
/// Map names that one interpreter may have handles of before it is replaced.
pub(crate) const MAP_NAME_COUNT_MAX: usize = 4096;
/// Characters shown of a line that does not compile.
pub(crate) const EXCERPT_CHARS_MAX: usize = 120;
/// Headers of one response.
pub(crate) const RESPONSE_HEADER_COUNT_MAX: usize = 256;
/// Bytes of entropy fetched at once for `Math.random`.
pub(crate) const ENTROPY_BUFFER_BYTES: usize = 512;
/// What a script that polls has to notice its time limit by itself, beyond it, in milliseconds.
pub(crate) const WATCHDOG_GRACE_MS: u64 = 100;
/// How often the watchdog looks for calls that are overdue, in milliseconds.
pub(crate) const WATCHDOG_PERIOD_MS: u64 = 50;
