//! `package policy`: the policies of Azure's confidential container instances.

use super::findings::{Findings, list, show};
use super::mount::{self, Mount};
use super::parse::{Kind, Node, Statement, Value};
use super::{ContainerText, FragmentText, PolicyText, custom_logic, environment, process};

/// What the guest's agent asks the policy (`hcsshim`, `api.rego`): the name, the version of the
/// interface that brought it, whether a policy for an older interface allows it, the rule that it
/// breaks where everyone is allowed, and what whoever controls the host gains then. An empty rule:
/// nothing, or only that the guest stops.
struct Point {
    name: &'static str,
    since: Version,
    allowed_before: bool,
    rule: &'static str,
    gain: &'static str,
}

const fn point(
    name: &'static str,
    since: Version,
    allowed_before: bool,
    rule: &'static str,
    gain: &'static str,
) -> Point {
    Point { name, since, allowed_before, rule, gain }
}

const POINTS: &[Point] = &[
    point("mount_device", (0, 1, 0), false, "unpinned_image", "the host mounts any image's layers"),
    point("mount_overlay", (0, 1, 0), false, "unpinned_image", "the host combines layers at will"),
    point("mount_cims", (0, 11, 0), false, "unpinned_image", "the host mounts any image's layers"),
    point(
        "create_container",
        (0, 1, 0),
        false,
        "allow_all",
        "the host starts any container, with any command, environment and rights",
    ),
    point("unmount_device", (0, 2, 0), true, "", ""),
    point("unmount_overlay", (0, 6, 0), true, "", ""),
    point("rw_unmount_device", (0, 11, 0), false, "", ""),
    point("unmount_blockdev", (0, 11, 0), false, "", ""),
    point("exec_in_container", (0, 2, 0), true, "exec", "the host runs any command in a container"),
    point(
        "exec_external",
        (0, 3, 0),
        true,
        "external_exec",
        "the host runs any command in the guest, as root, outside of containers",
    ),
    point("shutdown_container", (0, 4, 0), true, "", ""),
    point("signal_container_process", (0, 5, 0), true, "", ""),
    point("plan9_mount", (0, 6, 0), true, "loose_mounts", "the host shares any directory"),
    point("plan9_unmount", (0, 6, 0), true, "", ""),
    point("mount_blockdev", (0, 11, 0), false, "loose_mounts", "the host mounts any disk"),
    point(
        "registry_changes",
        (0, 11, 0),
        false,
        "wildcard_environment",
        "the host sets any key of a container's registry",
    ),
    point(
        "get_properties",
        (0, 7, 0),
        true,
        "properties",
        "the host lists processes and resource use of containers, a side channel",
    ),
    point(
        "dump_stacks",
        (0, 7, 0),
        true,
        "dump_stacks",
        "the host reads the stacks of the guest's agent, which handles requests and secrets",
    ),
    point(
        "runtime_logging",
        (0, 8, 0),
        true,
        "runtime_logging",
        "the host reads what the guest's agent logs about containers",
    ),
    point(
        "load_fragment",
        (0, 9, 0),
        false,
        "fragment_unpinned",
        "the host adds containers by fragments of anyone",
    ),
    point(
        "scratch_mount",
        (0, 10, 0),
        true,
        "unencrypted_scratch",
        "the host reads and changes the files that containers write",
    ),
    point("scratch_unmount", (0, 10, 0), true, "", ""),
    point(
        "rw_mount_device",
        (0, 11, 0),
        false,
        "unencrypted_scratch",
        "the host reads and changes the files that containers write",
    ),
];

/// Switches that the framework heeds: the rule that each breaks where it is on.
const SWITCHES: &[(&str, &str, &str)] = &[
    ("allow_properties_access", "properties", "get_properties"),
    ("allow_dump_stacks", "dump_stacks", "dump_stacks"),
    ("allow_runtime_logging", "runtime_logging", "runtime_logging"),
    ("allow_unencrypted_scratch", "unencrypted_scratch", "scratch_mount"),
    ("allow_environment_variable_dropping", "dropping_environment", ""),
    ("allow_capability_dropping", "", ""),
];

