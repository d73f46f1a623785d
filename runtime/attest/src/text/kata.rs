//! `package agent_policy`: the policies of Kata's agent (confidential AKS, Confidential Containers).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::findings::{Findings, list, show};
use super::mount::{self, Mount};
use super::parse::{Kind, Node, Statement, Value};
use super::pattern::{Freedom, freedom};
use super::{ContainerText, PolicyText, custom_logic, process};

/// Requests that break a rule where every one of them is allowed, and what whoever controls the host
/// gains then.
const REQUESTS: &[(&str, &str, &str)] = &[
    (
        "AllowRequestsFailingPolicy",
        "allow_all",
        "requests that the policy refuses are carried out all the same",
    ),
    ("CreateContainerRequest", "allow_all", "the host starts any container"),
    ("SetPolicyRequest", "allow_all", "the host puts another policy in this one's place"),
    (
        "CreateSandboxRequest",
        "external_exec",
        "the host names hooks and kernel modules, which the guest runs outside of containers",
    ),
    ("ExecProcessRequest", "exec", "the host runs any command in a container"),
    ("ReadStreamRequest", "stdio", "the host reads all that containers print"),
    ("WriteStreamRequest", "stdio", "the host writes what containers read as input"),
    ("CopyFileRequest", "loose_mounts", "the host writes files into the guest"),
    (
        "AddSwapRequest",
        "unencrypted_scratch",
        "the host gives a swap device and reads memory from it",
    ),
    (
        "AddSwapPathRequest",
        "unencrypted_scratch",
        "the host gives a swap device and reads memory from it",
    ),
    ("StartTracingRequest", "runtime_logging", "the host has the guest's agent traced"),
    (
        "GetDiagnosticDataRequest",
        "runtime_logging",
        "the host reads the guest's agent's diagnostics",
    ),
    ("GetMetricsRequest", "properties", "the host reads resource use in the guest, a side channel"),
    (
        "StatsContainerRequest",
        "properties",
        "the host reads resource use of containers, a side channel",
    ),
];

/// Requests that gain the host nothing, or what it has anyway: it may stop the guest, run its network
/// and its clock.
const HARMLESS: &[&str] = &[
    "AddARPNeighborsRequest",
    "CloseStdinRequest",
    "DestroySandboxRequest",
    "GetGuestDetailsRequest",
    "GetIPTablesRequest",
    "GetOOMEventRequest",
    "GetVolumeStatsRequest",
    "GuestDetailsRequest",
    "ListInterfacesRequest",
    "ListRoutesRequest",
    "MemAgentCompactConfig",
    "MemAgentMemcgConfig",
    "MemHotplugByProbeRequest",
    "OnlineCPUMemRequest",
    "PauseContainerRequest",
    "PullImageRequest",
    "RemoveContainerRequest",
    "RemoveStaleVirtiofsShareMountsRequest",
    "ReseedRandomDevRequest",
    "ResizeVolumeRequest",
    "ResumeContainerRequest",
    "SetGuestDateTimeRequest",
    "SetIPTablesRequest",
    "SignalProcessRequest",
    "StartContainerRequest",
    "StopTracingRequest",
    "TtyWinResizeRequest",
    "UpdateContainerRequest",
    "UpdateEphemeralMountsRequest",
    "UpdateInterfaceRequest",
    "UpdateRoutesRequest",
    "WaitProcessRequest",
];

