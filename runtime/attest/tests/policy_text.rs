//! Container policies: good ones of both families, one that breaks each rule, and any text at all.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use affiant_attest::AttestError;
use affiant_attest::limits::{
    POLICY_TEXT_BYTES_MAX, POLICY_TEXT_FINDINGS_MAX, POLICY_TEXT_TOKENS_MAX,
};
use affiant_attest::text::{Finding, PolicyText, RULES, read};
use proptest::prelude::*;

const ACI: &str = include_str!("policies/aci.rego");
const KATA: &str = include_str!("policies/kata.rego");

fn parsed(text: &str) -> PolicyText {
    read(text.as_bytes()).unwrap()
}

/// A policy with one passage in place of another, which must be there.
fn changed(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

/// What is found in a policy after one change.
fn found(text: &str, from: &str, to: &str) -> Vec<Finding> {
    parsed(&changed(text, from, to)).findings
}

/// The only thing found, which must be of this rule.
fn only(rule: &str, text: &str, from: &str, to: &str) -> Finding {
    let mut all = found(text, from, to);
    assert_eq!(all.len(), 1, "{from} -> {to}: {all:#?}");
    let one = all.remove(0);
    assert_eq!(one.rule, rule, "{from} -> {to}: {one:?}");
    one
}

fn rules(findings: &[Finding]) -> BTreeSet<&str> {
    findings.iter().map(|finding| finding.rule).collect()
}

/// The rules in the order of the findings.
fn rules_of(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.rule).collect()
}

#[test]
fn good_policies_have_no_findings_and_are_summed_up() {
    let aci = parsed(ACI);
    assert_eq!(aci.findings, []);
    let names: Vec<&str> = aci.containers.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["ledger", "2 (/pause)"]);
    assert_eq!(aci.containers[0].image.as_deref(), Some("example.test/ledger:1.4"));
    assert_eq!(aci.containers[0].command, ["/app/ledger", "--listen", "0.0.0.0:8443"]);
    assert_eq!(aci.containers[0].layers.len(), 2);
    assert_eq!(aci.fragments[0].feed, "example.test/infrastructure/sidecar");
    assert_eq!(aci.fragments[0].minimum_svn, "4");
    assert_eq!(aci.fragments[0].includes, ["containers"]);

    let kata = parsed(KATA);
    assert_eq!(kata.findings, []);
    assert_eq!(kata.containers[0].name, "ledger");
    assert_eq!(kata.containers[0].command, ["/app/ledger"]);
    assert_eq!(kata.containers[0].layers.len(), 1);
}

