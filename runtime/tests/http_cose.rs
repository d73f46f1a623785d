//! The policy `user_cose_sign1` over real sockets (reference C.4): who is taken for the signer, what
//! the handler sees, and how what is malformed is answered.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod http_support;

use std::sync::LazyLock;

use affiant::auth::{AuthnPolicy, PeerCertificate};
use affiant::{Caller, EndpointOptions, Peer, Request, Respond, Response, Runtime};
use affiant_proof::cose::{encode_sign1, encode_sign1_attached, to_be_signed};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
};
use http_support::{Answer, Client, Person, listener, settings, valid};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

const COSE: &[(&str, &str)] = &[("content-type", "application/cose")];
const ES256: &[u8] = &[0x26];
const ES384: &[u8] = &[0x38, 0x22];
const ES512: &[u8] = &[0x38, 0x23];

/// A user who signs.
struct Signer {
    person: Person,
    key: EcdsaKeyPair,
    algorithm: &'static [u8],
}

impl Signer {
    fn new(
        curve: &'static rcgen::SignatureAlgorithm,
        scheme: &'static EcdsaSigningAlgorithm,
        algorithm: &'static [u8],
    ) -> Self {
        let pair = rcgen::KeyPair::generate_for(curve).unwrap();
        let parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
        let certificate = parameters.self_signed(&pair).unwrap();
        let person = Person { pem: certificate.pem(), key_der: pair.serialize_der() };
        let key = EcdsaKeyPair::from_pkcs8(scheme, &person.key_der).unwrap();
        Self { person, key, algorithm }
    }

    fn p256() -> Self {
        Self::new(&rcgen::PKCS_ECDSA_P256_SHA256, &ECDSA_P256_SHA256_FIXED_SIGNING, ES256)
    }

    fn id(&self) -> String {
        PeerCertificate::from_pem(&self.person.pem).unwrap().id().to_string()
    }

    /// A protected header with further encoded pairs.
    fn protected(&self, algorithm: &[u8], more: &[&[u8]]) -> Vec<u8> {
        let id = self.id();
        let mut header = vec![0xa2 + u8::try_from(more.len()).unwrap(), 0x01];
        header.extend_from_slice(algorithm);
        header.extend_from_slice(&[0x04, 0x58, 64]);
        header.extend_from_slice(id.as_bytes());
        header.extend(more.concat());
        header
    }

    fn sign(&self, protected: &[u8], payload: &[u8]) -> Vec<u8> {
        let covered = to_be_signed(protected, payload);
        self.key.sign(&SystemRandom::new(), &covered).unwrap().as_ref().to_vec()
    }

    fn message_with(&self, protected: &[u8], payload: &[u8]) -> Vec<u8> {
        encode_sign1_attached(protected, payload, &self.sign(protected, payload))
    }

    fn message(&self, payload: &[u8]) -> Vec<u8> {
        self.message_with(&self.protected(self.algorithm, &[]), payload)
    }
}

fn early() -> EndpointOptions {
    EndpointOptions::native().respond(Respond::AtOnce)
}

fn shown(caller: &Caller) -> Json {
    match caller {
        Caller::UserCoseSign1 { user, content } => json!({
            "id": &*user.id, "data": user.data, "cert": &*user.cert,
            "content": String::from_utf8_lossy(content),
        }),
        Caller::AllOf(parts) => {
            parts.iter().map(|(name, caller)| (name.clone(), shown(caller))).collect()
        }
        other => json!(other.policy()),
    }
}

fn start(users: &[&Person]) -> Runtime {
    let policies: &[&str] = &["user_cose_sign1"];
    let both = EndpointOptions {
        authn_policies: vec![AuthnPolicy::AllOf(vec![
            "user_cose_sign1".to_owned(),
            "user_cert".to_owned(),
        ])],
        ..early()
    };
    let who = |request: &Request, _: &mut affiant::Tx| {
        Ok(Response::json(200, &request.caller().map_or(Json::Null, shown)))
    };
    Runtime::builder()
        .node(settings(users))
        .endpoint("POST", "/who", early().policies(policies), who)
        .endpoint("POST", "/both", both, who)
        .endpoint("POST", "/jwt_too", early().policies(&["jwt", "user_cose_sign1"]), who)
        .endpoint("POST", "/or_nobody", early().policies(&["user_cose_sign1", "no_auth"]), who)
        .http_threads(1)
        .listen(listener())
        .start()
        .unwrap()
}

fn post(client: &mut Client, body: &[u8]) -> Answer {
    client.request("POST", "/app/who", COSE, body)
}

