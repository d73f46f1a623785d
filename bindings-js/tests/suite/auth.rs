//! What a handler sees of its caller, policy by policy (reference C.2), and one policy end to end.

use std::sync::Arc;

use affiant::auth::{AuthnPolicy, CertCaller, JwtCaller};
use affiant::crypto::{CertificateRequest, Curve, SigningKey, SubjectName, certificate_id};
use affiant::hosting::AppBundle;
use affiant::jwt::set_public_signing_keys;
use affiant::node::{NewUser, NodeSettings};
use affiant::{Caller, Peer, Request, Runtime};
use affiant_js::JsFrontend;
use affiant_kv::CommitOutcome;
use affiant_proof::cose::{encode_sign1_attached, to_be_signed};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value as Json, json};

use crate::support::*;

fn known(data: Json) -> CertCaller {
    CertCaller { id: "ab12".into(), data, cert: "PEM".into() }
}

fn token() -> Caller {
    Caller::Jwt(JwtCaller {
        key_issuer: "https://issuer".into(),
        header: json!({"kid": "k", "alg": "RS256"}),
        payload: json!({"sub": "é\u{0}\"", "exp": 9_007_199_254_740_991_u64, "deep": [{"a": null}]}),
    })
}

fn signed(content: &'static [u8]) -> Caller {
    let content = bytes::Bytes::from_static(content);
    Caller::UserCoseSign1 { user: known(json!({"role": 1})), content }
}

fn caller_of(app: &mut App, caller: Caller) -> String {
    let request = Request::new("GET", "/x").unwrap().with_caller(Some(caller));
    app.call_with("run", &request).text()
}

