//! `public:ccf.gov.js_runtime_options` (reference A.12): the limits of an app's handlers, shared by
//! every interpreted language.

use affiant_kv::{Snapshot, Tx};
use affiant_proof::entry::SINGLETON_KEY;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::tables::{self, RUNTIME_OPTIONS};

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

impl RuntimeOptions {
    /// The options in the tables; what they leave open is as in `otherwise`.
    #[must_use]
    pub fn read(snapshot: &Snapshot, otherwise: &Self) -> Self {
        otherwise.with(tables::read_single(snapshot, &RUNTIME_OPTIONS))
    }

    /// The limits of governance: those of the tables, but never lower than the defaults.
    pub(crate) fn for_governance(tx: &mut Tx) -> Self {
        let defaults = Self::default();
        let configured = defaults.with(tables::get_single(tx, &RUNTIME_OPTIONS));
        configured.no_lower_than(&defaults)
    }

    /// The same options with limits at least as high as those of `floor`.
    #[must_use]
    pub fn no_lower_than(&self, floor: &Self) -> Self {
        Self {
            max_heap_bytes: self.max_heap_bytes.max(floor.max_heap_bytes),
            max_stack_bytes: self.max_stack_bytes.max(floor.max_stack_bytes),
            max_execution_time_ms: self.max_execution_time_ms.max(floor.max_execution_time_ms),
            ..self.clone()
        }
    }

    /// A number that changes whenever the options in the tables are replaced.
    #[must_use]
    pub fn stamp(snapshot: &Snapshot) -> u64 {
        snapshot.version_of(RUNTIME_OPTIONS.as_str(), &SINGLETON_KEY).unwrap_or(0)
    }

    /// These options with the fields of a row in their place; one of another type is passed over.
    fn with(&self, row: Option<Map<String, Json>>) -> Self {
        let row = row.unwrap_or_default();
        let number =
            |name: &str, otherwise: u64| row.get(name).and_then(Json::as_u64).unwrap_or(otherwise);
        let flag = |name: &str, otherwise: bool| {
            row.get(name).and_then(Json::as_bool).unwrap_or(otherwise)
        };
        Self {
            max_heap_bytes: number("max_heap_bytes", self.max_heap_bytes),
            max_stack_bytes: number("max_stack_bytes", self.max_stack_bytes),
            max_execution_time_ms: number("max_execution_time_ms", self.max_execution_time_ms),
            log_exception_details: flag("log_exception_details", self.log_exception_details),
            return_exception_details: flag(
                "return_exception_details",
                self.return_exception_details,
            ),
            max_cached_interpreters: number(
                "max_cached_interpreters",
                self.max_cached_interpreters,
            ),
        }
    }
}
