//! The JavaScript front end: a compiled app ([`JsFrontend`]) and its interpreters, one set per worker
//! thread ([`JsWorker`]).

use std::sync::Arc;

use affiant::hosting::{AppBundle, Frontend, FrontendWorker, RuntimeOptions};
use affiant::{AppError, Call, Endpoint, Mode, Response};

use crate::engine::engine_version;
use crate::interpreter::{Interpreter, Policy, Siblings};
use crate::limits::{FRESH_INTERPRETER_COUNT_MAX, REUSED_INTERPRETER_COUNT_MAX};
use crate::log::{LogSink, host_log};
use crate::program::{Program, canonical};

/// Which interpreters serve an endpoint: those of its module (apart for past transactions, which
/// modules may take from `ccf.historicalState` while they are evaluated), or those of its reuse key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Group {
    policy: Policy,
    /// Position of the module, and whether it is for past transactions, or of the key.
    number: usize,
}

struct Shared {
    program: Arc<Program>,
    endpoints: Vec<Endpoint>,
    /// Per endpoint.
    groups: Vec<Group>,
    /// Per group of fresh interpreters, the endpoints that it serves: their handlers are found together.
    modules: Vec<Vec<usize>>,
    options: RuntimeOptions,
    warnings: Vec<String>,
    log: LogSink,
}

/// A loaded JavaScript app.
#[derive(Clone)]
pub struct JsFrontend {
    shared: Arc<Shared>,
}

impl JsFrontend {
    /// Compiles the bundle's modules and notes its endpoints; nothing of the app is run. Lines of
    /// `console` go to the log of the host.
    ///
    /// # Errors
    /// No memory for an interpreter. What the app itself does wrong (a module that does not
    /// compile, an import or a handler that is missing) fails when it is called, as in CCF, and is
    /// told beforehand by [`JsFrontend::warnings`].
    pub fn load(
        bundle: &AppBundle,
        endpoints: Vec<Endpoint>,
        options: RuntimeOptions,
    ) -> Result<Self, AppError> {
        Self::load_with_log(bundle, endpoints, options, host_log())
    }

    /// As [`JsFrontend::load`], with a place for the lines of `console`.
    ///
    /// # Errors
    /// See [`JsFrontend::load`].
    pub fn load_with_log(
        bundle: &AppBundle,
        endpoints: Vec<Endpoint>,
        options: RuntimeOptions,
        log: LogSink,
    ) -> Result<Self, AppError> {
        let (program, warnings) =
            Program::compile(bundle, &endpoints, &log).map_err(AppError::internal)?;
        let groups = groups_of(&endpoints);
        let mut modules = vec![Vec::new(); groups.len()];
        for (position, group) in groups.iter().enumerate() {
            if group.policy == Policy::Fresh {
                modules[group.number].push(position);
            }
        }
        let program = Arc::new(program);
        let shared = Shared { program, endpoints, groups, modules, options, warnings, log };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// What will fail when it is called: modules that do not compile, missing imports and handlers.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.shared.warnings
    }

    /// The same app with other limits, for workers made from now on.
    #[must_use]
    pub fn with_options(&self, options: RuntimeOptions) -> Self {
        let shared = Shared {
            program: self.shared.program.clone(),
            endpoints: self.shared.endpoints.clone(),
            groups: self.shared.groups.clone(),
            modules: self.shared.modules.clone(),
            options,
            warnings: self.shared.warnings.clone(),
            log: self.shared.log.clone(),
        };
        Self { shared: Arc::new(shared) }
    }
}

/// Numbers the modules and reuse keys in order of appearance.
fn groups_of(endpoints: &[Endpoint]) -> Vec<Group> {
    fn number_in<T: PartialEq>(names: &mut Vec<T>, name: T) -> usize {
        names.iter().position(|known| *known == name).unwrap_or_else(|| {
            names.push(name);
            names.len() - 1
        })
    }
    let (mut modules, mut keys) = (Vec::new(), Vec::new());
    endpoints
        .iter()
        .map(|endpoint| match &endpoint.options.interpreter_reuse_key {
            Some(key) => {
                Group { policy: Policy::Reused, number: number_in(&mut keys, key.clone()) }
            }
            None => {
                let historical = endpoint.options.mode == Mode::Historical;
                let module = (canonical(&endpoint.module), historical);
                Group { policy: Policy::Fresh, number: number_in(&mut modules, module) }
            }
        })
        .collect()
}

impl Frontend for JsFrontend {
    fn language(&self) -> &'static str {
        "javascript"
    }

    fn engine_version(&self) -> Option<&str> {
        Some(engine_version())
    }

    fn endpoints(&self) -> &[Endpoint] {
        &self.shared.endpoints
    }

    fn worker(&self) -> Result<Box<dyn FrontendWorker>, AppError> {
        Ok(Box::new(JsWorker {
            shared: self.shared.clone(),
            fresh: Pool::new(FRESH_INTERPRETER_COUNT_MAX),
            reused: Pool::new(reused_count_max(&self.shared.options)),
        }))
    }
}

fn reused_count_max(options: &RuntimeOptions) -> usize {
    let count = options.max_cached_interpreters.min(REUSED_INTERPRETER_COUNT_MAX);
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// Interpreters by group number, the least recently used first.
struct Pool {
    count_max: usize,
    idle: Vec<(usize, Interpreter)>,
}

impl Pool {
    const fn new(count_max: usize) -> Self {
        Self { count_max, idle: Vec::new() }
    }

    fn take(&mut self, number: usize) -> Option<Interpreter> {
        let position = self.idle.iter().rposition(|(known, _)| *known == number)?;
        Some(self.idle.remove(position).1)
    }

    fn put(&mut self, number: usize, interpreter: Interpreter) {
        if self.count_max == 0 {
            return;
        }
        if self.idle.len() >= self.count_max {
            self.idle.remove(0);
        }
        self.idle.push((number, interpreter));
    }
}

/// The interpreters of one thread.
struct JsWorker {
    shared: Arc<Shared>,
    fresh: Pool,
    reused: Pool,
}

impl FrontendWorker for JsWorker {
    fn call(&mut self, call: &mut Call<'_>) -> Result<Response, AppError> {
        let shared = &self.shared;
        let Some(group) = shared.groups.get(call.endpoint_index).copied() else {
            return Err(AppError::internal("no such JavaScript endpoint"));
        };
        let pool = match group.policy {
            Policy::Fresh => &mut self.fresh,
            Policy::Reused => &mut self.reused,
        };
        // Out of the pool while it runs: should anything unwind, it is gone.
        let mut interpreter = match pool.take(group.number) {
            Some(interpreter) => interpreter,
            None => Interpreter::new(shared.program.clone(), shared.log.clone(), group.policy)?,
        };
        let own = [call.endpoint_index];
        let siblings = Siblings {
            endpoints: &shared.endpoints,
            positions: match group.policy {
                Policy::Fresh => &shared.modules[group.number],
                Policy::Reused => &own,
            },
        };
        let outcome = interpreter.run(call, siblings, &shared.options);
        if !outcome.broken {
            interpreter.recycle();
            pool.put(group.number, interpreter);
        }
        outcome.result
    }
}
