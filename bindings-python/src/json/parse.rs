//! Short JSON texts, parsed without a call of Python: requests' bodies and the typed layer's values.
//!
//! What is parsed here gives exactly what Python's `json.loads` gives. Whatever is unusual (an error, a
//! surrogate, deep nesting, `NaN`) is `None`: the caller leaves it to Python, which then also says what is
//! wrong.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString};

use crate::limits::JSON_PARSE_DEPTH_MAX;

/// The value of `text`, if it is a plain JSON text.
pub(super) fn parse<'py>(py: Python<'py>, text: &str) -> Option<Bound<'py, PyAny>> {
    let mut parser = Parser { py, text, at: 0 };
    let value = parser.value(0)?;
    parser.skip();
    (parser.at == text.len()).then_some(value)
}

struct Parser<'a, 'py> {
    py: Python<'py>,
    text: &'a str,
    at: usize,
}

impl<'py> Parser<'_, 'py> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, wanted: u8) -> Option<()> {
        (self.peek()? == wanted).then(|| self.at += 1)
    }

    fn skip(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.text.get(self.at..)?.starts_with(word).then(|| self.at += word.len())
    }

    fn value(&mut self, depth: usize) -> Option<Bound<'py, PyAny>> {
        if depth > JSON_PARSE_DEPTH_MAX {
            return None;
        }
        self.skip();
        match self.peek()? {
            b'"' => Some(self.string()?.into_any()),
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b't' => self.word("true").map(|()| PyBool::new(self.py, true).to_owned().into_any()),
            b'f' => self.word("false").map(|()| PyBool::new(self.py, false).to_owned().into_any()),
            b'n' => self.word("null").map(|()| self.py.None().into_bound(self.py)),
            b'-' | b'0'..=b'9' => self.number(),
            _ => None,
        }
    }

    fn object(&mut self, depth: usize) -> Option<Bound<'py, PyAny>> {
        self.take(b'{')?;
        let dict = PyDict::new(self.py);
        self.skip();
        if self.take(b'}').is_some() {
            return Some(dict.into_any());
        }
        loop {
            self.skip();
            let key = self.string()?;
            self.skip();
            self.take(b':')?;
            let value = self.value(depth + 1)?;
            dict.set_item(key, value).ok()?;
            self.skip();
            if self.take(b',').is_none() {
                self.take(b'}')?;
                return Some(dict.into_any());
            }
        }
    }

    fn array(&mut self, depth: usize) -> Option<Bound<'py, PyAny>> {
        self.take(b'[')?;
        let list = PyList::empty(self.py);
        self.skip();
        if self.take(b']').is_some() {
            return Some(list.into_any());
        }
        loop {
            list.append(self.value(depth + 1)?).ok()?;
            self.skip();
            if self.take(b',').is_none() {
                self.take(b']')?;
                return Some(list.into_any());
            }
        }
    }

    fn string(&mut self) -> Option<Bound<'py, PyString>> {
        self.take(b'"')?;
        let start = self.at;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => return self.escaped(start),
                0..=0x1f => return None,
                _ => self.at += 1,
            }
        }
        let text = self.text.get(start..self.at)?;
        self.at += 1;
        Some(PyString::new(self.py, text))
    }

    /// The rest of a string that has an escape, which begins at `start`.
    fn escaped(&mut self, start: usize) -> Option<Bound<'py, PyString>> {
        let mut text = self.text.get(start..self.at)?.to_owned();
        loop {
            let from = self.at;
            while !matches!(self.peek()?, b'"' | b'\\' | 0..=0x1f) {
                self.at += 1;
            }
            text.push_str(self.text.get(from..self.at)?);
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(PyString::new(self.py, &text));
                }
                b'\\' => {
                    self.at += 1;
                    let escape = self.peek()?;
                    self.at += 1;
                    text.push(match escape {
                        b'"' | b'\\' | b'/' => char::from(escape),
                        b'b' => '\u{8}',
                        b'f' => '\u{c}',
                        b'n' => '\n',
                        b'r' => '\r',
                        b't' => '\t',
                        b'u' => self.unit()?,
                        _ => return None,
                    });
                }
                _ => return None,
            }
        }
    }

    /// The character of four hex digits; halves of pairs are Python's to judge.
    fn unit(&mut self) -> Option<char> {
        let digits = self.text.get(self.at..self.at + 4)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        self.at += 4;
        char::from_u32(u32::from_str_radix(digits, 16).ok()?)
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(|digit| digit.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn number(&mut self) -> Option<Bound<'py, PyAny>> {
        let start = self.at;
        // Absent is as good.
        let _ = self.take(b'-');
        if self.take(b'0').is_none() {
            self.digits()?;
        }
        let mut whole = true;
        if self.take(b'.').is_some() {
            whole = false;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            whole = false;
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        let text = self.text.get(start..self.at)?;
        if whole {
            // Larger ones are Python's.
            return Some(PyInt::new(self.py, text.parse::<i64>().ok()?).into_any());
        }
        Some(PyFloat::new(self.py, text.parse().ok()?).into_any())
    }
}
