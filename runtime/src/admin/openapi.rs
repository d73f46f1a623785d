//! `/app/api`, `/node/api`, `/gov/api`: an OpenAPI 3.0 document of what is served, with the
//! application's own fragments.

use serde_json::{Map, Value as Json, json};

use super::common::ok;
use super::{BuiltInCall, Outcome};
use crate::application::{Entry, Handler};
use crate::router::Actor;

pub(super) fn document(call: &mut BuiltInCall<'_>) -> Outcome {
    let mut paths = Map::new();
    // Built-in endpoints come last in the list; the application's own of the same name stay.
    for entry in call.application.entries.iter().filter(|entry| entry.actor == call.actor) {
        if entry.endpoint.options.openapi_hidden {
            continue;
        }
        let path = format!("{}{}", entry.actor.prefix(), entry.endpoint.path);
        let item = paths.entry(path).or_insert_with(|| Json::Object(Map::new()));
        if let Some(verbs) = item.as_object_mut() {
            let verb = entry.endpoint.method.to_ascii_lowercase();
            verbs.entry(verb).or_insert_with(|| operation(entry));
        }
    }
    let (title, description, version) = match call.actor {
        Actor::App => ("Empty title", "Empty description", "0.0.1"),
        Actor::Node => (
            "Node API",
            "This API gives public access to the state of the service and its nodes.",
            "4.14.0",
        ),
        Actor::Gov => ("Governance API", "This API is used to govern the service.", "4.7.4"),
    };
    ok(&json!({
        "components": components(),
        "info": {"description": description, "title": title, "version": version},
        "openapi": "3.0.0",
        "paths": paths,
        "servers": [],
    }))
}

fn operation(entry: &Entry) -> Json {
    if let Handler::Frontend { .. } = entry.handler {
        return match &entry.endpoint.options.openapi {
            Json::Null => json!({}),
            given => given.clone(),
        };
    }
    let mut operation = json!({
        "operationId": operation_id(entry),
        "responses": {
            "200": {
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/json"}}},
                "description": "Default response description",
            },
            "default": {"$ref": "#/components/responses/default"},
        },
    });
    let schema = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    let query = |name: &str, required: bool, of: &str| json!({"in": "query", "name": name, "required": required, "schema": schema(of)});
    let answer = |operation: &mut Json, name: &str| {
        operation["responses"]["200"]["content"]["application/json"]["schema"] = schema(name);
    };
    match entry.endpoint.path.as_str() {
        "/commit" => {
            operation["summary"] = "Current commit level".into();
            operation["description"] =
                "Latest transaction ID that has been committed on the service".into();
            operation["parameters"] = json!([
                query("view_history", false, "boolean"),
                query("view_history_since", false, "uint64"),
            ]);
            answer(&mut operation, "GetCommit__Out");
        }
        "/tx" => {
            operation["summary"] = "Current status of a transaction".into();
            operation["description"] =
                "Possible statuses returned are Unknown, Pending, Committed or Invalid.".into();
            operation["parameters"] = json!([query("transaction_id", true, "TransactionId")]);
            answer(&mut operation, "GetTxStatus__Out");
        }
        "/receipt" => {
            operation["summary"] = "Receipt for a transaction".into();
            operation["description"] =
                "A signed statement from the service over a transaction entry in the ledger".into();
            operation["parameters"] = json!([query("transaction_id", true, "TransactionId")]);
        }
        "/api" => operation["summary"] = "OpenAPI schema".into(),
        path if path.contains('{') => {
            operation["parameters"] = json!([{
                "in": "path", "name": "node_id", "required": true, "schema": {"type": "string"},
            }]);
        }
        _ => {}
    }
    operation
}

/// `GetAppCommit` for `GET /app/commit`.
fn operation_id(entry: &Entry) -> String {
    let words = format!(
        "{} {} {}",
        entry.endpoint.method.to_ascii_lowercase(),
        entry.actor.prefix(),
        entry.endpoint.path
    );
    let mut id = String::new();
    for word in words.split(|c: char| !c.is_ascii_alphanumeric()) {
        let mut letters = word.chars();
        id.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        id.push_str(letters.as_str());
    }
    id
}

fn components() -> Json {
    json!({
        "responses": {"default": {
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/CCFError"}}},
            "description": "An error occurred",
        }},
        "schemas": {
            "CCFError": {"type": "object", "properties": {"error": {
                "type": "object",
                "properties": {
                    "code": {"description": "Response error code", "type": "string"},
                    "message": {"description": "Response error message", "type": "string"},
                },
            }}},
            "GetCommit__Out": {
                "type": "object",
                "properties": {
                    "transaction_id": {"$ref": "#/components/schemas/TransactionId"},
                    "view_history": {"$ref": "#/components/schemas/TransactionId_array"},
                },
                "required": ["transaction_id"],
            },
            "GetTxStatus__Out": {
                "type": "object",
                "properties": {
                    "status": {"$ref": "#/components/schemas/TxStatus"},
                    "transaction_id": {"$ref": "#/components/schemas/TransactionId"},
                },
                "required": ["transaction_id", "status"],
            },
            "TransactionId": {"pattern": "^[0-9]+\\.[0-9]+$", "type": "string"},
            "TransactionId_array": {
                "items": {"$ref": "#/components/schemas/TransactionId"}, "type": "array",
            },
            "TxStatus": {
                "enum": ["Unknown", "Pending", "Committed", "Invalid"], "type": "string",
            },
            "boolean": {"type": "boolean"},
            "json": {},
            "uint64": {"maximum": u64::MAX, "minimum": 0, "type": "integer"},
        },
    })
}
