//! What the host counts, and its Prometheus text at `/metrics`.
//!
//! Counting costs a few relaxed additions and takes no lock; the text is made when it is asked for.
//! Labels come from declared endpoints and configured listeners only, so that no client can make
//! new time series.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use serde_json::{Value as Json, json};

use crate::node::NodeMetrics;

/// Upper bounds of the latency buckets, in seconds; one more bucket holds the rest.
const BUCKETS_S: [f64; 15] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    10.0,
];

/// A histogram of durations.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    counts: [AtomicU64; BUCKETS_S.len() + 1],
    sum_ns: AtomicU64,
}

impl Histogram {
    pub(crate) fn observe(&self, elapsed: Duration) {
        let seconds = elapsed.as_secs_f64();
        let bucket = BUCKETS_S.partition_point(|bound| *bound < seconds);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        let ns = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        self.sum_ns.fetch_add(ns, Ordering::Relaxed);
    }

    fn read(&self) -> (f64, u64, Vec<(f64, u64)>) {
        let mut count = 0;
        let mut buckets = Vec::with_capacity(self.counts.len());
        for (index, counter) in self.counts.iter().enumerate() {
            let value = counter.load(Ordering::Relaxed);
            count += value;
            buckets.push((BUCKETS_S.get(index).copied().unwrap_or(f64::MAX), value));
        }
        (self.sum_ns.load(Ordering::Relaxed) as f64 / 1e9, count, buckets)
    }
}

/// Counters of one route.
#[derive(Debug, Default)]
pub(crate) struct RouteMetrics {
    /// Answers by first digit of their status, 1 to 5; others count as 5.
    by_class: [AtomicU64; 5],
    latency: Histogram,
    retries: AtomicU64,
}

impl RouteMetrics {
    pub(crate) fn answered(&self, status: u16, elapsed: Duration) {
        let class = usize::from(status / 100).clamp(1, 5) - 1;
        self.by_class[class].fetch_add(1, Ordering::Relaxed);
        self.latency.observe(elapsed);
    }

    pub(crate) fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }
}

/// Sessions of one listener, with its bounds.
#[derive(Debug)]
pub(crate) struct ListenerMetrics {
    pub(crate) name: String,
    pub(crate) soft_max: usize,
    pub(crate) hard_max: usize,
    pub(crate) active: AtomicUsize,
    pub(crate) peak: AtomicUsize,
    pub(crate) errors_parsing: AtomicU64,
    pub(crate) errors_body_too_large: AtomicU64,
    pub(crate) errors_header_too_large: AtomicU64,
    pub(crate) handshakes_failed: AtomicU64,
    pub(crate) sessions_refused: AtomicU64,
    pub(crate) sessions_timed_out: AtomicU64,
}

impl ListenerMetrics {
    pub(crate) fn new(name: &str, soft_max: usize, hard_max: usize) -> Self {
        Self {
            name: name.to_owned(),
            soft_max,
            hard_max,
            active: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            errors_parsing: AtomicU64::new(0),
            errors_body_too_large: AtomicU64::new(0),
            errors_header_too_large: AtomicU64::new(0),
            handshakes_failed: AtomicU64::new(0),
            sessions_refused: AtomicU64::new(0),
            sessions_timed_out: AtomicU64::new(0),
        }
    }

    /// Notes a session and returns how many are active now, this one included.
    pub(crate) fn opened(&self) -> usize {
        let active = self.active.fetch_add(1, Ordering::Relaxed) + 1;
        self.peak.fetch_max(active, Ordering::Relaxed);
        active
    }

    pub(crate) fn closed(&self) {
        self.active.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Everything the host counts.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    routes: Mutex<BTreeMap<String, Arc<RouteMetrics>>>,
    pub(crate) unmatched: RouteMetrics,
    pub(crate) commit_latency: Histogram,
    pub(crate) listeners: Mutex<Vec<Arc<ListenerMetrics>>>,
}

/// Gauges read at the moment of a scrape.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gauges {
    pub(crate) last_seqno: u64,
    pub(crate) committed_seqno: u64,
    pub(crate) view: u64,
    pub(crate) executor_queue: u64,
    pub(crate) service_open: bool,
    pub(crate) node: NodeMetrics,
}

impl Metrics {
    /// The counters of a route; the same ones for the same label, whatever application declares it.
    pub(crate) fn route(&self, label: &str) -> Arc<RouteMetrics> {
        self.routes.lock().entry(label.to_owned()).or_default().clone()
    }

    /// The endpoints' counters in the shape that CCF had up to version 4: of all calls, errors are
    /// answered 4xx, failures 5xx. Endpoints that nobody called are left out.
    pub(crate) fn endpoints_json(&self) -> Json {
        let routes = self.routes.lock();
        let metrics: Vec<Json> = routes
            .iter()
            .filter_map(|(label, route)| {
                let (method, path) = label.split_once(' ')?;
                let counts: Vec<u64> =
                    route.by_class.iter().map(|count| count.load(Ordering::Relaxed)).collect();
                let calls: u64 = counts.iter().sum();
                (calls > 0).then(|| {
                    json!({
                        "calls": calls,
                        "errors": counts[3],
                        "failures": counts[4],
                        "method": method,
                        "path": path,
                        "retries": route.retries.load(Ordering::Relaxed),
                    })
                })
            })
            .collect();
        json!({ "metrics": metrics })
    }

    /// Prometheus text.
    pub(crate) fn text(self: &Arc<Self>, gauges: Gauges) -> Result<String, fmt::Error> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Scrape { metrics: self.clone(), gauges }));
        let mut body = String::new();
        text::encode(&mut body, &registry)?;
        Ok(body)
    }
}

