//! The service and its nodes. One node is a group of one: it is its own primary.

use serde_json::{Value as Json, json};

use super::common::ok;
use super::{BuiltInCall, Outcome};
use crate::frontend::AppError;
use crate::odata;
use crate::request::Response;
use crate::tables::{self, NodeRow, ServiceInfo};

pub(super) fn network(call: &mut BuiltInCall<'_>) -> Outcome {
    let Some(service): Option<ServiceInfo> = tables::get_single(call.tx, &tables::SERVICE_INFO)
    else {
        return Err(AppError::new(404, odata::RESOURCE_NOT_FOUND, "There is no service yet."));
    };
    let mut body = json!({
        "current_view": call.host.node.store().last().view,
        "primary_id": call.host.node.node_id(),
        "recovery_count": service.recovery_count,
        "service_certificate": service.cert,
        "service_data": service.service_data,
        "service_status": service.status.as_str(),
    });
    if let Some(txid) = service.current_service_create_txid {
        body["current_service_create_txid"] = txid.into();
    }
    ok(&body)
}

fn shown(call: &BuiltInCall<'_>, node_id: &str, row: &NodeRow, last_written: u64) -> Json {
    json!({
        "last_written": last_written,
        "node_data": row.node_data,
        "node_id": node_id,
        "primary": node_id == call.host.node.node_id(),
        "rpc_interfaces": row.rpc_interfaces,
        "status": row.status,
    })
}

/// All nodes that pass `keep`, ascending by id.
fn select(call: &mut BuiltInCall<'_>, keep: impl Fn(&NodeRow) -> bool) -> Vec<Json> {
    let mut nodes = Vec::new();
    for (key, value) in call.tx.entries(&tables::NODE_INFO) {
        let Ok(row) = serde_json::from_slice::<NodeRow>(&value) else { continue };
        let Ok(node_id) = core::str::from_utf8(&key) else { continue };
        if keep(&row) {
            let last_written =
                call.tx.version_of_previous_write(&tables::NODE_INFO, &key).unwrap_or(0);
            nodes.push(shown(call, node_id, &row, last_written));
        }
    }
    nodes
}

pub(super) fn nodes(call: &mut BuiltInCall<'_>) -> Outcome {
    let wanted = |name| call.request.query_parameter(name);
    let (host, port, status) = (wanted("host"), wanted("port"), wanted("status"));
    if let Some(status) = &status
        && !["Pending", "Trusted", "Retired"].contains(&&**status)
    {
        let message = format!(
            "Query parameter 'status' is '{status}'; it must be Pending, Trusted or Retired."
        );
        return Err(AppError::new(400, odata::INVALID_QUERY_PARAMETER_VALUE, message));
    }
    let found = select(call, |row| {
        let published = |wanted: &str, of: fn((&str, &str)) -> String| {
            row.rpc_interfaces.values().any(|interface| {
                interface
                    .get("published_address")
                    .and_then(Json::as_str)
                    .and_then(|address| address.rsplit_once(':'))
                    .is_some_and(|parts| of(parts) == wanted)
            })
        };
        host.as_deref().is_none_or(|host| published(host, |(host, _)| host.to_owned()))
            && port.as_deref().is_none_or(|port| published(port, |(_, port)| port.to_owned()))
            && status.as_deref().is_none_or(|status| row.status == status)
    });
    ok(&json!({ "nodes": found }))
}

pub(super) fn removable_nodes(call: &mut BuiltInCall<'_>) -> Outcome {
    let found = select(call, |row| row.status == "Retired" && row.retired_committed);
    ok(&json!({ "nodes": found }))
}

fn one(call: &mut BuiltInCall<'_>, node_id: &str) -> Outcome {
    let row: Option<NodeRow> = tables::get_json(call.tx, &tables::NODE_INFO, node_id.as_bytes());
    let Some(row) = row else { return Err(no_node()) };
    let last_written =
        call.tx.version_of_previous_write(&tables::NODE_INFO, node_id.as_bytes()).unwrap_or(0);
    ok(&shown(call, node_id, &row, last_written))
}

fn no_node() -> AppError {
    AppError::new(404, odata::RESOURCE_NOT_FOUND, "Node not found")
}

pub(super) fn node_self(call: &mut BuiltInCall<'_>) -> Outcome {
    let node_id = call.host.node.node_id().to_owned();
    one(call, &node_id)
}

pub(super) fn node_by_id(call: &mut BuiltInCall<'_>) -> Outcome {
    let node_id = call.request.param("node_id").unwrap_or_default().to_owned();
    one(call, &node_id)
}

pub(super) fn remove_node(call: &mut BuiltInCall<'_>) -> Outcome {
    let node_id = call.request.param("node_id").unwrap_or_default().to_owned();
    let row: Option<NodeRow> = tables::get_json(call.tx, &tables::NODE_INFO, node_id.as_bytes());
    let Some(row) = row else { return Err(no_node()) };
    if row.status != "Retired" || !row.retired_committed {
        let message = format!("Node {node_id} is not completely retired");
        return Err(AppError::new(400, odata::NODE_NOT_RETIRED_COMMITTED, message));
    }
    for table in [&tables::NODE_INFO, &tables::NODE_CERTS] {
        call.tx
            .remove(table, node_id.as_bytes())
            .map_err(|error| AppError::internal(error.to_string()))?;
    }
    ok(&json!(true))
}

pub(super) fn primary(_: &mut BuiltInCall<'_>) -> Outcome {
    Ok(Response::empty(200))
}

pub(super) fn backup(_: &mut BuiltInCall<'_>) -> Outcome {
    Err(AppError::new(404, odata::RESOURCE_NOT_FOUND, "Node is not backup"))
}

fn members_of_consensus(call: &BuiltInCall<'_>) -> Json {
    let node = &call.host.node;
    let address = &node.settings().node_to_node_interface.published_address;
    json!({ node.node_id(): {"address": address} })
}

pub(super) fn config(call: &mut BuiltInCall<'_>) -> Outcome {
    ok(&members_of_consensus(call))
}

pub(super) fn consensus(call: &mut BuiltInCall<'_>) -> Outcome {
    let node = &call.host.node;
    let leads = node.store().sequencing_view().is_some();
    ok(&json!({"details": {
        "acks": {},
        "configs": [{"idx": 1, "nodes": members_of_consensus(call), "rid": 1}],
        "current_view": node.store().last().view,
        "leadership_state": if leads { "Leader" } else { "Follower" },
        "membership_state": "Active",
        "primary_id": leads.then(|| node.node_id().to_owned()),
        "reconfiguration_type": "OneTransaction",
        "ticking": true,
    }}))
}
