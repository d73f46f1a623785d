//! Statements and constant values of Rego. What decides by a body is named, not evaluated.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::lex::{Token, Word};
use crate::limits::POLICY_TEXT_DEPTH_MAX;

/// A value and the line it begins in.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node<'a> {
    pub(super) line: usize,
    pub(super) value: Value<'a>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Number(&'a str),
    Text(Cow<'a, str>),
    List(Vec<Node<'a>>),
    Map(Vec<(Cow<'a, str>, Node<'a>)>),
    /// `a.b.c`: something that is defined elsewhere.
    Path(Vec<Cow<'a, str>>),
}

/// One statement of the text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Statement<'a> {
    pub(super) line: usize,
    /// The first name of its head; empty where there is none.
    pub(super) name: String,
    pub(super) kind: Kind<'a>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind<'a> {
    Package,
    Import,
    /// `name := value`, `name = value`, `default name := value`, `name { true }`.
    Constant(Value<'a>),
    /// A rule with arguments, a body or a value that is computed.
    Logic,
    /// Not understood.
    Unread,
}

impl<'a> Node<'a> {
    pub(super) fn field(&self, name: &str) -> Option<&Node<'a>> {
        match &self.value {
            Value::Map(fields) => {
                fields.iter().find(|(key, _)| key == name).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn is_true(&self) -> bool {
        self.value == Value::Bool(true)
    }
}

/// All statements, in their order.
pub(super) fn statements<'a>(tokens: &[Token<'a>]) -> Vec<Statement<'a>> {
    let mut parser = Parser { tokens, at: 0 };
    let mut found = Vec::new();
    while parser.at < tokens.len() {
        found.push(parser.statement());
    }
    found
}

/// The whole text as one value, as in JSON.
pub(super) fn value<'a>(tokens: &[Token<'a>]) -> Option<Node<'a>> {
    let mut parser = Parser { tokens, at: 0 };
    let node = parser.value(0)?;
    (parser.at == tokens.len()).then_some(node)
}

struct Parser<'t, 'a> {
    tokens: &'t [Token<'a>],
    at: usize,
}