/// A passage of the good policy, what to put in its place, and the rule that this alone breaks.
type Change = (&'static str, &'static str, &'static str);

const ACI_CHANGES: &[Change] = &[
    ("allow_properties_access := false", "allow_properties_access := true", "properties"),
    ("allow_dump_stacks := false", "allow_dump_stacks := true", "dump_stacks"),
    ("allow_runtime_logging := false", "allow_runtime_logging := true", "runtime_logging"),
    (
        "allow_environment_variable_dropping := false",
        "allow_environment_variable_dropping := true",
        "dropping_environment",
    ),
    (
        "allow_unencrypted_scratch := false",
        "allow_unencrypted_scratch := true",
        "unencrypted_scratch",
    ),
    ("\"allow_elevated\": false", "\"allow_elevated\": true", "privileged"),
    ("\"allow_stdio_access\": false", "\"allow_stdio_access\": true", "stdio"),
    ("\"no_new_privileges\": true", "\"no_new_privileges\": false", "new_privileges"),
    ("    \"no_new_privileges\": true,\n", "", "new_privileges"),
    ("\"bounding\": [\"", "\"bounding\": [\"CAP_SYS_ADMIN\", \"", "capabilities"),
    ("\"exec_processes\": []", "\"exec_processes\": [{\"command\": [\"sh\"]}]", "exec"),
    ("\"exec_processes\": []", "\"exec_processes\": [{\"command\": [\"/probe\"]}]", "probe"),
    (
        "reason :=",
        "external_processes := [{\"command\": [\"ls\"], \"env_rules\": []}]\nreason :=",
        "external_exec",
    ),
    ("[0-9]{1,3}", ".*", "wildcard_environment"),
    ("LEDGER_SHARD=[0-9]{1,3}", ".*", "wildcard_environment"),
    ("LEDGER_SHARD=[0-9]{1,3}", "LD_PRELOAD=[a-z]+", "wildcard_environment"),
    ("LEDGER_SHARD=[0-9]{1,3}", "HOSTNAME=.+", "platform_environment"),
    ("\"value\": \"[a-z]+\"", "\"value\": \"^.+$\"", "wildcard_environment"),
    ("\"value\": \"[a-z]+\"", "\"value\": \"(\"", "unread"),
    ("1f1e1d", "", "unpinned_image"),
    ("sandbox:///tmp/atlas/emptydir", "sandbox:///tmp/atlas/azureFileVolume", "loose_mounts"),
    ("sandbox:///tmp/atlas/emptydir", "plan9://", "loose_mounts"),
    ("\"minimum_svn\": \"4\"", "\"minimum_svn\": \"0\"", "fragment_unpinned"),
    ("data.framework.create_container", "{\"allowed\": true}", "allow_all"),
    ("data.framework.create_container", "{\"allowed\": true} { input.x }", "custom_logic"),
    ("\"user\": {", "\"usher\": {", "unread"),
    ("framework_version := \"0.2.3\"", "framework_svn := \"0.1.0\"", "new_privileges"),
    // Two fields of one name, and a switch that is computed.
    ("\"name\": \"ledger\",", "\"name\": \"ledger\", \"name\": \"b\",", "unread"),
    ("allow_dump_stacks := false", "allow_dump_stacks { input.x }", "unread"),
];

#[test]
fn each_rule_of_container_instances() {
    for (from, to, rule) in ACI_CHANGES {
        only(rule, ACI, from, to);
    }
}

#[test]
fn findings_name_container_line_and_variable() {
    let one = only("wildcard_environment", ACI, "[0-9]{1,3}", ".*");
    assert_eq!(one.container.as_deref(), Some("ledger"));
    let line = 1 + ACI.lines().position(|line| line.contains("LEDGER_SHARD")).unwrap();
    assert_eq!(one.line, line);
    assert!(one.explanation.starts_with("LEDGER_SHARD may have any value"), "{one}");
    assert!(one.to_string().starts_with(&format!("line {line}, container \"ledger\": ")), "{one}");

    let one =
        only("capabilities", ACI, "\"bounding\": [\"", "\"bounding\": [\"CAP_SYS_ADMIN\", \"");
    assert!(one.explanation.starts_with("it has CAP_SYS_ADMIN:"), "{one}");
    let exec = "\"exec_processes\": [{\"command\": [\"/bin/sh\", \"-i\"], \"signals\": []}]";
    let one = only("exec", ACI, "\"exec_processes\": []", exec);
    assert!(one.explanation.starts_with("/bin/sh -i may be started"), "{one}");
}

#[test]
fn fragments_are_pinned_in_all_parts() {
    let did =
        "did:x509:0:sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA::eku:1.3.6.1.4.1.99999.1";
    for (from, to) in [
        (did, "did:web:example.test"),
        (did, "did:x509:0:sha256:AAAA"),
        (did, "did:x509:0:sha256:::eku:1"),
        (did, ""),
        ("\"minimum_svn\": \"4\"", "\"minimum_svn\": \"0\""),
        ("\"minimum_svn\": \"4\"", "\"minimum_svn\": \"0.0.0\""),
        ("\"minimum_svn\": \"4\"", "\"minimum_svn\": \"latest\""),
        ("\"minimum_svn\": \"4\"", "\"x\": 1"),
        ("example.test/infrastructure/sidecar", "*"),
        ("example.test/infrastructure/sidecar", ""),
        ("\"containers\"\n    ]", "\"namespace\"\n    ]"),
    ] {
        only("fragment_unpinned", ACI, from, to);
    }
    for (from, to) in [
        ("\"minimum_svn\": \"4\"", "\"minimum_svn\": 4"),
        ("\"minimum_svn\": \"4\"", "\"minimum_svn\": \"1.0.0\""),
        ("\"issuer\"", "\"iss\""),
    ] {
        assert_eq!(found(ACI, from, to), []);
    }
}

#[test]
fn enforcement_points_that_are_open_or_odd() {
    for (point, rule) in [
        ("create_container", "allow_all"),
        ("exec_in_container", "exec"),
        ("exec_external", "external_exec"),
        ("dump_stacks", "dump_stacks"),
        ("runtime_logging", "runtime_logging"),
        ("get_properties", "properties"),
        ("mount_device", "unpinned_image"),
        ("mount_overlay", "unpinned_image"),
        ("plan9_mount", "loose_mounts"),
        ("load_fragment", "fragment_unpinned"),
        ("scratch_mount", "unencrypted_scratch"),
    ] {
        let as_is = format!("\n{point} := data.framework.{point}\n");
        let open = format!("\n{point} := {{\"allowed\": true}}\n");
        only(rule, ACI, &as_is, &open);
        // Beside the closed one, under a condition that holds, and as a default.
        for head in ["{} := {\"allowed\": true} { true }\n", "default {} := {\"allowed\": true}\n"]
        {
            let added = format!("{as_is}{}", head.replacen("{}", point, 1));
            only(rule, ACI, &as_is, &added);
        }
        only("unread", ACI, &as_is, &format!("\n{point} := data.other.{point}\n"));
        only(
            "custom_logic",
            ACI,
            &as_is,
            &format!("\n{point} := {{\"allowed\": true}} {{ input.x }}\n"),
        );
        assert_eq!(found(ACI, &as_is, &format!("\n{point} := {{\"allowed\": false}}\n")), []);
    }
    let streams = "exec_external := {\"allowed\": false, \"allow_stdio_access\": true}";
    assert_eq!(found(ACI, "exec_external := data.framework.exec_external", streams), []);
    let processes = "external_processes := [{\"command\": [\"bash\"], \"env_rules\": [], \
                     \"working_dir\": \"/\", \"allow_stdio_access\": true}]\nreason :=";
    assert_eq!(rules(&found(ACI, "reason :=", processes)), ["external_exec", "stdio"].into());
}

/// The guest allows what the interface of the policy did not have yet, whatever the text says.
#[test]
fn an_old_interface_opens_what_it_did_not_have() {
    let old = found(ACI, "0.10.0", "0.6.0");
    let all = ["properties", "dump_stacks", "runtime_logging", "unencrypted_scratch"];
    assert_eq!(rules(&old), all.into());
    let older = found(ACI, "0.10.0", "0.1.0");
    let more = ["exec", "external_exec", "loose_mounts"].into_iter().chain(all);
    assert_eq!(rules(&older), more.collect());
    only("unread", ACI, "api_version := \"0.10.0\"\n", "");
    only("unread", ACI, "0.10.0", "new");
}

const KATA_CHANGES: &[Change] = &[
    ("\"ReadStreamRequest\": false", "\"ReadStreamRequest\": true", "stdio"),
    ("\"commands\": []", "\"commands\": [\"/bin/bash\"]", "exec"),
    ("\"commands\": []", "\"commands\": [\"cat /tmp/healthy\"]", "probe"),
    ("\"regex\": []", "\"regex\": [\"^ls\"]", "exec"),
    ("-(hosts|hostname)$\"", ".*\"", "loose_mounts"),
    ("\"exec_commands\": []", "\"exec_commands\": [[\"cat\", \"/tmp/healthy\"]]", "probe"),
    ("\"exec_commands\": []", "\"exec_commands\": [\"sh\"]", "exec"),
    ("\"NoNewPrivileges\": true", "\"NoNewPrivileges\": false", "new_privileges"),
    ("[\"$(default_caps)\"]", "[\"$(privileged_caps)\"]", "privileged"),
    ("CAP_NET_BIND_SERVICE", "CAP_BPF", "capabilities"),
    ("1f1e1d", "", "unpinned_image"),
    ("\"/etc/resolv.conf\"", "\"/app\"", "loose_mounts"),
    ("import input", "import data.other", "unread"),
    ("policy_data :=", "CreateContainerRequest { input.x }\npolicy_data :=", "custom_logic"),
    ("default SetPolicyRequest := false", "default NewRequest := true", "unread"),
    ("default SetPolicyRequest := false", "x := 1", "unread"),
    ("policy_data := {", "policy_data := {1, ", "unread"),
];

#[test]
fn each_rule_of_kata() {
    for (request, rule) in [
        ("AllowRequestsFailingPolicy", "allow_all"),
        ("CreateContainerRequest", "allow_all"),
        ("SetPolicyRequest", "allow_all"),
        ("CreateSandboxRequest", "external_exec"),
        ("ExecProcessRequest", "exec"),
        ("ReadStreamRequest", "stdio"),
        ("WriteStreamRequest", "stdio"),
        ("CopyFileRequest", "loose_mounts"),
        ("AddSwapRequest", "unencrypted_scratch"),
        ("StatsContainerRequest", "properties"),
    ] {
        let (from, to) = (format!("{request} := false"), format!("{request} := true"));
        only(rule, KATA, &from, &to);
    }
    for (from, to, rule) in KATA_CHANGES {
        only(rule, KATA, from, to);
    }
    let digest = format!("example.test/ledger@sha256:{}", "a".repeat(64));
    let pulled = changed(KATA, "example.test/ledger:1.4", &digest);
    assert_eq!(found(&pulled, "1f1e1d", ""), []);
    let undecided = changed(KATA, "default CreateContainerRequest := false\n", "");
    only("unread", &undecided, "default AllowRequestsFailingPolicy := false\n", "");
}

/// Rules as the tools write them are skipped whole, whatever brackets and words are in them, and are
/// one finding; nothing after them is lost.
#[test]
fn rules_with_bodies_are_one_finding_and_hide_nothing() {
    let rules = r##"
CreateContainerRequest:= {"ops": ops, "allowed": true} {
    # {[( a comment
    print("CreateContainerRequest: }] =", input.x)
    every name, value in input.map { startswith(name, "a{") }
    some c in policy_data.containers
    count({x | x := c.y[_]; not x.z}) == 0
    regex.match(`^[a-z]{2}"$`, input.y)
} else := false
allow_env(p, i) {
    p.a["b"].c[_] == i
}
allow_env(p, i) if {
    p == [1, -2.5e3][0] + i
}
CopyFileRequest if {
    not input.path
}
allow_set contains name if { name := "x" }
allow_by_name[name] { name := input.name }
default ReadStreamRequest := true
"##;
    let all = parsed(&format!("{KATA}{rules}")).findings;
    assert_eq!(rules_of(&all), ["stdio", "custom_logic"], "{all:#?}");
    let names = "CreateContainerRequest, allow_env, CopyFileRequest, allow_set, allow_by_name";
    assert!(all[1].explanation.starts_with(names), "{}", all[1]);
    let line = 1 + KATA.lines().count() + rules.lines().count();
    assert_eq!(all[0].line, line - 1);
}

#[test]
fn every_rule_is_broken_by_one_change() {
    let broken: BTreeSet<&str> = ACI_CHANGES.iter().map(|change| change.2).collect();
    let all: BTreeSet<&str> = RULES.iter().map(|rule| rule.name).collect();
    assert_eq!(broken, all);
    assert_eq!(RULES.len(), all.len(), "two rules have one name");
    assert!(RULES.iter().all(|rule| !rule.finds.is_empty()));
}

#[test]
fn the_documentation_lists_every_rule() {
    let page = include_str!("../../../docs/attestation.md");
    for rule in RULES {
        let row = format!("| `{}` | {} |", rule.name, rule.finds);
        assert!(page.contains(&row), "docs/attestation.md has no row {row}");
    }
}

#[test]
fn what_is_not_a_policy_is_never_passed_over() {
    for text in [
        "",
        "# package policy",
        "package other\n",
        "package policy\npackage agent_policy\napi_version := \"0.10.0\"\n",
        "{}",
        "{\"allow_all\": false}",
        "version = \"0.1.0\"\n[data]\n",
        "package policy\napi_version := \"0.10.0\"\ncontainers := [c | c := data.x[_]]\n",
        "package policy\napi_version := \"0.10.0\"\ncontainers := data.x\n",
        "package policy\napi_version := \"0.10.0\"\nallow_dump_stacks := 1\n",
        "package policy\napi_version := \"0.10.0\"\nallow_something_new := true\n",
        "package policy\napi_version := \"0.10.0\"\nx := \"a\nexec_external := {\"allowed\": true}",
        "package policy\napi_version := \"0.10.0\"\n#\rexec_external := {\"allowed\": true}\ny",
    ] {
        let all = parsed(text).findings;
        assert!(!all.is_empty(), "{text}");
    }
    assert_eq!(rules(&parsed("{\"allow_all\": true}").findings), ["allow_all"].into());
}

#[test]
fn bounds() {
    let too_large = |text: &str| matches!(read(text.as_bytes()), Err(AttestError::TooLarge { .. }));
    assert!(too_large(&" ".repeat(POLICY_TEXT_BYTES_MAX + 1)));
    assert!(!too_large(&" ".repeat(POLICY_TEXT_BYTES_MAX)));
    assert!(too_large(&"[".repeat(POLICY_TEXT_TOKENS_MAX + 1)));
    assert!(matches!(read(b"\xff"), Err(AttestError::Malformed { .. })));
    let many: String = (0..2 * POLICY_TEXT_FINDINGS_MAX).map(|n| format!("x{n} := 1\n")).collect();
    assert_eq!(parsed(&many).findings.len(), POLICY_TEXT_FINDINGS_MAX + 1);
}

/// The largest texts take a moment, whatever they are made of: a host may send any of them.
#[test]
fn large_texts_take_no_long_time() {
    let filled = |head: &str, unit: &str, tail: &str| {
        let count = (POLICY_TEXT_BYTES_MAX - head.len() - tail.len()) / unit.len();
        [head, &unit.repeat(count), tail].concat()
    };
    let rule = "package policy\ncontainers := [{\"env_rules\": [";
    let patterns = "{\"strategy\": \"re2\", \"pattern\": \"";
    let kata = "package agent_policy\npolicy_data := {\"containers\": [{\"storages\": [";
    for text in [
        filled(&format!("{rule}{patterns}"), "{", "\"}]}]"),
        filled(&format!("{rule}{patterns}"), "[a-z]{2}", "\"}]}]"),
        filled(rule, &format!("{patterns}{}\"}},", "{".repeat(4_000)), "]}]"),
        filled(rule, &format!("{patterns}{}.*\"}},", "[a-z]".repeat(800)), "]}]"),
        filled("package policy\nx := \"", "\\u0041", "\""),
        filled("package policy\nx := ", "`", ""),
        filled("package policy\n", "\"a\n", ""),
        filled(kata, "\"a=0123456789abcdef\",", "]}]}"),
        filled("package policy\ncontainers := [", "{\"name\":\"aaaaaaaaaaaaaaaaaaaa\"},", "]"),
    ] {
        let start = Instant::now();
        let _ = read(text.as_bytes());
        // Unoptimised and on a busy machine; what is quadratic takes minutes.
        let taken = start.elapsed();
        assert!(taken < Duration::from_secs(10), "{taken:?} for {}...", &text[..100]);
    }
}

/// The open policy that a real guest ran with: everything is allowed to everyone.
#[test]
fn the_open_policy_of_a_real_guest() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/fixtures/snp/aci-milan/uvm_security_policy.base64");
    let Ok(coded) = std::fs::read_to_string(&path) else {
        println!("skipped: {} is not there", path.display());
        return;
    };
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.decode(coded.trim()).unwrap();
    let policy = read(&text).unwrap();
    let all = [
        "allow_all",
        "exec",
        "external_exec",
        "stdio",
        "dump_stacks",
        "runtime_logging",
        "properties",
        "unencrypted_scratch",
        "unpinned_image",
        "loose_mounts",
        "fragment_unpinned",
    ];
    assert_eq!(rules(&policy.findings), all.into(), "{:#?}", policy.findings);
}

