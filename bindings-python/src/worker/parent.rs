//! The node's side of a Python app whose handlers run in worker processes. Nothing of the app is
//! imported here.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use affiant::hosting::{ExecutionContext, Frontend, FrontendWorker, RuntimeOptions, Threads};
use affiant::{AppError, Call, Endpoint, Mode, Response, odata};
use pyo3::prelude::*;
use serde_json::Value as Json;

use super::limits::{
    FAILURE_CHARS_MAX, FAILURE_DETAILS_COUNT_MAX, GIVE_UP_SLACK_MS, KILL_GRACE_MS,
    RESPONSE_BYTES_MAX, WORKER_WAIT_MS_MAX,
};
use super::link::frame;
use super::pool::Pool;
use super::process::{Console, Plan, Process};
use super::protocol::{self, Answered, Done, Failed, FromWorker, Load, Serve, Source, ToWorker};
use super::serving::Serving;
use super::{Broken, Text, request};
use crate::app::{AppSource, Description, LoadOptions, why};
use crate::limits::{RESPONSE_HEADER_COUNT_MAX, RESPONSE_HEADERS_BYTES_MAX};
use crate::surface::Local;

/// What of this process's environment every worker has, if it is set.
const ENVIRONMENT: [&str; 7] =
    ["PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"];
/// What numeric libraries go by.
const NUMERIC_THREADS: [&str; 3] = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"];
/// Starts a worker with the module search path of this process, so that it finds what this one finds.
const BEGIN: &str = "import sys; sys.path[:] = sys.argv[1:]; del sys.argv[1:]; \
                     from affiant._worker import main; main()";

/// An app that a worker process has loaded.
pub struct WorkersApp {
    /// What the app says of itself.
    pub description: Description,
    plan: Arc<Plan>,
    first: Process,
    count: NonZeroUsize,
}

impl WorkersApp {
    /// Has a worker process, one of `count`, import the app.
    ///
    /// # Errors
    /// Why it cannot be loaded, in a sentence for its author.
    pub fn load(
        source: &AppSource,
        options: &LoadOptions,
        console: Console,
        count: NonZeroUsize,
    ) -> Result<Self, String> {
        let mut plan = plan(source, options, console)?;
        plan.environment.extend(numeric_threads(count));
        let plan = Arc::new(plan);
        // What this process knows is not for others of the same user, such as its workers, to read.
        let hidden = rustix::process::DumpableBehavior::NotDumpable;
        rustix::process::set_dumpable_behavior(hidden)
            .map_err(|error| format!("prctl PR_SET_DUMPABLE: {error}"))?;
        let (first, description) = Process::start(&plan)?;
        Ok(Self { description, plan, first, count })
    }
}

fn plan(source: &AppSource, options: &LoadOptions, console: Console) -> Result<Plan, String> {
    let ask = |py: Python<'_>| {
        let sys = py.import("sys")?;
        let names = match source {
            AppSource::Place(place) => {
                let worker = py.import("affiant._worker")?;
                worker.call_method1("environment", (place,))?.extract::<Vec<String>>()?
            }
            AppSource::Modules { manifest, .. } => named(manifest),
        };
        let program: OsString = sys.getattr("executable")?.extract()?;
        Ok::<_, PyErr>((program, sys.getattr("path")?.extract::<Vec<OsString>>()?, names))
    };
    let found = Python::attach(|py| ask(py).map_err(|error| why(py, &error)));
    let (program, path, names) = found?;
    let mut arguments: Vec<OsString> =
        ["-I", "-X", "faulthandler", "-c", BEGIN].into_iter().map(OsString::from).collect();
    arguments.extend(path);
    let names = ENVIRONMENT.into_iter().chain(names.iter().map(String::as_str));
    let environment = names.filter_map(|name| Some((name.into(), std::env::var_os(name)?)));
    Ok(Plan {
        program,
        arguments,
        environment: environment.collect(),
        console,
        load: load_frame(source, options)?,
    })
}

/// How many threads the numeric libraries of one worker start: workers share the processors. What the
/// operator set counts.
fn numeric_threads(count: NonZeroUsize) -> impl Iterator<Item = (OsString, OsString)> {
    let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let share = (processors / count).max(1).to_string();
    NUMERIC_THREADS.into_iter().map(move |name| {
        (name.into(), std::env::var_os(name).unwrap_or_else(|| share.clone().into()))
    })
}

/// The variables that an app's policy names.
fn named(manifest: &Json) -> Vec<String> {
    let names = manifest.pointer("/policy/environment").and_then(Json::as_array);
    let names = names.into_iter().flatten().filter_map(Json::as_str);
    names.map(str::to_owned).collect()
}

