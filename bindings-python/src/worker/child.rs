//! The worker's side: loads an app, then runs its handlers, one request at a time, on the main thread.

use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use affiant::Response;
use affiant::hosting::{ExecutionContext, RuntimeOptions};
use pyo3::exceptions::{PyMemoryError, PySystemExit};
use pyo3::prelude::*;
use serde_json::Value as Json;

use super::confine::{self, Memory};
use super::limits::RESPONSE_BYTES_MAX;
use super::link::frame;
use super::protocol::{Answered, Done, Failed, FromWorker, Load, Mode, Serve, Source, ToWorker};
use super::{Blob, Link, Text, Wait, request};
use crate::app::{App, AppSource, Handler, LoadOptions};
use crate::error;
use crate::frontend::{Called, object_bytes, run};
use crate::surface::{Remote, Surface};
use crate::watchdog::{Time, Watched};

/// The function of this side, into the extension module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(worker, module)?)
}

/// Serves as a worker over standard input, a socket to the node, until the node wants no more; the exit
/// code. Standard input is empty from then on.
#[pyfunction]
fn worker(py: Python<'_>) -> u8 {
    let served = py.detach(|| {
        let socket = take_socket()?;
        let watched = socket.try_clone().map_err(|error| error.to_string())?;
        confine::begin(watched)?;
        serve(Link::new(socket))
    });
    match served {
        Ok(()) => 0,
        Err(reason) => {
            eprintln!("{reason}");
            1
        }
    }
}

fn take_socket() -> Result<OwnedFd, String> {
    let socket = std::io::stdin().as_fd().try_clone_to_owned();
    let socket = socket.map_err(|error| format!("standard input: {error}"))?;
    let nothing =
        std::fs::File::open("/dev/null").map_err(|error| format!("/dev/null: {error}"))?;
    rustix::stdio::dup2_stdin(&nothing).map_err(|error| format!("standard input: {error}"))?;
    Ok(socket)
}

/// What a worker serves.
struct Served {
    /// Per endpoint.
    handlers: Vec<(Handler, ExecutionContext)>,
    options: RuntimeOptions,
    memory: Memory,
    watched: Arc<Watched>,
}

fn serve(mut link: Link) -> Result<(), String> {
    let gone = |_| "the node is gone".to_owned();
    let Ok(ToWorker::Load(load)) = link.receive(Wait::Forever) else {
        return Err("standard input is no socket to a node".to_owned());
    };
    let app = self::load(&load);
    let loaded =
        FromWorker::Loaded(app.as_ref().map(|app| app.description.clone()).map_err(Clone::clone));
    link.send(&frame(&loaded)?, Wait::Forever).map_err(gone)?;
    let app = app.map_err(|_| "the app was not loaded".to_owned())?;

    let served = match link.receive(Wait::Forever).map_err(gone)? {
        ToWorker::Serve(serve) => prepare(&app, serve),
        ToWorker::Stop => return Ok(()),
        _ => return Err("the node did not say what to serve".to_owned()),
    };
    let serving = FromWorker::Serving(served.as_ref().map(|_| ()).map_err(Clone::clone));
    link.send(&frame(&serving)?, Wait::Forever).map_err(gone)?;
    let served = served?;
    let process = std::process::id();
    loop {
        let (endpoint, request) = match link.receive(Wait::Forever).map_err(gone)? {
            ToWorker::Request(parts) => (parts.endpoint, request::request(&parts)),
            // Dropping the app ends its lifespan.
            ToWorker::Stop => return Ok(()),
            _ => return Err("the node sent no request".to_owned()),
        };
        let request = request.map_err(|error| format!("the node's request: {error}"))?;
        let (remote, done) = one(&app, &served, endpoint, Remote::new(link), request)?;
        if std::process::id() != process {
            // A handler forked, and the child came back: it may not speak for its parent.
            leave();
        }
        link = remote.link;
        link.send(&done, Wait::Forever).map_err(gone)?;
    }
}

/// Ends a forked child, without what its parent does at its own end.
fn leave() -> ! {
    Python::attach(|py| {
        let ended = py.import("os").and_then(|os| os.call_method1("_exit", (1,)));
        drop(ended);
    });
    std::process::abort()
}

