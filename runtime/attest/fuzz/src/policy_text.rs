//! Container policies.

use affiant_attest::text::{PolicyText, RULES, read};

/// Reads any bytes as a policy and holds the reader to what it promises.
pub fn policy_text(data: &[u8]) {
    let Ok(policy) = read(data) else { return };
    check_findings(data, &policy);
    let rules = |policy: &PolicyText| -> Vec<&str> {
        policy.findings.iter().map(|finding| finding.rule).collect()
    };

    // A comment before changes nothing but lines.
    let is_object = data.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    if !is_object
        && data.first() != Some(&0x0b)
        && let Ok(later) = read(&[b"# {[(\"`\n", data].concat())
    {
        assert_eq!(rules(&policy), rules(&later), "a comment changes what is found");
    }

    // An open door after is seen, or the reader says that it did not understand.
    let door = b"\nexec_in_container := {\"allowed\": true}\n";
    if let Ok(open) = read(&[data, door].concat()) {
        let seen =
            rules(&open).iter().any(|rule| matches!(*rule, "exec" | "unread" | "custom_logic"));
        assert!(seen, "an open door is passed over in silence");
    }
}

fn check_findings(data: &[u8], policy: &PolicyText) {
    let lines = 1 + data.iter().filter(|byte| **byte == b'\n').count();
    for finding in &policy.findings {
        assert!(RULES.iter().any(|rule| rule.name == finding.rule), "{finding:?}");
        assert!((1..=lines).contains(&finding.line), "{finding:?} of {lines} lines");
        assert!(!finding.to_string().chars().any(char::is_control), "{finding:?}");
        assert!(!finding.explanation.is_empty() && finding.explanation.len() < 8 * 1024);
    }
    // What has no finding names its package: all else is a finding.
    assert!(!policy.findings.is_empty() || data.windows(7).any(|window| window == b"package"));
}