fn load_frame(source: &AppSource, options: &LoadOptions) -> Result<Vec<u8>, String> {
    let source = match source {
        AppSource::Place(path) => Source::Place(Text::from(path.as_str())),
        AppSource::Modules { modules, endpoints, manifest } => Source::Modules {
            modules: modules
                .iter()
                .map(|(name, source)| (Text::from(name.as_str()), Text::from(source.as_str())))
                .collect(),
            endpoints: Text::from(endpoints.to_string()),
            manifest: Text::from(manifest.to_string()),
        },
    };
    let packages = Text::from(options.packages.as_str());
    frame(&ToWorker::Load(Load { source, packages, guarded: options.guarded }))
        .map_err(|reason| format!("the app is too large for a worker process: {reason}"))
}

/// A Python app, ready to be served by worker processes.
pub struct PyWorkersFrontend {
    pool: Arc<Pool>,
    endpoints: Vec<Endpoint>,
    options: RuntimeOptions,
    count: NonZeroUsize,
    version: String,
    openapi: Option<Json>,
}

impl PyWorkersFrontend {
    /// The app under `options`, with the endpoints that its metadata gave; beside the processes that
    /// serve it one is kept ready.
    ///
    /// # Errors
    /// An endpoint has no handler, or the worker that loaded the app is gone.
    pub fn new(
        app: WorkersApp,
        endpoints: Vec<Endpoint>,
        options: RuntimeOptions,
    ) -> Result<Self, AppError> {
        let count = app.count;
        let served = endpoints.iter().map(|endpoint| protocol::Endpoint {
            method: endpoint.method.clone(),
            path: endpoint.path.clone(),
            mode: match endpoint.options.mode {
                Mode::ReadWrite => protocol::Mode::ReadWrite,
                Mode::ReadOnly => protocol::Mode::ReadOnly,
                Mode::Historical => protocol::Mode::Historical,
            },
        });
        let serve = Serve { endpoints: served.collect(), options: options.clone() };
        let serve = frame(&ToWorker::Serve(serve)).map_err(AppError::internal)?;
        let pool = Pool::open(app.plan, serve, app.first, count.get());
        let pool = pool.map_err(AppError::internal)?;
        let version = Python::version_str().to_owned();
        let openapi = app.description.openapi().map_err(AppError::internal)?;
        Ok(Self { pool, endpoints, options, count, version, openapi })
    }
}

impl Drop for PyWorkersFrontend {
    fn drop(&mut self) {
        self.pool.close();
    }
}

impl Frontend for PyWorkersFrontend {
    fn language(&self) -> &'static str {
        "python"
    }

    fn threads(&self) -> Threads {
        Threads::Own(self.count)
    }

    /// Only a backstop: a worker is killed before.
    fn give_up_after(&self) -> Option<Duration> {
        let ms = [KILL_GRACE_MS, WORKER_WAIT_MS_MAX, GIVE_UP_SLACK_MS];
        let ms = ms.into_iter().fold(self.options.max_execution_time_ms, u64::saturating_add);
        Some(Duration::from_millis(ms))
    }

    fn engine_version(&self) -> Option<&str> {
        Some(&self.version)
    }

    fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    fn openapi(&self) -> Option<&Json> {
        self.openapi.as_ref()
    }

    fn worker(&self) -> Result<Box<dyn FrontendWorker>, AppError> {
        let limit_ms = self.options.max_execution_time_ms.saturating_add(KILL_GRACE_MS);
        let limit = Duration::from_millis(limit_ms);
        Ok(Box::new(Seat { pool: self.pool.clone(), process: None, limit }))
    }
}

/// One thread that serves, and its worker.
struct Seat {
    pool: Arc<Pool>,
    process: Option<Process>,
    /// Time for one request.
    limit: Duration,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.pool.leave(self.process.take());
    }
}

impl Seat {
    /// Hands a request to a worker that lives.
    fn hand_over(&mut self, asked: &[u8], deadline: Instant) -> Result<Process, AppError> {
        if let Some(process) = self.process.take() {
            // A socket that takes the request has a worker at its other end.
            let Err(broken) = process.send(asked, deadline) else { return Ok(process) };
            let id = process.id();
            let how = process.end(&broken);
            affiant::log_fail!("app", "The Python worker process {id} ended while idle ({how})");
            self.pool.lost();
        }
        let process = self.pool.take()?;
        match process.send(asked, deadline) {
            Ok(()) => Ok(process),
            Err(broken) => Err(self.gone(process, &broken)),
        }
    }

