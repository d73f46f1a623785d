//! Every bound of worker processes, with its unit in its name.

/// Longest message between node and worker, in bytes: the largest value and key, or the largest answer.
pub(crate) const FRAME_BYTES_MAX: usize = (256 << 20) + (8 << 20);
/// Room for what comes from the other side, in bytes.
pub(crate) const INBOX_BYTES: usize = 16 << 10;
/// Room that is kept between two messages, in bytes.
pub(crate) const INBOX_KEPT_BYTES_MAX: usize = 1 << 20;
/// Body of one response, in bytes.
pub(crate) const RESPONSE_BYTES_MAX: usize = 256 << 20;
/// Writes that a worker gathers before it hands them over.
pub(crate) const GATHERED_WRITES_COUNT_MAX: usize = 1_024;
/// The same, in bytes of keys and values.
pub(crate) const GATHERED_WRITES_BYTES_MAX: usize = 1 << 20;
/// Entries of one page of a range.
pub(crate) const PAGE_COUNT_MAX: usize = 4_096;
/// Bytes of keys and values at which a page ends.
pub(crate) const PAGE_BYTES_MAX: usize = 1 << 20;
/// Characters of a worker's error message, reason or detail that are taken.
pub(crate) const FAILURE_CHARS_MAX: usize = 64 << 10;
/// Details of a worker's error that are taken.
pub(crate) const FAILURE_DETAILS_COUNT_MAX: usize = 16;
/// Bytes of a line that a worker prints; longer ones are broken.
pub(crate) const OUTPUT_LINE_BYTES_MAX: usize = 4 << 10;
/// Time for the import of an app and the start of its lifespan, in milliseconds.
pub(crate) const LOAD_MS_MAX: u64 = 150_000;
/// Time for a loaded worker to say that it serves, in milliseconds.
pub(crate) const SERVE_MS_MAX: u64 = 10_000;
/// Time that a handler has after its time limit to notice its interruption, until its process is
/// killed, in milliseconds.
pub(crate) const KILL_GRACE_MS: u64 = 1_000;
/// Time that a request waits for a worker to start, in milliseconds.
pub(crate) const WORKER_WAIT_MS_MAX: u64 = 5_000;
/// Slack of the host's own watchdog over the time that a request may take here, in milliseconds.
pub(crate) const GIVE_UP_SLACK_MS: u64 = 2_000;
/// Time for a worker that is told to stop, in milliseconds.
pub(crate) const STOP_MS_MAX: u64 = 2_000;
/// Time for a worker that closed its socket to be seen ending by itself, in milliseconds.
pub(crate) const EXIT_MS_MAX: u64 = 500;
/// Workers that start at one time.
pub(crate) const STARTING_COUNT_MAX: usize = 2;
/// Wait after a failed start, in milliseconds; doubled with every failure.
pub(crate) const START_BACKOFF_MS: u64 = 100;
/// Longest such wait, in milliseconds.
pub(crate) const START_BACKOFF_MS_MAX: u64 = 10_000;
/// Memory that a worker may take besides what its app had when it was loaded and the heap that the
/// options give to its handlers: stacks of threads, buffers of libraries, in bytes.
pub(crate) const MEMORY_SLACK_BYTES: u64 = 128 << 20;
/// How often the node looks whether a worker that says nothing still may, in milliseconds.
pub(crate) const LOOK_MS: u64 = 50;