#[derive(Debug)]
struct Scrape {
    metrics: Arc<Metrics>,
    gauges: Gauges,
}

impl Scrape {
    fn routes(&self) -> Vec<(String, Arc<RouteMetrics>)> {
        let routes = self.metrics.routes.lock();
        routes.iter().map(|(label, route)| (label.clone(), route.clone())).collect()
    }
}

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let routes = self.routes();
        encode_requests(&mut encoder, &routes, &self.metrics.unmatched)?;
        let mut family = encoder.encode_descriptor(
            "affiant_request_duration_seconds",
            "Time from the whole request to its answer",
            None,
            MetricType::Histogram,
        )?;
        for (label, route) in &routes {
            let (sum, count, buckets) = route.latency.read();
            if count > 0 {
                family
                    .encode_family(&[("route", label.as_str())])?
                    .encode_histogram::<[(&str, &str); 0]>(sum, count, &buckets, None)?;
            }
        }
        let (sum, count, buckets) = self.metrics.commit_latency.read();
        encoder
            .encode_descriptor(
                "affiant_commit_wait_seconds",
                "Time that answers waited for commit",
                None,
                MetricType::Histogram,
            )?
            .encode_histogram::<[(&str, &str); 0]>(sum, count, &buckets, None)?;
        let gauges = self.gauges;
        for (name, help, value) in [
            ("affiant_ledger_seqno", "Newest transaction sequenced", gauges.last_seqno),
            (
                "affiant_ledger_committed_seqno",
                "Newest transaction committed",
                gauges.committed_seqno,
            ),
            ("affiant_ledger_view", "View of the newest transaction", gauges.view),
            (
                "affiant_ledger_uncommitted",
                "Transactions sequenced and not yet committed",
                gauges.last_seqno.saturating_sub(gauges.committed_seqno),
            ),
            ("affiant_executor_queue", "Requests waiting for a thread", gauges.executor_queue),
            ("affiant_commit_waiters", "Answers waiting for commit", gauges.node.waiters as u64),
            ("affiant_service_open", "Whether the service is open", u64::from(gauges.service_open)),
        ] {
            encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)?;
        }
        let node = gauges.node;
        for (name, help, value) in [
            ("affiant_ledger_entries", "Entries taken in by the core", node.entries),
            ("affiant_ledger_signatures", "Signatures committed", node.signatures),
            ("affiant_disk_batches", "Batches synced to disk", node.disk_batches),
            ("affiant_disk_bytes", "Bytes written to disk", node.disk_bytes),
            ("affiant_disk_microseconds", "Time spent writing and syncing", node.disk_us),
        ] {
            encoder
                .encode_descriptor(name, help, None, MetricType::Counter)?
                .encode_counter::<[(&str, &str); 0], u64, f64>(&value, None)?;
        }
        encode_sessions(&mut encoder, &self.metrics.listeners.lock())
    }
}

fn encode_requests(
    encoder: &mut DescriptorEncoder<'_>,
    routes: &[(String, Arc<RouteMetrics>)],
    unmatched: &RouteMetrics,
) -> fmt::Result {
    let mut family =
        encoder.encode_descriptor("affiant_requests", "Answers sent", None, MetricType::Counter)?;
    let all = routes.iter().map(|(label, route)| (label.as_str(), &**route));
    for (label, route) in all.chain([("none", unmatched)]) {
        for (class, counter) in CLASSES.iter().zip(&route.by_class) {
            let value = counter.load(Ordering::Relaxed);
            if value > 0 {
                family
                    .encode_family(&[("route", label), ("status", class)])?
                    .encode_counter::<[(&str, &str); 0], u64, f64>(&value, None)?;
            }
        }
    }
    let mut family = encoder.encode_descriptor(
        "affiant_conflicts",
        "Handlers run again because their transaction conflicted",
        None,
        MetricType::Counter,
    )?;
    for (label, route) in routes {
        let value = route.retries.load(Ordering::Relaxed);
        if value > 0 {
            family
                .encode_family(&[("route", label.as_str())])?
                .encode_counter::<[(&str, &str); 0], u64, f64>(&value, None)?;
        }
    }
    Ok(())
}

fn encode_sessions(
    encoder: &mut DescriptorEncoder<'_>,
    listeners: &[Arc<ListenerMetrics>],
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(
        "affiant_sessions",
        "Sessions that are open",
        None,
        MetricType::Gauge,
    )?;
    for listener in listeners {
        family
            .encode_family(&[("listener", listener.name.as_str())])?
            .encode_gauge(&(listener.active.load(Ordering::Relaxed) as u64))?;
    }
    let mut family = encoder.encode_descriptor(
        "affiant_session_errors",
        "Sessions refused or ended early, by cause",
        None,
        MetricType::Counter,
    )?;
    for listener in listeners {
        for (cause, counter) in [
            ("parsing", &listener.errors_parsing),
            ("body_too_large", &listener.errors_body_too_large),
            ("header_too_large", &listener.errors_header_too_large),
            ("handshake", &listener.handshakes_failed),
            ("refused", &listener.sessions_refused),
            ("timeout", &listener.sessions_timed_out),
        ] {
            family
                .encode_family(&[("listener", listener.name.as_str()), ("cause", cause)])?
                .encode_counter::<[(&str, &str); 0], u64, f64>(
                    &counter.load(Ordering::Relaxed),
                    None,
                )?;
        }
    }
    Ok(())
}
