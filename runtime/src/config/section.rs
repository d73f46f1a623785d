//! One object of the configuration while it is read: it remembers which keys were asked for, so that
//! what is left over can be refused with the place and the nearest key that exists.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::units::{size_bytes, time_us};
use crate::error::{RuntimeError, RuntimeResult};

pub(super) struct Section<'a> {
    path: String,
    map: Option<&'a Map<String, Json>>,
    known: BTreeSet<String>,
    lenient: bool,
}

impl<'a> Section<'a> {
    pub(super) fn root(json: &'a Json) -> RuntimeResult<Self> {
        match json {
            Json::Object(map) => Ok(Self::at(String::new(), Some(map), false)),
            _ => Err(RuntimeError::config("", "the document must be an object")),
        }
    }

    fn at(path: String, map: Option<&'a Map<String, Json>>, lenient: bool) -> Self {
        Self { path, map, known: BTreeSet::new(), lenient }
    }

    /// Lets unknown keys pass, here and below.
    pub(super) fn lenient(mut self) -> Self {
        self.lenient = true;
        self
    }

    /// Refuses unknown keys again, below an object that lets them pass.
    pub(super) fn strict(mut self) -> Self {
        self.lenient = false;
        self
    }

    fn place(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The error for a wrong value.
    pub(super) fn wrong(&self, key: &str, reason: impl Into<String>) -> RuntimeError {
        RuntimeError::config(self.place(key), reason)
    }

    /// The value as it stands; the key is known from now on.
    pub(super) fn any(&mut self, key: &str) -> Option<&'a Json> {
        self.known.insert(key.to_owned());
        self.map.and_then(|map| map.get(key)).filter(|value| !value.is_null())
    }

    pub(super) fn keys(&self) -> Vec<String> {
        self.map.map(|map| map.keys().cloned().collect()).unwrap_or_default()
    }

    pub(super) fn as_json(&self) -> Json {
        self.map.map_or(Json::Null, |map| Json::Object(map.clone()))
    }

