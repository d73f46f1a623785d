//! One interpreter in use: modules evaluated, handlers found, requests run, and put back to pristine
//! afterwards.
//!
//! A *fresh* interpreter gives CCF's isolation: each request sees module state as if it had just been
//! evaluated. Where evaluating the module touched nothing that differs from request to request, the
//! state after it is what is kept and restored; otherwise the state before it is, and the module is
//! evaluated for every request, in that request. A *reused* interpreter keeps its state.
//!
//! The time limit is polled by the engine between steps of a script; what loops inside one built-in is
//! stopped by the watchdog of the engine's guard, and the interpreter thrown away.

use std::sync::Arc;
use std::time::Duration;

use affiant::hosting::{Promises, RuntimeOptions};
use affiant::{AppError, Call, Endpoint, Mode, Response};

use crate::engine::{Engine, ErrorKind, Function, Promised, Scope, Script, Value};
use crate::exception;
use crate::host::{Context, Host};
use crate::limits::{HEAP_BYTES_MAX, MAP_NAME_COUNT_MAX, STACK_BYTES_MAX};
use affiant::log::Level;

use crate::log::LogSink;
use crate::program::{Program, canonical};
use crate::response;
use crate::surface::{self, RequestParts};

const THROWN: &str = "Exception thrown while executing.";

/// How state is treated between requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// Every request starts from the pristine state.
    Fresh,
    /// State stays.
    Reused,
}

/// One interpreter.
pub(crate) struct Interpreter {
    engine: Engine,
    policy: Policy,
    /// Handlers found so far, by endpoint.
    handlers: Vec<(usize, Function)>,
    /// The pristine state has the module evaluated.
    evaluated: bool,
    /// Heap right after the last evaluation.
    base_bytes: usize,
}

/// Endpoints whose handlers are found together.
#[derive(Clone, Copy)]
pub(crate) struct Siblings<'a> {
    pub(crate) endpoints: &'a [Endpoint],
    pub(crate) positions: &'a [usize],
}

/// What a request left behind.
pub(crate) struct Outcome {
    pub(crate) result: Result<Response, AppError>,
    /// The interpreter broke a limit or failed: throw it away.
    pub(crate) broken: bool,
}

impl Interpreter {
    /// An interpreter with everything installed and no module evaluated.
    ///
    /// # Errors
    /// No memory.
    pub(crate) fn new(
        program: Arc<Program>,
        log: LogSink,
        policy: Policy,
    ) -> Result<Self, AppError> {
        let mut engine = Engine::new(Host::new(program, log)).map_err(AppError::internal)?;
        let installed = engine.enter(|scope| {
            surface::install(scope, Context::Application(Mode::default()))
                .map_err(|thrown| exception::describe(scope, thrown).reason)
        });
        installed.map_err(|reason| {
            AppError::internal(format!("could not set up an interpreter: {reason}"))
        })?;
        if policy == Policy::Fresh {
            engine.keep();
        }
        let base_bytes = engine.heap().in_use();
        Ok(Self { engine, policy, handlers: Vec::new(), evaluated: false, base_bytes })
    }

    /// Runs one request.
    pub(crate) fn run(
        &mut self,
        call: &mut Call<'_>,
        siblings: Siblings<'_>,
        options: &RuntimeOptions,
    ) -> Outcome {
        self.begin(call);
        let result = self
            .prepare(call, siblings, options)
            .and_then(|handler| self.execute(call, handler, options));
        let host = self.engine.host();
        if let (true, Ok(response)) = (host.metrics.get(), &result) {
            let line = format!(
                "JS execution complete: Method={}, Path={}, Status={}, ExecMilliseconds={}",
                call.endpoint.method,
                call.endpoint.path,
                response.status,
                host.elapsed().as_millis()
            );
            (host.log)(Level::Info, "js", &line);
        }
        let broken = host.expired() || host.panicked.get() || self.engine.heap().refused();
        self.finish(call);
        Outcome { result, broken: broken || self.outgrown(options) }
    }

    fn begin(&mut self, call: &mut Call<'_>) {
        let host = self.engine.host();
        *host.tx.borrow_mut() = Some(call.tx.take());
        *host.store.borrow_mut() = Some(call.store.clone());
        *host.body.borrow_mut() = call.request.body().clone();
        let mut content_type = host.content_type.borrow_mut();
        content_type.clear();
        content_type.push_str(call.request.header("content-type").unwrap_or_default());
        host.context.set(Context::Application(call.endpoint.options.mode));
        host.begin_attestation(call.attestor);
        host.begin_historical(call);
        host.apply_writes.set(call.apply_writes);
    }

    fn finish(&mut self, call: &mut Call<'_>) {
        let host = self.engine.host();
        if let Some(tx) = host.tx.borrow_mut().take() {
            *call.tx = tx;
        }
        call.apply_writes = host.apply_writes.get();
        *host.store.borrow_mut() = None;
        *host.body.borrow_mut() = bytes::Bytes::new();
        host.finish_historical();
        host.disarm();
        self.engine.heap().unlimit();
    }

    /// Puts a fresh interpreter back to its pristine state. One that is reused keeps its own, but for
    /// the past transaction that its request named.
    pub(crate) fn recycle(&mut self) {
        let shown = self.engine.host().historical_shown.take();
        if shown && self.policy == Policy::Reused {
            // Where a script prevents it, later requests see an object that leads nowhere.
            let _ = self.engine.enter(surface::hide_historical_state);
        }
        if self.policy == Policy::Fresh {
            self.engine.restore();
            if !self.evaluated {
                self.handlers.clear();
            }
        }
    }

