//! `--user-data`: what the service is to know about users, as a proposal `set_user` would tell it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value as Json;

/// Data by the number of the user.
#[derive(Debug, Default)]
pub(crate) struct UserData {
    by_number: BTreeMap<u16, Json>,
}

impl UserData {
    /// Reads `{"user0": ..., "user3": ...}`; nothing without a file.
    pub(crate) fn read(file: Option<&Path>) -> Result<Self, String> {
        let Some(file) = file else { return Ok(Self::default()) };
        let text = fs::read_to_string(file)
            .map_err(|error| format!("--user-data {}: {error}", file.display()))?;
        Self::parse(&text).map_err(|why| format!("--user-data {}: {why}", file.display()))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let users: BTreeMap<String, Json> = serde_json::from_str(text).map_err(|error| {
            format!("{error}; it must be an object such as {{\"user0\": {{\"role\": \"clerk\"}}}}")
        })?;
        let mut by_number = BTreeMap::new();
        for (name, data) in users {
            let number = name.strip_prefix("user").and_then(|number| number.parse::<u16>().ok());
            match number.filter(|number| *number < u16::MAX && name == format!("user{number}")) {
                Some(number) => by_number.insert(number, data),
                None => {
                    return Err(format!("{name:?} is no user; they are called user0, user1, ..."));
                }
            };
        }
        Ok(Self { by_number })
    }

    /// Users that there must be.
    pub(crate) fn user_count(&self) -> u16 {
        self.by_number.last_key_value().map_or(0, |(number, _)| number + 1)
    }

    /// The data of one user; null if none is given.
    pub(crate) fn of(&self, number: u16) -> Json {
        self.by_number.get(&number).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use serde_json::json;

    use super::*;

    #[test]
    fn data_belongs_to_numbered_users() {
        let data = UserData::parse(r#"{"user0": {"role": "clerk"}, "user2": 7}"#).unwrap();
        assert_eq!(data.user_count(), 3);
        assert_eq!(data.of(0), json!({"role": "clerk"}));
        assert_eq!(data.of(1), Json::Null);
        assert_eq!(data.of(2), json!(7));
        assert_eq!(UserData::read(None).unwrap().user_count(), 0);
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        for (text, needle) in [
            ("[]", "must be an object"),
            ("{", "must be an object"),
            (r#"{"ada": 1}"#, "\"ada\" is no user"),
            (r#"{"user01": 1}"#, "\"user01\" is no user"),
            (r#"{"user65535": 1}"#, "is no user"),
        ] {
            let refusal = UserData::parse(text).unwrap_err();
            assert!(refusal.contains(needle), "{refusal}");
        }
    }
}
