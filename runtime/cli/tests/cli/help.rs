//! Help, usage, completions, versions, closed pipes.

use std::io::Read as _;
use std::process::{Command, Stdio};

use crate::support::{affiant, binary, fixtures};

const COMMANDS: [&[&str]; 11] = [
    &["new"],
    &["bundle"],
    &["sandbox"],
    &["node"],
    &["ledger"],
    &["ledger", "verify"],
    &["ledger", "show"],
    &["ledger", "stat"],
    &["receipt", "verify"],
    &["verify"],
    &["completions"],
];

#[test]
fn every_command_explains_itself() {
    for command in COMMANDS {
        let help = affiant(&[command, &["--help"]].concat()).expect(0);
        assert!(help.stdout.contains("Usage: affiant "), "{command:?}");
        assert!(help.stderr.is_empty(), "{command:?}: {}", help.stderr);
        if command != ["ledger"] {
            assert!(help.stdout.contains("Examples:\n  affiant "), "{command:?}");
        }
    }
    let general = affiant(&["--help"]).expect(0);
    for command in
        ["new", "sandbox", "node", "bundle", "ledger", "receipt", "verify", "completions"]
    {
        assert!(general.stdout.contains(&format!("\n  {command}")), "{}", general.stdout);
    }
}

#[test]
fn wrong_usage_ends_with_2_and_says_what() {
    for (arguments, needle) in [
        (&["ledger", "verify"][..], "<DIR>"),
        (&["ledger", "verify", "x", "--frob"], "--frob"),
        (&["ledger", "show", "x", "--seqno", "9..5"], "A at most B"),
        (&["receipt", "verify", "x"], "--service-cert"),
        (&["receipt", "verify", "x", "--service-cert", "y", "--claims", "zz"], "64 hex"),
        (&["receipt", "verify", "x", "--service-cert", "y", "--now", "later"], "seconds since"),
        (&["verify", "x"], "--policy"),
        (&["sandbox"], "--app"),
        (&["sandbox", "--app", "x", "--python-workers", "1000"], "0..=256"),
        (&["bundle"], "<DIR>"),
        (&["frobnicate"], "frobnicate"),
        (&["completions", "csh"], "csh"),
    ] {
        let refused = affiant(arguments).expect(2);
        assert!(refused.stderr.contains(needle), "{arguments:?}: {}", refused.stderr);
        assert!(refused.stdout.is_empty(), "{arguments:?}: {}", refused.stdout);
    }
}

#[test]
fn versions_take_two_lines() {
    for arguments in [&["--version"][..], &["node", "--version"]] {
        let version = affiant(arguments).expect(0).stdout;
        let lines: Vec<_> = version.lines().collect();
        assert_eq!(lines.len(), 2, "{version}");
        assert!(lines[0].contains(env!("CARGO_PKG_VERSION")), "{version}");
        assert!(["Platform: Virtual", "Platform: SNP"].contains(&lines[1]), "{version}");
    }
}

#[test]
fn completions_exist_for_three_shells() {
    for (shell, needle) in
        [("bash", "complete -F"), ("zsh", "#compdef affiant"), ("fish", "complete -c affiant")]
    {
        let script = affiant(&["completions", shell]).expect(0).stdout;
        assert!(script.contains(needle), "{shell}");
        for option in ["service-cert", "initial-user-count", "propose-policy"] {
            assert!(script.contains(option), "{shell}: {option}");
        }
    }
}

#[test]
fn a_reader_that_leaves_early_causes_no_panic() {
    let Some(ledgers) = fixtures("ccf-ledgers") else { return };
    let ledger = ledgers.join("eol_service/ledger");
    let mut child = Command::new(binary())
        .args(["ledger", "show", ledger.to_str().unwrap(), "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 16];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    drop(child.stdout.take());
    let finished = child.wait_with_output().unwrap();
    assert_eq!(finished.status.code(), Some(0));
    assert!(finished.stderr.is_empty(), "{}", String::from_utf8_lossy(&finished.stderr));
}
