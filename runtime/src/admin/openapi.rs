//! `/app/api`, `/node/api`, `/gov/api`: an OpenAPI 3.0 document of what is served, with the
//! application's own fragments.

use serde_json::{Map, Value as Json, json};

use super::common::ok;
use super::{BuiltInCall, Outcome};
use crate::application::{Entry, Handler};
use crate::router::{ANY_PATH, Actor};

pub(super) fn document(call: &mut BuiltInCall<'_>) -> Outcome {
    let mut paths = Map::new();
    let mut schemes = Map::new();
    // Built-in endpoints come last in the list; the application's own of the same name stay.
    for entry in call.application.entries.iter().filter(|entry| entry.actor == call.actor) {
        if entry.endpoint.options.openapi_hidden || entry.endpoint.path == ANY_PATH {
            continue;
        }
        let path = format!("{}{}", entry.actor.prefix(), entry.endpoint.path);
        let item = paths.entry(path).or_insert_with(|| path_item(&entry.endpoint.path));
        if let Some(verbs) = item.as_object_mut() {
            let verb = entry.endpoint.method.to_ascii_lowercase();
            verbs.entry(verb).or_insert_with(|| operation(entry, &mut schemes));
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
    let mut components = components();
    if !schemes.is_empty() {
        components["securitySchemes"] = Json::Object(schemes);
    }
    let mut document = json!({
        "components": components,
        "info": {"description": description, "title": title, "version": version},
        "openapi": "3.0.0",
        "paths": paths,
        "servers": [],
    });
    if call.actor == Actor::App {
        for theirs in call.application.documents() {
            merge(&mut document, theirs);
        }
    }
    ok(&document)
}

/// Adds what an application says about itself, without changing what is said already.
fn merge(document: &mut Json, theirs: &Json) {
    // What is said here is valid in both.
    if let Some(version) = theirs["openapi"].as_str().filter(|text| text.starts_with("3.1")) {
        document["openapi"] = version.into();
    }
    for field in ["description", "title", "version"] {
        if let Some(text) = theirs["info"][field].as_str() {
            document["info"][field] = text.into();
        }
    }
    add_members(&mut document["paths"], &theirs["paths"]);
    add_members(&mut document["components"], &theirs["components"]);
}

/// Adds the members of the objects that `theirs` holds: operations by path, schemas by section.
fn add_members(ours: &mut Json, theirs: &Json) {
    let (Some(ours), Some(theirs)) = (ours.as_object_mut(), theirs.as_object()) else { return };
    for (group, members) in theirs {
        let known = ours.entry(group.clone()).or_insert_with(|| json!({}));
        let (Some(known), Some(members)) = (known.as_object_mut(), members.as_object()) else {
            continue;
        };
        for (name, value) in members {
            known.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
}

/// What all operations of a path share: its placeholders.
fn path_item(path: &str) -> Json {
    let parameters: Vec<Json> = placeholders(path)
        .map(|name| {
            json!({"in": "path", "name": name, "required": true, "schema": {"type": "string"}})
        })
        .collect();
    if parameters.is_empty() { json!({}) } else { json!({ "parameters": parameters }) }
}

fn placeholders(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|part| Some(part.split_once('}')?.0))
}

fn operation(entry: &Entry, schemes: &mut Map<String, Json>) -> Json {
    let mut operation = match &entry.handler {
        Handler::BuiltIn(_) => built_in(entry),
        Handler::Frontend { .. } => {
            let given = &entry.endpoint.options.openapi;
            if given.is_object() { given.clone() } else { json!({}) }
        }
    };
    if let Some(fields) = operation.as_object_mut() {
        // The one field that OpenAPI wants of every operation.
        fields.entry("responses").or_insert_with(responses);
        if let Some(security) = security(entry, schemes) {
            fields.entry("security").or_insert(security);
        }
    }
    operation
}

/// The policies as alternatives; notes the schemes that they name.
fn security(entry: &Entry, schemes: &mut Map<String, Json>) -> Option<Json> {
    let mut alternatives = Vec::new();
    for policies in entry.admission.alternatives() {
        let mut all = Map::new();
        // A policy without a scheme, such as no_auth, asks for nothing that OpenAPI could say.
        for (name, scheme) in policies.iter().filter_map(|policy| policy.openapi_scheme()) {
            all.insert(name.to_owned(), json!([]));
            schemes.insert(name.to_owned(), scheme);
        }
        alternatives.push(Json::Object(all));
    }
    (!alternatives.is_empty()).then_some(Json::Array(alternatives))
}

fn responses() -> Json {
    json!({
        "200": {
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/json"}}},
            "description": "Default response description",
        },
        "default": {"$ref": "#/components/responses/default"},
    })
}

fn built_in(entry: &Entry) -> Json {
    let mut operation = json!({"operationId": operation_id(entry), "responses": responses()});
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
        "/attestations/self" => {
            operation["summary"] = "Evidence of the platform under this node".into();
            operation["description"] =
                "Bound to the node's public key; with a nonce made now, and \
                 bound to a statement of the node's and the service's keys and the nonce."
                    .into();
            operation["parameters"] =
                json!([query("nonce", false, "Nonce"), query("policy_text", false, "boolean"),]);
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
            "Nonce": {
                "description": "1 to 64 bytes in hex",
                "pattern": "^([0-9a-fA-F]{2}){1,64}$",
                "type": "string",
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
