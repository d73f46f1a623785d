//! Constitutions and ballots in JavaScript (reference F.1): every call in an interpreter made for it,
//! with what its context may see (A.2) and do (D.2).

use std::sync::Arc;
use std::time::Duration;

use affiant::governance::{
    Constitution, GovEffects, GovernanceCall, Resolution, ScriptFailure, Validation, Vote,
};
use affiant::hosting::RuntimeOptions;

use crate::engine::{Engine, ErrorKind, Scope, Script, Value};
use crate::exception;
use crate::host::{Context, Host};
use crate::interpreter::{limit, settle};
use crate::limits::NESTED_STACK_BYTES_MAX;
use crate::log::{LogSink, host_log};
use crate::program::Program;
use crate::surface;

/// What a constitution must export: name, fewest and most parameters, and what they are.
const EXPORTS: [(&str, f64, f64, &str); 3] = [
    ("validate", 1.0, 1.0, "input"),
    ("resolve", 3.0, 4.0, "proposal, proposerId, votes[, proposalId]"),
    ("apply", 2.0, 2.0, "proposal, proposalId"),
];

/// What a script of governance is called with.
enum Argument<'a> {
    Text(&'a str),
    Votes(&'a [Vote]),
}

impl Argument<'_> {
    fn value<'js>(&self, scope: Scope<'js>) -> Script<Value<'js>> {
        match self {
            Self::Text(text) => scope.string(text),
            Self::Votes(votes) => votes_of(scope, votes),
        }
    }
}

/// Runs constitutions and ballots written in JavaScript. Lines of `console` are tagged `gov`.
#[derive(Clone)]
pub struct JsConstitution {
    log: LogSink,
}

impl Default for JsConstitution {
    fn default() -> Self {
        Self { log: host_log() }
    }
}

impl JsConstitution {
    /// With a place for the lines of `console`, which otherwise go to the log of the host.
    #[must_use]
    pub fn with_log(log: LogSink) -> Self {
        Self { log }
    }

    fn run<R>(
        &self,
        call: GovernanceCall<'_>,
        context: Context,
        function: &str,
        effects: Option<Arc<dyn GovEffects>>,
        arguments: &[Argument<'_>],
        read: impl for<'js> FnOnce(Scope<'js>, &Value<'js>) -> Script<R>,
    ) -> Result<R, ScriptFailure> {
        let mut engine = prepared(self.log.clone(), context).map_err(failure)?;
        let host = engine.host();
        *host.tx.borrow_mut() = Some(call.tx.take());
        *host.effects.borrow_mut() = effects;
        host.begin_attestation(call.attestor);
        limit(&mut engine, call.limits);
        let (name, source) = (call.name, call.source);
        let result = engine.enter(|scope| {
            let answered = exported(scope, name, source, function)
                .and_then(|function| {
                    let arguments: Script<Vec<_>> =
                        arguments.iter().map(|argument| argument.value(scope)).collect();
                    let arguments = arguments?;
                    let arguments: Vec<&Value<'_>> = arguments.iter().collect();
                    let returned = scope.call(&function, &arguments)?;
                    settle(scope, returned)
                })
                .and_then(|returned| read(scope, &returned));
            answered.map_err(|thrown| exception::describe(scope, thrown))
        });
        let host = engine.host();
        let expired = host.expired();
        host.disarm();
        if let Some(tx) = host.tx.borrow_mut().take() {
            *call.tx = tx;
        }
        result.map_err(|exception| ScriptFailure {
            reason: if expired {
                "Operation took too long to complete.".to_owned()
            } else {
                exception.reason
            },
            trace: exception.trace,
        })
    }
}

fn failure(reason: String) -> ScriptFailure {
    ScriptFailure { reason, trace: None }
}

/// An interpreter with everything that its context may see.
fn prepared(log: LogSink, context: Context) -> Result<Engine, String> {
    let mut engine = Engine::new(Host::new(Arc::new(Program::default()), log))?;
    engine.host().context.set(context);
    engine
        .enter(|scope| {
            surface::install(scope, context)
                .map_err(|thrown| exception::describe(scope, thrown).reason)
        })
        .map_err(|reason| format!("could not set up an interpreter: {reason}"))?;
    Ok(engine)
}

/// Evaluates the source as a module and returns one of its functions.
fn exported<'js>(
    scope: Scope<'js>,
    name: &str,
    source: &str,
    function: &str,
) -> Script<Value<'js>> {
    let namespace = scope.evaluate(name, source)?;
    let found = scope.get_named(&namespace, function)?;
    if found.is_function() {
        return Ok(found);
    }
    let what = if found.is_undefined() { "Failed to find export" } else { "Not a function:" };
    Err(scope.throw(ErrorKind::Plain, &format!("{what} '{function}' in module '{name}'")))
}

