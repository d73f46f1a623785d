//! `public:ccf.gov.js_runtime_options` (reference A.12): the limits of an app's handlers, shared by
//! every interpreted language.

use serde::{Deserialize, Serialize};

/// Limits and switches of handler execution. Defaults are CCF's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RuntimeOptions {
    /// Heap of one handler, in bytes.
    pub max_heap_bytes: u64,
    /// Stack of one handler, in bytes.
    pub max_stack_bytes: u64,
    /// Run time of one handler, in milliseconds.
    pub max_execution_time_ms: u64,
    /// Write exceptions and traces to the log.
    pub log_exception_details: bool,
    /// Send exceptions and traces to the client.
    pub return_exception_details: bool,
    /// Interpreters kept for reuse, per worker.
    pub max_cached_interpreters: u64,
}

impl Default for RuntimeOptions {
    fn default() -> Self {
        Self {
            max_heap_bytes: 100 * 1024 * 1024,
            max_stack_bytes: 1024 * 1024,
            max_execution_time_ms: 5_000,
            log_exception_details: false,
            return_exception_details: false,
            max_cached_interpreters: 10,
        }
    }
}
