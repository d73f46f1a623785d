//! `console` (reference A.11): four functions, lines tagged `app`, or `gov` in
//! constitutions and ballots.

use affiant::log::Level;

use crate::engine::{Args, Arity, Native, Scope, Script, Value};

/// Functions of `console`.
pub(super) static NATIVES: &[Native] = &[
    Native { name: c"log", arity: Arity::Any, run: info },
    Native { name: c"info", arity: Arity::Any, run: info },
    Native { name: c"warn", arity: Arity::Any, run: warn },
    Native { name: c"error", arity: Arity::Any, run: error },
];

fn info<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    line(scope, &args, Level::Info)
}

fn warn<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    line(scope, &args, Level::Fail)
}

fn error<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    line(scope, &args, Level::Fatal)
}

fn line<'js>(scope: Scope<'js>, args: &Args<'js>, level: Level) -> Script<Value<'js>> {
    scope.host().touch();
    let mut text = String::new();
    for index in 0..args.len() {
        if index > 0 {
            text.push(' ');
        }
        let value = args.get(index);
        if value.is_object() && !value.is_error() {
            let json = scope.to_json(&value)?;
            text.push_str(&scope.text(&json)?);
        } else {
            text.push_str(&scope.text(&value)?);
        }
    }
    let tag = if scope.host().context.get().is_application() { "app" } else { "gov" };
    (scope.host().log)(level, tag, &text);
    Ok(scope.undefined())
}
