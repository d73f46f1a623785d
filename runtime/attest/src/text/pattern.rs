//! How much a regular expression (RE2's syntax) leaves open. Not a matcher: it looks for a repeated
//! element that takes nearly every character, which is where whoever fills in the text is free.

use crate::limits::POLICY_TEXT_PATTERN_BYTES_MAX;

/// What a pattern leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freedom {
    /// A choice of the pattern's author: fixed text, or repeated classes of few characters.
    Bounded,
    /// Somewhere in it, any text.
    Part,
    /// It takes any text, but perhaps the empty one.
    Whole,
}

/// Printable characters of ASCII (95) that a class must take to count as taking nearly all.
const WIDE_CLASS_CHARACTERS: usize = 80;

/// Bytes of the digits in a counted repetition, at most: RE2 counts to 1,000.
const COUNT_BYTES_MAX: usize = 9;

/// `None`: not a regular expression that this reader understands.
pub(super) fn freedom(pattern: &str) -> Option<Freedom> {
    if pattern.len() > POLICY_TEXT_PATTERN_BYTES_MAX {
        return None;
    }
    let mut scan = Scan { rest: pattern, free: false };
    scan.alternatives(0)?;
    if !scan.rest.is_empty() {
        return None;
    }
    let bare: String = pattern.chars().filter(|c| !"^$()".contains(*c)).collect();
    let bare = bare.strip_prefix("?s").or_else(|| bare.strip_prefix("?:")).unwrap_or(&bare);
    let whole = matches!(bare, ".*" | ".+" | ".*?" | ".+?" | "[\\s\\S]*" | "[\\s\\S]+" | "[^=]*");
    Some(match (scan.free, whole) {
        (true, true) => Freedom::Whole,
        (true, false) => Freedom::Part,
        (false, _) => Freedom::Bounded,
    })
}

/// The pattern of an environment variable `NAME=VALUE` in two, at the first `=` outside of groups
/// and classes.
pub(super) fn split_variable(pattern: &str) -> Option<(&str, &str)> {
    let (mut depth, mut class, mut escaped) = (0_usize, false, false);
    for (at, c) in pattern.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ']' => class = false,
            _ if class => {}
            '[' => class = true,
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            '=' if depth == 0 => return Some((pattern.get(..at)?, pattern.get(at + 1..)?)),
            _ => {}
        }
    }
    None
}

/// Groups within each other, at most.
const GROUP_DEPTH_MAX: usize = 32;

struct Scan<'a> {
    rest: &'a str,
    /// A wide element was repeated.
    free: bool,
}