#[test]
fn callers_have_ccfs_fields_in_ccfs_order() {
    let mut app = App::of(
        "export function run(request) { return { body: JSON.stringify(request.caller) }; }",
        &["run"],
    );
    let cases = [
        (Caller::NoAuth, r#"{"policy":"no_auth"}"#),
        (
            Caller::UserCert(known(json!(null))),
            r#"{"policy":"user_cert","id":"ab12","data":null,"cert":"PEM"}"#,
        ),
        (
            Caller::MemberCert(known(json!({"b": 1, "a": 2}))),
            r#"{"policy":"member_cert","id":"ab12","data":{"a":2,"b":1},"cert":"PEM"}"#,
        ),
        (Caller::AnyCert { cert: "PEM".into() }, r#"{"policy":"any_cert","cert":"PEM"}"#),
        (
            token(),
            concat!(
                r#"{"policy":"jwt","jwt":{"keyIssuer":"https://issuer","#,
                r#""header":{"alg":"RS256","kid":"k"},"#,
                r#""payload":{"deep":[{"a":null}],"exp":9007199254740991,"sub":"é\u0000\""}}}"#
            ),
        ),
        (
            signed(b"payload"),
            concat!(
                r#"{"policy":"user_cose_sign1","id":"ab12","data":{"role":1},"cert":"PEM","#,
                r#""cose":{"content":{}}}"#
            ),
        ),
        (
            Caller::AllOf(vec![
                ("any_cert".to_owned(), Caller::AnyCert { cert: "PEM".into() }),
                ("user_cose_sign1".to_owned(), signed(b"")),
            ]),
            concat!(
                r#"{"policy":["any_cert","user_cose_sign1"],"#,
                r#""any_cert":{"policy":"any_cert","cert":"PEM"},"#,
                r#""user_cose_sign1":{"policy":"user_cose_sign1","id":"ab12","#,
                r#""data":{"role":1},"cert":"PEM","cose":{"content":{}}}}"#
            ),
        ),
    ];
    for (caller, expected) in cases {
        assert_eq!(caller_of(&mut app, caller), expected);
    }
}

#[test]
fn signed_content_is_a_buffer_of_its_own() {
    let mut app = App::of(
        "export function run(request) {
            const { content } = request.caller.cose;
            const first = new Uint8Array(content)[0];
            new Uint8Array(content)[0] = 7;
            return { body: [content instanceof ArrayBuffer, content.byteLength, first,
                ccf.bufToStr(content.slice(1)), request.caller.cose.content === content] };
        }",
        &["run"],
    );
    for _ in 0..2 {
        assert_eq!(caller_of(&mut app, signed(b"\xffpayload")), r#"[true,8,255,"payload",true]"#);
    }
}

#[test]
fn claims_are_plain_objects() {
    let mut app = App::of(
        "export function run(request) {
            const { jwt } = request.caller;
            return { body: [jwt.payload.sub, jwt.payload.exp, jwt.payload.deep[0].a,
                Object.getPrototypeOf(jwt.payload) === Object.prototype, Object.keys(jwt)] };
        }",
        &["run"],
    );
    let seen: Json = serde_json::from_str(&caller_of(&mut app, token())).unwrap();
    let keys = ["keyIssuer", "header", "payload"];
    assert_eq!(seen, json!(["é\u{0}\"", 9_007_199_254_740_991_u64, null, true, keys]));
}

/// A key, and its JWK.
fn signing_key() -> (SigningKey, Json) {
    let key = SigningKey::generate(Curve::P256).unwrap();
    let der = key.public_key_der();
    let (x, y) = der[der.len() - 64..].split_at(32);
    let jwk = json!({
        "kid": "k", "kty": "EC", "crv": "P-256",
        "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
    });
    (key, jwk)
}

/// From a signature to what the handler sees.
#[test]
fn signatures_admit_those_who_made_them() {
    let source = "export function run(request) {
        const { caller } = request;
        const content = caller.cose && ccf.bufToStr(caller.cose.content);
        return { body: { caller, content } };
    }";
    let mut open = endpoint("/app.js", "run");
    open.options.authn_policies = ["jwt", "user_cose_sign1", "no_auth"]
        .map(|name| AuthnPolicy::Named(name.to_owned()))
        .into();
    let mut unknown = open.clone();
    unknown.path = "/unknown".to_owned();
    unknown.options.authn_policies = vec![AuthnPolicy::Named("member_cose_sign1".to_owned())];
    let bundle = AppBundle {
        modules: vec![("/app.js".to_owned(), source.to_owned())],
        ..AppBundle::default()
    };
    let (key, jwk) = signing_key();
    let pem = CertificateRequest {
        subject: SubjectName::common("user"),
        subject_alt_names: Vec::new(),
        valid_from_unix_s: 1_700_000_000,
        validity_days: 90,
    }
    .self_signed_person(&key)
    .unwrap()
    .pem;
    let mut settings = NodeSettings::in_memory();
    settings.service.users =
        vec![NewUser { certificate_pem: pem.clone(), user_data: json!({"role": 1}) }];
    let frontend = JsFrontend::load(&bundle, vec![open, unknown], shown()).unwrap();
    let runtime = Runtime::builder().node(settings).frontend(Arc::new(frontend)).start().unwrap();
    let mut tx = runtime.node().begin();
    let jwks = json!({"keys": [jwk]});
    set_public_signing_keys(&mut tx, "https://issuer", &json!(null), &jwks).unwrap();
    assert!(matches!(runtime.node().commit(tx), CommitOutcome::Sequenced(_)));
    let get = |path: &str, header: (&str, &str), body: Vec<u8>| {
        let request = Request::new("GET", path).unwrap().with_body(body);
        let request = request.with_header(header.0, header.1).unwrap();
        let response = runtime.send(request, Peer::Anonymous);
        let body: Json = serde_json::from_slice(&response.body).unwrap();
        (response.status, body)
    };

    let (header, payload) =
        (json!({"alg": "ES256", "kid": "k"}), json!({"iss": "i", "exp": 4_102_444_800_u64}));
    let [first, second] = [&header, &payload].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let covered = format!("{first}.{second}");
    let signature = URL_SAFE_NO_PAD.encode(key.sign_fixed(covered.as_bytes()).unwrap());
    let bearer = format!("Bearer {covered}.{signature}");
    let jwt = json!({"keyIssuer": "https://issuer", "header": header, "payload": payload});
    assert_eq!(
        get("/app/run", ("authorization", &bearer), Vec::new()),
        (200, json!({"caller": {"policy": "jwt", "jwt": jwt}}))
    );

    let id = certificate_id(&pem).unwrap();
    let protected = [&[0xa2, 0x01, 0x26, 0x04, 0x58, 64][..], id.as_bytes()].concat();
    let signature = key.sign_fixed(&to_be_signed(&protected, b"payload")).unwrap();
    let message = encode_sign1_attached(&protected, b"payload", &signature);
    let (status, body) = get("/app/run", ("content-type", "application/cose"), message);
    assert_eq!((status, &body["content"]), (200, &json!("payload")));
    let caller = json!({
        "policy": "user_cose_sign1", "id": id, "data": {"role": 1}, "cert": pem,
        "cose": {"content": {}},
    });
    assert_eq!(body["caller"], caller);

    let anonymous = json!({"caller": {"policy": "no_auth"}});
    assert_eq!(get("/app/run", ("authorization", "Bearer a.b.c"), Vec::new()), (200, anonymous));
    let (status, body) = get("/app/unknown", ("accept", "*/*"), Vec::new());
    assert_eq!((status, &body["error"]["code"]), (500, &json!("InternalError")));
    assert_eq!(body["error"]["message"], "Unknown auth policy: member_cose_sign1.");
}
