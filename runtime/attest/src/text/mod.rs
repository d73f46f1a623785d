//! The text of a container policy, read as an attentive auditor would: what it lets whoever controls
//! the host do.
//!
//! Two families are read, without being run. The guest agent of Azure's confidential container
//! instances takes `package policy` (as the `confcom` tool writes it; enforcement points of
//! `hcsshim`'s `framework.rego`), Kata's takes `package agent_policy`. Constants are judged; rules
//! with bodies are named and not evaluated; what is not understood is a finding of its own. Nothing
//! here says that a policy is good: a text without findings has none of the holes of [`RULES`].

mod aci;
mod environment;
mod findings;
mod kata;
mod lex;
mod mount;
mod parse;
mod pattern;
mod process;

use core::fmt;

use serde::Serialize;

use crate::AttestError;
use crate::limits::POLICY_TEXT_BYTES_MAX;
use findings::{Findings, show};
use parse::{Kind, Statement};

/// A kind of hole. Names are stable: [`crate::PolicyTextRule`] refers to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub name: &'static str,
    /// What it finds.
    pub finds: &'static str,
}

/// Every rule. Each refuses the evidence unless the policy of the relying party says otherwise.
pub const RULES: &[Rule] = &[
    rule("allow_all", "any container may be started, or the whole policy is open"),
    rule("exec", "a shell, an interpreter or any command may be started in a container"),
    rule("probe", "fixed commands, all named, may be started in a container"),
    rule("external_exec", "commands may be started in the guest, outside of containers"),
    rule("stdio", "the host reads what a container prints and writes what it reads"),
    rule("dump_stacks", "the host may have the stacks of the guest's agent dumped"),
    rule("runtime_logging", "the guest's agent logs to the host"),
    rule("properties", "the host may ask for processes and resource use of containers"),
    rule("privileged", "a container may run with every right in the guest"),
    rule("capabilities", "a container has capabilities beyond a container's usual ones"),
    rule("wildcard_environment", "an environment variable may have any value"),
    rule("platform_environment", "a variable that Azure sets may have any value"),
    rule("dropping_environment", "variables that are not allowed are dropped, not refused"),
    rule("unencrypted_scratch", "storage or swap that the host can read may be used"),
    rule("unpinned_image", "an image is not fixed by the digests of its layers"),
    rule("loose_mounts", "files that nobody measured, or of the host's choice, may be mounted"),
    rule("fragment_unpinned", "a policy fragment is taken without issuer, feed or version fixed"),
    rule("new_privileges", "processes of a container may gain rights"),
    rule("custom_logic", "the text decides by rules of its own, which are not evaluated"),
    rule("unread", "a part of the text was not understood"),
];

const fn rule(name: &'static str, finds: &'static str) -> Rule {
    Rule { name, finds }
}

/// A hole in a container policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule: one of [`RULES`].
    pub rule: &'static str,
    /// The container, where it is about one.
    pub container: Option<String>,
    /// The line of the text, from 1.
    pub line: usize,
    /// What was found and what whoever controls the host gains by it: one sentence, printable.
    pub explanation: String,
}

/// `line 12, container "app": exec: ...`
impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "line {}", self.line)?;
        if let Some(container) = &self.container {
            write!(out, ", container \"{container}\"")?;
        }
        write!(out, ": {}: {}", self.rule, self.explanation)
    }
}

/// A container that the policy lets be started. Texts are as in the policy: not checked, not clipped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ContainerText {
    /// Its name, else its image, else its number and command.
    pub name: String,
    /// The image it is said to be of. Not enforced by the guest: the layers are.
    pub image: Option<String>,
    /// The line of the text, from 1.
    pub line: usize,
    /// The command and its arguments.
    pub command: Vec<String>,
    /// The dm-verity root hashes of the image's layers, hex.
    pub layers: Vec<String>,
    /// The commands that may be started in it later.
    pub commands: Vec<Vec<String>>,
}

/// A fragment of policy that the guest takes from whoever can sign it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FragmentText {
    /// Who signs: a `did:x509`.
    pub issuer: String,
    /// The name of the line of fragments.
    pub feed: String,
    /// The lowest security version number, as written.
    pub minimum_svn: String,
    /// What is taken from it: `containers`, `fragments`, `external_processes`, `namespace`.
    pub includes: Vec<String>,
}

/// What a container policy says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PolicyText {
    /// The containers it lets be started.
    pub containers: Vec<ContainerText>,
    /// The fragments it takes.
    pub fragments: Vec<FragmentText>,
    /// Its holes, in the order of the rules and then of the lines.
    pub findings: Vec<Finding>,
}