impl Scan<'_> {
    fn eat(&mut self, prefix: &str) -> bool {
        let rest = self.rest.strip_prefix(prefix);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn next_char(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = self.rest.get(c.len_utf8()..)?;
        Some(c)
    }

    /// Up to `)` or the end. Whether an element in it is wide.
    fn alternatives(&mut self, depth: usize) -> Option<bool> {
        if depth > GROUP_DEPTH_MAX {
            return None;
        }
        let mut any = false;
        while !self.rest.is_empty() && !self.rest.starts_with(')') {
            let wide = match self.next_char()? {
                '(' => self.group(depth)?,
                '[' => self.class()?,
                '.' => true,
                '\\' => self.escape()?,
                '*' | '+' | '?' => return None,
                '|' if self.rest.starts_with(['*', '+', '?']) => return None,
                _ => false,
            };
            any |= wide;
            self.free |= self.repeats() && wide;
        }
        Some(any)
    }

    fn group(&mut self, depth: usize) -> Option<bool> {
        if self.eat("?") {
            // Flags or a name: up to `:`, `>`, or the end of a group that has flags alone.
            loop {
                match self.next_char()? {
                    ':' | '>' => break,
                    ')' => return Some(false),
                    _ => {}
                }
            }
        }
        let wide = self.alternatives(depth + 1)?;
        self.eat(")").then_some(wide)
    }

    /// The quantifiers that follow, if any: whether they let the element come more than once.
    fn repeats(&mut self) -> bool {
        let mut repeats = false;
        loop {
            if self.eat("*") || self.eat("+") {
                repeats = true;
            } else if self.eat("?") {
            } else if let Some(counted) = self.counted() {
                repeats |= counted;
            } else {
                return repeats;
            }
        }
    }

    /// `{n}`, `{n,}`, `{n,m}`; anything else with a brace is literal.
    fn counted(&mut self) -> Option<bool> {
        let after = self.rest.strip_prefix('{')?;
        // Not a search to the end: a pattern of braces alone would take the square of its length.
        let end = after.bytes().take(COUNT_BYTES_MAX + 1).position(|byte| byte == b'}')?;
        let (inside, rest) = (after.get(..end)?, after.get(end + 1..)?);
        let (least, most) = inside.split_once(',').unwrap_or((inside, inside));
        let least: u32 = least.parse().ok()?;
        let most: u32 = if most.is_empty() { u32::MAX } else { most.parse().ok()? };
        self.rest = rest;
        Some(most.max(least) > 1)
    }

    fn escape(&mut self) -> Option<bool> {
        Some(match self.next_char()? {
            'S' | 'D' | 'W' | 'C' => true,
            // A class of Unicode may be narrow; which ones are is not worth a table.
            'p' | 'P' => {
                if self.eat("{") {
                    while self.next_char()? != '}' {}
                } else {
                    self.next_char()?;
                }
                true
            }
            'x' if self.eat("{") => {
                while self.next_char()? != '}' {}
                false
            }
            'Q' => {
                let end = self.rest.find("\\E").map_or(self.rest.len(), |end| end + 2);
                self.rest = self.rest.get(end..)?;
                false
            }
            _ => false,
        })
    }

    /// A class in brackets: whether it takes nearly every printable character.
    fn class(&mut self) -> Option<bool> {
        let negated = self.eat("^");
        let mut taken = [false; 128];
        let (mut first, mut last) = (true, None::<u8>);
        loop {
            let c = self.next_char()?;
            match c {
                ']' if !first => break,
                '[' if self.rest.starts_with(':') => {
                    let (name, rest) = self.rest.split_once(":]")?;
                    self.rest = rest;
                    mark_named(&mut taken, name.trim_start_matches(':'));
                    last = None;
                }
                '\\' => last = self.class_escape(&mut taken)?,
                '-' if last.is_some() && !self.rest.starts_with(']') => {
                    let end = match self.next_char()? {
                        '\\' => self.class_escape(&mut taken)?.unwrap_or(127),
                        end => u8::try_from(end).unwrap_or(127).min(127),
                    };
                    mark(&mut taken, |c| last.is_some_and(|start| (start..=end).contains(&c)));
                    last = None;
                }
                c => {
                    last = u8::try_from(c).ok().filter(u8::is_ascii);
                    mark(&mut taken, |one| Some(one) == last);
                }
            }
            first = false;
        }
        let printable = |c: &(usize, bool)| (32..127).contains(&c.0) && c.1 != negated;
        let count = taken.iter().copied().enumerate().filter(printable).count();
        Some(count >= WIDE_CLASS_CHARACTERS)
    }

    /// The one character of an escape in a class, or `None` for an escape that is a class.
    fn class_escape(&mut self, taken: &mut [bool; 128]) -> Option<Option<u8>> {
        let c = self.next_char()?;
        match c {
            'w' => mark(taken, |c| c.is_ascii_alphanumeric() || c == b'_'),
            'd' => mark(taken, |c| c.is_ascii_digit()),
            's' => mark(taken, |c| c.is_ascii_whitespace()),
            'W' => mark(taken, |c| !(c.is_ascii_alphanumeric() || c == b'_')),
            'D' => mark(taken, |c| !c.is_ascii_digit()),
            'S' => mark(taken, |c| !c.is_ascii_whitespace()),
            'p' | 'P' => {
                self.rest = self.rest.strip_prefix('{')?.split_once('}')?.1;
                mark(taken, |_| true);
            }
            'x' => {
                let digits = if self.eat("{") {
                    let (digits, rest) = self.rest.split_once('}')?;
                    self.rest = rest;
                    digits
                } else {
                    let (digits, rest) = self.rest.split_at_checked(2)?;
                    self.rest = rest;
                    digits
                };
                let code = u32::from_str_radix(digits, 16).ok()?;
                let code = u8::try_from(code).unwrap_or(127).min(127);
                mark(taken, |c| c == code);
                return Some(Some(code));
            }
            c => {
                let one = u8::try_from(c).ok().filter(u8::is_ascii);
                mark(taken, |c| Some(c) == one);
                return Some(one);
            }
        }
        Some(None)
    }
}

