//! The built-in endpoints, in CCF's exact shapes (reference E.1 to E.3).
//!
//! A built-in endpoint reads through the request's transaction wherever CCF's does, since that
//! decides whether its answer carries a transaction id.

mod accept;
mod common;
mod gov;
mod network;
mod node;
mod openapi;

use affiant_kv::Tx;

use crate::application::Application;
use crate::dispatch::Host;
use crate::frontend::AppError;
use crate::request::{Request, Response};
use crate::router::Actor;

type Outcome = Result<Response, AppError>;

/// A built-in endpoint.
pub(crate) struct BuiltIn {
    pub(crate) actors: &'static [Actor],
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    /// The policies that admit callers, tried in order; empty: anybody.
    pub(crate) policies: &'static [&'static str],
    /// Left out of `/api`.
    pub(crate) hidden: bool,
    /// Reads files, so it runs on an executor thread.
    pub(crate) blocking: bool,
    /// Served before the service is open.
    pub(crate) always_open: bool,
    /// The media types it can answer with.
    offers: &'static [&'static str],
    run: fn(&mut BuiltInCall<'_>) -> Outcome,
}

impl BuiltIn {
    /// Runs it, unless the client takes none of what it offers.
    pub(crate) fn call(&self, call: &mut BuiltInCall<'_>) -> Outcome {
        accept::check(call.request.header("accept"), self.offers)?;
        (self.run)(call)
    }
}

/// One call of a built-in endpoint.
pub(crate) struct BuiltInCall<'a> {
    pub(crate) host: &'a Host,
    pub(crate) application: &'a Application,
    pub(crate) actor: Actor,
    pub(crate) request: &'a Request,
    pub(crate) tx: &'a mut Tx,
}

const ALL: &[Actor] = &[Actor::App, Actor::Node, Actor::Gov];
const APP: &[Actor] = &[Actor::App];
const NODE: &[Actor] = &[Actor::Node];
const GOV: &[Actor] = &[Actor::Gov];

const fn get(
    actors: &'static [Actor],
    path: &'static str,
    run: fn(&mut BuiltInCall<'_>) -> Outcome,
) -> BuiltIn {
    BuiltIn {
        actors,
        method: "GET",
        path,
        policies: &[],
        hidden: false,
        blocking: false,
        always_open: false,
        offers: &["application/json"],
        run,
    }
}

/// Every built-in endpoint. An application's endpoint of the same method and path takes precedence.
pub(crate) static BUILT_IN: &[BuiltIn] = &[
    get(ALL, "/commit", common::commit),
    get(ALL, "/tx", common::tx_status),
    BuiltIn {
        blocking: true,
        offers: &["application/json", "application/cose"],
        ..get(ALL, "/receipt", common::receipt)
    },
    get(ALL, "/api", openapi::document),
    BuiltIn {
        hidden: true,
        always_open: true,
        offers: &["application/openmetrics-text", "text/plain", "application/json"],
        ..get(APP, "/metrics", common::metrics)
    },
    get(NODE, "/state", node::state),
    get(NODE, "/version", node::version),
    get(NODE, "/self_signed_certificate", node::self_signed_certificate),
    get(NODE, "/quotes/self", node::quote),
    get(NODE, "/quotes", node::quotes),
    // Firmware may take its time.
    BuiltIn { blocking: true, ..get(NODE, "/attestations/self", node::attestation) },
    get(NODE, "/attestations", node::attestations),
    get(NODE, "/memory", node::memory),
    get(NODE, "/metrics", node::metrics),
    get(NODE, "/js_metrics", node::js_metrics),
    get(NODE, "/ready/app", node::ready_app),
    get(NODE, "/ready/gov", node::ready_gov),
    BuiltIn {
        method: "POST",
        hidden: true,
        policies: &["node_cert"],
        ..get(NODE, "/jwt_keys/refresh", node::jwt_refresh)
    },
    get(NODE, "/jwt_keys/refresh/metrics", node::jwt_refresh_metrics),
    get(NODE, "/index/strategies", node::index_strategies),
    get(NODE, "/service/configuration", node::service_configuration),
    get(NODE, "/service/previous_identity", node::previous_identity),
    get(NODE, "/network", network::network),
    get(NODE, "/network/nodes", network::nodes),
    get(NODE, "/network/nodes/self", network::node_self),
    get(NODE, "/network/nodes/primary", network::node_self),
    get(NODE, "/network/nodes/{node_id}", network::node_by_id),
    BuiltIn { method: "DELETE", ..get(NODE, "/network/nodes/{node_id}", network::remove_node) },
    get(NODE, "/network/removable_nodes", network::removable_nodes),
    get(NODE, "/primary", network::primary),
    BuiltIn { method: "HEAD", ..get(NODE, "/primary", network::primary) },
    get(NODE, "/backup", network::backup),
    get(NODE, "/snapshot", node::snapshot),
    BuiltIn { method: "HEAD", ..get(NODE, "/snapshot", node::snapshot) },
    get(NODE, "/snapshot/{snapshot_name}", node::snapshot),
    BuiltIn { method: "HEAD", ..get(NODE, "/snapshot/{snapshot_name}", node::snapshot) },
    get(NODE, "/config", network::config),
    get(NODE, "/consensus", network::consensus),
    BuiltIn { hidden: true, ..get(GOV, "/service/join-policy", gov::join_policy) },
];
