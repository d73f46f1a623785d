//! Application bundles: from directories, files and tables; and what is said about bad ones.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::path::Path;

use affiant::auth::AuthnPolicy;
use affiant::hosting::{AppBundle, Interface, Language, Redirection};
use affiant::node::{Node, NodeSettings};
use affiant::{Mode, Respond};
use serde_json::{Value as Json, json};

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn metadata() -> Json {
    json!({"endpoints": {
        "/log/{id}": {
            "get": {
                "js_module": "log.js", "js_function": "get", "forwarding_required": "sometimes",
                "authn_policies": ["user_cert", {"all_of": ["any_cert", "jwt"]}],
                "mode": "readonly", "openapi": {"summary": "Reads"}, "redirection_strategy": "none",
            },
            "POST": {
                "js_module": "/inner/write.js", "js_function": "post",
                "forwarding_required": "always", "authn_policies": [], "mode": "readwrite",
                "openapi_hidden": true, "interpreter_reuse": {"key": "k"}, "respond": "receipt",
            },
        },
    }})
}

fn directory() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "app.json", &metadata().to_string());
    write(root.path(), "src/log.js", "export function get() {}");
    write(root.path(), "src/inner/write.js", "export function post() {}");
    root
}

#[test]
fn a_directory_declares_its_endpoints() {
    let root = directory();
    let bundle = AppBundle::load(root.path()).unwrap();
    let names: Vec<&str> = bundle.modules.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["/inner/write.js", "/log.js"]);
    assert_eq!(bundle.module("log.js"), Some("export function get() {}"));
    let endpoints = bundle.endpoints().unwrap();
    assert_eq!(endpoints.len(), 2);
    let post = &endpoints[1];
    assert_eq!((post.method.as_str(), post.module.as_str()), ("POST", "/inner/write.js"));
    assert_eq!(post.options.interpreter_reuse_key.as_deref(), Some("k"));
    assert_eq!((post.options.respond, post.options.openapi_hidden), (Respond::WithReceipt, true));
    let get = &endpoints[0];
    assert_eq!((get.method.as_str(), get.module.as_str()), ("GET", "/log.js"));
    assert_eq!((get.language, get.interface), (Some(Language::JavaScript), Interface::Handler));
    assert_eq!(bundle.language(), Some(Language::JavaScript));
    assert_eq!((get.options.mode, get.options.respond), (Mode::ReadOnly, Respond::AtOnce));
    assert_eq!(get.options.redirection, Redirection::None);
    assert_eq!(
        get.options.authn_policies,
        [
            AuthnPolicy::Named("user_cert".to_owned()),
            AuthnPolicy::AllOf(vec!["any_cert".to_owned(), "jwt".to_owned()]),
        ]
    );
}

#[test]
fn a_built_bundle_is_the_same() {
    let from_directory = AppBundle::load(directory().path()).unwrap();
    let built = json!({
        "metadata": metadata(),
        "modules": [
            {"name": "log.js", "module": "export function get() {}"},
            {"name": "inner/write.js", "module": "export function post() {}"},
        ],
    });
    let bundle = AppBundle::from_json(&built.to_string(), "bundle.json").unwrap();
    assert_eq!(bundle.modules, from_directory.modules);
    assert_eq!(bundle.endpoints().unwrap(), from_directory.endpoints().unwrap());
    // A directory that only holds the built form serves too.
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "bundle.json", &built.to_string());
    assert_eq!(AppBundle::load(root.path()).unwrap().modules, bundle.modules);
}