fn load(load: &Load<'_>) -> Result<App, String> {
    let parsed = |text: &str| serde_json::from_str::<Json>(text).map_err(|error| error.to_string());
    let source = match &load.source {
        Source::Place(path) => AppSource::Place(path.to_string()),
        Source::Modules { modules, endpoints, manifest } => AppSource::Modules {
            modules: modules
                .iter()
                .map(|(name, source)| (name.to_string(), source.to_string()))
                .collect(),
            endpoints: parsed(endpoints)?,
            manifest: parsed(manifest)?,
        },
    };
    let options = LoadOptions { packages: load.packages.to_string(), guarded: load.guarded };
    App::load(&source, &options)
}

fn prepare(app: &App, serve: Serve) -> Result<Served, String> {
    Python::attach(|py| {
        let handlers = serve.endpoints.iter().map(|wanted| {
            let mode = match wanted.mode {
                Mode::ReadWrite => affiant::Mode::ReadWrite,
                Mode::ReadOnly => affiant::Mode::ReadOnly,
                Mode::Historical => affiant::Mode::Historical,
            };
            Ok((
                app.handler_of(py, &wanted.method, &wanted.path)?,
                ExecutionContext::Application(mode),
            ))
        });
        let handlers = handlers.collect::<Result<_, String>>()?;
        let watched = Watched::this_thread(py).map_err(|error| error.to_string())?;
        let memory = Memory::bound(object_bytes(&serve.options))?;
        Ok(Served { handlers, options: serve.options, memory, watched })
    })
}

/// Runs one handler; the frame that ends the request.
fn one(
    app: &App,
    served: &Served,
    endpoint: u32,
    remote: Remote,
    request: affiant::Request,
) -> Result<(Remote, Vec<u8>), String> {
    let found = usize::try_from(endpoint).ok().and_then(|index| served.handlers.get(index));
    let (handler, context) = found.ok_or("the node asked for an endpoint that is not served")?;
    let (result, behind, starved) = Python::attach(|py| {
        let limit = Duration::from_millis(served.options.max_execution_time_ms);
        let called = Called { time: Time::from_now(limit), context: *context, request };
        served.watched.begin(called.time);
        let (result, behind) = run(py, app, handler, Box::new(remote), called);
        let starved =
            result.as_ref().is_err_and(|failed| failed.is_instance_of::<PyMemoryError>(py));
        let result = result.map_err(|failed| {
            let mut answer = error::answer(py, &failed, &served.options);
            if failed.is_instance_of::<PySystemExit>(py) && answer.log.is_none() {
                answer.log = Some("the handler called sys.exit".to_owned());
            }
            answer
        });
        served.watched.end(py);
        (result, behind, starved)
    });
    let remote = behind.and_then(Surface::into_remote);
    let mut remote = remote.ok_or("no memory to hand a request to Python")?;
    let fine = result.as_ref().is_ok_and(|response| response.status < 500);
    let writes = core::mem::take(&mut remote.writes);
    let result = match &result {
        Ok(response) if response.body.len() > RESPONSE_BYTES_MAX => Err(too_large(response)),
        Ok(response) => Ok(answered(response)),
        Err(failed) => Err(Failed {
            status: failed.status,
            code: Text::from(&*failed.code),
            message: Text::from(&*failed.message),
            details: failed.details.iter().map(Json::to_string).collect(),
            log: failed.log.clone(),
        }),
    };
    let retire = starved || (!fine && served.memory.is_short());
    let apply_writes = remote.apply_writes;
    let done = Done { writes, apply_writes, result, retire };
    let done = frame(&FromWorker::Done(Box::new(done)))?;
    Ok((remote, done))
}

fn answered(response: &Response) -> Answered<'_> {
    let headers = response.headers.iter();
    let headers =
        headers.map(|(name, value)| (Text::from(name.as_str()), Text::from(value.as_str())));
    Answered {
        status: response.status,
        headers: headers.collect(),
        latin1_headers: response.latin1_headers,
        body: Blob::from(&*response.body),
    }
}

fn too_large<'a>(response: &Response) -> Failed<'a> {
    let size = response.body.len();
    Failed {
        status: 500,
        code: Text::from(affiant::odata::INTERNAL_ERROR),
        message: Text::from("The response is too large."),
        details: Vec::new(),
        log: Some(format!("a response of {size} bytes; the limit is {RESPONSE_BYTES_MAX} bytes")),
    }
}
