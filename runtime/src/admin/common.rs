//! What every front end offers: commit point, status and receipt of a transaction; and the metrics.

use affiant_kv::TxStatus;
use affiant_proof::TxId;
use serde_json::{Value as Json, json};

use super::{BuiltInCall, Outcome};
use crate::frontend::AppError;
use crate::historical::refuse_uncommitted;
use crate::metrics::Gauges;
use crate::node::ReceiptOutcome;
use crate::odata;
use crate::receipts::{receipt_cose, receipt_json};
use crate::request::Response;

pub(super) fn commit(call: &mut BuiltInCall<'_>) -> Outcome {
    let store = call.host.node.store();
    let mut body = json!({"transaction_id": store.committed().to_string()});
    let since = match call.request.query_parameter("view_history_since") {
        Some(text) => Some(view_since(&text)?),
        None => match call.request.query_parameter("view_history").as_deref() {
            None | Some("false") => None,
            Some("true") => Some(1),
            Some(other) => {
                return Err(invalid(format!(
                    "Query parameter 'view_history' is '{other}'; it must be true or false."
                )));
            }
        },
    };
    if let Some(since) = since {
        let history = store.view_history();
        if since > history.len() as u64 {
            let message = format!("This node knows no view {since}.");
            return Err(AppError::new(404, odata::INVALID_QUERY_PARAMETER_VALUE, message));
        }
        let views: Vec<String> = (1..)
            .zip(history)
            .filter(|(view, _)| *view >= since)
            .map(|(view, seqno)| TxId::new(view, seqno).to_string())
            .collect();
        body["view_history"] = views.into();
    }
    Ok(Response::json(200, &body))
}

fn view_since(text: &str) -> Result<u64, AppError> {
    text.parse().ok().filter(|view| *view >= 1).ok_or_else(|| {
        invalid(format!(
            "Query parameter 'view_history_since' is '{text}'; it must be a view, from 1 on."
        ))
    })
}

fn invalid(message: String) -> AppError {
    AppError::new(400, odata::INVALID_QUERY_PARAMETER_VALUE, message)
}

fn txid(call: &BuiltInCall<'_>) -> Result<TxId, AppError> {
    let Some(text) = call.request.query_parameter("transaction_id") else {
        return Err(invalid("Query parameter 'transaction_id' is missing.".to_owned()));
    };
    text.parse()
        .map_err(|error| invalid(format!("Query parameter 'transaction_id' is '{text}'; {error}.")))
}

pub(super) fn tx_status(call: &mut BuiltInCall<'_>) -> Outcome {
    let txid = txid(call)?;
    let status = call.host.node.store().status(txid).as_str();
    Ok(Response::json(200, &json!({"status": status, "transaction_id": txid.to_string()})))
}

pub(super) fn receipt(call: &mut BuiltInCall<'_>) -> Outcome {
    let txid = txid(call)?;
    let as_cose =
        call.request.header("accept").is_some_and(|accept| accept.contains("application/cose"));
    let unreadable = |error: &dyn core::fmt::Display| {
        let mut failure = AppError::internal("The ledger could not be read.");
        failure.log = Some(format!("the receipt of {txid} cannot be read: {error}"));
        failure
    };
    match call.host.node.receipt(txid).map_err(|error| unreadable(&error))? {
        ReceiptOutcome::Ready(parts) if as_cose => {
            match receipt_cose(&parts).map_err(|error| unreadable(&error))? {
                Some(cose) => Ok(Response::typed(200, "application/cose", cose)),
                None => Err(AppError::new(
                    404,
                    odata::RESOURCE_NOT_FOUND,
                    format!("{txid} is a signature, which has no COSE receipt; ask for JSON."),
                )),
            }
        }
        ReceiptOutcome::Ready(parts) => Ok(Response::json(200, &receipt_json(&parts))),
        ReceiptOutcome::Invalid => Ok(refuse_uncommitted(txid, TxStatus::Invalid)),
        ReceiptOutcome::Pending => Ok(refuse_uncommitted(txid, TxStatus::Pending)),
        ReceiptOutcome::Unknown => Ok(refuse_uncommitted(txid, TxStatus::Unknown)),
    }
}

/// The metrics: Prometheus text, or the endpoints' counters as JSON to those who ask for that.
pub(super) fn metrics(call: &mut BuiltInCall<'_>) -> Outcome {
    let accept = call.request.header("accept").unwrap_or_default();
    if accept.contains("application/json") && !accept.contains("openmetrics") {
        return ok(&call.host.metrics.endpoints_json());
    }
    let store = call.host.node.store();
    let last = store.last();
    let gauges = Gauges {
        last_seqno: last.seqno,
        committed_seqno: store.committed().seqno,
        view: last.view,
        executor_queue: (call.host.executors.depth() + call.application.depth()) as u64,
        service_open: call.host.service_open(),
        node: call.host.node.metrics(),
    };
    let text = call
        .host
        .metrics
        .text(gauges)
        .map_err(|_| AppError::internal("The metrics could not be written."))?;
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(Response::typed(200, content_type, text))
}

/// A JSON answer.
pub(super) fn ok(body: &Json) -> Outcome {
    Ok(Response::json(200, body))
}
