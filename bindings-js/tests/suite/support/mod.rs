//! An app in a test: modules and endpoints in, responses out, on a real store.
#![allow(unreachable_pub, reason = "shared by the files of this suite")]

use std::sync::{Arc, Mutex};

use affiant::attestation::NodeAttestor;
use affiant::hosting::{AppBundle, Frontend, FrontendWorker, RuntimeOptions};
use affiant::log::Level;
use affiant::{AppError, Call, Caller, Endpoint, EndpointOptions, Mode, Request, Response};
use affiant_js::JsFrontend;
use affiant_kv::{Store, Tx};

/// Lines that the app logged.
pub type Lines = Arc<Mutex<Vec<(Level, &'static str, String)>>>;

/// A loaded app with one worker.
pub struct App {
    pub frontend: JsFrontend,
    pub worker: Box<dyn FrontendWorker>,
    pub store: Arc<Store>,
    pub lines: Lines,
    pub attestor: Option<Arc<NodeAttestor>>,
}

/// What one call did.
pub struct Done {
    pub result: Result<Response, AppError>,
    pub tx: Tx,
    pub apply_writes: Option<bool>,
}

impl Done {
    /// The body as text; panics unless the call succeeded.
    pub fn text(&self) -> String {
        String::from_utf8(self.response().body.to_vec()).unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.response().body).unwrap()
    }

    pub fn response(&self) -> &Response {
        self.result.as_ref().unwrap_or_else(|error| panic!("{error} {:?}", error.details))
    }

    pub fn error(&self) -> &AppError {
        self.result.as_ref().expect_err("the call was to fail")
    }

    /// The message of the `JSException` detail.
    pub fn exception(&self) -> String {
        let error = self.error();
        let detail = error.details.first().unwrap_or_else(|| panic!("{error:?} has no details"));
        detail["message"].as_str().unwrap().to_owned()
    }
}

/// Options that show exceptions to the client.
pub fn shown() -> RuntimeOptions {
    RuntimeOptions { return_exception_details: true, ..RuntimeOptions::default() }
}

/// An endpoint `GET /<function>` in a module.
pub fn endpoint(module: &str, function: &str) -> Endpoint {
    Endpoint {
        method: "GET".to_owned(),
        path: format!("/{function}"),
        module: module.to_owned(),
        function: function.to_owned(),
        options: EndpointOptions::default(),
        ..Endpoint::default()
    }
}

/// The same, sharing an interpreter under `key`.
pub fn reused(module: &str, function: &str, key: &str) -> Endpoint {
    let mut endpoint = endpoint(module, function);
    endpoint.options.interpreter_reuse_key = Some(key.to_owned());
    endpoint
}

/// The same in another mode.
pub fn with_mode(mut endpoint: Endpoint, mode: Mode) -> Endpoint {
    endpoint.options.mode = mode;
    endpoint
}

/// A request with this body.
pub fn request(body: &[u8]) -> Request {
    Request::new("POST", "/app/x")
        .unwrap()
        .with_route("/app/x", &[])
        .with_body(body.to_vec())
        .with_caller(Some(Caller::NoAuth))
}

impl App {
    pub fn new(
        modules: &[(&str, &str)],
        endpoints: Vec<Endpoint>,
        options: RuntimeOptions,
    ) -> Self {
        let bundle = AppBundle {
            modules: modules
                .iter()
                .map(|(name, source)| ((*name).to_owned(), (*source).to_owned()))
                .collect(),
            ..AppBundle::default()
        };
        let lines = Lines::default();
        let sink = lines.clone();
        let frontend = JsFrontend::load_with_log(
            &bundle,
            endpoints,
            options,
            Arc::new(move |level, tag, text| {
                sink.lock().unwrap().push((level, tag, text.to_owned()));
            }),
        )
        .unwrap();
        let worker = frontend.worker().unwrap();
        Self { frontend, worker, store: Store::new(), lines, attestor: None }
    }

    /// An app of one module, all of whose named functions are endpoints.
    pub fn of(source: &str, functions: &[&str]) -> Self {
        Self::with_options(source, functions, shown())
    }

    pub fn with_options(source: &str, functions: &[&str], options: RuntimeOptions) -> Self {
        let endpoints = functions.iter().map(|name| endpoint("/app.js", name)).collect();
        Self::new(&[("/app.js", source)], endpoints, options)
    }

    /// Calls a function in a transaction of its own.
    pub fn call(&mut self, function: &str) -> Done {
        self.call_with(function, &request(b""))
    }

    pub fn call_with(&mut self, function: &str, request: &Request) -> Done {
        let tx = self.store.begin();
        self.call_in(function, request, tx)
    }

    /// Calls a function in a transaction that goes on.
    pub fn call_in(&mut self, function: &str, request: &Request, mut tx: Tx) -> Done {
        let frontend = self.frontend.clone();
        let endpoints = frontend.endpoints();
        let index = endpoints.iter().position(|e| e.function == function).unwrap();
        let mut call = Call::new(index, &endpoints[index], request, &mut tx, &self.store);
        call.attestor = self.attestor.as_ref();
        let result = self.worker.call(&mut call);
        let apply_writes = call.apply_writes;
        Done { result, tx, apply_writes }
    }

    pub fn logged(&self) -> Vec<(Level, &'static str, String)> {
        std::mem::take(&mut *self.lines.lock().unwrap())
    }
}

/// Runs an expression in a fresh app and returns what `JSON.stringify` makes of it.
pub fn evaluate(expression: &str) -> serde_json::Value {
    let source = format!("export function run(request) {{ return {{ body: [{expression}] }}; }}");
    App::of(&source, &["run"]).call("run").json()[0].take()
}

/// Runs statements in a fresh app; the message of what they throw.
pub fn thrown(statements: &str) -> String {
    let source = format!("export function run(request) {{ {statements}; return {{}}; }}");
    App::of(&source, &["run"]).call("run").exception()
}