pub(super) fn judge(all: &[Statement<'_>], out: &mut PolicyText, findings: &mut Findings) {
    custom_logic(all, |name| name == "policy_data", findings);
    for statement in all {
        let Kind::Constant(value) = &statement.kind else { continue };
        let node = Node { line: statement.line, value: value.clone() };
        match (statement.name.as_str(), &node.value) {
            ("policy_data", _) => policy_data(&node, out, findings),
            (_, Value::Bool(false)) => {}
            (name, Value::Bool(true)) => request(name, node.line, findings),
            (name, _) => unclear(name, node.line, findings),
        }
    }
    let decides = |name| all.iter().any(|one| one.name == name);
    if !decides("CreateContainerRequest") && !decides("AllowRequestsFailingPolicy") {
        let why =
            "CreateContainerRequest is not decided: which containers the host may start is unknown";
        findings.add("unread", 1, why);
    }
}

fn unclear(name: &str, line: usize, findings: &mut Findings) {
    let explanation =
        format!("{} is not as the tools write it: what it allows is unknown", show(name));
    findings.add("unread", line, &explanation);
}

fn request(name: &str, line: usize, findings: &mut Findings) {
    if let Some((_, rule, gain)) = REQUESTS.iter().find(|one| one.0 == name) {
        findings.add(rule, line, &format!("{name} is allowed without condition: {gain}"));
    } else if !HARMLESS.contains(&name) {
        let explanation = format!(
            "{} is allowed and not known to this reader: what it gives is unknown",
            show(name)
        );
        findings.add("unread", line, &explanation);
    }
}

/// The data that the rules of the `genpolicy` tool decide by.
fn policy_data(node: &Node<'_>, out: &mut PolicyText, findings: &mut Findings) {
    if let Some(defaults) = node.field("request_defaults") {
        request_defaults(defaults, findings);
    }
    let Some(containers) = node.field("containers") else { return };
    let Value::List(items) = &containers.value else {
        unclear("containers", containers.line, findings);
        return;
    };
    for (number, item) in (1..).zip(items) {
        let summary = container(item, number, findings);
        findings.about(None);
        out.containers.push(summary);
    }
}

fn request_defaults(node: &Node<'_>, findings: &mut Findings) {
    let Value::Map(requests) = &node.value else {
        unclear("request_defaults", node.line, findings);
        return;
    };
    for (name, value) in requests {
        match (name.as_ref(), &value.value) {
            (_, Value::Bool(false)) => {}
            (name, Value::Bool(true)) => request(name, value.line, findings),
            ("ExecProcessRequest", _) => exec_defaults(value, findings),
            ("CopyFileRequest", Value::List(patterns)) => {
                for pattern in patterns {
                    // `$(sfprefix)` is a directory per container.
                    let text = pattern.text().unwrap_or(".*").replace("$(sfprefix)", "");
                    if freedom(&text) != Some(Freedom::Bounded) {
                        let why =
                            "CopyFileRequest takes any path: the host writes files into the guest";
                        findings.add("loose_mounts", pattern.line, why);
                    }
                }
            }
            // Conditions on requests that gain nothing even without.
            (name, _) if HARMLESS.contains(&name) => {}
            (name, _) => unclear(name, value.line, findings),
        }
    }
}

fn exec_defaults(node: &Node<'_>, findings: &mut Findings) {
    let Value::Map(fields) = &node.value else {
        unclear("ExecProcessRequest", node.line, findings);
        return;
    };
    for (name, value) in fields {
        let Value::List(items) = &value.value else {
            unclear("ExecProcessRequest", value.line, findings);
            continue;
        };
        for item in items {
            let words = words(item);
            match (name.as_ref(), words) {
                ("commands" | "allowed_commands", Some(words)) => {
                    process::judge(&words, item.line, findings);
                }
                ("regex", Some(words)) => {
                    let pattern = words.join(" ");
                    let explanation = format!(
                        "commands that match {} may be started in every container: the host chooses \
                         among them",
                        show(&pattern)
                    );
                    findings.add("exec", item.line, &explanation);
                }
                _ => unclear("ExecProcessRequest", item.line, findings),
            }
        }
    }
}

/// A command as one text or as a list of them.
fn words(node: &Node<'_>) -> Option<Vec<String>> {
    match &node.value {
        Value::Text(text) => Some(text.split_whitespace().map(str::to_owned).collect()),
        Value::List(items) => items.iter().map(|one| one.text().map(str::to_owned)).collect(),
        _ => None,
    }
}

fn container(item: &Node<'_>, number: usize, findings: &mut Findings) -> ContainerText {
    let spec = item.field("OCI");
    let process = spec.and_then(|spec| spec.field("Process"));
    let note = |name: &str| {
        spec?.field("Annotations")?.field(name).and_then(Node::text).map(str::to_owned)
    };
    let command = process.and_then(|one| one.field("Args")).and_then(words).unwrap_or_default();
    let image = note("io.kubernetes.cri.image-name");
    let unnamed = || format!("{number} ({})", command.join(" "));
    let name =
        note("io.kubernetes.cri.container-name").or_else(|| image.clone()).unwrap_or_else(unnamed);
    findings.about(Some(&name));
    let Some(process) = process else {
        unclear("the container", item.line, findings);
        return ContainerText { name, image, line: item.line, ..ContainerText::default() };
    };
    rights(process, findings);
    mounts(spec, findings);
    let layers = layers(item, image.as_deref(), findings);
    let commands = match item.field("exec_commands").map(|node| (node.line, &node.value)) {
        None | Some((_, Value::Null)) => Vec::new(),
        Some((line, Value::List(items))) => {
            let all: Option<Vec<_>> = items.iter().map(words).collect();
            if all.is_none() {
                unclear("exec_commands", line, findings);
            }
            all.unwrap_or_default()
        }
        Some((line, _)) => {
            unclear("exec_commands", line, findings);
            Vec::new()
        }
    };
    for words in &commands {
        process::judge(words, item.field("exec_commands").map_or(item.line, |n| n.line), findings);
    }
    ContainerText { name, image, line: item.line, command, layers, commands }
}

fn rights(process: &Node<'_>, findings: &mut Findings) {
    if !process.field("NoNewPrivileges").is_some_and(Node::is_true) {
        let line = process.field("NoNewPrivileges").unwrap_or(process).line;
        let why = "NoNewPrivileges is off: whoever gets hold of a process of it becomes root by any \
                   program with the set-user-id bit";
        findings.add("new_privileges", line, why);
    }
    let Some(capabilities) = process.field("Capabilities") else { return };
    let Value::Map(sets) = &capabilities.value else {
        unclear("Capabilities", capabilities.line, findings);
        return;
    };
    let all: Option<Vec<Vec<String>>> = sets.iter().map(|(_, set)| words(set)).collect();
    let Some(all) = all else {
        unclear("Capabilities", capabilities.line, findings);
        return;
    };
    let has = |name: &str| all.iter().flatten().any(|one| one == name);
    if has("$(privileged_caps)") {
        let why = "it runs privileged: it has every right in the guest, other containers included";
        findings.add("privileged", capabilities.line, why);
    }
    let usual = |one: &&str| super::aci::is_usual(one) || one.starts_with("$(");
    let mut unusual: Vec<&str> = Vec::new();
    for one in all.iter().flatten().map(String::as_str).filter(|one| !usual(one)) {
        if !unusual.contains(&one) && unusual.len() <= super::NAMES_SHOWN_MAX {
            unusual.push(one);
        }
    }
    if !unusual.is_empty() {
        let names = list(unusual.into_iter());
        let why = format!("it has {names}: whoever gets hold of it reaches beyond its container");
        findings.add("capabilities", capabilities.line, &why);
    }
}

fn mounts(spec: Option<&Node<'_>>, findings: &mut Findings) {
    let Some(node) = spec.and_then(|spec| spec.field("Mounts")) else { return };
    let Value::List(all) = &node.value else {
        unclear("Mounts", node.line, findings);
        return;
    };
    for one in all {
        let text = |name| one.field(name).and_then(Node::text);
        match (text("source"), text("destination"), text("type_").or_else(|| text("type"))) {
            (Some(source), Some(destination), Some(kind)) => {
                if let Some(why) = mount::kata(&Mount { source, destination, kind }) {
                    findings.add("loose_mounts", one.line, &why);
                }
            }
            _ => unclear("a mount", one.line, findings),
        }
    }
}

/// The hex digests in the texts of a container's storages: of 64 digits, alone, after `root-hash=`,
/// or in base64 as the tar file system's options have it. An image that is named by digest is pinned
/// too: the guest pulls and checks it.
fn layers(item: &Node<'_>, image: Option<&str>, findings: &mut Findings) -> Vec<String> {
    let mut layers = Vec::new();
    if let Some(storages) = item.field("storages") {
        digests(storages, &mut layers);
    }
    let pinned = image.and_then(|image| image.split_once("@sha256:")).is_some_and(|(_, digest)| {
        digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit())
    });
    if layers.is_empty() && !pinned {
        let why =
            "neither layers nor an image's digest are in the text: the host chooses the image";
        findings.add("unpinned_image", item.line, why);
    }
    layers
}

fn digests(node: &Node<'_>, found: &mut Vec<String>) {
    match &node.value {
        Value::Text(text) => {
            digests_of_text(text, found);
            let coded = text.rsplit('=').find(|part| part.len() > 64).unwrap_or("");
            if let Ok(bytes) = STANDARD.decode(coded)
                && let Ok(inner) = str::from_utf8(&bytes)
            {
                digests_of_text(inner, found);
            }
        }
        Value::List(items) => items.iter().for_each(|one| digests(one, found)),
        Value::Map(fields) => fields.iter().for_each(|(_, one)| digests(one, found)),
        _ => {}
    }
}

fn digests_of_text(text: &str, found: &mut Vec<String>) {
    let runs = text.split(|c: char| !c.is_ascii_hexdigit());
    found.extend(runs.filter(|run| run.len() == 64).map(str::to_owned));
}
