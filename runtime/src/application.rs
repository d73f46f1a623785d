//! What a host serves at one time: front ends and their endpoints, beside the built-in ones,
//! compiled for the request path. Replaced as a whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::Value as Json;

use crate::admin::{BUILT_IN, BuiltIn};
use crate::auth::{Admission, PolicyTable};
use crate::bundle::BundleError;
use crate::endpoint::{Endpoint, EndpointOptions, Mode};
use crate::executor::{Executors, Plan};
use crate::frontend::{Frontend, Threads};
use crate::limits::{
    ENDPOINTS_COUNT_MAX, INLINE_RUN_NS_MAX, INLINE_RUN_NS_RETURN, OPENAPI_BYTES_MAX,
    OWN_THREADS_COUNT_MAX, QUICK_RUN_NS_MAX,
};
use crate::log_fail;
use crate::metrics::{Metrics, RouteMetrics};
use crate::router::{Actor, Origin, Router};
use crate::workers;

pub(crate) enum Handler {
    /// Front end, and position among its endpoints.
    Frontend {
        frontend: usize,
        index: usize,
    },
    BuiltIn(&'static BuiltIn),
}

/// One endpoint, compiled.
pub(crate) struct Entry {
    pub(crate) actor: Actor,
    pub(crate) endpoint: Endpoint,
    pub(crate) handler: Handler,
    pub(crate) admission: Admission,
    pub(crate) metrics: Arc<RouteMetrics>,
    pace: Pace,
}

/// An endpoint's recent run time decides where it runs.
#[derive(Default)]
struct Pace {
    recent_ns: AtomicU64,
    slow: AtomicBool,
}

impl Entry {
    /// Method and path, for messages.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.endpoint.method, self.endpoint.path)
    }

    /// Whether the handler runs on an executor thread.
    pub(crate) fn is_slow(&self) -> bool {
        matches!(self.handler, Handler::BuiltIn(built_in) if built_in.blocking)
            || self.endpoint.options.mode == Mode::Historical
            || self.pace.slow.load(Ordering::Relaxed)
    }

    /// Whether others would notice if they waited for the handler.
    pub(crate) fn takes_time(&self) -> bool {
        self.pace.recent_ns.load(Ordering::Relaxed) > QUICK_RUN_NS_MAX
    }

    /// Notes one run: a moving average over about eight runs. Races lose a sample, nothing else. Quick
    /// runs of a quick endpoint go unnoted: threads would contend for the place.
    pub(crate) fn ran(&self, ns: u64) {
        let before = self.pace.recent_ns.load(Ordering::Relaxed);
        if before.max(ns) <= QUICK_RUN_NS_MAX {
            return;
        }
        let after = before - before / 8 + ns / 8;
        self.pace.recent_ns.store(after, Ordering::Relaxed);
        let slow = self.pace.slow.load(Ordering::Relaxed);
        if !slow && after > INLINE_RUN_NS_MAX {
            self.pace.slow.store(true, Ordering::Relaxed);
        } else if slow && after < INLINE_RUN_NS_RETURN {
            self.pace.slow.store(false, Ordering::Relaxed);
        }
    }
}

/// Everything that is served.
pub(crate) struct Application {
    /// Tells applications apart in thread-bound caches.
    pub(crate) id: u64,
    pub(crate) frontends: Vec<Arc<dyn Frontend>>,
    /// Front ends whose OpenAPI documents are part of `/app/api`.
    described: Vec<usize>,
    /// By front end: its own threads.
    own_threads: Vec<Option<Executors>>,
    pub(crate) entries: Vec<Arc<Entry>>,
    app: Router,
    gov: Router,
    node: Router,
    /// A front end in an interpreted language dispatches by the endpoints table, as CCF does, so
    /// that every answer of the application has read something.
    pub(crate) reads_always: bool,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl Application {
    pub(crate) fn new(
        frontends: Vec<Arc<dyn Frontend>>,
        policies: &PolicyTable,
        metrics: &Metrics,
    ) -> Result<Self, BundleError> {
        let mut application = Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            reads_always: frontends.iter().any(|frontend| frontend.language() != "native"),
            frontends: Vec::new(),
            described: Vec::new(),
            own_threads: Vec::new(),
            entries: Vec::new(),
            app: Router::new(Actor::App),
            gov: Router::new(Actor::Gov),
            node: Router::new(Actor::Node),
        };
        let mut problems = Vec::new();
        for (position, frontend) in frontends.iter().enumerate() {
            for (index, endpoint) in frontend.endpoints().iter().enumerate() {
                let handler = Handler::Frontend { frontend: position, index };
                let origin = Origin::Application;
                if let Err(problem) = application.add(
                    Actor::App,
                    origin,
                    endpoint.clone(),
                    handler,
                    policies,
                    metrics,
                ) {
                    problems.push(format!("{} application: {problem}", frontend.language()));
                }
            }
        }
        let own_policies = policies.for_built_in();
        for built_in in BUILT_IN {
            for actor in built_in.actors {
                let endpoint = Endpoint {
                    method: built_in.method.to_owned(),
                    path: built_in.path.to_owned(),
                    function: built_in.path.to_owned(),
                    options: EndpointOptions {
                        openapi_hidden: built_in.hidden,
                        ..EndpointOptions::default().policies(built_in.policies)
                    },
                    ..Endpoint::default()
                };
                let handler = Handler::BuiltIn(built_in);
                let origin = Origin::BuiltIn;
                if let Err(problem) =
                    application.add(*actor, origin, endpoint, handler, &own_policies, metrics)
                {
                    problems.push(format!("built-in endpoint: {problem}"));
                }
            }
        }
        application.described = described(&frontends);
        application.frontends = frontends;
        if application.entries.len() > ENDPOINTS_COUNT_MAX {
            problems.push(format!("more than {ENDPOINTS_COUNT_MAX} endpoints"));
        }
        if problems.is_empty() {
            problems.extend(application.start_threads().err());
        }
        if problems.is_empty() { Ok(application) } else { Err(BundleError { problems }) }
    }

