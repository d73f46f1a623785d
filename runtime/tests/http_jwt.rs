//! The policy `jwt` over real sockets (reference C.3): which tokens are taken, what the handler
//! sees, and what the others hear.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod http_support;
mod token_support;

use std::sync::{Arc, OnceLock};

use affiant::auth::AuthnPolicy;
use affiant::jwt::{remove_public_signing_keys, set_public_signing_keys};
use affiant::node::Node;
use affiant::tables::{
    JWT_CERTIFICATES, JWT_FIRST_CERTIFICATES, JWT_FIRST_ISSUERS, JWT_KEYS, to_json_bytes,
};
use affiant::{Caller, EndpointOptions, Listener, Respond, Response, Runtime};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http_support::{Answer, Client, listener, records, settings, valid};
use serde_json::{Value as Json, json};
use token_support::{TokenKey, claims, now_s, register, transact};

fn early() -> EndpointOptions {
    EndpointOptions::native().respond(Respond::AtOnce)
}

fn shown(caller: &Caller) -> Json {
    match caller {
        Caller::Jwt(jwt) => json!({
            "policy": "jwt", "keyIssuer": &*jwt.key_issuer,
            "header": jwt.header, "payload": jwt.payload,
        }),
        Caller::AllOf(parts) => {
            parts.iter().map(|(name, caller)| (name.clone(), shown(caller))).collect()
        }
        other => json!(other.policy()),
    }
}

fn start_with(listener: Listener) -> Runtime {
    let user = valid("user");
    let both = EndpointOptions {
        authn_policies: vec![AuthnPolicy::AllOf(vec!["no_auth".to_owned(), "jwt".to_owned()])],
        ..early()
    };
    let who = |request: &affiant::Request, _: &mut affiant::Tx| {
        Ok(Response::json(200, &request.caller().map_or(Json::Null, shown)))
    };
    Runtime::builder()
        .node(settings(&[&user]))
        .endpoint("GET", "/who", early().policies(&["jwt"]), who)
        .endpoint("GET", "/anybody", early().policies(&["jwt", "no_auth"]), who)
        .endpoint("GET", "/both", both, who)
        .endpoint("GET", "/cert_last", early().policies(&["jwt", "user_cert"]), who)
        .endpoint("GET", "/jwt_last", early().policies(&["user_cert", "jwt"]), who)
        .http_threads(1)
        .listen(listener)
        .start()
        .unwrap()
}

fn start() -> Runtime {
    start_with(listener())
}

fn ask(client: &mut Client, target: &str, token: &str) -> Answer {
    client.request("GET", target, &[("authorization", &format!("Bearer {token}"))], b"")
}