    /// Whether a reused interpreter holds on to too much to be kept.
    fn outgrown(&self, options: &RuntimeOptions) -> bool {
        let host = self.engine.host();
        if host.maps.borrow().len() > MAP_NAME_COUNT_MAX {
            return true;
        }
        let room = usize::try_from(options.max_heap_bytes).unwrap_or(usize::MAX);
        self.policy == Policy::Reused
            && self.engine.heap().in_use() > self.base_bytes.saturating_add(room)
    }

    /// Evaluates the module if that is due and finds the handler.
    fn prepare(
        &mut self,
        call: &Call<'_>,
        siblings: Siblings<'_>,
        options: &RuntimeOptions,
    ) -> Result<Function, AppError> {
        let known = |handlers: &[(usize, Function)]| {
            handlers.iter().find(|(index, _)| *index == call.endpoint_index).map(|(_, f)| *f)
        };
        if let Some(handler) = known(&self.handlers) {
            return Ok(handler);
        }
        // CCF has no limits here; ours are never lower than the defaults.
        limit(&mut self.engine, &options.no_lower_than(&RuntimeOptions::default()));
        if self.policy == Policy::Fresh {
            self.engine.heap().build();
        }
        self.engine.host().ambient.set(false);
        let module = canonical(&call.endpoint.module);
        let wanted = call.endpoint_index;
        let found = self.engine.enter(|scope| {
            find_handlers(scope, &module, wanted, siblings).map_err(|thrown| {
                let exception = exception::describe(scope, thrown);
                exception.into_error(THROWN, scope.host().expired(), options)
            })
        })?;
        self.handlers.extend(found);
        self.engine.heap().unlimit();
        if self.policy == Policy::Fresh && !self.engine.host().ambient.get() {
            self.engine.keep();
            self.evaluated = true;
        }
        self.base_bytes = self.base_bytes.max(self.engine.heap().in_use());
        known(&self.handlers).ok_or_else(|| AppError::internal("the endpoint's handler got lost"))
    }

    fn execute(
        &mut self,
        call: &Call<'_>,
        handler: Function,
        options: &RuntimeOptions,
    ) -> Result<Response, AppError> {
        self.engine.heap().settle();
        limit(&mut self.engine, options);
        let parts = RequestParts { request: call.request };
        self.engine.enter(|scope| {
            let host = scope.host();
            let returned = invoke(scope, handler, &parts, call.endpoint.options.promises).map_err(
                |thrown| {
                    exception::describe(scope, thrown).into_error(THROWN, host.expired(), options)
                },
            )?;
            let converted = response::convert(scope, &returned);
            if host.expired() {
                let interrupted = scope.throw(ErrorKind::Internal, "interrupted");
                return Err(
                    exception::describe(scope, interrupted).into_error(THROWN, true, options)
                );
            }
            converted.map_err(|invalid| {
                let message = invalid.message();
                match invalid.thrown {
                    Some(thrown) => exception::describe(scope, thrown).into_error(
                        &message,
                        host.expired(),
                        options,
                    ),
                    None => AppError::internal(message),
                }
            })
        })
    }
}

/// Limits what scripts may use from now on, and starts the clock.
pub(crate) fn limit(engine: &mut Engine, options: &RuntimeOptions) {
    let heap = options.max_heap_bytes.min(HEAP_BYTES_MAX);
    // To the engine zero means no limit.
    let stack = options.max_stack_bytes.clamp(1, STACK_BYTES_MAX);
    engine.heap().limit_growth(usize::try_from(heap).unwrap_or(usize::MAX));
    engine.limit_stack(usize::try_from(stack).unwrap_or(usize::MAX));
    engine.host().arm(Duration::from_millis(options.max_execution_time_ms));
}

/// Evaluates `module` and pins the handlers of its endpoints; only the wanted one has to exist.
fn find_handlers(
    scope: Scope<'_>,
    module: &str,
    wanted: usize,
    siblings: Siblings<'_>,
) -> Script<Vec<(usize, Function)>> {
    let namespace = scope.import(module)?;
    let mut found = Vec::with_capacity(siblings.positions.len());
    for index in siblings.positions {
        let Some(endpoint) = siblings.endpoints.get(*index) else { continue };
        let handler = scope.get_named(&namespace, &endpoint.function)?;
        if handler.is_function() {
            found.push((*index, scope.pin(handler)));
        } else if *index == wanted && handler.is_undefined() {
            return Err(scope.throw(
                ErrorKind::Plain,
                &format!("Failed to find export '{}' in module '{module}'", endpoint.function),
            ));
        } else if *index == wanted {
            return Err(scope.throw(
                ErrorKind::Plain,
                &format!("Export '{}' of module '{module}' is not a function", endpoint.function),
            ));
        }
    }
    Ok(found)
}

/// Calls the handler.
fn invoke<'js>(
    scope: Scope<'js>,
    handler: Function,
    parts: &RequestParts<'_>,
    promises: Promises,
) -> Script<Value<'js>> {
    let request = surface::build_request(scope, parts)?;
    let handler = scope.pinned(handler);
    let returned = scope.call(&handler, &[&request])?;
    if promises == Promises::Ignored {
        return Ok(returned);
    }
    settle(scope, returned)
}

/// Lets what a function promised happen.
pub(crate) fn settle<'js>(scope: Scope<'js>, returned: Value<'js>) -> Script<Value<'js>> {
    scope.run_jobs();
    if scope.host().expired() {
        return Err(scope.throw(ErrorKind::Internal, "interrupted"));
    }
    if !returned.is_promise() {
        return Ok(returned);
    }
    match scope.promise(&returned) {
        Promised::Fulfilled(value) => Ok(value),
        Promised::Rejected(reason) => Err(scope.throw_value(reason)),
        // Nothing is left that could settle it: as in CCF, an object without a body.
        Promised::Pending => Ok(returned),
    }
}