fn gain(point: &str) -> &'static str {
    POINTS.iter().find(|one| one.name == point).map_or("", |one| one.gain)
}

pub(super) fn judge(all: &[Statement<'_>], out: &mut PolicyText, findings: &mut Findings) {
    custom_logic(all, is_data, findings);
    let mut version = None;
    let framework = framework_version(all);
    for statement in all {
        let Kind::Constant(value) = &statement.kind else { continue };
        let node = Node { line: statement.line, value: value.clone() };
        match statement.name.as_str() {
            "containers" => containers(&node, framework, out, findings),
            "external_processes" => external_processes(&node, findings),
            "fragments" => fragments(&node, out, findings),
            "api_version" | "api_svn" => version = node.text().and_then(parse_version).or(version),
            "framework_version" | "framework_svn" | "reason" | "svn" => {}
            name => definition(name, &node, findings),
        }
    }
    match version {
        Some(version) => older_interface(version, findings),
        None => findings.add(
            "unread",
            1,
            "api_version is missing or not understood: which requests the guest asks about is unknown",
        ),
    }
}

/// What the framework takes as data. Rules may stand for enforcement points alone.
fn is_data(name: &str) -> bool {
    name.starts_with("allow_")
        || matches!(
            name,
            "containers"
                | "external_processes"
                | "fragments"
                | "api_version"
                | "api_svn"
                | "framework_version"
                | "framework_svn"
        )
}

/// The version of the framework that the policy is written for. The guest's framework, which may be
/// newer, does not heed what that one did not have.
fn framework_version(all: &[Statement<'_>]) -> Option<Version> {
    let named =
        |one: &&Statement<'_>| one.name == "framework_version" || one.name == "framework_svn";
    all.iter().filter(named).find_map(|one| match &one.kind {
        Kind::Constant(Value::Text(text)) => parse_version(text),
        _ => None,
    })
}

/// Major, minor, patch.
type Version = (u64, u64, u64);

/// The first framework that heeds `no_new_privileges`.
const NO_NEW_PRIVILEGES_SINCE: Version = (0, 2, 0);

/// `1.2.3`
fn parse_version(text: &str) -> Option<Version> {
    let mut parts = text.split('.').map(|part| part.parse::<u64>().ok());
    let version = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(version)
}

/// A policy is not asked what its interface did not have yet.
fn older_interface(version: Version, findings: &mut Findings) {
    for point in POINTS.iter().filter(|one| one.allowed_before && one.since > version) {
        if !point.rule.is_empty() {
            let explanation = format!(
                "api_version is older than {}, which the guest therefore allows: {}",
                point.name, point.gain
            );
            findings.add(point.rule, 1, &explanation);
        }
    }
}

/// Enforcement points and switches.
fn definition(name: &str, node: &Node<'_>, findings: &mut Findings) {
    let line = node.line;
    if let Some((_, rule, point)) = SWITCHES.iter().find(|one| one.0 == name) {
        match &node.value {
            Value::Bool(false) => {}
            Value::Bool(true) if rule.is_empty() => {}
            Value::Bool(true) if point.is_empty() => findings.add(
                rule,
                line,
                "variables that are not allowed are dropped instead of refused: the host tries \
                 which environment makes which container match, and nobody notices",
            ),
            Value::Bool(true) => {
                findings.add(rule, line, &format!("{name} is on: {}", gain(point)))
            }
            _ => unclear(name, line, findings),
        }
        return;
    }
    let Some(point) = POINTS.iter().find(|one| one.name == name) else {
        let explanation = format!(
            "{} is a name that this reader does not know: what it allows is unknown",
            show(name)
        );
        findings.add("unread", line, &explanation);
        return;
    };
    if let Value::Path(path) = &node.value {
        let of_framework = matches!(path.as_slice(), [data, framework, last]
            if data == "data" && framework == "framework" && last == name);
        if !of_framework {
            unclear(name, line, findings);
        }
        return;
    }
    match node.field("allowed").map(|allowed| &allowed.value) {
        Some(Value::Bool(false)) => {}
        Some(Value::Bool(true)) => {
            if !point.rule.is_empty() {
                let explanation = format!("{name} is allowed without condition: {}", point.gain);
                findings.add(point.rule, line, &explanation);
            }
            if node.field("allow_stdio_access").is_some_and(Node::is_true) {
                let explanation =
                    format!("{name} lets the host read and write its processes' streams");
                findings.add("stdio", line, &explanation);
            }
        }
        _ => unclear(name, line, findings),
    }
}

fn unclear(name: &str, line: usize, findings: &mut Findings) {
    let explanation =
        format!("{} is not as the tools write it: what it allows is unknown", show(name));
    findings.add("unread", line, &explanation);
}

/// The texts of a list, or a finding.
fn texts(node: &Node<'_>, what: &str, findings: &mut Findings) -> Vec<String> {
    let Value::List(items) = &node.value else {
        unclear(what, node.line, findings);
        return Vec::new();
    };
    let all: Option<Vec<String>> = items.iter().map(|one| one.text().map(str::to_owned)).collect();
    if all.is_none() {
        unclear(what, node.line, findings);
    }
    all.unwrap_or_default()
}

fn fragments(node: &Node<'_>, out: &mut PolicyText, findings: &mut Findings) {
    let Value::List(items) = &node.value else {
        unclear("fragments", node.line, findings);
        return;
    };
    for item in items {
        let text = |name| item.field(name).and_then(Node::text).unwrap_or("").to_owned();
        let minimum_svn = match item.field("minimum_svn").map(|node| &node.value) {
            Some(Value::Text(text)) => text.to_string(),
            Some(Value::Number(number)) => (*number).to_owned(),
            _ => String::new(),
        };
        // Older tools shorten the name.
        let issuer =
            Some(text("issuer")).filter(|one| !one.is_empty()).unwrap_or_else(|| text("iss"));
        let includes = item.field("includes").map(|node| texts(node, "includes", findings));
        let fragment = FragmentText {
            issuer,
            feed: text("feed"),
            minimum_svn,
            includes: includes.unwrap_or_default(),
        };
        judge_fragment(&fragment, item.line, findings);
        out.fragments.push(fragment);
    }
}

fn judge_fragment(fragment: &FragmentText, line: usize, findings: &mut Findings) {
    let feed = show(&fragment.feed);
    let mut add = |why: String| findings.add("fragment_unpinned", line, &why);
    // did:x509:VERSION:ALGORITHM:FINGERPRINT::POLICY
    let parts: Vec<&str> = fragment.issuer.splitn(6, ':').collect();
    let is_did = matches!(parts.as_slice(), ["did", "x509", "0", "sha256" | "sha384" | "sha512", print, rest]
        if !print.is_empty() && rest.len() > 1 && rest.starts_with(':'));
    if !is_did {
        add(format!(
            "the issuer of {feed} is {}, not a did:x509 with a root and a condition: who signs it is \
             not fixed, and whoever does adds containers",
            if fragment.issuer.is_empty() { "missing".to_owned() } else { show(&fragment.issuer) }
        ));
    }
    if fragment.feed.is_empty() || fragment.feed.contains('*') {
        add("a fragment's feed is missing or a wildcard: any fragment of the issuer is taken"
            .to_owned());
    }
    let major = fragment.minimum_svn.split('.').next().and_then(|part| part.parse::<u64>().ok());
    let any_digit = fragment.minimum_svn.bytes().any(|byte| matches!(byte, b'1'..=b'9'));
    if major.is_none() || !any_digit {
        add(format!(
            "minimum_svn of {feed} is missing or 0: the host loads versions of it with known holes"
        ));
    }
    if fragment.includes.iter().any(|one| one == "namespace") {
        add(format!("{feed} may bring rules of its own: what they allow is not in this text"));
    }
}

fn external_processes(node: &Node<'_>, findings: &mut Findings) {
    let Value::List(items) = &node.value else {
        unclear("external_processes", node.line, findings);
        return;
    };
    for item in items {
        let command = item.field("command").map(|node| texts(node, "command", findings));
        let command = command.unwrap_or_default();
        let explanation = format!(
            "{} may be run in the guest, outside of containers: the host runs it as root",
            list(command.iter().map(String::as_str))
        );
        findings.add("external_exec", item.line, &explanation);
        if item.field("allow_stdio_access").is_some_and(Node::is_true) {
            findings.add(
                "stdio",
                item.line,
                "the host reads and writes the streams of that command",
            );
        }
        match item.field("env_rules") {
            Some(rules) => environment::judge(rules, findings),
            None => unclear("external_processes", item.line, findings),
        }
    }
}

fn containers(
    node: &Node<'_>,
    framework: Option<Version>,
    out: &mut PolicyText,
    findings: &mut Findings,
) {
    let Value::List(items) = &node.value else {
        unclear("containers", node.line, findings);
        return;
    };
    for (number, item) in (1..).zip(items) {
        let summary = container(item, number, framework, findings);
        findings.about(None);
        out.containers.push(summary);
    }
}

/// Fields of a container that the framework reads or the tools write.
const FIELDS: &[&str] = &[
    "allow_elevated",
    "allow_stdio_access",
    "capabilities",
    "command",
    "env_rules",
    "exec_processes",
    "id",
    "is_init",
    "layers",
    "mounted_cim",
    "mounts",
    "name",
    "no_new_privileges",
    "platform",
    "registry_changes",
    "seccomp_profile_sha256",
    "signals",
    "user",
    "working_dir",
];

/// The dm-verity root hash of the one layer of `pause:3.1`, the container that holds a pod's
/// namespaces: one program without input or output, added to every policy as it is.
const PAUSE_LAYER: &str = "16b514057a06ad665f92c02863aca074fd5976c755d26bff16365299169e8415";

fn container(
    item: &Node<'_>,
    number: usize,
    framework: Option<Version>,
    findings: &mut Findings,
) -> ContainerText {
    let text = |name| item.field(name).and_then(Node::text).map(str::to_owned);
    let command = match item.field("command") {
        Some(node) => texts(node, "command", findings),
        None => Vec::new(),
    };
    let unnamed = || format!("{number} ({})", command.join(" "));
    let image = text("id");
    let name = text("name").or_else(|| image.clone()).unwrap_or_else(unnamed);
    findings.about(Some(&name));
    let Value::Map(fields) = &item.value else {
        unclear("the container", item.line, findings);
        return ContainerText { name, line: item.line, ..ContainerText::default() };
    };
    for (field, node) in fields.iter().filter(|(field, _)| !FIELDS.contains(&field.as_ref())) {
        unclear(field, node.line, findings);
    }
    if command.is_empty() {
        unclear("command", item.line, findings);
    }
    let layers = layers(item, findings);
    let is_pause = layers == [PAUSE_LAYER] && command == ["/pause"];
    rights(item, is_pause, findings);
    if framework.is_some_and(|version| version < NO_NEW_PRIVILEGES_SINCE) && !is_pause {
        let why = "framework_version is older than no_new_privileges, which the guest therefore does \
                   not heed: whoever gets hold of a process of it becomes root";
        findings.add("new_privileges", item.line, why);
    }
    if let Some(rules) = item.field("env_rules") {
        environment::judge(rules, findings);
    }
    mounts(item, findings);
    let commands = exec_processes(item, findings);
    ContainerText { name, image, line: item.line, command, layers, commands }
}

fn layers(item: &Node<'_>, findings: &mut Findings) -> Vec<String> {
    let node = item.field("layers");
    let layers = node.map(|node| texts(node, "layers", findings)).unwrap_or_default();
    let is_hash =
        |layer: &String| layer.len() == 64 && layer.bytes().all(|b| b.is_ascii_hexdigit());
    if layers.is_empty() || !layers.iter().all(is_hash) {
        findings.add(
            "unpinned_image",
            node.map_or(item.line, |node| node.line),
            "its layers are missing or not all dm-verity root hashes: the host chooses the image",
        );
    }
    layers
}

/// Capabilities that container engines give by default.
const USUAL_CAPABILITIES: &[&str] = &[
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

/// Whether container engines give this capability by default.
pub(super) fn is_usual(capability: &str) -> bool {
    USUAL_CAPABILITIES.contains(&capability)
}

fn rights(item: &Node<'_>, is_pause: bool, findings: &mut Findings) {
    let switch = |name: &str, findings: &mut Findings| {
        let node = item.field(name)?;
        if !matches!(node.value, Value::Bool(_)) {
            unclear(name, node.line, findings);
        }
        Some((node.is_true(), node.line))
    };
    if let Some((true, line)) = switch("allow_elevated", findings) {
        let why = "the host may start it privileged: it then has every right in the guest, devices \
                   and other containers included";
        findings.add("privileged", line, why);
    }
    if let Some((true, line)) = switch("allow_stdio_access", findings).filter(|_| !is_pause) {
        let why =
            "allow_stdio_access is on: the host reads all that it prints and writes its input";
        findings.add("stdio", line, why);
    }
    let gains = switch("no_new_privileges", findings).unwrap_or((false, item.line));
    if !gains.0 && !is_pause {
        let why = "no_new_privileges is off: whoever gets hold of a process of it becomes root by \
                   any program with the set-user-id bit";
        findings.add("new_privileges", gains.1, why);
    }
    if let Some(node) = item.field("capabilities") {
        capabilities(node, findings);
    }
}

fn capabilities(node: &Node<'_>, findings: &mut Findings) {
    let Value::Map(sets) = &node.value else {
        // `null`: the engine's usual ones, or all of them where it runs privileged, which is a
        // finding already.
        if node.value != Value::Null {
            unclear("capabilities", node.line, findings);
        }
        return;
    };
    let mut unusual: Vec<String> = Vec::new();
    for (_, set) in sets {
        for capability in texts(set, "capabilities", findings) {
            if !is_usual(&capability)
                && !unusual.contains(&capability)
                && unusual.len() <= super::NAMES_SHOWN_MAX
            {
                unusual.push(capability);
            }
        }
    }
    if !unusual.is_empty() {
        let explanation = format!(
            "it has {}: whoever gets hold of it reaches beyond its container",
            list(unusual.iter().map(String::as_str))
        );
        findings.add("capabilities", node.line, &explanation);
    }
}

fn mounts(item: &Node<'_>, findings: &mut Findings) {
    let Some(node) = item.field("mounts") else { return };
    let Value::List(all) = &node.value else {
        if node.value != Value::Null {
            unclear("mounts", node.line, findings);
        }
        return;
    };
    for one in all {
        let text = |name| one.field(name).and_then(Node::text);
        match (text("source"), text("destination"), text("type")) {
            (Some(source), Some(destination), Some(kind)) => {
                if let Some(why) = mount::azure(&Mount { source, destination, kind }) {
                    findings.add("loose_mounts", one.line, &why);
                }
            }
            _ => unclear("a mount", one.line, findings),
        }
    }
}

fn exec_processes(item: &Node<'_>, findings: &mut Findings) -> Vec<Vec<String>> {
    let Some(node) = item.field("exec_processes") else { return Vec::new() };
    let Value::List(all) = &node.value else {
        if node.value != Value::Null {
            unclear("exec_processes", node.line, findings);
        }
        return Vec::new();
    };
    let mut commands = Vec::new();
    for one in all {
        match one.field("command") {
            Some(command) => {
                let words = texts(command, "exec_processes", findings);
                process::judge(&words, one.line, findings);
                commands.push(words);
            }
            None => unclear("exec_processes", one.line, findings),
        }
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!(parse_version("0.10.0"), Some((0, 10, 0)));
        for text in ["", "1", "1.2", "1.2.3.4", "1.2.x", "@@"] {
            assert_eq!(parse_version(text), None, "{text}");
        }
    }

    #[test]
    fn every_rule_that_a_point_or_switch_names_exists() {
        let known =
            |rule: &str| rule.is_empty() || super::super::RULES.iter().any(|r| r.name == rule);
        assert!(POINTS.iter().all(|point| known(point.rule)));
        assert!(SWITCHES.iter().all(|switch| known(switch.1)));
    }
}