/// Reads the text of a container policy.
///
/// # Errors
///
/// [`AttestError::TooLarge`] over [`POLICY_TEXT_BYTES_MAX`] or
/// [`crate::limits::POLICY_TEXT_TOKENS_MAX`]; [`AttestError::Malformed`] if it is not UTF-8. All else
/// that is wrong with it is a finding.
pub fn read(text: &[u8]) -> Result<PolicyText, AttestError> {
    AttestError::bound("the container policy", text.len(), POLICY_TEXT_BYTES_MAX)?;
    let text = str::from_utf8(text).map_err(|error| {
        AttestError::malformed("the container policy", format!("it is not UTF-8: {error}"))
    })?;
    let tokens = lex::split(text)?;
    let mut out = PolicyText::default();
    let mut findings = Findings::default();
    if text.trim_start().starts_with('{') {
        json(&tokens, &mut findings);
    } else {
        statements(&parse::statements(&tokens), &mut out, &mut findings);
    }
    out.findings = findings.into_sorted();
    Ok(out)
}

/// The form before Rego: one JSON object. Only its open variant is told from others.
fn json(tokens: &[lex::Token<'_>], findings: &mut Findings) {
    let open = parse::value(tokens).and_then(|node| node.field("allow_all").cloned());
    if let Some(open) = open.filter(parse::Node::is_true) {
        findings.add(
            "allow_all",
            open.line,
            "allow_all is true: the host may start any container, run any command in it and read \
             all that it prints",
        );
    } else {
        findings.add("unread", 1, "the text is an object, not Rego: nothing of it was judged");
    }
}

fn statements(all: &[Statement<'_>], out: &mut PolicyText, findings: &mut Findings) {
    let packages: Vec<_> = all.iter().filter(|one| one.kind == Kind::Package).collect();
    let family = match packages.as_slice() {
        [one] => one.name.as_str(),
        _ => "",
    };
    for statement in all {
        let line = statement.line;
        match &statement.kind {
            Kind::Unread if statement.name.is_empty() => {
                findings.add("unread", line, "this line is not understood and may allow anything");
            }
            Kind::Unread => findings.add(
                "unread",
                line,
                &format!("{} is not understood and may allow anything", show(&statement.name)),
            ),
            Kind::Import if !is_language_import(&statement.name) => findings.add(
                "unread",
                line,
                &format!("{} is imported and is no part of this text", show(&statement.name)),
            ),
            _ => {}
        }
    }
    match family {
        "policy" => aci::judge(all, out, findings),
        "agent_policy" => kata::judge(all, out, findings),
        _ => {
            let line = packages.first().map_or(1, |one| one.line);
            let why = "the text is not of one package, policy or agent_policy: a guest may read it \
                       otherwise than this reader";
            findings.add("unread", line, why);
            aci::judge(all, out, findings);
        }
    }
}

/// Imports that bring words of the language, or the request, and no rules.
fn is_language_import(path: &str) -> bool {
    matches!(path, "rego.v1" | "input" | "future.keywords")
        || path
            .strip_prefix("future.keywords.")
            .is_some_and(|word| matches!(word, "in" | "every" | "if" | "contains"))
}

/// One finding for all rules with bodies, by their names. Data that is computed is not among them:
/// whoever lets rules be must not thereby let containers be that nobody looked at.
fn custom_logic(all: &[Statement<'_>], is_data: impl Fn(&str) -> bool, findings: &mut Findings) {
    let logic = all.iter().filter(|one| one.kind == Kind::Logic);
    let (data, logic): (Vec<_>, Vec<_>) = logic.partition(|one| is_data(&one.name));
    for one in data {
        let explanation = format!("{} is computed: what it allows is unknown", show(&one.name));
        findings.add("unread", one.line, &explanation);
    }
    let mut logic = logic.into_iter();
    let Some(first) = logic.next() else { return };
    let mut names: Vec<&str> = vec![&first.name];
    for one in logic {
        if !names.contains(&one.name.as_str()) && names.len() < NAMES_SHOWN_MAX + 1 {
            names.push(&one.name);
        }
    }
    let explanation = format!(
        "{} decide by rules that were not evaluated: what they allow the host is unknown",
        findings::list(names.into_iter())
    );
    findings.add("custom_logic", first.line, &explanation);
}

/// Names that one finding lists, at most.
const NAMES_SHOWN_MAX: usize = 8;
