//! What to try next: requests for the app's own endpoints, ready to paste into a shell.

use affiant::auth::AuthnPolicy;
use affiant::{Endpoint, Mode};
use serde_json::{Map, Value as Json, json};

use super::workspace::Workspace;

/// Requests shown; an app may have hundreds of endpoints.
const REQUESTS_MAX: usize = 6;
/// Depth to which an example is made up from a schema.
const SCHEMA_DEPTH_MAX: usize = 8;
/// The method of an endpoint that takes whatever no other one has: a web app, which routes itself.
const ANY_METHOD: &str = "*";

/// The command lines, in an order in which they work: writes before reads, deletes left out.
pub(crate) fn requests(
    endpoints: &[Endpoint],
    base: &str,
    workspace: &Workspace,
    http2: bool,
) -> Vec<String> {
    let mut shown: Vec<_> = endpoints
        .iter()
        .filter(|endpoint| endpoint.method != "DELETE" && endpoint.options.mode != Mode::Historical)
        .collect();
    shown.sort_by_key(|endpoint| (endpoint.options.mode != Mode::ReadWrite, endpoint.path.clone()));
    // Some of both kinds, however many there are of each.
    let writes = shown.iter().filter(|endpoint| endpoint.options.mode == Mode::ReadWrite).count();
    let reads = shown.len() - writes;
    let writes_shown = writes.min(REQUESTS_MAX.saturating_sub(reads.min(REQUESTS_MAX / 2)));
    let reads_shown = reads.min(REQUESTS_MAX - writes_shown);
    let (writing, reading) = shown.split_at(writes);
    writing
        .iter()
        .take(writes_shown)
        .chain(reading.iter().take(reads_shown))
        .map(|endpoint| request(endpoint, base, workspace, http2))
        .collect()
}

/// `curl` with what every request needs.
pub(crate) fn curl(workspace: &Workspace, http2: bool) -> String {
    let version = if http2 { " --http2" } else { "" };
    let service = quoted(&workspace.common_file("service_cert.pem").display().to_string());
    format!("curl{version} --cacert {service}")
}

fn request(endpoint: &Endpoint, base: &str, workspace: &Workspace, http2: bool) -> String {
    let openapi = &endpoint.options.openapi;
    let fallback = endpoint.method == ANY_METHOD;
    let path = if fallback { "/".to_owned() } else { filled(&endpoint.path) };
    let url = format!("{base}/app{path}{}", query(openapi));
    let mut line = format!("{} {}", curl(workspace, http2), quoted(&url));
    if endpoint.method != "GET" && !fallback {
        line.push_str(&format!(" -X {}", endpoint.method));
    }
    if let Some(name) = identity(&endpoint.options.authn_policies) {
        let file = |suffix: &str| {
            let path = workspace.common_file(&format!("{name}_{suffix}.pem"));
            quoted(&path.display().to_string())
        };
        line.push_str(&format!(" --cert {} --key {}", file("cert"), file("privk")));
    } else if takes_token(&endpoint.options.authn_policies) {
        line.push_str(" -H 'authorization: Bearer TOKEN'");
    }
    if let Some(body) = body(endpoint) {
        line.push_str(&format!(
            " -H 'content-type: application/json' -d {}",
            quoted(&body.to_string())
        ));
    }
    line
}

/// Whose certificate to show; none if none is needed.
fn identity(policies: &[AuthnPolicy]) -> Option<&'static str> {
    let named = |wanted: &str| names(policies, wanted);
    if policies.is_empty() || named("no_auth") {
        None
    } else if named("user_cert") || named("any_cert") {
        Some("user0")
    } else if named("member_cert") {
        Some("member0")
    } else {
        None
    }
}

/// Whether nothing less than a token is enough.
fn takes_token(policies: &[AuthnPolicy]) -> bool {
    names(policies, "jwt") && !names(policies, "no_auth")
}

fn names(policies: &[AuthnPolicy], wanted: &str) -> bool {
    policies.iter().any(|policy| match policy {
        AuthnPolicy::Named(name) => name == wanted,
        AuthnPolicy::AllOf(names) => names.iter().any(|name| name == wanted),
    })
}

/// `/log/{id}` as `/log/1`.
fn filled(template: &str) -> String {
    let mut path = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        path.push_str(before);
        path.push('1');
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    path.push_str(rest);
    path
}