/// The policy's reason for refusing the token.
fn refusal(client: &mut Client, token: &str) -> String {
    let answer = ask(client, "/app/who", token);
    assert_eq!(answer.status, 401, "{}", answer.text());
    assert_eq!(answer.message(), "Invalid authentication credentials.");
    assert_eq!(
        answer.header("www-authenticate"),
        Some(r#"Bearer realm="JWT bearer token access", error="invalid_token""#)
    );
    assert_eq!(answer.txid(), None);
    let details = answer.json()["error"]["details"][0].clone();
    assert_eq!(details["auth_policy"], "jwt");
    assert_eq!(details["code"], "InvalidAuthenticationInfo");
    details["message"].as_str().unwrap().to_owned()
}

#[test]
fn the_handler_sees_what_the_token_says() {
    let runtime = start();
    let mut client = Client::new(&runtime);
    for (kid, key) in [("rsa", TokenKey::rsa(0)), ("ec", TokenKey::ec())] {
        register(runtime.node(), "https://issuer.example.com", &[key.jwk(kid)]);
        let mut payload = claims("whoever, since the key is not constrained");
        payload["roles"] = json!(["a", {"b": null}]);
        let answer = ask(&mut client, "/app/who", &key.token(kid, &payload));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let jwt = json!({
            "policy": "jwt", "keyIssuer": "https://issuer.example.com",
            "header": {"alg": key.algorithm(), "kid": kid, "typ": "JWT"},
            "payload": payload,
        });
        assert_eq!(answer.json(), jwt);
        let answer = ask(&mut client, "/app/both", &key.token(kid, &payload));
        assert_eq!(answer.json(), json!({"jwt": jwt, "no_auth": "no_auth"}));
    }
    // Registering the second key has replaced the first.
    let old = TokenKey::rsa(0).token("rsa", &claims("i"));
    assert_eq!(refusal(&mut client, &old), "JWT signing key not found for kid rsa");
}

#[test]
fn tokens_that_do_not_hold_are_refused() {
    let runtime = start();
    let mut client = Client::new(&runtime);
    let (key, other, curve) = (TokenKey::rsa(0), TokenKey::rsa(1), TokenKey::ec());
    register(runtime.node(), "https://issuer.example.com", &[key.jwk("k"), curve.jwk("c")]);
    let good = key.token("k", &claims("i"));
    assert_eq!(ask(&mut client, "/app/who", &good).status, 200);
    let (signed, _) = good.rsplit_once('.').unwrap();
    let with = |field: &str, value: Json| {
        let mut payload = claims("i");
        payload[field] = value;
        key.token("k", &payload)
    };
    let named =
        |algorithm: &str| key.token_with(&json!({"alg": algorithm, "kid": "k"}), &claims("i"));

    let reason = refusal(&mut client, &with("exp", json!(now_s() - 10)));
    assert!(reason.contains("is after token's Expiration Time (exp) claim"), "{reason}");
    let reason = refusal(&mut client, &with("nbf", json!(now_s() + 100)));
    assert!(reason.contains("is before token's Not Before (nbf) claim"), "{reason}");
    let wrong_key = "Signature verification failed";
    assert_eq!(refusal(&mut client, &other.token("k", &claims("i"))), wrong_key);
    assert_eq!(refusal(&mut client, &curve.token("k", &claims("i"))), wrong_key);
    assert_eq!(refusal(&mut client, &key.token("c", &claims("i"))), wrong_key);
    // The right key under the other algorithm's name.
    assert_eq!(refusal(&mut client, &named("ES256")), wrong_key);
    // Signed for other claims, cut, and not signed at all.
    let payload = URL_SAFE_NO_PAD.encode(claims("j").to_string());
    let parts: Vec<&str> = good.split('.').collect();
    assert_eq!(refusal(&mut client, &format!("{}.{payload}.{}", parts[0], parts[2])), wrong_key);
    assert_eq!(refusal(&mut client, &good[..good.len() - 2]), wrong_key);
    assert_eq!(refusal(&mut client, &format!("{signed}.")), "JWT part is empty (signature)");
    assert_eq!(refusal(&mut client, signed), "Malformed JWT: must contain exactly 3 parts");
    let schema = "JWT header does not follow schema: At /alg: must be RS256 or ES256";
    for algorithm in ["none", "HS256", "RS384", "ES384", "PS256", ""] {
        assert_eq!(refusal(&mut client, &named(algorithm)), schema);
    }
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","kid":"k"}"#);
    assert_eq!(
        refusal(&mut client, &format!("{none}.{payload}.")),
        "JWT part is empty (signature)"
    );
    // Signed with the public key as if it were a shared secret.
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","kid":"k"}"#);
    let mac = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &key.public_der());
    let tag = aws_lc_rs::hmac::sign(&mac, format!("{header}.{payload}").as_bytes());
    let forged = format!("{header}.{payload}.{}", URL_SAFE_NO_PAD.encode(tag));
    assert_eq!(refusal(&mut client, &forged), schema);

    let no_kid = key.token_with(&json!({"alg": "RS256"}), &claims("i"));
    assert!(refusal(&mut client, &no_kid).contains("At /kid"));
    let unknown = key.token("nobody's", &claims("i"));
    assert_eq!(refusal(&mut client, &unknown), "JWT signing key not found for kid nobody's");
    assert!(refusal(&mut client, &with("iss", json!(null))).contains("At /iss"));
    assert_eq!(
        refusal(&mut client, &key.token("k", &json!({"iss": "i"}))),
        "JWT payload is missing required field: exp"
    );
    for (token, expected) in [
        ("Zm9v.YmF6.=wwy", "Failed to parse base64url in JWT (signature)"),
        ("Zm9v.=wwy.YmF6", "Failed to parse base64url in JWT (payload)"),
        ("=wwy.Zm9v.YmF6", "Failed to parse base64url in JWT (header)"),
        ("a.b.c.d", "Malformed JWT: must contain exactly 3 parts"),
    ] {
        assert_eq!(refusal(&mut client, token), expected);
    }
    assert_eq!(ask(&mut client, "/app/who", &good).status, 200, "the session goes on");
}

