//! What fresh evidence is bound to: who asked for it, which node and service it is of, and the bytes
//! of whoever asked.
//!
//! Bound bytes that an app chooses are wrapped in a statement that says `app`, and evidence that the
//! node makes of itself is bound to its public key, or to a statement that says `node`. So no app can
//! have evidence made that passes for the node's own, whatever bytes it asks for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::error::AttestError;
use crate::limits::{STATEMENT_BOUND_BYTES_MAX, STATEMENT_BYTES_MAX, STATEMENT_KEY_BYTES_MAX};

const WHAT: &str = "statement";

/// On whose behalf evidence was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Affiant {
    /// The node's own: somebody asked it at `/node/attestations/self`.
    Node,
    /// An application's, by `ccf.getAttestation` and its siblings.
    App,
}

impl Affiant {
    /// As the statement has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::App => "app",
        }
    }
}

/// What fresh evidence is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// On whose behalf it was made.
    pub affiant: Affiant,
    /// The key of the node that had it made: DER SubjectPublicKeyInfo. It is also the key of the
    /// node's TLS certificate, which ties a connection to the evidence.
    pub node_public_key: Vec<u8>,
    /// The key of the service that the node is of: DER SubjectPublicKeyInfo.
    pub service_identity: Vec<u8>,
    /// An app's own bytes; for the node, the nonce of whoever asked, or nothing.
    pub bound: Vec<u8>,
}

/// The JSON of a statement, its fields in the order in which they are written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    affiant: Affiant,
    node_public_key: String,
    service_identity: String,
    bound: String,
}

impl Statement {
    /// The bytes that evidence is bound to: compact JSON, byte strings in base64.
    ///
    /// # Errors
    /// A field is empty that must not be, or over its bound.
    pub fn to_bytes(&self) -> Result<Vec<u8>, AttestError> {
        self.check()?;
        let written = Written {
            affiant: self.affiant,
            node_public_key: STANDARD.encode(&self.node_public_key),
            service_identity: STANDARD.encode(&self.service_identity),
            bound: STANDARD.encode(&self.bound),
        };
        serde_json::to_vec(&written)
            .map_err(|error| AttestError::malformed(WHAT, error.to_string()))
    }

    /// Reads bound bytes.
    ///
    /// # Errors
    /// They are no statement, which is no fault where they are a node's public key: evidence that
    /// CCF's nodes show is bound to that alone.
    pub fn parse(bytes: &[u8]) -> Result<Self, AttestError> {
        AttestError::bound(WHAT, bytes.len(), STATEMENT_BYTES_MAX)?;
        // serde would take a list of the fields' values for the object.
        if bytes.first() != Some(&b'{') {
            return Err(AttestError::malformed(WHAT, "it is no JSON object"));
        }
        let written: Written = serde_json::from_slice(bytes)
            .map_err(|error| AttestError::malformed(WHAT, error.to_string()))?;
        let decode = |field: &str, text: &str| {
            STANDARD
                .decode(text)
                .map_err(|error| AttestError::malformed(WHAT, format!("{field}: {error}")))
        };
        let statement = Self {
            affiant: written.affiant,
            node_public_key: decode("node_public_key", &written.node_public_key)?,
            service_identity: decode("service_identity", &written.service_identity)?,
            bound: decode("bound", &written.bound)?,
        };
        statement.check()?;
        Ok(statement)
    }