    /// An object below; empty if absent.
    pub(super) fn object(&mut self, key: &str) -> RuntimeResult<Section<'a>> {
        self.known.insert(key.to_owned());
        self.child(key)
    }

    /// An object below, without the key becoming known.
    pub(super) fn child(&self, key: &str) -> RuntimeResult<Section<'a>> {
        let map = match self.map.and_then(|map| map.get(key)) {
            None | Some(Json::Null) => None,
            Some(Json::Object(map)) => Some(map),
            Some(_) => return Err(self.wrong(key, "must be an object")),
        };
        Ok(Self::at(self.place(key), map, self.lenient))
    }

    /// A list of objects; empty if absent.
    pub(super) fn objects(&mut self, key: &str) -> RuntimeResult<Vec<Section<'a>>> {
        let lenient = self.lenient;
        let place = self.place(key);
        let Some(value) = self.any(key) else { return Ok(Vec::new()) };
        let refused = || RuntimeError::config(place.clone(), "must be a list of objects");
        value
            .as_array()
            .ok_or_else(refused)?
            .iter()
            .enumerate()
            .map(|(index, element)| {
                let map = element.as_object().ok_or_else(refused)?;
                Ok(Self::at(format!("{place}[{index}]"), Some(map), lenient))
            })
            .collect()
    }

    pub(super) fn optional_text(&mut self, key: &str) -> RuntimeResult<Option<String>> {
        match self.any(key) {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.wrong(key, "must be a string")),
        }
    }

    pub(super) fn text(&mut self, key: &str, default: &str) -> RuntimeResult<String> {
        Ok(self.optional_text(key)?.unwrap_or_else(|| default.to_owned()))
    }

    pub(super) fn required_text(&mut self, key: &str) -> RuntimeResult<String> {
        self.optional_text(key)?.ok_or_else(|| self.wrong(key, "is missing"))
    }

    pub(super) fn optional_texts(&mut self, key: &str) -> RuntimeResult<Option<Vec<String>>> {
        let Some(value) = self.any(key) else { return Ok(None) };
        let texts = value.as_array().and_then(|list| {
            list.iter().map(|element| element.as_str().map(str::to_owned)).collect()
        });
        match texts {
            Some(texts) => Ok(Some(texts)),
            None => Err(self.wrong(key, "must be a list of strings")),
        }
    }

    /// `host:port`, required.
    pub(super) fn address(&mut self, key: &str) -> RuntimeResult<String> {
        let text = self.required_text(key)?;
        let port = text
            .rsplit_once(':')
            .and_then(|(host, port)| port.parse::<u16>().ok().filter(|_| !host.is_empty()));
        match port {
            Some(_) => Ok(text),
            None => Err(self.wrong(key, format!("{text:?} is not host:port"))),
        }
    }

    pub(super) fn boolean(&mut self, key: &str, default: bool) -> RuntimeResult<bool> {
        match self.any(key) {
            None => Ok(default),
            Some(Json::Bool(value)) => Ok(*value),
            Some(_) => Err(self.wrong(key, "must be true or false")),
        }
    }

    pub(super) fn number(&mut self, key: &str, default: u64) -> RuntimeResult<u64> {
        match self.any(key) {
            None => Ok(default),
            Some(value) => {
                value.as_u64().ok_or_else(|| self.wrong(key, "must be a whole number from 0 on"))
            }
        }
    }

    pub(super) fn count(&mut self, key: &str, default: usize) -> RuntimeResult<usize> {
        let number = self.number(key, default as u64)?;
        usize::try_from(number).map_err(|_| self.wrong(key, "is too large"))
    }

    /// A number of days that a certificate may be valid.
    pub(super) fn days(&mut self, key: &str, default: u32) -> RuntimeResult<u32> {
        let number = self.number(key, u64::from(default))?;
        u32::try_from(number)
            .ok()
            .filter(|days| (1..=36_500).contains(days))
            .ok_or_else(|| self.wrong(key, "must be a number of days from 1 to 36500"))
    }

    pub(super) fn size(&mut self, key: &str, default: u64) -> RuntimeResult<u64> {
        match self.any(key) {
            None => Ok(default),
            Some(Json::String(text)) => size_bytes(text).map_err(|why| self.wrong(key, why)),
            Some(_) => Err(self.wrong(key, "must be a string such as \"5MB\"")),
        }
    }

    /// Milliseconds, rounded up, so that a short time is not none.
    pub(super) fn time_ms(&mut self, key: &str, default_ms: u64) -> RuntimeResult<u64> {
        match self.any(key) {
            None => Ok(default_ms),
            Some(Json::String(text)) => {
                time_us(text).map(|us| us.div_ceil(1_000)).map_err(|why| self.wrong(key, why))
            }
            Some(_) => Err(self.wrong(key, "must be a string such as \"100ms\"")),
        }
    }

    /// One of a few words; without a default it is required.
    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &str,
        choices: &[(&str, T)],
        default: Option<T>,
    ) -> RuntimeResult<T> {
        let words = || choices.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
        match (self.optional_text(key)?, default) {
            (None, Some(default)) => Ok(default),
            (None, None) => Err(self.wrong(key, format!("is missing; it is one of {}", words()))),
            (Some(text), _) => choices
                .iter()
                .find(|(word, _)| *word == text)
                .map(|(_, value)| *value)
                .ok_or_else(|| self.wrong(key, format!("{text:?} is none of {}", words()))),
        }
    }

    /// Refuses keys that nobody asked for.
    pub(super) fn finish(self) -> RuntimeResult<()> {
        if self.lenient {
            return Ok(());
        }
        let Some(unknown) = self.keys().into_iter().find(|key| !self.known.contains(key)) else {
            return Ok(());
        };
        let nearest = self.known.iter().min_by_key(|known| distance(known, &unknown));
        let hint = match nearest {
            Some(nearest) if distance(nearest, &unknown) <= unknown.len().div_ceil(2) => {
                format!("; did you mean {nearest:?}?")
            }
            _ => String::new(),
        };
        Err(self.wrong(&unknown, format!("unknown key {unknown:?}{hint}")))
    }
}

/// Levenshtein's distance.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, from) in left.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, to) in right.iter().enumerate() {
            let changed = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_levenshteins() {
        assert_eq!(distance("chunk_size", "chunk_size"), 0);
        assert_eq!(distance("chunk_size", "chunksize"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}