#[test]
fn other_schemes_and_policies_have_their_say() {
    let runtime = start();
    let mut client = Client::new(&runtime);
    let message = |answer: &Answer, index: usize| {
        let details = &answer.json()["error"]["details"][index];
        format!("{}: {}", details["auth_policy"], details["message"]).replace('"', "")
    };
    let answer = client.get("/app/who");
    assert_eq!(
        (answer.status, message(&answer, 0).as_str()),
        (401, "jwt: Missing authorization header")
    );
    let answer = client.request("GET", "/app/who", &[("authorization", "Basic eDp5")], b"");
    assert_eq!(message(&answer, 0), "jwt: Authorization header does not have Bearer scheme");
    let answer = client.request("GET", "/app/who", &[("authorization", "Bearer")], b"");
    assert_eq!(message(&answer, 0), "jwt: Authorization header only contains one field");
    assert_eq!(client.get("/app/anybody").json(), json!("no_auth"));
    assert_eq!(ask(&mut client, "/app/anybody", "a.b.c").json(), json!("no_auth"));
    // The last policy's challenge, and everybody's reason in order.
    let answer = client.get("/app/cert_last");
    assert_eq!(answer.header("www-authenticate"), None);
    assert_eq!(message(&answer, 0), "jwt: Missing authorization header");
    assert_eq!(message(&answer, 1), "user_cert: No caller user certificate");
    let answer = client.get("/app/jwt_last");
    assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer realm="));
    assert_eq!(message(&answer, 1), "jwt: Missing authorization header");
    let answer = client.get("/app/both");
    assert_eq!(message(&answer, 0), "jwt+no_auth: jwt:Missing authorization header");
    assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer realm="));
}

#[test]
fn oversized_tokens_are_refused_where_they_first_do_not_fit() {
    let runtime = start();
    let key = TokenKey::ec();
    register(runtime.node(), "i", &[key.jwk("k")]);
    let sized = |bytes: usize| {
        let mut payload = claims("i");
        payload["fill"] = json!("x".repeat(bytes));
        key.token("k", &payload)
    };
    let mut client = Client::new(&runtime);
    assert_eq!(ask(&mut client, "/app/who", &sized(8_000)).status, 200);
    let answer = ask(&mut client, "/app/who", &sized(20_000));
    assert_eq!((answer.status, answer.code().as_str()), (431, "RequestHeaderTooLarge"));
    let mut wide = listener();
    wide.header_bytes_max = 256 << 10;
    let runtime = start_with(wide);
    register(runtime.node(), "i", &[key.jwk("k")]);
    let mut client = Client::new(&runtime);
    assert_eq!(ask(&mut client, "/app/who", &sized(40_000)).status, 200);
    let reason = refusal(&mut client, &sized(60_000));
    assert!(reason.starts_with("JWT has ") && reason.ends_with("more than 65536"), "{reason}");
}

#[test]
fn constraints_bind_a_key_to_an_issuer() {
    let runtime = start();
    let mut client = Client::new(&runtime);
    let key = TokenKey::ec();
    let constrained = |constraint: &str| {
        let mut jwk = key.jwk("k");
        jwk["issuer"] = json!(constraint);
        jwk
    };
    let mut check = |constraint: &str, iss: &str, tid: Option<&str>, taken: bool| {
        let mut payload = claims(iss);
        if let Some(tid) = tid {
            payload["tid"] = json!(tid);
        }
        let token = key.token("k", &payload);
        if taken {
            let answer = ask(&mut client, "/app/who", &token);
            assert_eq!(answer.status, 200, "{iss} {tid:?}: {}", answer.text());
        } else {
            assert_eq!(
                refusal(&mut client, &token),
                format!("Kid k failed issuer constraint validation {constraint}")
            );
        }
    };
    let plain = "https://issuer.example.com/x";
    register(runtime.node(), "https://issuer.example.com", &[constrained(plain)]);
    check(plain, plain, None, true);
    check(plain, "https://issuer.example.com", None, false);
    check(plain, plain, Some("tenant"), false);
    transact(runtime.node(), |tx| {
        remove_public_signing_keys(tx, "https://issuer.example.com").unwrap();
    });
    let entra = "https://login.microsoftonline.com";
    let own = "https://login.microsoftonline.com/9188050d/v2.0";
    register(runtime.node(), entra, &[constrained(own)]);
    check(own, own, Some("9188050d"), true);
    check(own, own, Some("garbage"), false);
    check(own, own, Some("{tenantid}"), false);
    check(own, own, None, false);
    let every = "https://login.microsoftonline.com/{tenantid}/v2.0";
    register(runtime.node(), entra, &[constrained(every)]);
    check(every, own, Some("9188050d"), true);
    check(every, own, Some("other"), false);
    check(every, every, None, false);
}

