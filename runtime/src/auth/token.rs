//! A bearer token, taken apart (RFC 7519, RFC 7515; reference C.3). Nothing in it is true until a
//! key has verified its signature.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value as Json;

use super::keys::Algorithm;
use crate::limits::{JWT_BYTES_MAX, JWT_KID_BYTES_MAX};

const SCHEME: &str = "Bearer";

/// A token whose fields have the right types.
#[derive(Debug)]
pub(crate) struct Token<'a> {
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: String,
    /// First second at which it is no longer taken, less one.
    pub(crate) exp: u64,
    /// First second at which it is taken.
    pub(crate) nbf: Option<u64>,
    pub(crate) iss: String,
    pub(crate) tid: Option<String>,
    /// An object, as sent.
    pub(crate) header: Json,
    /// An object, as sent.
    pub(crate) payload: Json,
    /// What the signature covers.
    pub(crate) signed: &'a str,
    pub(crate) signature: Vec<u8>,
}

impl<'a> Token<'a> {
    /// From the value of an `authorization` header.
    ///
    /// # Errors
    /// What is wrong with it, for the client; the token's content is not repeated.
    pub(crate) fn from_header(value: &'a str) -> Result<Self, String> {
        let (scheme, token) = value
            .split_once(' ')
            .ok_or_else(|| "Authorization header only contains one field".to_owned())?;
        if scheme != SCHEME {
            return Err(format!("Authorization header does not have {SCHEME} scheme"));
        }
        Self::parse(token)
    }

    fn parse(token: &'a str) -> Result<Self, String> {
        if token.len() > JWT_BYTES_MAX {
            return Err(format!("JWT has {} bytes, more than {JWT_BYTES_MAX}", token.len()));
        }
        let parts = token
            .rsplit_once('.')
            .and_then(|(signed, signature)| {
                let (header, payload) = signed.split_once('.')?;
                (!payload.contains('.')).then_some((signed, header, payload, signature))
            })
            .ok_or_else(|| "Malformed JWT: must contain exactly 3 parts".to_owned())?;
        let (signed, header, payload, signature) = parts;
        let header = decode("header", header)?;
        let payload = decode("payload", payload)?;
        let signature = decode("signature", signature)?;
        let header = object(&header)?;
        let payload = object(&payload)?;
        let schema = |problem: &str| format!("JWT header does not follow schema: {problem}");
        let algorithm = match header.get("alg").and_then(Json::as_str) {
            Some("RS256") => Algorithm::Rs256,
            Some("ES256") => Algorithm::Es256,
            _ => return Err(schema("At /alg: must be RS256 or ES256")),
        };
        let kid = header
            .get("kid")
            .and_then(Json::as_str)
            .filter(|kid| kid.len() <= JWT_KID_BYTES_MAX)
            .ok_or_else(|| schema("At /kid: must be a string"))?
            .to_owned();
        if header.get("crit").is_some() {
            return Err(schema("At /crit: no extension is understood"));
        }
        let schema = |problem: &str| format!("JWT payload does not follow schema: {problem}");
        let exp = match payload.get("exp") {
            Some(exp) => seconds(exp),
            None => return Err("JWT payload is missing required field: exp".to_owned()),
        };
        let exp = exp.ok_or_else(|| schema("At /exp: must be a number of seconds"))?;
        let nbf = match payload.get("nbf") {
            None | Some(Json::Null) => None,
            Some(nbf) => {
                Some(seconds(nbf).ok_or_else(|| schema("At /nbf: must be a number of seconds"))?)
            }
        };
        let iss = match payload.get("iss") {
            Some(iss) => iss.as_str().map(str::to_owned),
            None => return Err("JWT payload is missing required field: iss".to_owned()),
        };
        let iss = iss.ok_or_else(|| schema("At /iss: must be a string"))?;
        let tid = match payload.get("tid") {
            None | Some(Json::Null) => None,
            Some(Json::String(tid)) => Some(tid.clone()),
            Some(_) => return Err(schema("At /tid: must be a string")),
        };
        Ok(Self { algorithm, kid, exp, nbf, iss, tid, header, payload, signed, signature })
    }
}

fn decode(part: &str, text: &str) -> Result<Vec<u8>, String> {
    if text.is_empty() {
        return Err(format!("JWT part is empty ({part})"));
    }
    URL_SAFE_NO_PAD.decode(text).map_err(|_| format!("Failed to parse base64url in JWT ({part})"))
}

fn object(bytes: &[u8]) -> Result<Json, String> {
    let value: Json = serde_json::from_slice(bytes)
        .map_err(|error| format!("JWT header or payload is not valid JSON: {error}"))?;
    if value.is_object() {
        Ok(value)
    } else {
        Err("JWT header or payload is not an object".to_owned())
    }
}

