//! Which environment variables the host may set as it likes.

use super::findings::{Findings, list, show};
use super::parse::{Node, Value};
use super::pattern::{Freedom, freedom, split_variable};

/// What the `confcom` tool lets into every container, because the platform sets it: on container
/// instances, then the variables by which Kubernetes tells of services.
const PLATFORM: &[&str] = &[
    "(?i)(FABRIC)_.+=.+",
    "((?i)FABRIC)_.+=.+",
    "HOSTNAME=.+",
    "T(E)?MP=.+",
    "FabricPackageFileName=.+",
    "HostedServiceName=.+",
    "IDENTITY_API_VERSION=.+",
    "IDENTITY_HEADER=.+",
    "IDENTITY_SERVER_THUMBPRINT=.+",
    "azurecontainerinstance_restarted_by=.+",
    "[A-Z0-9_]+_SERVICE_HOST=.+",
    "[A-Z0-9_]+_SERVICE_PORT=.+",
    "[A-Z0-9_]+_SERVICE_PORT_[A-Z0-9_]+=.+",
    "[A-Z0-9_]+_PORT=.+",
    "[A-Z0-9_]+_PORT_[0-9]+_TCP=.+",
    "[A-Z0-9_]+_PORT_[0-9]+_TCP_PROTO=.+",
    "[A-Z0-9_]+_PORT_[0-9]+_TCP_PORT=.+",
    "[A-Z0-9_]+_PORT_[0-9]+_TCP_ADDR=.+",
];

/// Variables by which loaders, shells and interpreters find or take code: a choice among many values
/// is too much for them.
const CODE: &[&str] = &[
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    "LD_AUDIT",
    "PATH",
    "BASH_ENV",
    "ENV",
    "IFS",
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "PERL5LIB",
    "PERL5OPT",
    "RUBYLIB",
    "RUBYOPT",
    "NODE_OPTIONS",
    "NODE_PATH",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "_JAVA_OPTIONS",
    "CLASSPATH",
    "DOTNET_STARTUP_HOOKS",
];

/// Judges `env_rules`. What the platform sets is one finding, everything else is one each.
pub(super) fn judge(rules: &Node<'_>, findings: &mut Findings) {
    let Value::List(rules) = &rules.value else {
        findings.add("unread", rules.line, "env_rules is not a list: what it allows is unknown");
        return;
    };
    let (mut platform, mut line) = (Vec::new(), 0);
    for rule in rules {
        match pattern(rule) {
            Pattern::Exact => {}
            Pattern::Expression(text) if PLATFORM.contains(&text.as_str()) => {
                line = if platform.is_empty() { rule.line } else { line };
                platform.push(text);
            }
            Pattern::Expression(text) => expression(&text, rule.line, findings),
            Pattern::Unread => findings.add(
                "unread",
                rule.line,
                "a rule for environment variables is not understood: what it allows is unknown",
            ),
        }
    }
    if !platform.is_empty() {
        let names = platform.iter().map(|one| split_variable(one).map_or(one.as_str(), |v| v.0));
        let explanation = format!(
            "{} may have any value: the host steers whatever in the container heeds them",
            list(names)
        );
        findings.add("platform_environment", line, &explanation);
    }
}

enum Pattern {
    Exact,
    Expression(String),
    Unread,
}

/// A rule in either of its forms: one pattern for `NAME=VALUE`, or one for each of the two.
fn pattern(rule: &Node<'_>) -> Pattern {
    let text = |name| rule.field(name).and_then(Node::text);
    match (text("pattern"), text("strategy")) {
        (Some(_), Some("string")) => return Pattern::Exact,
        (Some(pattern), Some("re2")) => return Pattern::Expression(pattern.to_owned()),
        _ => {}
    }
    let part = |pattern, strategy| match text(strategy)? {
        "string" => Some((quote(text(pattern)?), false)),
        "re2" => Some((text(pattern)?.to_owned(), true)),
        _ => None,
    };
    match (part("name", "name_strategy"), part("value", "value_strategy")) {
        (Some((_, false)), Some((_, false))) => Pattern::Exact,
        (Some((name, _)), Some((value, _))) => Pattern::Expression(format!("{name}={value}")),
        _ => Pattern::Unread,
    }
}

/// Text as a pattern that takes this text alone.
fn quote(text: &str) -> String {
    let special = |c: char| "\\.+*?()|[]{}^$=".contains(c);
    text.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}

/// Whether a variable that code is found by is matched by more than fixed texts.
fn takes_code(name: &str, value: &str) -> bool {
    let bare = name.trim_start_matches(['^', '(']).trim_end_matches(')');
    let bare = bare.trim_start_matches("?i)");
    CODE.iter().any(|code| bare.eq_ignore_ascii_case(code))
        && value.replace("\\.", "").contains(['.', '[', '\\', '*', '+', '{'])
}

fn expression(text: &str, line: usize, findings: &mut Findings) {
    let explanation = match (freedom(text), split_variable(text)) {
        (None, _) => {
            let explanation = format!("{} is no regular expression that is understood", show(text));
            findings.add("unread", line, &explanation);
            return;
        }
        (Some(Freedom::Bounded), Some((name, value))) if takes_code(name, value) => format!(
            "{} is what a pattern takes: the host chooses among its values and so the code that runs",
            show(name.trim_start_matches('^'))
        ),
        (Some(Freedom::Bounded), _) => return,
        (Some(Freedom::Whole), _) | (Some(Freedom::Part), None) => format!(
            "the pattern {} takes variables of any name: the host sets LD_PRELOAD and the like and \
             so chooses the code that runs",
            show(text)
        ),
        (Some(Freedom::Part), Some((name, value))) => {
            let name = show(name.trim_start_matches('^'));
            let much = match freedom(value.trim_end_matches('$')) {
                Some(Freedom::Whole) => "any value",
                _ => "a value that is partly free",
            };
            format!("{name} may have {much}: the host chooses it and so what the container does")
        }
    };
    findings.add("wildcard_environment", line, &explanation);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_text_is_bounded() {
        for text in ["a.*", "(", "[", "\\", "x=y"] {
            assert_eq!(freedom(&quote(text)), Some(Freedom::Bounded), "{text}");
        }
        assert_eq!(split_variable(&format!("{}=.*", quote("a=b"))), Some(("a\\=b", ".*")));
    }

    #[test]
    fn variables_that_bring_code_are_held_to_fixed_texts() {
        assert!(takes_code("LD_PRELOAD", "[a-z/]+"));
        assert!(takes_code("^PATH", "/usr/(local/)*bin"));
        assert!(takes_code("(?i)PYTHONPATH", "/\\w"));
        assert!(!takes_code("LD_PRELOAD", "(/lib/a\\.so|/lib/b\\.so)?"));
        assert!(!takes_code("MY_PATH", "[a-z]+"));
    }

    #[test]
    fn what_the_platform_sets_is_understood() {
        for pattern in PLATFORM {
            assert_ne!(freedom(pattern), None, "{pattern}");
            assert!(split_variable(pattern).is_some(), "{pattern}");
        }
    }
}
