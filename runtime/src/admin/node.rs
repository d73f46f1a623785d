//! What the node says of itself.

use std::sync::atomic::Ordering;

use affiant_attest::Report;
use affiant_proof::{from_hex, to_hex};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json, json};

use super::common::ok;
use super::{BuiltInCall, Outcome};
use crate::frontend::AppError;
use crate::limits::EVIDENCE_NONCE_BYTES_MAX;
use crate::odata;
use crate::options::RuntimeOptions;
use crate::platform::PlatformError;
use crate::request::Response;
use crate::tables::{self, NodeRow, ServiceConfig, ServiceInfo};

/// The CCF release whose interface this node speaks.
const CCF_VERSION: &str = "ccf-7.0.0-dev5";

pub(super) fn state(call: &mut BuiltInCall<'_>) -> Outcome {
    // CCF reads the service's row here, so the answer names the state that it belongs to.
    let _: Option<ServiceInfo> = tables::get_single(call.tx, &tables::SERVICE_INFO);
    let info = call.host.node.info();
    ok(&json!({
        "last_signed_seqno": info.last_signed_seqno,
        "node_id": info.node_id,
        "startup_seqno": info.startup_seqno,
        "state": info.state.as_str(),
        "stop_notice": info.stop_notice,
        "sealing": info.sealing,
    }))
}

pub(super) fn version(call: &mut BuiltInCall<'_>) -> Outcome {
    let engine = call
        .application
        .frontends
        .iter()
        .find_map(|frontend| frontend.engine_version())
        .unwrap_or("none");
    ok(&json!({
        "ccf_version": CCF_VERSION,
        "quickjs_version": engine,
        "unsafe": false,
        "affiant_version": env!("CARGO_PKG_VERSION"),
    }))
}

pub(super) fn self_signed_certificate(call: &mut BuiltInCall<'_>) -> Outcome {
    let info = call.host.node.info();
    ok(&json!({"self_signed_certificate": info.self_signed_certificate_pem}))
}

fn quote_of(node_id: &str, row: &NodeRow) -> Json {
    let quote = &row.quote_info;
    // On the virtual platform the measurement is a text.
    let measurement = row.code_digest.clone().unwrap_or_else(|| to_hex(b""));
    let mut shown = json!({
        "endorsements": quote.endorsements,
        "format": quote.format,
        "measurement": measurement,
        "node_id": node_id,
        "raw": quote.quote,
    });
    for (name, value) in
        [("uvm_endorsements", &quote.uvm_endorsements), ("endorsed_tcb", &quote.endorsed_tcb)]
    {
        if let Some(value) = value {
            shown[name] = value.as_str().into();
        }
    }
    shown
}

fn own_row(call: &mut BuiltInCall<'_>) -> Result<(String, NodeRow), AppError> {
    let node_id = call.host.node.node_id().to_owned();
    match tables::get_json(call.tx, &tables::NODE_INFO, node_id.as_bytes()) {
        Some(row) => Ok((node_id, row)),
        None => Err(AppError::new(
            404,
            odata::RESOURCE_NOT_FOUND,
            "This node has no evidence of its platform yet.",
        )),
    }
}

pub(super) fn quote(call: &mut BuiltInCall<'_>) -> Outcome {
    let (node_id, row) = own_row(call)?;
    ok(&quote_of(&node_id, &row))
}

/// The container policy that governance has written for a node's host data, base64; `None` where it is
/// not known.
fn policy_text(call: &mut BuiltInCall<'_>, row: &NodeRow) -> Option<String> {
    let report = STANDARD.decode(&row.quote_info.quote).ok()?;
    let host_data = to_hex(&Report::parse(&report).ok()?.host_data);
    let text: String = tables::get_json(call.tx, &tables::SNP_HOST_DATA, host_data.as_bytes())?;
    (!text.is_empty()).then(|| STANDARD.encode(text))
}

/// CCF's answer; beyond CCF, with the container policy for who asks for it, and fresh evidence that is
/// bound to the nonce of who brings one.
pub(super) fn attestation(call: &mut BuiltInCall<'_>) -> Outcome {
    let Some(nonce) = call.request.query_parameter("nonce") else {
        let (node_id, row) = own_row(call)?;
        let mut shown = quote_of(&node_id, &row);
        if call.request.query_parameter("policy_text").as_deref() == Some("true")
            && let Some(text) = policy_text(call, &row)
        {
            shown["policy_text"] = text.into();
        }
        return ok(&shown);
    };
    let digits_max = 2 * EVIDENCE_NONCE_BYTES_MAX;
    let nonce = from_hex(&nonce)
        .filter(|nonce| (1..=EVIDENCE_NONCE_BYTES_MAX).contains(&nonce.len()))
        .ok_or_else(|| {
            let message = format!(
                "Query parameter 'nonce' has {} characters; it must be 2 to {digits_max} hex \
                 digits, an even number of them.",
                nonce.chars().count()
            );
            AppError::new(400, odata::INVALID_QUERY_PARAMETER_VALUE, message)
        })?;
    let node = &call.host.node;
    let evidence = match node.attestor().for_nonce(&nonce) {
        Ok(evidence) => evidence,
        Err(PlatformError::Busy { retry_after_ms }) => {
            let message = "Evidence was asked for too often. Retry later.";
            let seconds = retry_after_ms.div_ceil(1_000).max(1);
            return Ok(odata::error(503, odata::TOO_MANY_REQUESTS, message)
                .with_header("retry-after", seconds.to_string()));
        }
        Err(error) => return Err(error.into()),
    };
    let mut shown = Json::clone(&evidence);
    shown["measurement"] = node.code_digest().into();
    shown["node_id"] = node.node_id().into();
    ok(&shown)
}