/// A `NumericDate` (RFC 7519, 2), cut to whole seconds.
fn seconds(value: &Json) -> Option<u64> {
    value.as_u64().or_else(|| {
        let fractional = value.as_f64().filter(|seconds| *seconds >= 0.0)?;
        Some(fractional as u64)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn value(header: &Json, payload: &Json) -> String {
        let part = |json: &Json| URL_SAFE_NO_PAD.encode(json.to_string());
        format!("Bearer {}.{}.{}", part(header), part(payload), "c2ln")
    }

    fn good() -> (Json, Json) {
        (json!({"alg": "RS256", "kid": "k"}), json!({"exp": 10, "iss": "i", "more": [1]}))
    }

    fn refusal(header: &Json, payload: &Json) -> String {
        Token::from_header(&value(header, payload)).unwrap_err()
    }

    #[test]
    fn a_token_is_taken_apart() {
        let (header, payload) = good();
        let sent = value(&header, &payload);
        let token = Token::from_header(&sent).unwrap();
        assert_eq!((token.header, token.payload), (header, payload));
        assert_eq!((token.exp, token.nbf, token.kid.as_str()), (10, None, "k"));
        assert_eq!(token.signature, b"sig");
        assert_eq!(format!("Bearer {}.c2ln", token.signed), sent);
        let (header, _) = good();
        let payload = json!({"exp": 10.9, "nbf": 1e300, "iss": "", "tid": "t"});
        let sent = value(&header, &payload);
        let token = Token::from_header(&sent).unwrap();
        assert_eq!((token.exp, token.nbf, token.tid.as_deref()), (10, Some(u64::MAX), Some("t")));
    }

    #[test]
    fn what_is_malformed_is_named() {
        for (value, expected) in [
            ("", "Authorization header only contains one field"),
            ("Bearer", "Authorization header only contains one field"),
            ("bearer a.b.c", "Authorization header does not have Bearer scheme"),
            ("Basic a.b.c", "Authorization header does not have Bearer scheme"),
            ("Bearer abc.def", "Malformed JWT: must contain exactly 3 parts"),
            ("Bearer abc.def.ghi.jkl", "Malformed JWT: must contain exactly 3 parts"),
            ("Bearer ", "Malformed JWT: must contain exactly 3 parts"),
            ("Bearer Zm9v.YmF6.=wwy", "Failed to parse base64url in JWT (signature)"),
            ("Bearer Zm9v.=wwy.YmF6", "Failed to parse base64url in JWT (payload)"),
            ("Bearer =wwy.Zm9v.YmF6", "Failed to parse base64url in JWT (header)"),
            ("Bearer Zm9v.Zm9v.YmF+", "Failed to parse base64url in JWT (signature)"),
            ("Bearer  Zm9v.Zm9v.YmF6", "Failed to parse base64url in JWT (header)"),
            ("Bearer .abc.abc", "JWT part is empty (header)"),
            ("Bearer Zm9v..abc", "JWT part is empty (payload)"),
            ("Bearer Zm9v.Zm9v.", "JWT part is empty (signature)"),
            ("Bearer MQ.MQ.MQ", "JWT header or payload is not an object"),
        ] {
            assert_eq!(Token::from_header(value).unwrap_err(), expected, "{value}");
        }
        let nonsense = Token::from_header("Bearer Zm9v.Zm9v.YmF6").unwrap_err();
        assert!(nonsense.starts_with("JWT header or payload is not valid JSON: "), "{nonsense}");
        let long = format!("Bearer {}", "a".repeat(JWT_BYTES_MAX + 1));
        assert_eq!(Token::from_header(&long).unwrap_err(), "JWT has 65537 bytes, more than 65536");
    }

    #[test]
    fn fields_have_types() {
        let (header, payload) = good();
        for (field, wrong, place) in [
            ("alg", json!("none"), "header does not follow schema: At /alg"),
            ("alg", json!("HS256"), "header does not follow schema: At /alg"),
            ("alg", json!("RS512"), "header does not follow schema: At /alg"),
            ("alg", json!("rs256"), "header does not follow schema: At /alg"),
            ("alg", json!(null), "header does not follow schema: At /alg"),
            ("kid", json!(null), "header does not follow schema: At /kid"),
            ("kid", json!(1), "header does not follow schema: At /kid"),
            ("kid", json!("x".repeat(1025)), "header does not follow schema: At /kid"),
            ("crit", json!(["b64"]), "header does not follow schema: At /crit"),
        ] {
            let mut header = header.clone();
            header[field] = wrong;
            let reason = refusal(&header, &payload);
            assert!(reason.starts_with(&format!("JWT {place}")), "{reason}");
        }
        for (field, wrong) in [
            ("exp", json!("10")),
            ("exp", json!(-1)),
            ("exp", json!(null)),
            ("nbf", json!("1")),
            ("nbf", json!(-0.5)),
            ("iss", json!(["i"])),
            ("tid", json!(7)),
        ] {
            let mut payload = payload.clone();
            payload[field] = wrong;
            let expected = format!("JWT payload does not follow schema: At /{field}: ");
            let reason = refusal(&header, &payload);
            assert!(reason.starts_with(&expected), "{reason}");
        }
        let missing = refusal(&header, &json!({"iss": "i"}));
        assert_eq!(missing, "JWT payload is missing required field: exp");
        assert_eq!(
            refusal(&header, &json!({"exp": 1})),
            "JWT payload is missing required field: iss"
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>(), bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Token::from_header(&text);
            let _ = Token::from_header(&format!("Bearer {text}"));
            let part = URL_SAFE_NO_PAD.encode(&bytes);
            let _ = Token::from_header(&format!("Bearer {part}.{part}.{part}"));
            let _ = Token::from_header(&format!("Bearer {part}.{text}.{part}"));
        }

        #[test]
        fn no_json_panics(header in "[{}\\[\\]\":,a-z0-9.eE+-]{0,60}", payload in "[{}\":,expnbfisstd0-9.eE+-]{0,60}") {
            let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
            let _ = Token::from_header(&format!("Bearer {}.{}.YQ", part(&header), part(&payload)));
            let header = part(r#"{"alg":"ES256","kid":""}"#);
            let payload = part(&format!("{{\"exp\":1,\"iss\":\"\",{payload}}}"));
            let _ = Token::from_header(&format!("Bearer {header}.{payload}.YQ"));
        }
    }
}