#[test]
fn several_issuers_may_use_one_key_id() {
    let runtime = start();
    let node = runtime.node();
    let mut client = Client::new(&runtime);
    let (first, second) = (TokenKey::ec(), TokenKey::rsa(0));
    register(node, "https://first.example.com", &[first.jwk("k")]);
    let mut jwk = second.jwk("k");
    jwk["issuer"] = json!("https://example.com/second");
    register(node, "https://second.example.com", &[jwk]);
    let mut issuer = |key: &TokenKey, iss: &str| {
        let answer = ask(&mut client, "/app/who", &key.token("k", &claims(iss)));
        answer.json()["keyIssuer"].as_str().map(str::to_owned)
    };
    assert_eq!(issuer(&first, "x").as_deref(), Some("https://first.example.com"));
    let iss = "https://example.com/second";
    assert_eq!(issuer(&second, iss).as_deref(), Some("https://second.example.com"));
    assert_eq!(issuer(&second, "x"), None);
    // The same key for both: the first whose constraint admits the token.
    let mut jwk = second.jwk("k");
    jwk["issuer"] = json!("https://first.example.com");
    register(node, "https://first.example.com", &[jwk]);
    assert_eq!(issuer(&second, iss).as_deref(), Some("https://second.example.com"));
    assert_eq!(
        issuer(&second, "https://first.example.com").as_deref(),
        Some("https://first.example.com")
    );
    transact(node, |tx| remove_public_signing_keys(tx, "https://second.example.com").unwrap());
    assert_eq!(issuer(&second, iss), None);
    transact(node, |tx| remove_public_signing_keys(tx, "https://first.example.com").unwrap());
    assert_eq!(node.snapshot().entries(JWT_KEYS.as_str()).count(), 0);
}

#[test]
fn a_key_that_was_replaced_or_removed_is_not_trusted_on() {
    let node: Arc<OnceLock<Arc<Node>>> = Arc::default();
    let inner = node.clone();
    let (old, new) = (TokenKey::ec(), TokenKey::ec());
    let runtime = Runtime::builder()
        .node(settings(&[]))
        .endpoint("POST", "/who", early().policies(&["jwt"]), move |request, tx| {
            // The key goes while the handler runs.
            if request.body().as_ref() == b"remove" {
                transact(inner.get().unwrap(), |tx| remove_public_signing_keys(tx, "i").unwrap());
            }
            tx.put(&records(), b"x", request.body())?;
            Ok(Response::empty(204))
        })
        .listen(listener())
        .start()
        .unwrap();
    node.set(runtime.node().clone()).unwrap_or_default();
    let mut client = Client::new(&runtime);
    let mut post = |key: &TokenKey, body: &[u8]| {
        let token = format!("Bearer {}", key.token("k", &claims("i")));
        client.request("POST", "/app/who", &[("authorization", &token)], body).status
    };
    register(runtime.node(), "i", &[old.jwk("k")]);
    assert_eq!(post(&old, b"x"), 204);
    register(runtime.node(), "i", &[new.jwk("k")]);
    assert_eq!((post(&old, b"x"), post(&new, b"x")), (401, 204));
    assert_eq!(post(&new, b"remove"), 401, "the key was read in the transaction");
    let kept = runtime.node().snapshot().get("records", b"x").unwrap();
    assert_eq!(&*kept, b"x", "what it wrote is gone");
}