fn all_quotes(call: &mut BuiltInCall<'_>, field: &str) -> Outcome {
    let quotes: Vec<Json> = call
        .tx
        .entries(&tables::NODE_INFO)
        .into_iter()
        .filter_map(|(key, value)| {
            let row: NodeRow = serde_json::from_slice(&value).ok()?;
            Some(quote_of(core::str::from_utf8(&key).ok()?, &row))
        })
        .collect();
    ok(&json!({ field: quotes }))
}

pub(super) fn quotes(call: &mut BuiltInCall<'_>) -> Outcome {
    all_quotes(call, "quotes")
}

pub(super) fn attestations(call: &mut BuiltInCall<'_>) -> Outcome {
    all_quotes(call, "attestations")
}

pub(super) fn memory(_: &mut BuiltInCall<'_>) -> Outcome {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let bytes_of = |field: &str| {
        status
            .lines()
            .find_map(|line| {
                line.strip_prefix(field)?.trim().strip_suffix(" kB")?.trim().parse().ok()
            })
            .map_or(0, |kib: u64| kib * 1024)
    };
    ok(&json!({
        "current_allocated_heap_size": bytes_of("VmRSS:"),
        "max_total_heap_size": u64::MAX,
        "peak_allocated_heap_size": bytes_of("VmHWM:"),
    }))
}

pub(super) fn metrics(call: &mut BuiltInCall<'_>) -> Outcome {
    let mut interfaces = Map::new();
    let (mut active, mut peak) = (0, 0);
    for listener in call.host.metrics.listeners.lock().iter() {
        let now = listener.active.load(Ordering::Relaxed);
        let most = listener.peak.load(Ordering::Relaxed);
        active += now;
        peak += most;
        interfaces.insert(
            listener.name.clone(),
            json!({
                "active": now,
                "errors": {
                    "parsing": listener.errors_parsing.load(Ordering::Relaxed),
                    "request_header_too_large":
                        listener.errors_header_too_large.load(Ordering::Relaxed),
                    "request_payload_too_large":
                        listener.errors_body_too_large.load(Ordering::Relaxed),
                },
                "hard_cap": listener.hard_max,
                "peak": most,
                "soft_cap": listener.soft_max,
            }),
        );
    }
    ok(&json!({"sessions": {"active": active, "interfaces": interfaces, "peak": peak}}))
}

pub(super) fn js_metrics(call: &mut BuiltInCall<'_>) -> Outcome {
    let options: RuntimeOptions =
        tables::get_single(call.tx, &tables::RUNTIME_OPTIONS).unwrap_or_default();
    ok(&json!({
        // Interpreters compile when they load; nothing compiled is stored.
        "bytecode_size": 0,
        "bytecode_used": false,
        "max_cached_interpreters": options.max_cached_interpreters,
        "max_execution_time": options.max_execution_time_ms,
        "max_heap_size": options.max_heap_bytes,
        "max_stack_size": options.max_stack_bytes,
    }))
}

pub(super) fn ready_app(call: &mut BuiltInCall<'_>) -> Outcome {
    Ok(ready(call, call.host.service_open()))
}

pub(super) fn ready_gov(call: &mut BuiltInCall<'_>) -> Outcome {
    Ok(ready(call, call.host.node.failed().is_none()))
}

/// A node that is about to stop is not ready, so that load balancers turn away first.
fn ready(call: &BuiltInCall<'_>, ready: bool) -> Response {
    let ready = ready && !call.host.node.info().stop_notice;
    Response::empty(if ready { 204 } else { 503 })
}

pub(super) fn jwt_refresh_metrics(call: &mut BuiltInCall<'_>) -> Outcome {
    let counters = &call.host.jwt_refresh;
    ok(&json!({
        "attempts": counters.attempts.load(Ordering::Relaxed),
        "failures": counters.failures.load(Ordering::Relaxed),
        "successes": counters.successes.load(Ordering::Relaxed),
    }))
}

/// Where CCF's nodes hand fetched keys to themselves. Here they need no request for that.
pub(super) fn jwt_refresh(_: &mut BuiltInCall<'_>) -> Outcome {
    let message = "Nodes store the keys that they fetch without this endpoint.";
    Err(AppError::new(501, odata::NOT_IMPLEMENTED, message))
}

pub(super) fn index_strategies(_: &mut BuiltInCall<'_>) -> Outcome {
    ok(&json!([]))
}

/// This node takes no snapshots, so there is never one to send.
pub(super) fn snapshot(call: &mut BuiltInCall<'_>) -> Outcome {
    if let Some(since) = call.request.query_parameter("since")
        && since.parse::<u64>().is_err()
    {
        let message = format!("Query parameter 'since' is '{since}'; it must be a seqno.");
        return Err(AppError::new(400, odata::INVALID_QUERY_PARAMETER_VALUE, message));
    }
    Err(AppError::new(404, odata::RESOURCE_NOT_FOUND, "This node has no such snapshot."))
}

pub(super) fn service_configuration(call: &mut BuiltInCall<'_>) -> Outcome {
    let config: Option<ServiceConfig> = tables::get_single(call.tx, &tables::SERVICE_CONFIG);
    match config.and_then(|config| serde_json::to_value(config).ok()) {
        Some(config) => ok(&config),
        None => Err(AppError::new(
            404,
            odata::RESOURCE_NOT_FOUND,
            "The service has no configuration yet.",
        )),
    }
}

pub(super) fn previous_identity(_: &mut BuiltInCall<'_>) -> Outcome {
    Err(AppError::new(
        404,
        odata::RESOURCE_NOT_FOUND,
        "This service is not a recovery of a previous service.",
    ))
}
