//! Findings as they are gathered: bounded, printable, in order.

use super::{Finding, NAMES_SHOWN_MAX, RULES};
use crate::limits::POLICY_TEXT_FINDINGS_MAX;

/// Characters of a text of the policy that are shown, at most.
const SHOWN_CHARACTERS_MAX: usize = 80;

#[derive(Debug, Default)]
pub(super) struct Findings {
    all: Vec<Finding>,
    container: Option<String>,
    left_out: usize,
}

impl Findings {
    /// What is added from now on is about this container.
    pub(super) fn about(&mut self, container: Option<&str>) {
        self.container = container.map(show);
    }

    pub(super) fn add(&mut self, rule: &'static str, line: usize, explanation: &str) {
        if self.all.len() >= POLICY_TEXT_FINDINGS_MAX {
            self.left_out += 1;
            return;
        }
        let container = self.container.clone();
        let finding = Finding { rule, container, line, explanation: explanation.to_owned() };
        if !self.all.contains(&finding) {
            self.all.push(finding);
        }
    }

    /// In the order of the rules, then of lines.
    pub(super) fn into_sorted(mut self) -> Vec<Finding> {
        if self.left_out > 0 {
            let explanation = format!("{} more findings are left out", self.left_out);
            self.all.push(Finding { rule: "unread", container: None, line: 1, explanation });
        }
        let rank = |name| RULES.iter().position(|rule| rule.name == name);
        self.all.sort_by_key(|finding| (rank(finding.rule), finding.line));
        self.all
    }
}

/// A text of the policy as it may be printed: without control characters, not too long.
pub(super) fn show(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars().take(SHOWN_CHARACTERS_MAX) {
        // Whatever could move a cursor or turn the direction of writing.
        if c.is_ascii_graphic() || c == ' ' || (!c.is_ascii() && c.is_alphanumeric()) {
            shown.push(c);
        } else {
            shown.extend(c.escape_unicode());
        }
    }
    if text.chars().nth(SHOWN_CHARACTERS_MAX).is_some() {
        shown.push_str("...");
    }
    shown
}

/// `a, b and more`.
pub(super) fn list<'a>(mut texts: impl Iterator<Item = &'a str>) -> String {
    let shown: Vec<String> = texts.by_ref().take(NAMES_SHOWN_MAX).map(show).collect();
    let more = if texts.next().is_some() { " and more" } else { "" };
    shown.join(", ") + more
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_cannot_write_on_a_terminal() {
        assert_eq!(show("a\u{1b}[2J\u{202e}\u{e9}"), "a\\u{1b}[2J\\u{202e}\u{e9}");
        assert_eq!(show(&"x".repeat(100)), "x".repeat(80) + "...");
    }

    #[test]
    fn findings_are_bounded_and_the_bound_is_a_finding() {
        let mut findings = Findings::default();
        for line in 0..POLICY_TEXT_FINDINGS_MAX + 5 {
            findings.add("stdio", line, "x");
            findings.add("stdio", line, "x");
        }
        let all = findings.into_sorted();
        assert_eq!(all.len(), POLICY_TEXT_FINDINGS_MAX + 1);
        let last = all.last().unwrap();
        assert_eq!(
            (last.rule, last.explanation.as_str()),
            ("unread", "11 more findings are left out")
        );
    }
}