    fn check(&self) -> Result<(), AttestError> {
        for (name, key) in [
            ("node_public_key", &self.node_public_key),
            ("service_identity", &self.service_identity),
        ] {
            if key.is_empty() {
                return Err(AttestError::malformed(WHAT, format!("{name} is empty")));
            }
            AttestError::bound("key of a statement", key.len(), STATEMENT_KEY_BYTES_MAX)?;
        }
        let what = "bound bytes of a statement";
        AttestError::bound(what, self.bound.len(), STATEMENT_BOUND_BYTES_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(affiant: Affiant, bound: &[u8]) -> Statement {
        Statement {
            affiant,
            node_public_key: b"node key".to_vec(),
            service_identity: b"service key".to_vec(),
            bound: bound.to_vec(),
        }
    }

    #[test]
    fn the_bytes_are_these() {
        let bytes = statement(Affiant::App, &[0xff, 0xfe]).to_bytes().unwrap();
        let text = r#"{"affiant":"app","node_public_key":"bm9kZSBrZXk=","#.to_owned()
            + r#""service_identity":"c2VydmljZSBrZXk=","bound":"//4="}"#;
        assert_eq!(String::from_utf8(bytes).unwrap(), text);
        let bytes = statement(Affiant::Node, b"").to_bytes().unwrap();
        assert!(bytes.starts_with(br#"{"affiant":"node","#) && bytes.ends_with(br#","bound":""}"#));
    }

    #[test]
    fn whatever_is_written_is_read() {
        for affiant in [Affiant::Node, Affiant::App] {
            for size in [0, 1, 2, 3, 32, 64, STATEMENT_BOUND_BYTES_MAX] {
                let written = statement(affiant, &vec![7; size]);
                let bytes = written.to_bytes().unwrap();
                assert!(bytes.len() <= STATEMENT_BYTES_MAX, "{}", bytes.len());
                assert_eq!(Statement::parse(&bytes).unwrap(), written);
            }
        }
    }

    #[test]
    fn an_app_cannot_speak_as_the_node() {
        // Whatever bytes it brings, also those of a statement of the node, or the node's key.
        let node = statement(Affiant::Node, b"nonce").to_bytes().unwrap();
        for bound in [&node, b"node key".as_slice()] {
            let bytes = statement(Affiant::App, bound).to_bytes().unwrap();
            assert_ne!(bytes, bound);
            assert_eq!(Statement::parse(&bytes).unwrap().affiant, Affiant::App);
        }
    }

    #[test]
    fn what_is_no_statement_is_refused() {
        let good =
            r#"{"affiant":"app","node_public_key":"AQ==","service_identity":"AQ==","bound":""}"#;
        Statement::parse(good.as_bytes()).unwrap();
        let cases = [
            ("", "no JSON object"),
            ("null", "no JSON object"),
            (r#"["app","AQ==","AQ==",""]"#, "no JSON object"),
            ("{", "EOF"),
            (&*good.replace("app", "App"), "unknown variant"),
            (&*good.replace("app", "host"), "unknown variant"),
            (&*good.replace(r#""bound":"""#, r#""bound":"","more":1"#), "unknown field"),
            (&*good.replace(r#""bound":"""#, r#""bound":"","affiant":"node""#), "duplicate field"),
            (&*good.replace(r#","bound":"""#, ""), "missing field"),
            (&*good.replace(r#""bound":"""#, r#""bound":null"#), "invalid type"),
            (&*good.replace(r#""bound":"""#, r#""bound":"A""#), "bound: "),
            (&*good.replace(r#""bound":"""#, r#""bound":"A_==""#), "bound: "),
            (&*good.replace("AQ==", ""), "node_public_key is empty"),
            (&*good.replace(r#"identity":"AQ=="#, r#"identity":""#), "service_identity is empty"),
            (&*format!("{good} {{}}"), "trailing"),
        ];
        for (text, reason) in cases {
            let error = Statement::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_too_large_is_refused() {
        let over = statement(Affiant::App, &vec![0; STATEMENT_BOUND_BYTES_MAX + 1]);
        assert!(matches!(over.to_bytes(), Err(AttestError::TooLarge { .. })));
        let long = Statement { node_public_key: vec![1; 2000], ..statement(Affiant::App, b"") };
        assert!(matches!(long.to_bytes(), Err(AttestError::TooLarge { .. })));
        let spaces = vec![b' '; STATEMENT_BYTES_MAX + 1];
        assert!(matches!(Statement::parse(&spaces), Err(AttestError::TooLarge { .. })));
    }
}
