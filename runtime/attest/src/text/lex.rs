//! The words of Rego. A word that is none is kept as [`Word::Unknown`], so that what follows is still
//! read and the reader says where it did not understand.

use std::borrow::Cow;

use crate::AttestError;
use crate::limits::POLICY_TEXT_TOKENS_MAX;

/// One word and the line it begins in, from 1.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token<'a> {
    pub(super) line: usize,
    pub(super) word: Word<'a>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Word<'a> {
    Name(&'a str),
    Text(Cow<'a, str>),
    Number(&'a str),
    /// `:=`, `==`, or one character.
    Mark(&'a str),
    Unknown,
}

/// Splits a text. Fails where it has more words than [`POLICY_TEXT_TOKENS_MAX`].
pub(super) fn split(text: &str) -> Result<Vec<Token<'_>>, AttestError> {
    let mut lexer = Lexer { rest: text, line: 1 };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.next_token() {
        tokens.push(token);
        AttestError::bound(
            "the words of the container policy",
            tokens.len(),
            POLICY_TEXT_TOKENS_MAX,
        )?;
    }
    Ok(tokens)
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Lexer<'a> {
    fn next_token(&mut self) -> Option<Token<'a>> {
        self.skip_blanks();
        let first = self.rest.chars().next()?;
        let line = self.line;
        let word = match first {
            'a'..='z' | 'A'..='Z' | '_' => {
                Word::Name(self.take_while(|c| c.is_ascii_alphanumeric() || c == '_'))
            }
            '0'..='9' => Word::Number(self.take_while(|c| c.is_ascii_alphanumeric() || c == '.')),
            '"' => self.quoted(),
            '`' => self.raw(),
            _ => self.mark(first),
        };
        Some(Token { line, word })
    }

    /// Spaces and comments. A comment ends at a line feed and nowhere else, as in Open Policy Agent:
    /// a reader that ended it at a carriage return would read lines that the guest does not.
    fn skip_blanks(&mut self) {
        loop {
            self.take_while(|c| matches!(c, ' ' | '\t' | '\r' | '\n'));
            if !self.rest.starts_with('#') {
                return;
            }
            self.take_while(|c| c != '\n');
        }
    }

    fn take_while(&mut self, mut keep: impl FnMut(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !keep(c)).unwrap_or(self.rest.len());
        self.take(end)
    }

    /// The next `bytes`, which end at a character's end.
    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.line += taken.bytes().filter(|byte| *byte == b'\n').count();
        self.rest = rest;
        taken
    }

    fn mark(&mut self, first: char) -> Word<'a> {
        let two = self.rest.get(..2).filter(|two| matches!(*two, ":=" | "==" | "!=" | "<=" | ">="));
        if let Some(two) = two {
            return Word::Mark(self.take(two.len()));
        }
        let mark = self.take(first.len_utf8());
        if "{}[]().,:;=<>+-*/%&|".contains(first) { Word::Mark(mark) } else { Word::Unknown }
    }

    fn raw(&mut self) -> Word<'a> {
        let inside = self.rest.get(1..).unwrap_or("");
        let Some(end) = inside.find('`') else {
            self.take(self.rest.len());
            return Word::Unknown;
        };
        let taken = self.take(end + 2);
        Word::Text(Cow::Borrowed(taken.get(1..=end).unwrap_or("")))
    }

    /// A string with JSON's escapes. One that is not closed in its line is not understood.
    fn quoted(&mut self) -> Word<'a> {
        let mut escaped = false;
        let inside = self.rest.get(1..).unwrap_or("");
        let end = inside.find(|c| {
            let ends = c == '\n' || (c == '"' && !escaped);
            escaped = c == '\\' && !escaped;
            ends
        });
        let closed = end.is_some_and(|end| inside.get(end..).is_some_and(|s| s.starts_with('"')));
        let Some(end) = end.filter(|_| closed) else {
            self.take_while(|c| c != '\n');
            return Word::Unknown;
        };
        let taken = self.take(end + 2);
        if !taken.contains('\\') {
            return Word::Text(Cow::Borrowed(taken.get(1..=end).unwrap_or("")));
        }
        match serde_json::from_str::<String>(taken) {
            Ok(text) => Word::Text(Cow::Owned(text)),
            Err(_) => Word::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Word<'_>> {
        split(text).unwrap().into_iter().map(|token| token.word).collect()
    }

    #[test]
    fn reads_every_kind_of_word() {
        let text = |text: &'static str| Word::Text(Cow::Borrowed(text));
        assert_eq!(
            words("a_1 := [\"x\", `y\\n`, 1.5] # z\n== \"q\\\"\\u0041\""),
            vec![
                Word::Name("a_1"),
                Word::Mark(":="),
                Word::Mark("["),
                text("x"),
                Word::Mark(","),
                text("y\\n"),
                Word::Mark(","),
                Word::Number("1.5"),
                Word::Mark("]"),
                Word::Mark("=="),
                text("q\"A"),
            ]
        );
    }

    #[test]
    fn a_comment_ends_at_the_line_feed_alone() {
        assert_eq!(words("# a\rb\nc"), vec![Word::Name("c")]);
    }

    #[test]
    fn says_what_it_does_not_understand_and_goes_on() {
        assert_eq!(words("\"a\nb"), vec![Word::Unknown, Word::Name("b")]);
        assert_eq!(words("\"\\x\" b"), vec![Word::Unknown, Word::Name("b")]);
        assert_eq!(words("`a"), vec![Word::Unknown]);
        assert_eq!(words("\u{feff}a"), vec![Word::Unknown, Word::Name("a")]);
        assert_eq!(words("\"\\"), vec![Word::Unknown]);
    }

    #[test]
    fn counts_lines_in_raw_strings_too() {
        let lines: Vec<usize> =
            split("a `b\n\nc` d\ne").unwrap().iter().map(|token| token.line).collect();
        assert_eq!(lines, vec![1, 1, 3, 4]);
    }

    #[test]
    fn bounds_the_words() {
        assert!(split(&"[".repeat(POLICY_TEXT_TOKENS_MAX)).is_ok());
        assert!(split(&"[".repeat(POLICY_TEXT_TOKENS_MAX + 1)).is_err());
    }
}
