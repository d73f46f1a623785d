//! The loads that are measured, and what they are measured against: CCF's figures and the targets of
//! the design, section 8.

use super::Protocol;
use super::wire::Template;

/// Which application the node serves, and which of its endpoints is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Endpoints in Rust.
    Native,
    /// JavaScript in an interpreter that is kept.
    JavaScript,
    /// JavaScript in a fresh interpreter for each request.
    JavaScriptFresh,
    /// Python in the node.
    Python,
    /// Python in two worker processes.
    PythonWorkers,
}

/// What is asked of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A private write, answered early.
    Write,
    /// A private write, answered once it is synced and committed.
    WriteCommitted,
    /// A private read.
    Read,
}

/// What a scenario's figure is compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// Node CPU per request, in microseconds.
    CpuUs(f64),
    /// Median response time, in milliseconds.
    MedianMs(f64),
    /// Median response time: the disk's own sync plus so many milliseconds.
    SyncPlusMs(f64),
}

/// What CCF reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ccf {
    /// Requests per second, where it was measured.
    pub requests_per_s: Option<f64>,
    /// Node CPU per request, in microseconds.
    pub cpu_us: Option<f64>,
    /// Median response time, in milliseconds.
    pub median_ms: Option<f64>,
}

const fn rate(requests_per_s: f64, cpu_us: f64) -> Ccf {
    Ccf { requests_per_s: Some(requests_per_s), cpu_us: Some(cpu_us), median_ms: None }
}

const fn median(median_ms: f64) -> Ccf {
    Ccf { requests_per_s: None, cpu_us: None, median_ms: Some(median_ms) }
}

/// CCF has nothing like it.
const NONE: Ccf = Ccf { requests_per_s: None, cpu_us: None, median_ms: None };

/// One load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// The application.
    pub language: Language,
    /// The request.
    pub operation: Operation,
    /// The protocol.
    pub protocol: Protocol,
    /// Connections.
    pub connections: usize,
    /// Requests in flight on each.
    pub in_flight: usize,
    /// CCF's figure.
    pub ccf: Ccf,
    /// Ours to be.
    pub target: Target,
}