impl<'a> Parser<'_, 'a> {
    fn peek(&self) -> Option<&Word<'a>> {
        self.tokens.get(self.at).map(|token| &token.word)
    }

    fn line(&self) -> usize {
        self.tokens.get(self.at).or_else(|| self.tokens.last()).map_or(1, |token| token.line)
    }

    fn eat(&mut self, mark: &str) -> bool {
        let found = matches!(self.peek(), Some(Word::Mark(found)) if *found == mark);
        self.at += usize::from(found);
        found
    }

    fn name(&mut self) -> Option<&'a str> {
        let Some(Word::Name(name)) = self.peek() else { return None };
        let name = *name;
        self.at += 1;
        Some(name)
    }

    /// Takes at least one word.
    fn statement(&mut self) -> Statement<'a> {
        let (line, start) = (self.line(), self.at);
        let Some(first) = self.name() else {
            self.skip_statement();
            return Statement { line, name: String::new(), kind: Kind::Unread };
        };
        let (name, kind) = match first {
            "package" => self.path_statement(Kind::Package),
            "import" => self.path_statement(Kind::Import),
            _ => {
                let name = if first == "default" { self.name().unwrap_or("") } else { first };
                (name.to_owned(), self.definition())
            }
        };
        let unclear = self
            .tokens
            .get(start..self.at)
            .is_some_and(|words| words.iter().any(|token| token.word == Word::Unknown));
        let kind = if unclear || name.is_empty() { Kind::Unread } else { kind };
        Statement { line, name, kind }
    }

    fn path_statement(&mut self, kind: Kind<'a>) -> (String, Kind<'a>) {
        let line = self.line();
        let path = self.path();
        let ends = self.at_statement_end()
            && self.tokens.get(self.at).is_none_or(|token| token.line > line);
        match path {
            Some(path) if ends => (path.join("."), kind),
            path => {
                self.skip_statement();
                (path.map(|path| path.join(".")).unwrap_or_default(), Kind::Unread)
            }
        }
    }

    /// What follows the name of a rule.
    fn definition(&mut self) -> Kind<'a> {
        let start = self.at;
        let value = if self.eat(":=") || self.eat("=") {
            self.value(0).map(|node| node.value)
        } else {
            Some(Value::Bool(true))
        };
        let constant = match value {
            Some(value) if self.at_statement_end() => Some(value),
            Some(value) if self.body_that_always_holds() => Some(value),
            _ => None,
        };
        if let Some(value) = constant {
            return Kind::Constant(value);
        }
        // From before the value: so that its brackets are counted.
        self.at = start;
        if self.skip_statement() { Kind::Logic } else { Kind::Unread }
    }

    /// `{ true }`, `if { true }`, `if true`, with nothing after.
    fn body_that_always_holds(&mut self) -> bool {
        let start = self.at;
        if self.peek() == Some(&Word::Name("if")) {
            self.at += 1;
        }
        let braces = self.eat("{");
        let holds = self.at > start
            && self.name() == Some("true")
            && (!braces || self.eat("}"))
            && self.at_statement_end();
        if !holds {
            self.at = start;
        }
        holds
    }

    /// Whether a new statement, or nothing, follows.
    fn at_statement_end(&self) -> bool {
        match self.peek() {
            None => true,
            Some(Word::Name(name)) => {
                !matches!(*name, "if" | "else" | "with" | "as" | "in" | "contains" | "some" | "not")
            }
            Some(_) => false,
        }
    }

    /// Goes on to the first line that begins with a name outside of all brackets. Whether the
    /// brackets were closed in their order.
    fn skip_statement(&mut self) -> bool {
        let mut open: Vec<&str> = Vec::new();
        let mut line = self.tokens.get(self.at.wrapping_sub(1)).map_or(0, |token| token.line);
        let mut sound = true;
        while let Some(token) = self.tokens.get(self.at) {
            if open.is_empty() && token.line > line && self.at_statement_end() {
                return sound;
            }
            if let Word::Mark(mark) = token.word {
                match mark {
                    "{" => open.push("}"),
                    "[" => open.push("]"),
                    "(" => open.push(")"),
                    "}" | "]" | ")" => sound &= open.pop() == Some(mark),
                    _ => {}
                }
            }
            line = token.line;
            self.at += 1;
        }
        sound && open.is_empty()
    }

    fn value(&mut self, depth: usize) -> Option<Node<'a>> {
        if depth >= POLICY_TEXT_DEPTH_MAX {
            return None;
        }
        let line = self.line();
        let value = match self.peek()?.clone() {
            Word::Text(text) => {
                self.at += 1;
                Value::Text(text)
            }
            Word::Number(number) => {
                self.at += 1;
                Value::Number(number)
            }
            Word::Name(_) => self.word_value()?,
            Word::Mark("-") => {
                // The sign is dropped: no value that is looked at may be negative.
                self.at += 1;
                let Some(Word::Number(_)) = self.peek() else { return None };
                self.at += 1;
                Value::Number("-")
            }
            Word::Mark("[") => self.list(depth)?,
            Word::Mark("{") => self.map(depth)?,
            Word::Mark(_) | Word::Unknown => return None,
        };
        Some(Node { line, value })
    }

    fn word_value(&mut self) -> Option<Value<'a>> {
        let path = self.path()?;
        Some(match path.as_slice() {
            [one] if one == "true" => Value::Bool(true),
            [one] if one == "false" => Value::Bool(false),
            [one] if one == "null" => Value::Null,
            _ => Value::Path(path),
        })
    }

    fn path(&mut self) -> Option<Vec<Cow<'a, str>>> {
        let mut path = vec![Cow::Borrowed(self.name()?)];
        while self.eat(".") {
            path.push(Cow::Borrowed(self.name()?));
        }
        // A call or an index: computed, not constant.
        let computed = matches!(self.peek(), Some(Word::Mark("(" | "[")));
        (!computed).then_some(path)
    }

    fn list(&mut self, depth: usize) -> Option<Value<'a>> {
        self.at += 1;
        let mut items = Vec::new();
        while !self.eat("]") {
            items.push(self.value(depth + 1)?);
            if !self.eat(",") && self.peek() != Some(&Word::Mark("]")) {
                return None;
            }
        }
        Some(Value::List(items))
    }

    /// An object with constant keys, each of them once.
    fn map(&mut self, depth: usize) -> Option<Value<'a>> {
        self.at += 1;
        let (mut fields, mut names) = (Vec::new(), BTreeSet::new());
        while !self.eat("}") {
            let Some(Word::Text(key)) = self.peek().cloned() else { return None };
            self.at += 1;
            if !self.eat(":") || !names.insert(key.clone()) {
                return None;
            }
            fields.push((key, self.value(depth + 1)?));
            if !self.eat(",") && self.peek() != Some(&Word::Mark("}")) {
                return None;
            }
        }
        Some(Value::Map(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::super::lex::split;
    use super::*;

    fn kinds(text: &str) -> Vec<(String, String)> {
        let tokens = split(text).unwrap();
        let kind = |kind| match kind {
            Kind::Constant(value) => format!("{value:?}"),
            other => format!("{other:?}"),
        };
        statements(&tokens).into_iter().map(|one| (one.name, kind(one.kind))).collect()
    }

    fn one(text: &str) -> String {
        let mut all = kinds(text);
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0).1
    }

    #[test]
    fn constants() {
        for text in ["a := true", "a = true", "default a := true", "a { true }", "a if true", "a"] {
            assert_eq!(one(text), "Bool(true)", "{text}");
        }
        assert_eq!(one("a := {}"), "Map([])");
        assert_eq!(one("a := data.b.c"), "Path([\"data\", \"b\", \"c\"])");
        assert_eq!(one("a := null"), "Null");
        assert!(one("a := [1, \"b\", {\"c\": []},]").starts_with("List"));
    }

    #[test]
    fn what_is_computed_is_logic() {
        for text in [
            "a { b }",
            "a := 1 { b }",
            "a if b",
            "a := 1 + 2",
            "a := [x | x := 1]",
            "a := {1, 2}",
            "a := f(1)",
            "a := b[0]",
            "a(x) { x }",
            "a[x] { x }",
            "a := 1\n{ b }",
            "a := 1 { b }\nelse := 2",
            "a := {\"b\": 1, \"b\": 2}",
            "a.b := 1",
        ] {
            assert_eq!(one(text), "Logic", "{text}");
        }
    }

    #[test]
    fn what_is_neither_is_said_to_be() {
        for text in ["[a]", "a := \u{e9}", "a := [1", "a := 1)", "a { ]", "default", "package 1"] {
            assert_eq!(one(text), "Unread", "{text}");
        }
    }

    #[test]
    fn goes_on_after_what_it_does_not_understand() {
        let found =
            kinds("package p\nimport a.b\n] ]\nx := \u{e9}\ny := true z := false\nw { q }\nv := 1");
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["p", "a.b", "x", "y", "z", "w", "v"]);
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth| format!("a := {}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(one(&nested(POLICY_TEXT_DEPTH_MAX)).starts_with("List"));
        assert_eq!(one(&nested(POLICY_TEXT_DEPTH_MAX + 1)), "Logic");
    }
}