/// The policy's reason for refusing the request.
fn refusal(answer: &Answer) -> String {
    assert_eq!(answer.status, 401, "{}", answer.text());
    assert_eq!(answer.message(), "Invalid authentication credentials.");
    assert_eq!(
        answer.header("www-authenticate"),
        Some(r#"COSE-SIGN1 realm="Signed request access""#)
    );
    let details = answer.json()["error"]["details"][0].clone();
    assert_eq!(details["auth_policy"], "user_cose_sign1");
    assert_eq!(details["code"], "InvalidAuthenticationInfo");
    details["message"].as_str().unwrap().to_owned()
}

#[test]
fn users_of_every_curve_sign_requests() {
    let signers = [
        Signer::p256(),
        Signer::new(&rcgen::PKCS_ECDSA_P384_SHA384, &ECDSA_P384_SHA384_FIXED_SIGNING, ES384),
        Signer::new(&rcgen::PKCS_ECDSA_P521_SHA512, &ECDSA_P521_SHA512_FIXED_SIGNING, ES512),
    ];
    let people: Vec<&Person> = signers.iter().map(|signer| &signer.person).collect();
    let runtime = start(&people);
    let mut client = Client::new(&runtime);
    for signer in &signers {
        let seen = json!({
            "id": signer.id(), "data": {"name": "someone"}, "cert": signer.person.pem,
            "content": "{\"n\":1}",
        });
        let message = signer.message(b"{\"n\":1}");
        assert_eq!(post(&mut client, &message).json(), seen);
        assert_eq!(post(&mut client, &message).json(), seen, "nothing keeps it from coming twice");
        // Together with the certificate, which need not be the same user's.
        let mut known = Client::of(&runtime, people[0]);
        let answer = known.request("POST", "/app/both", COSE, &message);
        assert_eq!(answer.json(), json!({"user_cert": "user_cert", "user_cose_sign1": seen}));
        assert_eq!(client.request("POST", "/app/jwt_too", COSE, &message).json(), seen);
    }
    assert_eq!(post(&mut client, &signers[0].message(b"")).json()["content"], "");
    let large = vec![b'x'; 1_000_000];
    assert_eq!(post(&mut client, &signers[1].message(&large)).status, 200);
}

#[test]
fn strangers_and_altered_messages_are_refused() {
    let (user, stranger) = (Signer::p256(), Signer::p256());
    let other = Signer::p256();
    let runtime = start(&[&user.person, &other.person]);
    let mut client = Client::new(&runtime);
    let good = user.message(b"payload");
    assert_eq!(post(&mut client, &good).status, 200);
    let mut refused = |body: &[u8]| refusal(&post(&mut client, body));

    let unknown = "Signer is not a known user";
    assert_eq!(refused(&stranger.message(b"payload")), unknown);
    let not_text = [&[0xa2, 0x01, 0x26, 0x04, 0x42][..], &[0xff, 0xfe]].concat();
    assert_eq!(refused(&user.message_with(&not_text, b"payload")), unknown);
    let invalid = "Failed to validate COSE Sign1";
    // Signed by another user in this one's name, and over other bytes.
    let header = user.protected(ES256, &[]);
    assert_eq!(refused(&other.message_with(&header, b"payload")), invalid);
    let swapped = encode_sign1_attached(&header, b"pay1oad", &user.sign(&header, b"payload"));
    assert_eq!(refused(&swapped), invalid);
    let short = user.sign(&header, b"payload");
    assert_eq!(refused(&encode_sign1_attached(&header, b"payload", &short[1..])), invalid);
    assert_eq!(refused(&encode_sign1_attached(&header, b"payload", b"")), invalid);
    // Another hash than the one that it claims.
    assert_eq!(refused(&user.message_with(&user.protected(ES384, &[]), b"payload")), invalid);
    assert_eq!(refused(&encode_sign1(&header, &short)), invalid, "detached");
    let critical = user.protected(ES256, &[&[0x02, 0x81, 0x01]]);
    assert_eq!(refused(&user.message_with(&critical, b"payload")), invalid);
    for (algorithm, id) in [(&[0x27][..], -8), (&[0x38, 0x24], -37), (&[0x05], 5)] {
        let header = user.protected(algorithm, &[]);
        assert_eq!(
            refused(&user.message_with(&header, b"payload")),
            format!("Unsupported algorithm: {id}")
        );
    }
    // Fields of others do not matter, whatever they hold.
    let created = [&[0x71][..], b"other.msg.created", &[0xfb, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
    let header = user.protected(ES256, &[&created]);
    assert_eq!(post(&mut client, &user.message_with(&header, b"payload")).status, 200);
    // A user who is gone is a stranger.
    let mut tx = runtime.node().begin();
    tx.remove(&affiant::tables::USER_CERTS, user.id().as_bytes()).unwrap();
    drop(runtime.node().commit(tx));
    assert_eq!(refusal(&post(&mut client, &good)), unknown);
}

#[test]
fn requests_that_are_not_signed_are_told_so() {
    let user = Signer::p256();
    let runtime = start(&[&user.person]);
    let mut client = Client::new(&runtime);
    let good = user.message(b"payload");
    assert_eq!(refusal(&client.post("/app/who", &good)), "Missing content-type header");
    for content_type in ["application/cose; charset=x", "application/json", "Application/COSE"] {
        let headers = [("content-type", content_type)];
        let answer = client.request("POST", "/app/who", &headers, &good);
        assert_eq!(refusal(&answer), "Content type is not set to application/cose");
    }
    let answer = client.post("/app/jwt_too", &good);
    let details = answer.json()["error"]["details"].clone();
    assert_eq!(details[0]["message"], "Missing authorization header");
    assert_eq!(details[1]["message"], "Missing content-type header");
    assert_eq!(client.post("/app/or_nobody", &good).json(), json!("no_auth"));
    let answer = client.request("POST", "/app/both", COSE, &good);
    assert_eq!(
        answer.json()["error"]["details"][0],
        json!({
            "auth_policy": "user_cert+user_cose_sign1", "code": "InvalidAuthenticationInfo",
            "message": "user_cert:No caller user certificate",
        })
    );
}

#[test]
fn what_is_no_cose_is_an_internal_error_as_in_ccf() {
    let user = Signer::p256();
    let runtime = start(&[&user.person]);
    let mut client = Client::new(&runtime);
    let good = user.message(b"payload");
    let mut broken = |target: &str, body: &[u8]| {
        let answer = client.request("POST", target, COSE, body);
        assert_eq!((answer.status, answer.code().as_str()), (500, "InternalError"));
        assert_eq!(answer.header("www-authenticate"), None);
        answer.message()
    };
    for cut in [0, 1, 2, 40, good.len() - 1] {
        let message = broken("/app/who", &good[..cut]);
        assert!(message.starts_with("Failed to decode COSE_Sign1: "), "{message}");
    }
    assert!(broken("/app/who", b"{}").starts_with("Failed to decode COSE_Sign1: "));
    assert!(broken("/app/who", &good[1..]).starts_with("Failed to decode COSE_Sign1: "));
    let trailing = [&good[..], b"x"].concat();
    assert!(broken("/app/who", &trailing).starts_with("Failed to decode COSE_Sign1: "));
    let retagged = [&[0xd1][..], &good[1..]].concat();
    assert_eq!(broken("/app/who", &retagged), "COSE_Sign1 is not tagged");
    let message = |protected: &[u8]| user.message_with(protected, b"payload");
    assert_eq!(broken("/app/who", &message(&[0xa0])), "Missing algorithm in protected header");
    assert_eq!(
        broken("/app/who", &message(&[0xa1, 0x01, 0x26])),
        "Missing kid in protected header"
    );
    for protected in [&b""[..], &[0x80], &[0xa1, 0x01], &[0xa2, 0x01, 0x26, 0x01, 0x26]] {
        let reason = broken("/app/who", &message(protected));
        assert!(reason.starts_with("Failed to decode protected header: "), "{reason}");
    }
    // Policies behind it are not asked.
    assert!(broken("/app/or_nobody", b"x").starts_with("Failed to decode COSE_Sign1: "));
}

#[test]
fn users_with_other_keys_cannot_sign() {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    let pem = parameters.self_signed(&pair).unwrap().pem();
    let person = Person { pem, key_der: pair.serialize_der() };
    let mut signer = Signer::p256();
    let runtime = start(&[&person, &valid("user")]);
    signer.person = person;
    let answer = post(&mut Client::new(&runtime), &signer.message(b"x"));
    assert_eq!(refusal(&answer), "Failed to validate COSE Sign1");
}

static SERVED: LazyLock<(Signer, Runtime)> = LazyLock::new(|| {
    let user = Signer::p256();
    let runtime = Runtime::builder()
        .node(settings(&[&user.person]))
        .endpoint("POST", "/who", early().policies(&["user_cose_sign1"]), |_, _| {
            Ok(Response::empty(204))
        })
        .start()
        .unwrap();
    (user, runtime)
});

fn send(body: &[u8]) -> u16 {
    let request = Request::new("POST", "/app/who").unwrap();
    let request = request.with_header("content-type", "application/cose").unwrap();
    SERVED.1.send(request.with_body(body.to_vec()), Peer::Anonymous).status
}

proptest! {
    #[test]
    fn no_body_panics_or_is_taken_for_signed(
        body in proptest::collection::vec(any::<u8>(), 0..200),
        position in any::<prop::sample::Index>(),
        change in 1_u8..,
    ) {
        prop_assert!(matches!(send(&body), 401 | 500));
        let mut good = SERVED.0.message(b"payload");
        prop_assert_eq!(send(&good), 204);
        let position = position.index(good.len());
        good[position] ^= change;
        // The signature covers header and payload; no other byte can change alone and leave a message.
        prop_assert!(matches!(send(&good), 401 | 500), "{} ^= {}", position, change);
    }
}