impl Constitution for JsConstitution {
    fn validate(
        &self,
        call: GovernanceCall<'_>,
        proposal: &str,
    ) -> Result<Validation, ScriptFailure> {
        let arguments = [Argument::Text(proposal)];
        self.run(call, Context::PreApproval, "validate", None, &arguments, |scope, returned| {
            if !returned.is_object() {
                return Err(scope.throw_type(
                    "validate() returned no object: {valid: boolean, description: string}",
                ));
            }
            let description = scope.get(returned, c"description")?;
            Ok(Validation {
                valid: scope.truthy(&scope.get(returned, c"valid")?),
                description: if description.is_string() {
                    scope.text(&description)?
                } else {
                    String::new()
                },
            })
        })
    }

    fn vote(
        &self,
        call: GovernanceCall<'_>,
        proposal: &str,
        proposer_id: &str,
        proposal_id: &str,
    ) -> Result<bool, ScriptFailure> {
        let arguments = [proposal, proposer_id, proposal_id].map(Argument::Text);
        self.run(call, Context::PreApproval, "vote", None, &arguments, |_, returned| {
            Ok(returned.as_bool() == Some(true))
        })
    }

    fn resolve(
        &self,
        call: GovernanceCall<'_>,
        proposal: &str,
        proposer_id: &str,
        votes: &[Vote],
        proposal_id: &str,
    ) -> Result<Resolution, ScriptFailure> {
        let arguments = [
            Argument::Text(proposal),
            Argument::Text(proposer_id),
            Argument::Votes(votes),
            Argument::Text(proposal_id),
        ];
        self.run(call, Context::PreApproval, "resolve", None, &arguments, |scope, returned| {
            let state = scope.text(returned)?;
            match state.as_str() {
                "Open" => Ok(Resolution::Open),
                "Accepted" => Ok(Resolution::Accepted),
                "Rejected" => Ok(Resolution::Rejected),
                _ => Err(scope.throw(
                    ErrorKind::Plain,
                    &format!(
                        "resolve() returned \"{state}\"; it must be Open, Accepted or Rejected"
                    ),
                )),
            }
        })
    }

    fn apply(
        &self,
        call: GovernanceCall<'_>,
        proposal: &str,
        proposal_id: &str,
        effects: Arc<dyn GovEffects>,
    ) -> Result<(), ScriptFailure> {
        let arguments = [proposal, proposal_id].map(Argument::Text);
        self.run(call, Context::Apply, "apply", Some(effects), &arguments, |_, _| Ok(()))
    }

    fn check(&self, source: &str) -> Result<(), String> {
        let limits = RuntimeOptions::default();
        let time = Duration::from_millis(limits.max_execution_time_ms);
        find_fault(source, self.log.clone(), &limits, time)
    }
}

fn votes_of<'js>(scope: Scope<'js>, votes: &[Vote]) -> Script<Value<'js>> {
    let mut listed = Vec::with_capacity(votes.len());
    for vote in votes {
        let object = scope.object()?;
        scope.set(&object, c"member_id", scope.string(&vote.member_id)?)?;
        scope.set(&object, c"vote", scope.boolean(vote.vote))?;
        listed.push(object);
    }
    scope.array(listed)
}

/// As [`Constitution::check`], called by a script that has `time` left and much of the stack in use.
pub(crate) fn find_fault_within(source: &str, log: LogSink, time: Duration) -> Result<(), String> {
    let limits =
        RuntimeOptions { max_stack_bytes: NESTED_STACK_BYTES_MAX, ..RuntimeOptions::default() };
    find_fault(source, log, &limits, time)
}

/// Evaluates a constitution by itself, without any state, and looks at what it exports.
fn find_fault(
    source: &str,
    log: LogSink,
    limits: &RuntimeOptions,
    time: Duration,
) -> Result<(), String> {
    if source.is_empty() {
        return Err("The constitution is empty".to_owned());
    }
    let mut engine = prepared(log, Context::PreApproval)?;
    engine.host().nested.set(true);
    limit(&mut engine, limits);
    engine.host().arm(time);
    let checked = engine.enter(|scope| check_exports(scope, source));
    engine.host().disarm();
    checked
}

fn check_exports(scope: Scope<'_>, source: &str) -> Result<(), String> {
    let described = |thrown| {
        let reason = exception::describe(scope, thrown).located();
        format!("The constitution cannot be evaluated: {reason}")
    };
    let namespace = scope.evaluate("constitution", source).map_err(described)?;
    for (name, fewest, most, parameters) in EXPORTS {
        let function = scope.get_named(&namespace, name).map_err(described)?;
        if !function.is_function() {
            return Err(format!("The constitution exports no function {name}({parameters})"));
        }
        let length = scope.get(&function, c"length").map_err(described)?;
        if !length.as_number().is_some_and(|length| (fewest..=most).contains(&length)) {
            let found = scope.text(&length).map_err(described)?;
            return Err(format!(
                "The constitution's function {name} takes {found} parameters; it must be \
                 {name}({parameters})"
            ));
        }
    }
    Ok(())
}