/// The required query parameters of an OpenAPI operation, with their examples.
fn query(openapi: &Json) -> String {
    let parameters = openapi.get("parameters").and_then(Json::as_array);
    let pairs: Vec<_> = parameters
        .into_iter()
        .flatten()
        .filter(|parameter| {
            parameter.get("in") == Some(&json!("query"))
                && parameter.get("required") == Some(&json!(true))
        })
        .filter_map(|parameter| {
            let name = parameter.get("name")?.as_str()?;
            let example = match parameter.get("example") {
                Some(example) => example.clone(),
                None => example_of(parameter.get("schema").unwrap_or(&Json::Null), 0),
            };
            let text = example.as_str().map_or_else(|| example.to_string(), str::to_owned);
            Some(format!("{name}={}", text.replace(' ', "%20")))
        })
        .collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

/// What to send: the operation's example, or one made up from its schema, or an empty object.
fn body(endpoint: &Endpoint) -> Option<Json> {
    if !matches!(endpoint.method.as_str(), "POST" | "PUT" | "PATCH") {
        return None;
    }
    let content = endpoint.options.openapi.pointer("/requestBody/content/application~1json");
    let Some(content) = content else { return Some(json!({})) };
    Some(match content.get("example") {
        Some(example) => example.clone(),
        None => example_of(content.get("schema").unwrap_or(&Json::Null), 0),
    })
}

fn example_of(schema: &Json, depth: usize) -> Json {
    if depth > SCHEMA_DEPTH_MAX {
        return Json::Null;
    }
    if let Some(example) = schema.get("example").or_else(|| schema.get("default")) {
        return example.clone();
    }
    match schema.get("type").and_then(Json::as_str) {
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(true),
        Some("string") => json!("hello"),
        Some("array") => {
            json!([example_of(schema.get("items").unwrap_or(&Json::Null), depth + 1)])
        }
        _ => {
            let properties = schema.get("properties").and_then(Json::as_object);
            let example: Map<String, Json> = properties
                .into_iter()
                .flatten()
                .map(|(name, schema)| (name.clone(), example_of(schema, depth + 1)))
                .collect();
            Json::Object(example)
        }
    }
}

/// `text` as one word of a shell.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:=,@%+".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use affiant::EndpointOptions;

    use super::*;

    fn endpoint(method: &str, path: &str, mode: Mode, openapi: Json) -> Endpoint {
        Endpoint {
            method: method.to_owned(),
            path: path.to_owned(),
            module: "/a.js".to_owned(),
            function: "f".to_owned(),
            options: EndpointOptions {
                authn_policies: vec![AuthnPolicy::Named("user_cert".to_owned())],
                mode,
                openapi,
                ..EndpointOptions::default()
            },
            ..Endpoint::default()
        }
    }

    fn lines(endpoints: &[Endpoint]) -> Vec<String> {
        requests(endpoints, "https://h:1", &Workspace::new("my work".into()), false)
    }

    #[test]
    fn a_write_comes_with_certificate_and_body() {
        let schema = json!({"requestBody": {"content": {"application/json": {"schema": {
            "type": "object",
            "properties": {"id": {"type": "integer"}, "msg": {"type": "string"}}
        }}}}});
        let write = endpoint("POST", "/log/{id}", Mode::ReadWrite, schema);
        assert_eq!(
            lines(&[write]),
            ["curl --cacert 'my work/sandbox_common/service_cert.pem' https://h:1/app/log/1 \
              -X POST --cert 'my work/sandbox_common/user0_cert.pem' \
              --key 'my work/sandbox_common/user0_privk.pem' \
              -H 'content-type: application/json' -d '{\"id\":1,\"msg\":\"hello\"}'"]
        );
    }

    #[test]
    fn a_web_app_is_asked_for_its_root() {
        let mut app = endpoint("*", "/*", Mode::ReadWrite, Json::Null);
        app.options.authn_policies.push(AuthnPolicy::Named("no_auth".to_owned()));
        let line = lines(&[app]).remove(0);
        assert!(line.ends_with("service_cert.pem' https://h:1/app/"), "{line}");
    }

    #[test]
    fn a_token_is_the_callers_to_fill_in() {
        let mut read = endpoint("GET", "/r", Mode::ReadOnly, Json::Null);
        read.options.authn_policies = vec![AuthnPolicy::Named("jwt".to_owned())];
        let line = lines(&[read.clone()]).remove(0);
        assert!(line.ends_with("https://h:1/app/r -H 'authorization: Bearer TOKEN'"), "{line}");
        read.options.authn_policies.push(AuthnPolicy::Named("no_auth".to_owned()));
        assert!(!lines(&[read]).remove(0).contains("Bearer"));
    }

    #[test]
    fn reads_follow_writes_and_both_are_shown() {
        let read = json!({"parameters": [{"name": "id", "in": "query", "required": true}]});
        let mut endpoints: Vec<_> = (0..20)
            .map(|n| endpoint("GET", &format!("/r{n}"), Mode::ReadOnly, read.clone()))
            .collect();
        endpoints.extend(
            (0..20).map(|n| endpoint("PUT", &format!("/w{n}"), Mode::ReadWrite, Json::Null)),
        );
        endpoints.push(endpoint("DELETE", "/d", Mode::ReadWrite, Json::Null));
        let lines = lines(&endpoints);
        assert_eq!(lines.len(), REQUESTS_MAX);
        assert!(lines[..3].iter().all(|line| line.contains("-X PUT")), "{lines:?}");
        assert!(lines[3..].iter().all(|line| line.contains("?id={}")), "{lines:?}");
    }

    #[test]
    fn words_survive_the_shell() {
        assert_eq!(quoted("plain/path.pem"), "plain/path.pem");
        assert_eq!(quoted("a?b&c"), "'a?b&c'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }
}