#[test]
fn tables_of_older_versions_are_looked_at_last() {
    let runtime = start();
    let node = runtime.node();
    let mut client = Client::new(&runtime);
    let certificate = |key: &rcgen::KeyPair| {
        let parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
        parameters.self_signed(key).unwrap().der().to_vec()
    };
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let key = TokenKey::Ec(
        aws_lc_rs::signature::EcdsaKeyPair::from_pkcs8(
            &aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING,
            &pair.serialize_der(),
        )
        .unwrap(),
    );
    let der = certificate(&pair);
    // A new registration by certificate stores its key.
    register(node, "i", &[json!({"kid": "c", "kty": "EC", "x5c": [STANDARD.encode(&der)]})]);
    assert_eq!(ask(&mut client, "/app/who", &key.token("c", &claims("i"))).status, 200);
    transact(node, |tx| tx.put(&JWT_FIRST_CERTIFICATES, b"k", &der).unwrap());
    let token = key.token("k", &claims("iss"));
    assert_eq!(
        refusal(&mut client, &token),
        "JWT signing key fallback issuers not found for kid k"
    );
    let mut issuer = || {
        let answer = ask(&mut client, "/app/who", &token);
        answer.json()["keyIssuer"].as_str().map(str::to_owned)
    };
    transact(node, |tx| tx.put(&JWT_FIRST_ISSUERS, b"k", b"first").unwrap());
    assert_eq!(issuer().as_deref(), Some("first"));
    let row = json!([{"cert": STANDARD.encode(&der), "issuer": "second", "constraint": "iss"}]);
    transact(node, |tx| tx.put(&JWT_CERTIFICATES, b"k", &to_json_bytes(&row)).unwrap());
    assert_eq!(issuer().as_deref(), Some("second"));
    register(node, "third", &[key.jwk("k")]);
    assert_eq!(issuer().as_deref(), Some("third"));
    // A row that is no such thing admits nobody, and nothing behind it is asked.
    transact(node, |tx| tx.put(&JWT_KEYS, b"k", b"nonsense").unwrap());
    assert_eq!(issuer(), None);
}

#[test]
fn sets_of_keys_are_registered_whole_or_not_at_all() {
    let runtime = start();
    let node = runtime.node();
    let key = TokenKey::ec();
    let issuer = "https://issuer.example.com";
    let attempt = |jwks: Json| {
        let mut tx = node.begin();
        let result = set_public_signing_keys(&mut tx, issuer, &Json::Null, &jwks);
        assert!(result.is_ok() || !tx.has_writes());
        result.map_err(|error| error.to_string())
    };
    let with = |field: &str, value: Json| {
        let mut jwk = key.jwk("k");
        jwk[field] = value;
        json!({"keys": [key.jwk("fine"), jwk]})
    };
    assert_eq!(attempt(json!({"keys": []})).unwrap_err(), "JWKS has no keys");
    assert!(attempt(json!([])).unwrap_err().contains("a list `keys`"));
    assert!(attempt(with("kid", json!(7))).unwrap_err().contains("key number 2 has no kid"));
    for (field, value, expected) in [
        ("x", json!("AA"), "JWKS kid k: x, y, crv: "),
        ("crv", json!("P-999"), "JWKS kid k: x, y, crv: "),
        ("x", json!(null), "JWKS kid k: "),
        (
            "issuer",
            json!("https://elsewhere.com"),
            "JWKS kid k: issuer: https://elsewhere.com is neither",
        ),
        ("issuer", json!(1), "JWKS kid k: issuer: must be a string"),
    ] {
        let error = attempt(with(field, value)).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
    let certificate = |x5c: Json| json!({"keys": [{"kid": "k", "kty": "RSA", "x5c": x5c}]});
    for x5c in [json!(["AAAA"]), json!(["?"]), json!([]), json!(7)] {
        let error = attempt(certificate(x5c)).unwrap_err();
        assert!(error.starts_with("JWKS kid k: x5c: "), "{error}");
    }
    let error = attempt(json!({"keys": [{"kid": "k", "kty": "RSA"}]})).unwrap_err();
    assert!(error.starts_with("JWKS kid k: key: one of n and e"), "{error}");
    assert!(attempt(json!({"keys": vec![key.jwk("k"); 257]})).unwrap_err().contains("257 keys"));
    // Raw values come before the certificate, and RSA before EC.
    let mut jwk = key.jwk("k");
    jwk["x5c"] = json!(["AAAA"]);
    attempt(json!({"keys": [jwk]})).unwrap();

    register(node, issuer, &[key.jwk("k"), TokenKey::rsa(0).jwk("k")]);
    let row = node.snapshot().get(JWT_KEYS.as_str(), b"k").unwrap();
    let stored = json!([{"issuer": issuer, "public_key": STANDARD.encode(key.public_der())}]);
    assert_eq!(&*row, &*to_json_bytes(&stored), "the first of two keys with one id");
    let version = || node.snapshot().version_of_map(JWT_KEYS.as_str());
    let before = version();
    register(node, issuer, &[key.jwk("k")]);
    assert_eq!(version(), before, "nothing is written where nothing changes");
    register(node, issuer, &[key.jwk("l")]);
    let kids: Vec<Vec<u8>> =
        node.snapshot().entries(JWT_KEYS.as_str()).map(|(kid, _, _)| kid.to_vec()).collect();
    assert_eq!(kids, [b"l".to_vec()]);
}