#[test]
fn a_proposal_holds_a_bundle() {
    let root = tempfile::tempdir().unwrap();
    let bundle = json!({
        "metadata": metadata(),
        "modules": [
            {"name": "log.js", "module": "export function get() {}"},
            {"name": "inner/write.js", "module": "export function post() {}"},
        ],
    });
    let deploy = json!({
        "name": "set_js_app", "args": {"bundle": bundle, "disable_bytecode_cache": false},
    });
    let other = json!({"name": "set_user", "args": {}});
    let file = root.path().join("set_js_app.json");
    let load = |actions: &Json| {
        std::fs::write(&file, json!({ "actions": actions }).to_string()).unwrap();
        AppBundle::load(&file)
    };
    let loaded = load(&json!([other, deploy])).unwrap();
    let from_directory = AppBundle::load(directory().path()).unwrap();
    assert_eq!(loaded.modules, from_directory.modules);
    assert_eq!(loaded.endpoints().unwrap(), from_directory.endpoints().unwrap());
    assert_eq!(loaded.place_of("/log.js"), format!("{}: /log.js", file.display()));
    assert!(from_directory.place_of("/inner/write.js").ends_with("/src/inner/write.js"));

    let named = |name: &str, bundle: Json| json!({"name": name, "args": {"bundle": bundle}});
    let metadata = json!({"endpoints": {}});
    for (actions, expected) in [
        (json!({}), "field actions is no array"),
        (json!([other]), "field actions has no action set_js_app"),
        (json!([deploy, deploy]), "field actions[1] is a second set_js_app"),
        (json!([named("set_js_app", json!(7))]), "field actions[0].args.bundle is missing"),
        (json!([named("set_js_app", json!({}))]), "field actions[0].args.bundle.metadata is"),
        (
            json!([other, named("set_js_app", json!({"metadata": {}, "modules": []}))]),
            "field actions[1].args.bundle.metadata.endpoints is missing",
        ),
        (
            json!([named("set_js_app", json!({"metadata": metadata, "modules": [{"name": "a"}]}))]),
            "field actions[0].args.bundle.modules[0].module is missing",
        ),
    ] {
        let error = load(&actions).unwrap_err().to_string();
        let place = format!("{}: {expected}", file.display());
        assert!(error.starts_with(&place), "{error} does not start with {place}");
    }
}

#[test]
fn source_maps_are_no_modules() {
    let root = directory();
    write(root.path(), "src/log.js.map", "{\"version\": 3}");
    let bundle = AppBundle::load(root.path()).unwrap();
    let names: Vec<&str> = bundle.modules.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["/inner/write.js", "/log.js"]);
    assert_eq!(bundle.source_maps, [("/log.js".to_owned(), "{\"version\": 3}".to_owned())]);
    assert!(bundle.is_same_app(&AppBundle::load(directory().path()).unwrap()));
}

#[test]
fn a_bundle_survives_the_tables() {
    let bundle = AppBundle::load(directory().path()).unwrap();
    let node = Node::start(NodeSettings::in_memory()).unwrap();
    assert_eq!(AppBundle::read(&node.snapshot()).unwrap(), None);
    for _ in 0..2 {
        let before = AppBundle::stamp(&node.snapshot());
        let mut tx = node.begin();
        bundle.store(&mut tx).unwrap();
        drop(node.commit(tx));
        let read = AppBundle::read(&node.snapshot()).unwrap().unwrap();
        assert_eq!(read.modules, bundle.modules);
        assert_eq!(read.endpoints().unwrap(), bundle.endpoints().unwrap());
        assert!(read.is_same_app(&bundle) && bundle.is_same_app(&read));
        assert!(AppBundle::stamp(&node.snapshot()) > before);
    }
    let mut other = bundle.clone();
    other.modules[0].1.push(' ');
    assert!(!bundle.is_same_app(&other));
    let mut other = bundle.clone();
    other.metadata["/log/{id}"]["get"]["unknown"] = json!(1);
    assert!(!bundle.is_same_app(&other));
    let snapshot = node.snapshot();
    let keys: Vec<String> = snapshot
        .entries("public:ccf.gov.endpoints")
        .map(|(key, _, _)| String::from_utf8(key.to_vec()).unwrap())
        .collect();
    assert_eq!(keys, ["GET /log/{id}", "POST /log/{id}"]);
    let row = snapshot.get("public:ccf.gov.endpoints", b"GET /log/{id}").unwrap();
    let row: Json = serde_json::from_slice(&row).unwrap();
    assert_eq!(row["js_module"], "/log.js");
    assert_eq!(&*snapshot.get("public:ccf.gov.interpreter.flush", &[0; 8]).unwrap(), b"true");
    // Another application replaces this one.
    let mut tx = node.begin();
    AppBundle { metadata: json!({}), ..AppBundle::default() }.store(&mut tx).unwrap();
    drop(node.commit(tx));
    assert_eq!(AppBundle::read(&node.snapshot()).unwrap(), None);
    node.shutdown().unwrap();
}