fn mark(taken: &mut [bool; 128], keep: impl Fn(u8) -> bool) {
    for (code, slot) in (0_u8..).zip(taken.iter_mut()) {
        *slot |= keep(code);
    }
}

fn mark_named(taken: &mut [bool; 128], name: &str) {
    match name {
        "alpha" => mark(taken, |c| c.is_ascii_alphabetic()),
        "digit" => mark(taken, |c| c.is_ascii_digit()),
        "alnum" => mark(taken, |c| c.is_ascii_alphanumeric()),
        "upper" => mark(taken, |c| c.is_ascii_uppercase()),
        "lower" => mark(taken, |c| c.is_ascii_lowercase()),
        "space" | "blank" => mark(taken, |c| c.is_ascii_whitespace()),
        "punct" => mark(taken, |c| c.is_ascii_punctuation()),
        "xdigit" => mark(taken, |c| c.is_ascii_hexdigit()),
        "word" => mark(taken, |c| c.is_ascii_alphanumeric() || c == b'_'),
        "cntrl" => mark(taken, |c| c.is_ascii_control()),
        // A negated one, or one that takes all.
        _ => mark(taken, |_| true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_patterns() {
        let whole =
            [".*", ".+", "^.*$", "(.)*", "(.*)", "^(.+)$", "(?s).*", "(?:.*)", ".*?", "[\\s\\S]*"];
        for pattern in whole {
            assert_eq!(freedom(pattern), Some(Freedom::Whole), "{pattern}");
        }
        let part = [
            "a.*",
            "(a|.*)",
            "(?:a.)+",
            "\\S+",
            "[^a]*",
            "[ -~]+",
            "[[:print:]]{3}",
            "[\\x20-\\x7e]*",
            "a\\P{L}+",
            "[^\\s]+",
            "(?i)x(.|\\n)*",
            "[\\w\\W]+",
            ".{0,9}",
            "\\W*",
            "(?P<n>.)+",
            "\\Qa.*\\E.+",
        ];
        for pattern in part {
            assert_eq!(freedom(pattern), Some(Freedom::Part), "{pattern}");
        }
    }

    #[test]
    fn bounded_patterns() {
        let bounded = [
            "",
            "a",
            "a+",
            "[a-z]+",
            "[[:alpha:]]*",
            "\\d+",
            "\\.*",
            ".",
            "a.b",
            "[.]*",
            "\\w+",
            "(a|b)*",
            "[a-zA-Z0-9_./:-]+",
            "\\Q.*\\E",
            "a{2,3}",
            "[]a]+",
            ".?",
            ".{1}",
            "x{y",
        ];
        for pattern in bounded {
            assert_eq!(freedom(pattern), Some(Freedom::Bounded), "{pattern}");
        }
    }

    #[test]
    fn what_is_no_pattern() {
        for pattern in ["(", "[a", "a)", "*", "\\", "[\\", "(?i", "[[:alpha", "(|*)"] {
            assert_eq!(freedom(pattern), None, "{pattern}");
        }
        assert_eq!(freedom(&"(".repeat(100_000)), None);
        assert_eq!(freedom(&"a".repeat(POLICY_TEXT_PATTERN_BYTES_MAX)), Some(Freedom::Bounded));
        assert_eq!(freedom(&"a".repeat(POLICY_TEXT_PATTERN_BYTES_MAX + 1)), None);
        let nested = format!("{}.*{}", "(".repeat(20), ")".repeat(20));
        assert_eq!(freedom(&nested), Some(Freedom::Whole));
    }

    #[test]
    fn variables() {
        assert_eq!(split_variable("A=b=c"), Some(("A", "b=c")));
        assert_eq!(split_variable("(?i)(FABRIC)_.+=.+"), Some(("(?i)(FABRIC)_.+", ".+")));
        assert_eq!(split_variable("[=]A\\==b"), Some(("[=]A\\=", "b")));
        assert_eq!(split_variable("(A=b)"), None);
        assert_eq!(split_variable(".*"), None);
    }
}
