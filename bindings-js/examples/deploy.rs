//! What a large app costs in this crate: compiling it once per deploy, loading its bytecode into each
//! further interpreter, and each call. Processor time.
//!
//! `cargo run --release -p affiant-js --example deploy`
#![allow(clippy::unwrap_used, reason = "a measuring tool")]

use affiant::hosting::{AppBundle, Frontend, FrontendWorker, RuntimeOptions};
use affiant::{Call, Endpoint, EndpointOptions, Request};
use affiant_js::JsFrontend;
use affiant_kv::Store;

/// About a kilobyte of functions.
fn functions(number: usize) -> String {
    (0..10)
        .map(|k| {
            format!(
                "export function f{k}_{number}(a, b) {{\n  const sum = a + b * {k};\n  \
                 return sum > {number} ? {{ sum, name: 'f{k}' }} : null;\n}}\n"
            )
        })
        .collect()
}

fn many_modules(count: usize) -> Vec<(String, String)> {
    let mut main = String::new();
    let mut modules = Vec::new();
    for number in 0..count {
        main += &format!("import {{ f1_{number} }} from './lib/m{number}.js';\n");
        modules.push((format!("/lib/m{number}.js"), functions(number)));
    }
    main += &format!("export function run() {{ return {{ body: f1_{}(1, 2) }}; }}\n", count - 1);
    modules.push(("/app.js".to_owned(), main));
    modules
}

fn one_module(parts: usize) -> Vec<(String, String)> {
    let mut source: String = (0..parts).map(functions).collect();
    source += "export function run() { return { body: f1_0(1, 2) }; }\n";
    vec![("/app.js".to_owned(), source)]
}

/// Processor time of this thread that `run` takes, in milliseconds.
fn cpu_ms<R>(run: impl FnOnce() -> R) -> (f64, R) {
    let now = || {
        let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        stat.split_whitespace().next().unwrap().parse::<u64>().unwrap()
    };
    let before = now();
    let result = run();
    ((now() - before) as f64 / 1e6, result)
}

fn main() {
    for (name, modules) in [
        ("1 module, 1 KiB", one_module(1)),
        ("1 module, 1 MiB", one_module(1000)),
        ("1,000 modules, 1 MiB", many_modules(1000)),
    ] {
        for reuse in [false, true] {
            measure(name, &modules, reuse);
        }
    }
}

fn measure(name: &str, modules: &[(String, String)], reuse: bool) {
    let endpoint = Endpoint {
        method: "GET".to_owned(),
        path: "/run".to_owned(),
        module: "/app.js".to_owned(),
        function: "run".to_owned(),
        options: EndpointOptions {
            interpreter_reuse_key: reuse.then(|| "k".to_owned()),
            ..EndpointOptions::default()
        },
        ..Endpoint::default()
    };
    let bundle = AppBundle { modules: modules.to_vec(), ..AppBundle::default() };
    let bytes: usize = modules.iter().map(|(_, source)| source.len()).sum();
    let load = || {
        let endpoints = vec![endpoint.clone()];
        JsFrontend::load(&bundle, endpoints, RuntimeOptions::default()).unwrap()
    };
    let (compile, frontend) = cpu_ms(load);
    assert!(frontend.warnings().is_empty(), "{:?}", frontend.warnings());
    // Many of each: some kernels count processor time in ticks of milliseconds.
    let (threads, calls) = (20, if bytes < 10_000 { 50_000 } else { 2_000 });
    // The first interpreter of each thread.
    let firsts = cpu_ms(|| {
        for _ in 0..threads {
            call(frontend.worker().unwrap().as_mut(), &endpoint);
        }
    });
    let first = firsts.0 / f64::from(threads);
    let mut worker = frontend.worker().unwrap();
    call(worker.as_mut(), &endpoint);
    let all = cpu_ms(|| (0..calls).for_each(|_| call(worker.as_mut(), &endpoint)));
    let each = all.0 / f64::from(calls);
    println!(
        "{name:<21} {:<6} {bytes:>8} bytes: compile {compile:>7.2} ms, first call of an interpreter \
         {first:>6.2} ms, each call {:>7.1} us",
        if reuse { "reused" } else { "fresh" },
        each * 1000.0
    );
}

fn call(worker: &mut dyn FrontendWorker, endpoint: &Endpoint) {
    let store = Store::new();
    let mut tx = store.begin();
    let request = Request::new("GET", "/app/run").unwrap();
    worker.call(&mut Call::new(0, endpoint, &request, &mut tx, &store)).unwrap();
}