#[test]
fn what_is_wrong_is_said_by_file_and_field() {
    let good = json!({
        "js_module": "a.js", "js_function": "f", "forwarding_required": "always",
        "authn_policies": ["no_auth"], "mode": "readwrite",
    });
    let with = |changes: Json| {
        let mut properties = good.clone();
        for (field, value) in changes.as_object().unwrap() {
            if value.is_null() {
                properties.as_object_mut().unwrap().remove(field);
            } else {
                properties[field] = value.clone();
            }
        }
        json!({"/x": {"get": properties}})
    };
    let cases = [
        (json!({"/x": {"fetch": good}}), "\"fetch\" is no verb"),
        (json!({"/x": {"get": good, "GET": good}}), "declared twice"),
        (json!({"x": {"get": good}}), "starts with a slash"),
        (json!({"/{a}{b}": {"get": good}}), "put text between them"),
        (json!({"/x": []}), "maps verbs to properties"),
        (json!({"/x": {"get": 7}}), "no object of properties"),
        (with(json!({"js_module": null})), "js_module is missing"),
        (with(json!({"js_function": 7})), "js_function is missing or no string"),
        (with(json!({"js_module": "src/a.js"})), "did you mean \"/a.js\"?"),
        (with(json!({"mode": "readwritten"})), "readwrite, readonly, historical"),
        (with(json!({"respond": "soon"})), "early, committed, receipt"),
        (with(json!({"forwarding_required": true})), "always, sometimes, never"),
        (with(json!({"redirection_strategy": "x"})), "to_primary, none, to_backup"),
        (with(json!({"authn_policies": null})), "say [\"no_auth\"]"),
        (with(json!({"authn_policies": ["telepathy"]})), "\"telepathy\", which is unknown"),
        (with(json!({"authn_policies": [{"all_of": ["telepathy"]}]})), "\"telepathy\""),
        (with(json!({"authn_policies": [{"any_of": []}]})), "{\"all_of\": [names]}"),
        (with(json!({"openapi_hidden": "yes"})), "true or false"),
        (with(json!({"openapi": "text"})), "an OpenAPI operation object"),
        (with(json!({"interpreter_reuse": "k"})), "{\"key\": \"<name>\"}"),
        (json!({"/x": {"*": good}}), "goes with the path \"/*\" only; list the methods"),
        (json!({"/*": {"get": good}}), "goes with the method \"*\" only"),
        (with(json!({"py_module": "a.py"})), "py_module does not fit, since"),
        (
            json!({"/x": {"get": good, "put": {"py_module": "a.js", "authn_policies": []}}}),
            "endpoints[\"PUT /x\"]: py_module does not fit, since other endpoints or properties make \
             this bundle javascript; a bundle has one language",
        ),
    ];
    for (endpoints, expected) in cases {
        let text = json!({
            "metadata": {"endpoints": endpoints}, "modules": [{"name": "a.js", "module": ""}],
        });
        let bundle = AppBundle::from_json(&text.to_string(), "my/bundle.json").unwrap();
        let error = bundle.endpoints().unwrap_err().to_string();
        assert!(error.starts_with("my/bundle.json: endpoints[\""), "{error}");
        assert!(error.contains(expected), "{error} does not say {expected}");
    }
    // All at once.
    let text = json!({"metadata": {"endpoints": {
        "/x": {"get": {"js_module": "b.js"}, "put": good},
        "y": {"get": good},
    }}, "modules": [{"name": "a.js", "module": ""}]});
    let error = AppBundle::from_json(&text.to_string(), "b").unwrap().endpoints().unwrap_err();
    assert_eq!(error.problems.len(), 4, "{error}");
}

#[test]
fn properties_that_nothing_reads_are_told_but_no_fault() {
    let text = json!({"metadata": {"endpoints": {"/x": {"get": {
        "js_module": "a.js", "js_function": "f", "forwarding_required": "always",
        "authn_policies": [], "mode": "readonly", "respond": "early", "promises": "awaited",
        "redirection_strategy": "none", "interpreter_reuse": {"key": "k"}, "openapi": null,
        "openapi_hidden": true, "respnod": "committed",
    }}}}, "modules": [{"name": "a.js", "module": ""}]});
    let bundle = AppBundle::from_json(&text.to_string(), "b.json").unwrap();
    bundle.endpoints().unwrap();
    let [note] = &bundle.unknown_properties()[..] else { panic!("one note") };
    let start = "b.json: endpoints[\"GET /x\"]: \"respnod\" has no effect; properties are ";
    assert!(note.starts_with(start), "{note}");
    assert!(AppBundle::default().unknown_properties().is_empty());
}

