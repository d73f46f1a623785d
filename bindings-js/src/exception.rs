//! What a handler threw, as the client and the log see it (reference A.1, A.12, B.6): one line of
//! reason and the trace in CCF's form, which has no columns.

use affiant::{AppError, RuntimeOptions};
use serde_json::json;

use crate::engine::{Scope, Script, Thrown, Value};

/// A thrown value, described.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Exception {
    pub(crate) reason: String,
    pub(crate) trace: Option<String>,
}

/// Takes the pending exception and describes it.
pub(crate) fn describe(scope: Scope<'_>, _thrown: Thrown) -> Exception {
    let value = scope.take_exception();
    let exception = if scope.host().stopped() {
        Exception::interrupted()
    } else {
        describe_value(scope, &value)
    };
    // Whatever the description itself threw is of no interest.
    drop(scope.take_exception());
    if scope.host().expired() {
        // Perhaps only while it was described: the value may run scripts for that.
        return Exception::interrupted();
    }
    exception
}

fn describe_value<'js>(scope: Scope<'js>, value: &Value<'js>) -> Exception {
    if value.is_error() || is_dom_exception(scope, value) {
        let reason = or_nothing(scope, scope.text(value)).unwrap_or_default();
        let stack = or_nothing(scope, scope.get(value, c"stack"));
        let trace = stack
            .filter(Value::is_string)
            .and_then(|stack| or_nothing(scope, scope.text(&stack)))
            .map(|stack| without_columns(&stack));
        return Exception { reason: in_ccf_words(reason), trace };
    }
    let text = if value.is_object() {
        scope.to_json(value).and_then(|json| scope.text(&json))
    } else {
        scope.text(value)
    };
    Exception { reason: or_nothing(scope, text).unwrap_or_default(), trace: None }
}

/// Whether it was thrown by `atob`, `btoa` or `structuredClone`: an error, but none to the engine.
fn is_dom_exception<'js>(scope: Scope<'js>, value: &Value<'js>) -> bool {
    let class = or_nothing(scope, scope.get(&scope.global(), c"DOMException"));
    let is_instance =
        class.filter(Value::is_function).map(|class| scope.is_instance(value, &class));
    is_instance.and_then(|answer| or_nothing(scope, answer)).unwrap_or(false)
}

fn or_nothing<T>(scope: Scope<'_>, result: Script<T>) -> Option<T> {
    result.inspect_err(|_| drop(scope.take_exception())).ok()
}

/// Engine texts that clients and tests know in the words of CCF's engine.
fn in_ccf_words(reason: String) -> String {
    match reason.as_str() {
        "RangeError: Maximum call stack size exceeded" => {
            "InternalError: stack overflow".to_owned()
        }
        _ => reason,
    }
}

/// `    at f (/a.js:1:2)` becomes `    at f (/a.js:1)`.
fn without_columns(stack: &str) -> String {
    let mut trace = String::with_capacity(stack.len());
    for line in stack.lines() {
        let (body, end) = line.strip_suffix(')').map_or((line, ""), |body| (body, ")"));
        let position = body.rsplit_once(':').filter(|(rest, column)| {
            is_number(column) && rest.rsplit_once(':').is_some_and(|(_, row)| is_number(row))
        });
        trace.push_str(position.map_or(body, |(rest, _)| rest));
        trace.push_str(end);
        trace.push('\n');
    }
    trace
}

impl Exception {
    fn interrupted() -> Self {
        Self { reason: "InternalError: interrupted".to_owned(), trace: None }
    }

    /// The reason, and the place where it was thrown if the trace tells.
    pub(crate) fn located(&self) -> String {
        match self.place() {
            Some(place) => format!("{} at {place}", self.reason),
            None => self.reason.clone(),
        }
    }

    /// The line of `module` where it was thrown, from 1, if the trace tells.
    pub(crate) fn line_in(&self, module: &str) -> Option<usize> {
        self.place()?.strip_prefix(module)?.strip_prefix(':')?.parse().ok()
    }

    fn place(&self) -> Option<&str> {
        let first = self.trace.as_deref()?.lines().next()?;
        first.trim_start().strip_prefix("at ")
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl Exception {
    /// The 500 for this exception. `timed_out` replaces the message (reference A.12).
    pub(crate) fn into_error(
        self,
        message: &str,
        timed_out: bool,
        options: &RuntimeOptions,
    ) -> AppError {
        let message = if timed_out { "Operation took too long to complete." } else { message };
        let mut error = AppError::internal(message);
        if options.log_exception_details {
            let trace = self.trace.as_deref().unwrap_or("<no trace>");
            error.log = Some(format!("{}: {trace}", self.reason));
        }
        if options.return_exception_details {
            let mut detail = json!({ "code": "JSException", "message": self.reason });
            if let Some(trace) = self.trace {
                detail["trace"] = trace.into();
            }
            error.details.push(detail);
        }
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_lose_their_columns_only() {
        let stack = "    at f (/a:b/c.js:10:22)\n    at g (native)\n    at /x.js:3:4\n    at h\n";
        let trace = "    at f (/a:b/c.js:10)\n    at g (native)\n    at /x.js:3\n    at h\n";
        assert_eq!(without_columns(stack), trace);
        assert_eq!(without_columns(""), "");
    }
}
