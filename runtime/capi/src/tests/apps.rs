//! Apps beside the program's own endpoints.
#![cfg(feature = "js")]

use std::fs;

use tempfile::TempDir;

use super::endpoints::{Given, add, call, counter, endpoint, serving};
use super::*;

/// A JavaScript app with one endpoint.
fn app(path: &str, source: &str) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let metadata = format!(
        r#"{{"endpoints": {{"{path}": {{"get": {{
            "js_module": "a.js", "js_function": "get", "forwarding_required": "never",
            "redirection_strategy": "none", "authn_policies": ["no_auth"], "mode": "readwrite", "openapi": {{}}}}}}}}}}"#
    );
    fs::create_dir(root.path().join("src")).unwrap();
    fs::write(root.path().join("app.json"), metadata).unwrap();
    fs::write(root.path().join("src/a.js"), source).unwrap();
    root
}

fn load(runtime: &Opened, app: &TempDir, options: Option<&affiant_app_options>) -> affiant_status {
    let options = options.map_or(core::ptr::null(), core::ptr::from_ref);
    let path = text(app.path().to_str().unwrap());
    // SAFETY: path and options are here, and NULL is allowed.
    unsafe { affiant_runtime_load_app(runtime.runtime, path, options) }
}

const fn chosen() -> affiant_app_options {
    affiant_app_options {
        size: size_of::<affiant_app_options>(),
        execution_ms_max: 0,
        heap_bytes_max: 0,
        stack_bytes_max: 0,
        exception_details: 0,
        record: 0,
    }
}

const READS: &str = r#"
    export function get() {
        const value = ccf.kv["notes"].get(ccf.strToBuf("key"));
        return { body: value === undefined ? "nothing" : ccf.bufToStr(value) };
    }"#;

fn native(given: &Given) -> affiant_status {
    put(given.tx, "key", "written in C");
    given.answer("native")
}

#[test]
fn an_app_is_served_beside_the_programs_endpoints() {
    let runtime = serving(endpoint("GET", "/native"), native);
    call(&runtime, "GET", "/app/read").says(404, "Unknown path");
    let (reads, other) =
        (app("/read", READS), app("/other", "export const get = () => ({ body: 'o' });"));
    ok(load(&runtime, &reads, None), runtime.runtime);
    call(&runtime, "GET", "/app/read").says(200, "nothing");
    call(&runtime, "GET", "/app/native").says(200, "native");
    call(&runtime, "GET", "/app/read").says(200, "written in C");
    ok(load(&runtime, &other, None), runtime.runtime);
    call(&runtime, "GET", "/app/other").says(200, "o");
    call(&runtime, "GET", "/app/read").says(200, "written in C");
    ok(affiant_runtime_unload_apps(runtime.runtime), runtime.runtime);
    call(&runtime, "GET", "/app/read").says(404, "Unknown path");
    call(&runtime, "GET", "/app/native").says(200, "native");
    ok(affiant_runtime_stop(runtime.runtime, LONG_MS), runtime.runtime);
    assert_eq!(load(&runtime, &reads, None), AFFIANT_CLOSED);
}

#[test]
fn what_cannot_be_served_is_refused_and_the_rest_is_served_on() {
    let runtime = serving(endpoint("GET", "/native"), native);
    let reads = app("/read", READS);
    ok(load(&runtime, &reads, None), runtime.runtime);
    for (path, source, words) in [
        ("/native", READS, "GET /native: this method and path are declared twice"),
        ("/read", READS, "GET /read: this method and path are declared twice"),
        ("/x", "export function get() {\n  return {", "a.js"),
        ("/x", "export function other() {}", "get"),
    ] {
        let refused = app(path, source);
        assert_eq!(load(&runtime, &refused, None), AFFIANT_APPLICATION, "{source}");
        assert!(reason(runtime.runtime).contains(words), "{}", reason(runtime.runtime));
    }
    let nowhere = app("/x", READS);
    fs::remove_dir_all(nowhere.path()).unwrap();
    assert_eq!(load(&runtime, &nowhere, None), AFFIANT_APPLICATION);
    let name = nowhere.path().to_str().unwrap();
    assert!(reason(runtime.runtime).contains(name), "{}", reason(runtime.runtime));
    call(&runtime, "GET", "/app/native").says(200, "native");
    call(&runtime, "GET", "/app/read").says(200, "written in C");
    call(&runtime, "GET", "/app/x").says(404, "Unknown path");
}

#[test]
fn the_options_of_an_app_are_in_force() {
    let throws = app("/throws", "export function get() { throw new Error('told'); }");
    let runtime = in_memory();
    ok(load(&runtime, &throws, Some(&chosen())), runtime.runtime);
    let quiet = call(&runtime, "GET", "/app/throws");
    assert!(!String::from_utf8_lossy(&quiet.body).contains("told"));
    ok(affiant_runtime_unload_apps(runtime.runtime), runtime.runtime);
    let details = affiant_app_options { exception_details: 1, record: 1, ..chosen() };
    ok(load(&runtime, &throws, Some(&details)), runtime.runtime);
    call(&runtime, "GET", "/app/throws").says(500, "told");
    let endless = app("/endless", "export function get() { for (;;) {} }");
    let short = affiant_app_options { execution_ms_max: 50, ..chosen() };
    ok(load(&runtime, &endless, Some(&short)), runtime.runtime);
    assert_eq!(call(&runtime, "GET", "/app/endless").status, 500);
    let odd = affiant_app_options { record: 2, ..chosen() };
    assert_eq!(load(&runtime, &endless, Some(&odd)), AFFIANT_INVALID_ARGUMENT);
    let mut snapshot = core::ptr::null_mut();
    let (mut count, map) = (0, text("public:ccf.gov.endpoints"));
    // SAFETY: the outputs are here.
    unsafe {
        ok(affiant_runtime_snapshot(runtime.runtime, &raw mut snapshot), runtime.runtime);
        ok(affiant_snapshot_count(snapshot, map, &raw mut count), snapshot);
    }
    assert_eq!(count, 1, "the one that was to be recorded");
    assert_eq!(affiant_snapshot_free(snapshot), AFFIANT_OK);
}

#[test]
fn an_app_calls_for_no_endpoint_twice_in_one_set_of_options() {
    let made = options();
    ok(add(made, endpoint("GET", "/a/{x}"), counter(), native), made);
    ok(add(made, endpoint("POST", "/a/{x}"), counter(), native), made);
    let runtime = open_with(made);
    call(&runtime, "GET", "/app/a/1").says(200, "native");
    call(&runtime, "DELETE", "/app/a/1").says(405, "GET");
}