fn python() -> Json {
    json!({
        "metadata": {"endpoints": {
            "/orders/{id}": {"put": {
                "py_module": "orders.py", "py_function": "put", "authn_policies": ["user_cert"],
            }},
            "/early": {"get": {
                "py_module": "/orders.py", "py_function": "early", "authn_policies": ["no_auth"],
                "respond": "early", "py_interface": "handler", "mode": "readonly",
            }},
            "/*": {"*": {
                "py_module": "web.py", "py_function": "app", "py_interface": "asgi",
                "authn_policies": ["user_cert", "no_auth"],
            }},
        }},
        "modules": [
            {"name": "orders.py", "module": "def put(request): ..."},
            {"name": "web.py", "module": "app = ..."},
        ],
        "manifest": {"language": "python", "wheels": []},
    })
}

#[test]
fn a_bundle_may_be_in_python() {
    let bundle = AppBundle::from_json(&python().to_string(), "bundle.json").unwrap();
    assert_eq!(bundle.language(), Some(Language::Python));
    assert_eq!(bundle.manifest, Some(json!({"language": "python", "wheels": []})));
    assert_eq!(bundle.unknown_properties(), Vec::<String>::new());
    let endpoints = bundle.endpoints().unwrap();
    let told: Vec<_> = endpoints
        .iter()
        .map(|one| {
            let key = format!("{} {}", one.method, one.path);
            (key, one.module.as_str(), one.function.as_str(), one.interface, one.options.respond)
        })
        .collect();
    assert_eq!(
        told,
        [
            ("* /*".to_owned(), "/web.py", "app", Interface::Asgi, Respond::AtCommit),
            ("GET /early".to_owned(), "/orders.py", "early", Interface::Handler, Respond::AtOnce),
            (
                "PUT /orders/{id}".to_owned(),
                "/orders.py",
                "put",
                Interface::Handler,
                Respond::AtCommit
            ),
        ]
    );
    assert!(endpoints.iter().all(|endpoint| endpoint.language == Some(Language::Python)));
    // A proposal holds the same.
    let action = json!({"name": "set_python_app", "args": {"bundle": python()}});
    let proposal = json!({"actions": [action]}).to_string();
    let proposed = AppBundle::from_json(&proposal, "proposal.json").unwrap();
    assert!(proposed.is_same_app(&bundle) && proposed.manifest == bundle.manifest);
}

