//! What a handler threw, as the client and the log see it (reference A.1, A.12, B.6): one line of
//! reason and the trace in CCF's form, which has no columns. Where the module has a source map, the
//! trace names the source that its author knows.

use affiant::AppError;
use affiant::hosting::RuntimeOptions;
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
            .map(|stack| {
                let program = &scope.host().program;
                trace_of(&stack, |module, line, column| program.origin(module, line, column))
            });
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

/// The engine's trace without columns, and with each place that `origin` knows in its terms. A line is
/// `    at f (/app.js:10:22)`, `    at /app.js:10:22` or one without a place.
fn trace_of(stack: &str, origin: impl Fn(&str, usize, usize) -> Option<String>) -> String {
    let mut trace = String::with_capacity(stack.len());
    for line in stack.lines() {
        let (body, end) = line.strip_suffix(')').map_or((line, ""), |body| (body, ")"));
        let Some((place, row, column)) = position_in(body) else {
            trace.push_str(line);
            trace.push('\n');
            continue;
        };
        let start = place.rfind(['(', ' ']).map_or(0, |before| before + 1);
        let (before, module) = place.split_at(start);
        match origin(module, row, column) {
            Some(origin) => trace.push_str(&format!("{before}{origin}{end}\n")),
            None => trace.push_str(&format!("{place}:{row}{end}\n")),
        }
    }
    trace
}

/// What stands before the line and the column, and these two.
fn position_in(text: &str) -> Option<(&str, usize, usize)> {
    let (rest, column) = text.rsplit_once(':')?;
    let (place, row) = rest.rsplit_once(':')?;
    Some((place, row.parse().ok()?, column.parse().ok()?))
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
            error.log = Some(format!("{}: {}", self.reason, trace.trim()));
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
        assert_eq!(trace_of(stack, |_, _, _| None), trace);
        assert_eq!(trace_of("", |_, _, _| None), "");
    }

    #[test]
    fn traces_name_the_source_that_is_known() {
        let stack =
            "    at f (/app.js:10:22)\n    at g (native)\n    at /app.js:3:4\n    at /b.js:1:2\n";
        let origin = |module: &str, line: usize, column: usize| {
            (module == "/app.js").then(|| format!("src/app.ts:{}", line * 100 + column))
        };
        let trace = "    at f (src/app.ts:1022)\n    at g (native)\n    at src/app.ts:304\n    at /b.js:1\n";
        assert_eq!(trace_of(stack, origin), trace);
    }
}