/// All loads, in the order of the design's table.
pub const SCENARIOS: &[Scenario] = {
    use Language::{JavaScript, JavaScriptFresh, Native, Python, PythonWorkers};
    use Operation::{Read, Write, WriteCommitted};
    use Protocol::{Http1, Http2};
    use Target::{CpuUs, MedianMs, SyncPlusMs};
    &[
        of("write", Native, Write, Http1, 100, 1, rate(28_500.0, 36.0), CpuUs(15.0)),
        of("read", Native, Read, Http1, 100, 1, rate(44_900.0, 18.0), CpuUs(10.0)),
        of("write-js", JavaScript, Write, Http1, 100, 1, rate(27_200.0, 46.0), CpuUs(20.0)),
        of("read-js", JavaScript, Read, Http1, 100, 1, rate(31_300.0, 34.0), CpuUs(14.0)),
        of("write-pipelined", Native, Write, Http1, 10, 100, rate(64_200.0, 20.0), CpuUs(8.0)),
        of("read-pipelined", Native, Read, Http1, 10, 100, rate(83_700.0, 12.0), CpuUs(6.0)),
        of("write-http2", Native, Write, Http2, 10, 100, rate(64_200.0, 20.0), CpuUs(8.0)),
        of("read-http2", Native, Read, Http2, 10, 100, rate(83_700.0, 12.0), CpuUs(6.0)),
        of(
            "write-js-pipelined",
            JavaScript,
            Write,
            Http1,
            10,
            100,
            rate(26_800.0, 42.0),
            CpuUs(14.0),
        ),
        of(
            "read-js-pipelined",
            JavaScript,
            Read,
            Http1,
            10,
            100,
            rate(35_700.0, 32.0),
            CpuUs(10.0),
        ),
        of("write-js-http2", JavaScript, Write, Http2, 10, 100, rate(26_800.0, 42.0), CpuUs(14.0)),
        of("read-js-http2", JavaScript, Read, Http2, 10, 100, rate(35_700.0, 32.0), CpuUs(10.0)),
        of(
            "write-js-fresh",
            JavaScriptFresh,
            Write,
            Http1,
            100,
            1,
            rate(5_300.0, 211.0),
            CpuUs(30.0),
        ),
        of(
            "read-js-fresh",
            JavaScriptFresh,
            Read,
            Http1,
            100,
            1,
            rate(7_900.0, 137.0),
            CpuUs(24.0),
        ),
        of("write-py", Python, Write, Http1, 100, 1, rate(27_200.0, 46.0), CpuUs(20.0)),
        of("read-py", Python, Read, Http1, 100, 1, rate(31_300.0, 34.0), CpuUs(14.0)),
        of("write-py-pipelined", Python, Write, Http1, 10, 100, rate(26_800.0, 42.0), CpuUs(14.0)),
        of("read-py-pipelined", Python, Read, Http1, 10, 100, rate(35_700.0, 32.0), CpuUs(10.0)),
        of("write-py-http2", Python, Write, Http2, 10, 100, rate(26_800.0, 42.0), CpuUs(14.0)),
        of("read-py-http2", Python, Read, Http2, 10, 100, rate(35_700.0, 32.0), CpuUs(10.0)),
        of("write-py-workers", PythonWorkers, Write, Http1, 100, 1, NONE, CpuUs(40.0)),
        of("read-py-workers", PythonWorkers, Read, Http1, 100, 1, NONE, CpuUs(40.0)),
        of("one-py", Python, Write, Http1, 1, 1, median(1.3), MedianMs(0.15)),
        of("one", Native, Write, Http1, 1, 1, median(1.2), MedianMs(0.15)),
        of("one-js", JavaScript, Write, Http1, 1, 1, median(1.3), MedianMs(0.15)),
        of("commit", Native, WriteCommitted, Http1, 1, 1, median(62.0), SyncPlusMs(2.0)),
        of("commit-100", Native, WriteCommitted, Http1, 100, 1, median(62.0), SyncPlusMs(2.0)),
        of("commit-js", JavaScript, WriteCommitted, Http1, 1, 1, median(66.0), SyncPlusMs(2.0)),
    ]
};

#[expect(clippy::too_many_arguments, reason = "one row of a table")]
const fn of(
    name: &'static str,
    language: Language,
    operation: Operation,
    protocol: Protocol,
    connections: usize,
    in_flight: usize,
    ccf: Ccf,
    target: Target,
) -> Scenario {
    Scenario { name, language, operation, protocol, connections, in_flight, ccf, target }
}

impl Language {
    /// Worker processes of a Python app; `None` for other apps.
    #[must_use]
    pub const fn python_workers(self) -> Option<usize> {
        match self {
            Self::Python => Some(0),
            Self::PythonWorkers => Some(2),
            _ => None,
        }
    }
}

impl Scenario {
    /// The scenario of that name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        SCENARIOS.iter().find(|scenario| scenario.name == name)
    }

    /// The request, which names record `{id}`.
    #[must_use]
    pub fn template(&self, operation: Operation) -> Template {
        let path = match self.language {
            Language::JavaScriptFresh => "/app/fresh/log/private",
            _ => "/app/log/private",
        };
        // As long as the messages of CCF's logging client.
        let body = r#"{"id":{id},"msg":"a private message of about fifty bytes, no more"}"#;
        match operation {
            Operation::Write => Template::new("POST", path, &[], Some(body)),
            Operation::WriteCommitted => {
                Template::new("POST", path, &[("x-affiant-respond", "committed")], Some(body))
            }
            Operation::Read => Template::new("GET", &format!("{path}?id={{id}}"), &[], None),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        let names: BTreeSet<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), SCENARIOS.len());
        assert!(SCENARIOS.iter().all(|scenario| Scenario::find(scenario.name) == Some(scenario)));
    }
}