#[test]
fn a_manifest_survives_the_tables_and_goes_with_its_app() {
    let node = Node::start(NodeSettings::in_memory()).unwrap();
    let store = |bundle: &AppBundle| {
        let mut tx = node.begin();
        bundle.store(&mut tx).unwrap();
        drop(node.commit(tx));
        AppBundle::read(&node.snapshot()).unwrap().unwrap()
    };
    let with_one = AppBundle::from_json(&python().to_string(), "bundle.json").unwrap();
    let read = store(&with_one);
    assert_eq!(read.manifest, with_one.manifest);
    assert_eq!(read.endpoints().unwrap(), with_one.endpoints().unwrap());
    assert!(read.is_same_app(&with_one));
    let snapshot = node.snapshot();
    let row = |key: &[u8]| snapshot.get("public:ccf.gov.endpoints", key).unwrap().to_vec();
    let fallback: Json = serde_json::from_slice(&row(b"* /*")).unwrap();
    assert_eq!(fallback["py_module"], "/web.py");
    let manifest = snapshot.get("public:ccf.gov.affiant.app_manifest", &[0; 8]).unwrap();
    assert_eq!(&*manifest, br#"{"language":"python","wheels":[]}"#);
    let mut other = with_one.clone();
    other.manifest = Some(json!({"language": "python", "wheels": [1]}));
    assert!(!other.is_same_app(&with_one) && store(&other).is_same_app(&other));
    let without = AppBundle { manifest: None, ..with_one.clone() };
    assert!(!without.is_same_app(&with_one));
    assert_eq!(store(&without).manifest, None);
    store(&with_one);
    assert_eq!(store(&AppBundle::load(directory().path()).unwrap()).manifest, None);
    let huge = json!({"padding": "x".repeat(affiant::limits::MANIFEST_BYTES_MAX)});
    for (manifest, expected) in
        [(json!([]), "field manifest is no object"), (huge, "at most 1048576 are taken")]
    {
        let mut document = python();
        document["manifest"] = manifest.clone();
        let error = AppBundle::from_json(&document.to_string(), "b.json").unwrap_err().to_string();
        assert!(error.starts_with("b.json: field manifest") && error.contains(expected), "{error}");
        let bad = AppBundle { manifest: Some(manifest), ..with_one.clone() };
        let error = bad.store(&mut node.begin()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    node.shutdown().unwrap();
}

#[test]
fn a_manifest_is_python_apps_only() {
    let text = json!({
        "metadata": metadata(), "manifest": 7,
        "modules": [
            {"name": "log.js", "module": "export function get() {}"},
            {"name": "inner/write.js", "module": "export function post() {}"},
        ],
    });
    let bundle = AppBundle::from_json(&text.to_string(), "bundle.json").unwrap();
    assert_eq!(bundle.manifest, None);
    assert!(bundle.is_same_app(&AppBundle::load(directory().path()).unwrap()));
}

#[test]
fn what_is_wrong_in_python_is_said_in_its_terms() {
    let good = json!({"py_module": "a.py", "py_function": "f", "authn_policies": ["no_auth"]});
    let with = |field: &str, value: Json| {
        let mut properties = good.clone();
        properties[field] = value;
        json!({"/x": {"get": properties}})
    };
    for (endpoints, expected) in [
        (with("py_module", Json::Null), "py_module is missing or no string"),
        (
            with("py_module", json!("b.py")),
            "py_module \"/b.py\" is not in the bundle; it has: /a.py",
        ),
        (with("py_function", json!("")), "py_function is missing or no string"),
        (
            with("py_interface", json!("cgi")),
            "py_interface is \"cgi\"; it must be one of handler, wsgi, asgi",
        ),
        (json!({"/x": {"get": good, "put": {"authn_policies": []}}}), "py_module is missing"),
        (
            json!({"/a": {"get": good}, "/b": {"get": {"js_module": "a.py"}}}),
            "js_module does not fit, since other endpoints or properties make this bundle python",
        ),
    ] {
        let text = json!({
            "metadata": {"endpoints": endpoints}, "modules": [{"name": "a.py", "module": ""}],
        });
        let bundle = AppBundle::from_json(&text.to_string(), "b.json").unwrap();
        let error = bundle.endpoints().unwrap_err().to_string();
        assert!(error.contains(expected), "{error} does not say {expected}");
    }
    let bundle = AppBundle {
        metadata: with("interpreter_reuse", json!({"key": "k"})),
        modules: vec![("/a.py".to_owned(), String::new())],
        origin: "b.json".to_owned(),
        ..AppBundle::default()
    };
    bundle.endpoints().unwrap();
    let [note] = &bundle.unknown_properties()[..] else { panic!("one note") };
    assert!(
        note.contains("\"interpreter_reuse\" has no effect; properties are py_module,"),
        "{note}"
    );
}

#[test]
fn files_that_are_none_are_named() {
    let root = tempfile::tempdir().unwrap();
    let error = |text: &str| {
        let error = AppBundle::load(root.path()).unwrap_err().to_string();
        assert!(error.contains(text), "{error} does not say {text}");
    };
    error("app.json: ");
    write(root.path(), "app.json", "{\"endpoints\": ");
    error("app.json: not JSON: EOF");
    write(root.path(), "app.json", "{}");
    error("src: no such directory");
    write(root.path(), "src/a.js", "");
    error("app.json: field endpoints is missing");
    write(root.path(), "app.json", "{\"endpoints\": {}}");
    AppBundle::load(root.path()).unwrap();
    std::fs::write(root.path().join("src/b.js"), [0xff, 0xfe]).unwrap();
    error("b.js: not UTF-8");
    for (text, expected) in [
        ("[]", "field metadata is missing"),
        ("{\"endpoints\": {}}", "field metadata is missing; this looks like an app.json"),
        ("{\"metadata\": {\"endpoints\": {}}}", "field modules is missing"),
        ("{\"metadata\": {\"endpoints\": {}}, \"modules\": [{}]}", "modules[0].name"),
    ] {
        let error = AppBundle::from_json(text, "b.json").unwrap_err().to_string();
        assert!(error.starts_with("b.json: ") && error.contains(expected), "{error}");
    }
}