    /// The answer to a request whose worker is no more.
    fn gone(&self, process: Process, broken: &Broken) -> AppError {
        let id = process.id();
        let how = process.end(broken);
        self.pool.lost();
        let message = match broken {
            Broken::Overdue => "Operation took too long to complete.",
            Broken::Closed | Broken::Malformed(_) => "The process that ran this handler ended.",
        };
        let mut answer = AppError::internal(message);
        answer.log = Some(format!("The Python worker process {id} ended ({how})"));
        answer
    }
}

impl FrontendWorker for Seat {
    fn call(&mut self, call: &mut Call<'_>) -> Result<Response, AppError> {
        let context = ExecutionContext::Application(call.endpoint.options.mode);
        let asked = ToWorker::Request(Box::new(request::parts(call.endpoint_index, call.request)));
        let asked = frame(&asked).map_err(|reason| {
            let message = format!("The request is too large for a worker process: {reason}.");
            AppError::new(413, odata::REQUEST_BODY_TOO_LARGE, message)
        })?;
        // Waiting for a worker to start does not count.
        let patience = self.limit + Duration::from_millis(WORKER_WAIT_MS_MAX);
        let mut process = self.hand_over(&asked, Instant::now() + patience)?;
        let mut serving = Serving::new(Local::take(call), context);
        match exchange(&mut process, &mut serving, Instant::now() + self.limit) {
            Ok(ended) => {
                if ended.retire {
                    drop(process);
                    self.pool.lost();
                } else {
                    self.process = Some(process);
                }
                serving.local.apply_writes = ended.apply_writes;
                serving.local.give_back(call);
                match serving.refused_write {
                    Some(refused) => Err(refused.into()),
                    None => ended.result,
                }
            }
            // Its transaction stays out: nothing that it wrote is kept.
            Err(broken) => Err(self.gone(process, &broken)),
        }
    }
}

/// How a request ended.
struct Ended {
    result: Result<Response, AppError>,
    apply_writes: Option<bool>,
    retire: bool,
}

/// Does for a worker that has a request what it asks.
fn exchange(
    process: &mut Process,
    serving: &mut Serving,
    deadline: Instant,
) -> Result<Ended, Broken> {
    loop {
        match process.receive(deadline)? {
            FromWorker::Ask { writes, question } => {
                serving.write(&writes).map_err(Broken::Malformed)?;
                let answer = serving.answer(&question).map_err(Broken::Malformed)?;
                process.send(&answer, deadline)?;
            }
            FromWorker::Writes(writes) => serving.write(&writes).map_err(Broken::Malformed)?,
            FromWorker::Done(done) => {
                serving.write(&done.writes).map_err(Broken::Malformed)?;
                return ended(*done).map_err(Broken::Malformed);
            }
            FromWorker::Loaded(_) | FromWorker::Serving(_) => {
                return Err(Broken::Malformed("it spoke of loading within a request".to_owned()));
            }
        }
    }
}

fn ended(done: Done<'_>) -> Result<Ended, String> {
    let result = match done.result {
        Ok(answered) => Ok(response(&answered)?),
        Err(failed) => Err(failure(failed)),
    };
    Ok(Ended { result, apply_writes: done.apply_writes, retire: done.retire })
}

fn response(answered: &Answered<'_>) -> Result<Response, String> {
    let Answered { status, headers, latin1_headers, body } = answered;
    if !(100..=999).contains(status) {
        return Err(format!("a response of status {status}"));
    }
    let header_bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if headers.len() > RESPONSE_HEADER_COUNT_MAX
        || header_bytes > RESPONSE_HEADERS_BYTES_MAX
        || body.len() > RESPONSE_BYTES_MAX
    {
        return Err("a response above its bounds".to_owned());
    }
    let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    Ok(Response {
        status: *status,
        headers: headers.collect(),
        latin1_headers: *latin1_headers,
        body: bytes::Bytes::copy_from_slice(body),
    })
}

fn failure(failed: Failed<'_>) -> AppError {
    let cut = |text: &str| text.chars().take(FAILURE_CHARS_MAX).collect::<String>();
    let status = if (100..=999).contains(&failed.status) { failed.status } else { 500 };
    let details = failed.details.iter().take(FAILURE_DETAILS_COUNT_MAX);
    let details = details.filter(|text| text.len() <= 4 * FAILURE_CHARS_MAX);
    AppError {
        status,
        code: cut(&failed.code),
        message: cut(&failed.message),
        details: details.filter_map(|text| serde_json::from_str(text).ok()).collect(),
        log: failed.log.as_deref().map(cut),
    }
}