    fn start_threads(&mut self) -> Result<(), String> {
        for (position, frontend) in self.frontends.iter().enumerate() {
            let language = frontend.language();
            let executors = match frontend.threads() {
                Threads::Shared => None,
                Threads::Own(count) | Threads::Apart(count)
                    if count.get() > OWN_THREADS_COUNT_MAX =>
                {
                    return Err(format!(
                        "{language} application: {count} threads; at most {OWN_THREADS_COUNT_MAX} \
                         are started"
                    ));
                }
                Threads::Own(count) | Threads::Apart(count) => {
                    // The first request does not pay for the interpreter, nor is it given up for that.
                    let (id, all, own) = (self.id, self.frontends.len(), frontend.clone());
                    let prepare = move || workers::prepare(id, all, position, &*own);
                    let started = Executors::start(&Plan {
                        name: language.to_owned(),
                        threads: count.get(),
                        patience: frontend.give_up_after(),
                        detached: true,
                        prepare: Some(Arc::new(prepare)),
                    });
                    Some(started.map_err(|error| {
                        format!("{language} application: its threads could not be started: {error}")
                    })?)
                }
            };
            self.own_threads.push(executors);
        }
        Ok(())
    }

    /// What the applications say about themselves, as OpenAPI documents.
    pub(crate) fn documents(&self) -> impl Iterator<Item = &Json> {
        self.described.iter().filter_map(|position| self.frontends.get(*position)?.openapi())
    }

    /// The threads that an endpoint's front end has of its own.
    pub(crate) fn own_threads(&self, entry: &Entry) -> Option<&Executors> {
        match entry.handler {
            Handler::Frontend { frontend, .. } => self.own_threads.get(frontend)?.as_ref(),
            Handler::BuiltIn(_) => None,
        }
    }

    /// Whether callers in process wait for threads of the front end. Those threads do not wait for
    /// themselves.
    pub(crate) fn is_apart(&self, entry: &Entry) -> bool {
        let Handler::Frontend { frontend, .. } = entry.handler else { return false };
        let apart = |frontend: &Arc<dyn Frontend>| matches!(frontend.threads(), Threads::Apart(_));
        self.frontends.get(frontend).is_some_and(apart)
            && self.own_threads(entry).is_some_and(|threads| !threads.has_this())
    }

    /// Jobs that wait for front ends' own threads.
    pub(crate) fn depth(&self) -> usize {
        self.own_threads.iter().flatten().map(Executors::depth).sum()
    }

    /// Ends the front ends' own threads, as the host's executors end.
    pub(crate) fn stop_threads(&self) {
        for executors in self.own_threads.iter().flatten() {
            executors.stop();
        }
    }

    fn add(
        &mut self,
        actor: Actor,
        origin: Origin,
        endpoint: Endpoint,
        handler: Handler,
        policies: &PolicyTable,
        metrics: &Metrics,
    ) -> Result<(), String> {
        let index = self.entries.len();
        let router = match actor {
            Actor::App => &mut self.app,
            Actor::Gov => &mut self.gov,
            Actor::Node => &mut self.node,
        };
        router
            .add(origin, &endpoint.method, &endpoint.path, index)
            .map_err(|error| format!("{} {}: {error}", endpoint.method, endpoint.path))?;
        let label = format!("{} {}{}", endpoint.method, actor.prefix(), endpoint.path);
        self.entries.push(Arc::new(Entry {
            actor,
            admission: Admission::new(&endpoint.options.authn_policies, policies),
            metrics: metrics.route(&label),
            endpoint,
            handler,
            pace: Pace::default(),
        }));
        Ok(())
    }

    pub(crate) fn router(&self, actor: Actor) -> &Router {
        match actor {
            Actor::App => &self.app,
            Actor::Gov => &self.gov,
            Actor::Node => &self.node,
        }
    }
}

/// The positions of the front ends whose documents are of reasonable size.
fn described(frontends: &[Arc<dyn Frontend>]) -> Vec<usize> {
    let mut taken = Vec::new();
    for (position, frontend) in frontends.iter().enumerate() {
        let Some(document) = frontend.openapi() else { continue };
        let size = document.to_string().len();
        if size <= OPENAPI_BYTES_MAX {
            taken.push(position);
        } else {
            log_fail!(
                "app",
                "the OpenAPI document of the {} application has {size} bytes; /app/api leaves it out, \
                 since at most {OPENAPI_BYTES_MAX} are taken",
                frontend.language()
            );
        }
    }
    taken
}