/// Words that put texts together which are nearly policies.
fn nearly() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("package policy\n"),
        Just("package agent_policy\n"),
        Just("containers"),
        Just(":="),
        Just("="),
        Just("["),
        Just("]"),
        Just("{"),
        Just("}"),
        Just("("),
        Just(")"),
        Just(","),
        Just(":"),
        Just("\"command\""),
        Just("\"env_rules\""),
        Just("\"pattern\""),
        Just("`a`"),
        Just("true"),
        Just("data.framework.x"),
        Just("default "),
        Just("exec_in_container"),
        Just("policy_data"),
        Just("\"OCI\""),
        Just("\"request_defaults\""),
        Just("\n"),
        Just(" "),
        Just("#"),
        Just("\""),
        Just("\\"),
        Just("1"),
        Just("else"),
        Just("if"),
        Just("\u{e9}"),
    ];
    proptest::collection::vec(word, 0..60).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&bytes);
    }

    #[test]
    fn a_policy_has_findings_or_was_understood(text in nearly()) {
        let policy = read(text.as_bytes()).unwrap();
        prop_assert!(!policy.findings.is_empty(), "no list of words above is a whole policy");
    }

    /// Whatever comes before, a door that is opened after it is seen or the text is not understood.
    #[test]
    fn an_open_door_is_never_silent(text in nearly()) {
        let policy = parsed(&(text + "\nexec_in_container := {\"allowed\": true}\n"));
        let seen = rules(&policy.findings);
        prop_assert!(["exec", "unread", "custom_logic"].iter().any(|rule| seen.contains(rule)));
    }
}
