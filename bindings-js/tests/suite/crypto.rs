//! Reference A.8: `ccf.crypto`, every function and every error, through a handler.

use std::fmt::Write as _;
use std::sync::LazyLock;

use affiant::crypto::generate::{ec_key, ed25519_key, rsa_key, x25519_key};
use affiant::crypto::{
    CertificateRequest, Curve, EcCurve, PrivateKey, SigningKey, SubjectName, jwk,
};
use serde_json::{Value, json};

use crate::support::*;

/// Keys as constants of JavaScript: `NAME.privateKey`, `NAME.publicKey`.
static KEYS: LazyLock<String> = LazyLock::new(|| {
    let keys = [
        ("EC256", ec_key(EcCurve::P256)),
        ("EC384", ec_key(EcCurve::P384)),
        ("EC521", ec_key(EcCurve::P521)),
        ("RSA", rsa_key(2048, 65_537)),
        ("ED", ed25519_key()),
        ("X", x25519_key()),
    ];
    let mut source = String::new();
    for (name, key) in keys {
        let key = key.unwrap();
        let pair = json!({
            "privateKey": *key.to_pem().unwrap(),
            "publicKey": key.public_key().unwrap().to_pem(),
        });
        writeln!(source, "const {name} = {pair};").unwrap();
    }
    let key = SigningKey::generate(Curve::P256).unwrap();
    let request = CertificateRequest {
        subject: SubjectName::common("affiant"),
        subject_alt_names: Vec::new(),
        valid_from_unix_s: 1_700_000_000,
        validity_days: 36_500,
    };
    let certificate = request.self_signed_person(&key).unwrap().pem;
    writeln!(source, "const CERT = {};", json!(certificate)).unwrap();
    writeln!(source, "const CERT_KEY = {};", json!(*key.to_pem().unwrap())).unwrap();
    source
});

const HELPERS: &str = r"
const buf = ccf.strToBuf;
const c = ccf.crypto;
const hex = b => Array.from(new Uint8Array(b)).map(x => x.toString(16).padStart(2, '0')).join('');
const flip = b => { const x = b.slice(0); new Uint8Array(x)[5] ^= 1; return x; };
const message = () => buf('message');
";

fn source(body: &str) -> String {
    format!("{}{HELPERS}export function run(request) {{ {body} }}", *KEYS)
}

/// The JSON of an expression that sees the keys.
fn value(expression: &str) -> Value {
    let source = source(&format!("return {{ body: [{expression}] }};"));
    App::of(&source, &["run"]).call("run").json()[0].take()
}

fn error(expression: &str) -> String {
    App::of(&source(&format!("{expression}; return {{}};")), &["run"]).call("run").exception()
}

#[test]
fn signs_and_verifies_with_every_algorithm() {
    let signed = |key: &str, algorithm: &str, length: usize| {
        let result = value(&format!(
            "(() => {{
                const s = c.sign({algorithm}, {key}.privateKey, message());
                const v = (sig, data) => c.verifySignature({algorithm}, {key}.publicKey, sig, data);
                return [s instanceof ArrayBuffer, s.byteLength, v(s, message()), v(s, buf('other')),
                        v(flip(s), message()), v(s.slice(1), message())];
            }})()"
        ));
        assert_eq!(result, json!([true, length, true, false, false, false]), "{key} {algorithm}");
    };
    for (key, length) in [("EC256", 64), ("EC384", 96), ("EC521", 132)] {
        signed(key, "{ name: 'ECDSA', hash: 'SHA-256' }", length);
    }
    for salt in ["", ", saltLength: 0", ", saltLength: 32", ", saltLength: 222"] {
        signed("RSA", &format!("{{ name: 'RSA-PSS', hash: 'SHA-256'{salt} }}"), 256);
    }
    signed("ED", "{ name: 'EdDSA' }", 64);
}

#[test]
fn signs_with_hashes_that_verify_signature_does_not_have() {
    for (hash, rust) in
        [("SHA-384", affiant::crypto::Hash::Sha384), ("SHA-512", affiant::crypto::Hash::Sha512)]
    {
        let lengths = value(&format!(
            "[c.sign({{ name: 'ECDSA', hash: '{hash}' }}, EC256.privateKey, message()).byteLength,
              c.sign({{ name: 'RSA-PSS', hash: '{hash}', saltLength: 64 }}, RSA.privateKey,
                     message()).byteLength]"
        ));
        assert_eq!(lengths, json!([64, 256]));
        let tag =
            value(&format!("hex(c.sign({{ name: 'HMAC', hash: '{hash}' }}, 'key', message()))"));
        let expected = affiant::crypto::hmac_sign(rust, b"key", b"message");
        let expected: String = expected.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(tag, json!(expected));
    }
    // RFC 4231, test case 2.
    assert_eq!(
        value(
            "hex(c.sign({ name: 'HMAC', hash: 'SHA-256' }, 'Jefe', buf('what do ya want for nothing?')))"
        ),
        json!("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    );
}

#[test]
fn what_cannot_be_signed_throws() {
    let ecdsa = "{ name: 'ECDSA', hash: 'SHA-256' }";
    let cases = [
        ("c.sign()".to_owned(), "TypeError: Passed 0 arguments, but expected 3"),
        ("c.sign({})".to_owned(), "TypeError: Passed 1 arguments, but expected 3"),
        (
            format!("c.sign({ecdsa}, EC256.privateKey, message(), 1)"),
            "TypeError: Passed 4 arguments, but expected 3",
        ),
        (
            format!("c.sign({ecdsa}, EC256.privateKey, new Uint8Array(3))"),
            "TypeError: Argument must be an ArrayBuffer",
        ),
        (
            "c.sign({ name: 'ECDSA', hash: 'SHA-1' }, EC256.privateKey, message())".to_owned(),
            "RangeError: Unsupported hash algorithm, supported: SHA-256, SHA-384, SHA-512",
        ),
        (
            "c.sign({ name: 'ECDSA' }, EC256.privateKey, message())".to_owned(),
            "RangeError: Unsupported hash algorithm, supported: SHA-256, SHA-384, SHA-512",
        ),
        (
            "c.sign({ name: 'DSA', hash: 'SHA-256' }, EC256.privateKey, message())".to_owned(),
            "RangeError: Unsupported signing algorithm, supported: RSA-PSS, ECDSA, EdDSA, HMAC",
        ),
        (
            format!("c.sign({ecdsa}, RSA.privateKey, message())"),
            "InternalError: Failed to sign: ECDSA needs an EC key, and this one is RSA",
        ),
        (
            "c.sign({ name: 'RSA-PSS', hash: 'SHA-256' }, EC256.privateKey, message())".to_owned(),
            "InternalError: Failed to sign: RSA-PSS needs an RSA key, and this one is EC (P-256)",
        ),
        (
            "c.sign({ name: 'RSA-PSS', hash: 'SHA-256', saltLength: 223 }, RSA.privateKey, message())"
                .to_owned(),
            "InternalError: Failed to sign: a salt of 223 bytes does not fit: at most 222 do with \
             this key and SHA-256",
        ),
        (
            "c.sign({ name: 'EdDSA' }, X.privateKey, message())".to_owned(),
            "InternalError: Failed to sign with EdDSA pair: EdDSA needs an Ed25519 key, and this one \
             is X25519",
        ),
    ];
    for (expression, expected) in cases {
        assert_eq!(error(&expression), expected, "{expression}");
    }
    for (expression, prefix) in [
        (
            "c.sign({ name: 'ECDSA', hash: 'SHA-256' }, 'no key', message())",
            "Failed to sign: not a PEM",
        ),
        (
            "c.sign({ name: 'EdDSA' }, EC256.publicKey, message())",
            "Failed to sign with EdDSA pair: ",
        ),
        (
            "c.sign({ name: 'RSA-PSS', hash: 'SHA-256', saltLength: -1 }, RSA.privateKey, message())",
            "Failed to sign: a salt of ",
        ),
        (
            "c.sign({ name: 'ECDSA', hash: 'SHA-256' }, buf(EC256.privateKey), message())",
            "Failed to sign",
        ),
    ] {
        let message = error(expression);
        assert!(message.starts_with(&format!("InternalError: {prefix}")), "{message}");
    }
    assert!(error("c.sign(undefined, EC256.privateKey, message())").starts_with("TypeError: "));
}

#[test]
fn verify_signature_takes_certificates() {
    let ecdsa = "{ name: 'ECDSA', hash: 'SHA-256' }";
    assert_eq!(
        value(&format!(
            "(() => {{ const s = c.sign({ecdsa}, CERT_KEY, message());
              return [c.verifySignature({ecdsa}, CERT, s, message()),
                      c.verifySignature({ecdsa}, CERT, s, buf('m'))]; }})()"
        )),
        json!([true, false])
    );
}

/// With a certificate CCF ignores the salt length and takes none.
#[test]
fn verify_signature_with_an_rsa_certificate() {
    let key = rsa_key(2048, 65_537).unwrap();
    let pair = rcgen::KeyPair::from_pkcs8_pem_and_sign_algo(
        &key.to_pem().unwrap(),
        &rcgen::PKCS_RSA_SHA256,
    )
    .unwrap();
    let certificate = rcgen::CertificateParams::default().self_signed(&pair).unwrap().pem();
    let source = format!(
        "const KEY = {}; const CERT = {};
         export function run() {{
             const pss = saltLength => ({{ name: 'RSA-PSS', hash: 'SHA-256', saltLength }});
             const data = ccf.strToBuf('message');
             const bare = ccf.crypto.sign(pss(0), KEY, data);
             const salted = ccf.crypto.sign(pss(32), KEY, data);
             const verify = (salt, s) => ccf.crypto.verifySignature(pss(salt), CERT, s, data);
             return {{ body: [verify(32, bare), verify(32, salted), verify(0, salted)] }};
         }}",
        json!(*key.to_pem().unwrap()),
        json!(certificate),
    );
    assert_eq!(App::of(&source, &["run"]).call("run").json(), json!([true, true, false]));
}

#[test]
fn what_cannot_be_verified_throws() {
    let cases = [
        ("c.verifySignature({}, '', message())", "TypeError: Passed 3 arguments, but expected 4"),
        (
            "c.verifySignature({ name: 'ECDSA', hash: 'SHA-256' }, EC256.publicKey, 'x', message())",
            "TypeError: Argument must be an ArrayBuffer",
        ),
        (
            "c.verifySignature({ name: 'ECDSA', hash: 'SHA-256' }, EC256.publicKey, message(), [])",
            "TypeError: Argument must be an ArrayBuffer",
        ),
        (
            "c.verifySignature({ name: 'ECDSA', hash: 'SHA-384' }, EC256.publicKey, message(), message())",
            "RangeError: Unsupported hash algorithm, supported: SHA-256",
        ),
        (
            "c.verifySignature({ name: 'HMAC', hash: 'SHA-256' }, 'key', message(), message())",
            "RangeError: Unsupported signing algorithm, supported: RSA-PSS, ECDSA, EdDSA",
        ),
        (
            "c.verifySignature({ name: 'ECDSA', hash: 'SHA-256' }, RSA.publicKey, message(), message())",
            "InternalError: Failed to verify signature: ECDSA needs an EC key, and this one is RSA",
        ),
        (
            "c.verifySignature({ name: 'EdDSA' }, RSA.publicKey, message(), message())",
            "RangeError: Failed to verify EdDSA signature: EdDSA needs an Ed25519 key, and this one is \
             RSA",
        ),
    ];
    for (expression, expected) in cases {
        assert_eq!(error(expression), expected, "{expression}");
    }
    for key in ["'no key'", "EC256.privateKey", "''"] {
        let message = error(&format!(
            "c.verifySignature({{ name: 'ECDSA', hash: 'SHA-256' }}, {key}, message(), message())"
        ));
        assert!(message.starts_with("InternalError: Failed to verify signature: "), "{message}");
    }
}

#[test]
fn the_typed_layer_picks_the_algorithm() {
    for (key, length) in [("EC256", 88), ("EC384", 128), ("EC521", 176), ("RSA", 344), ("ED", 88)] {
        let result = value(&format!(
            "(() => {{
                const data = {{ b: [1, null], a: 'h\\u00e9' }};
                const s = c.sign(data, {key}.privateKey);
                const v = (d, s) => c.verify(d, {key}.publicKey, s);
                return [typeof s, s.length, v(data, s), v(JSON.stringify(data), s),
                        v(buf(JSON.stringify(data)), s), v({{}}, s), v(data, 'AAAA'),
                        v(data, 'not base64!'), v(data, buf('x'))];
            }})()"
        ));
        assert_eq!(
            result,
            json!(["string", length, true, true, true, false, false, false, false]),
            "{key}"
        );
    }
    // What CCF's form signs, the typed one verifies, and the other way round.
    assert_eq!(
        value(
            "(() => {
                const algorithm = { name: 'RSA-PSS', hash: 'SHA-256', saltLength: 32 };
                const s = c.sign(algorithm, RSA.privateKey, message());
                const window = new Uint8Array(buf('a message')).subarray(2);
                return [c.verify('message', RSA.publicKey, s), c.verify(window, RSA.publicKey, s),
                        c.verify('message', CERT, c.sign('message', CERT_KEY))];
            })()"
        ),
        json!([true, true, true])
    );
}

#[test]
fn the_typed_layer_refuses() {
    let no_data =
        "TypeError: The first argument must be text, bytes, or a value that has a JSON form";
    let cases = [
        ("c.sign(undefined, EC256.privateKey)", no_data),
        ("c.sign(() => 1, EC256.privateKey)", no_data),
        ("c.sign('x', undefined)", "TypeError: The second argument must be a private key in PEM"),
        (
            "c.sign('x', buf(EC256.privateKey))",
            "TypeError: The second argument must be a private key in PEM",
        ),
        ("c.sign('x', X.privateKey)", "InternalError: Failed to sign: an X25519 key cannot sign"),
        ("c.verify('x', EC256.publicKey)", "TypeError: Passed 2 arguments, but expected 3"),
        (
            "c.verify('x', {}, '')",
            "TypeError: The second argument must be a public key or a certificate in PEM",
        ),
        (
            "c.verify('x', EC256.publicKey, 7)",
            "TypeError: The signature must be base64 text or an ArrayBuffer",
        ),
        (
            "c.verify('x', X.publicKey, '')",
            "InternalError: Failed to verify signature: an X25519 key cannot sign",
        ),
    ];
    for (expression, expected) in cases {
        assert_eq!(error(expression), expected, "{expression}");
    }
}

#[test]
fn a_listing_signs_its_request() {
    let source = source(
        "const signature = ccf.crypto.sign(request.data, EC256.privateKey);
         return { statusCode: 200, body: { signature,
             valid: ccf.crypto.verify(request.data, EC256.publicKey, signature) } };",
    );
    let mut app = App::of(&source, &["run"]);
    for body in [&br#"{"amount": 5, "to": ["a"]}"#[..], b"plain text", &[0xff, 0, 0x80]] {
        let answer = app.call_with("run", &request(body)).json();
        assert_eq!(answer["valid"], json!(true), "{answer}");
        assert_eq!(answer["signature"].as_str().unwrap().len(), 88);
    }
}

#[test]
fn keys_are_generated() {
    for bits in [128, 192, 256] {
        let lengths = value(&format!(
            "[c.generateAesKey({bits}).byteLength, hex(c.generateAesKey({bits})) === hex(c.generateAesKey({bits}))]"
        ));
        assert_eq!(lengths, json!([bits / 8, false]));
    }
    for (call, kind) in [
        ("c.generateEcdsaKeyPair('secp256r1')", "EC (P-256)"),
        ("c.generateEcdsaKeyPair('secp384r1')", "EC (P-384)"),
        ("c.generateEcdsaKeyPair('secp521r1')", "EC (P-521)"),
        ("c.generateEddsaKeyPair('curve25519')", "Ed25519"),
        ("c.generateEddsaKeyPair('x25519')", "X25519"),
        ("c.generateRsaKeyPair(2048)", "RSA"),
        ("c.generateRsaKeyPair(2048, 3)", "RSA"),
    ] {
        let pair = value(call);
        let private = PrivateKey::from_pem(pair["privateKey"].as_str().unwrap()).unwrap();
        assert_eq!(private.kind().to_string(), kind);
        let public = private.public_key().unwrap();
        assert_eq!(pair["publicKey"], json!(public.to_pem()));
        assert!(pair["privateKey"].as_str().unwrap().starts_with("-----BEGIN PRIVATE KEY-----\n"));
        if kind == "RSA" {
            let e = if call.contains('3') { "Aw" } else { "AQAB" };
            assert_eq!(jwk::from_public_key(&public, None).unwrap()["e"], e);
        }
    }
}

#[test]
fn keys_that_cannot_be_generated_throw() {
    let curves = "RangeError: Unsupported curve id, supported: ";
    let cases = [
        ("c.generateAesKey(64)", "RangeError: invalid key size (not one of 128, 192, 256)".to_owned()),
        ("c.generateAesKey(-128)", "RangeError: invalid key size (not one of 128, 192, 256)".into()),
        ("c.generateAesKey()", "TypeError: Passed 0 arguments, but expected 1".into()),
        ("c.generateEcdsaKeyPair('secp256k1')", format!("{curves}secp256r1, secp384r1, secp521r1")),
        ("c.generateEcdsaKeyPair()", "TypeError: Passed 0 arguments, but expected 1".into()),
        ("c.generateEddsaKeyPair('ed448')", format!("{curves}curve25519, x25519")),
        ("c.generateEddsaKeyPair('x', 1)", "TypeError: Passed 2 arguments, but expected 1".into()),
        ("c.generateRsaKeyPair()", "TypeError: Passed 0 arguments, but expected 1 or 2".into()),
        ("c.generateRsaKeyPair(1, 2, 3)", "TypeError: Passed 3 arguments, but expected 1 or 2".into()),
        (
            "c.generateRsaKeyPair(512)",
            "InternalError: Failed to generate RSA key pair: 512 bits: RSA keys of 2048, 3072, 4096 and \
             8192 bits can be made"
                .into(),
        ),
        (
            "c.generateRsaKeyPair(2048, 4)",
            "InternalError: Failed to generate RSA key pair: exponent 4: it must be odd and at least 3; \
             65537 is usual"
                .into(),
        ),
    ];
    for (expression, expected) in cases {
        assert_eq!(error(expression), expected, "{expression}");
    }
}

#[test]
fn keys_are_wrapped_and_unwrapped() {
    for (params, wrapping, unwrapping) in [
        ("{ name: 'RSA-OAEP' }", "buf(RSA.publicKey)", "buf(RSA.privateKey)"),
        ("{ name: 'RSA-OAEP', label: buf('l') }", "buf(RSA.publicKey)", "buf(RSA.privateKey)"),
        ("{ name: 'AES-KWP' }", "aes(16)", "aes(16)"),
        ("{ name: 'AES-KWP' }", "aes(24)", "aes(24)"),
        ("{ name: 'AES-KWP' }", "aes(32)", "aes(32)"),
        (
            "{ name: 'RSA-OAEP-AES-KWP', aesKeySize: 192, label: buf('l') }",
            "buf(RSA.publicKey)",
            "buf(RSA.privateKey)",
        ),
    ] {
        let result = value(&format!(
            "(() => {{
                const aes = n => new Uint8Array(n).fill(7).buffer;
                const wrapped = c.wrapKey(buf('a secret key'), {wrapping}, {params});
                const open = w => ccf.bufToStr(c.unwrapKey(w, {unwrapping}, {params}));
                let changed = 'no error';
                try {{ open(flip(wrapped)); }} catch (e) {{ changed = e.name + ': ' + e.message; }}
                return [open(wrapped), changed.startsWith('InternalError: Failed to unwrap key: ')];
            }})()"
        ));
        assert_eq!(result, json!(["a secret key", true]), "{params}");
    }
    // RFC 5649, section 6.
    let wrapped = "(() => {
        const bytes = h => new Uint8Array(h.match(/../g).map(x => parseInt(x, 16))).buffer;
        return hex(c.wrapKey(bytes('466f7250617369'),
            bytes('5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8'), { name: 'AES-KWP' }));
    })()";
    assert_eq!(value(wrapped), json!("afbeb0f07dfbf5419200f2ccb50bb24f"));
    // A label that is no ArrayBuffer is none.
    let ignored = "ccf.bufToStr(c.unwrapKey(
        c.wrapKey(buf('k'), buf(RSA.publicKey), { name: 'RSA-OAEP', label: 'text' }),
        buf(RSA.privateKey), { name: 'RSA-OAEP' }))";
    assert_eq!(value(ignored), json!("k"));
}

#[test]
fn what_cannot_be_wrapped_throws() {
    let cases = [
        ("c.wrapKey(buf('k'), buf('w'))", "TypeError: Passed 2 arguments, but expected 3"),
        ("c.unwrapKey()", "TypeError: Passed 0 arguments, but expected 3"),
        ("c.wrapKey('k', buf('w'), {})", "TypeError: Argument must be an ArrayBuffer"),
        ("c.unwrapKey(buf('k'), RSA.privateKey, {})", "TypeError: Argument must be an ArrayBuffer"),
        (
            "c.wrapKey(buf('k'), buf('w'), { name: 'AES-KW' })",
            "RangeError: unsupported key wrapping algorithm, supported: RSA-OAEP, AES-KWP, \
             RSA-OAEP-AES-KWP",
        ),
        (
            "c.unwrapKey(buf('k'), buf('w'), {})",
            "RangeError: unsupported key unwrapping algorithm, supported: RSA-OAEP, AES-KWP, \
             RSA-OAEP-AES-KWP",
        ),
        (
            "c.wrapKey(buf('k'), buf('short'), { name: 'AES-KWP' })",
            "InternalError: Failed to wrap key: an AES key has 16, 24 or 32 bytes",
        ),
        (
            "c.wrapKey(buf(''), buf('0123456789abcdef'), { name: 'AES-KWP' })",
            "InternalError: Failed to wrap key: AES-KWP wraps one byte at least",
        ),
        (
            "c.wrapKey(new ArrayBuffer(191), buf(RSA.publicKey), { name: 'RSA-OAEP' })",
            "InternalError: Failed to wrap key: 191 bytes do not fit: RSA-OAEP with this key takes at \
             most 190",
        ),
        (
            "c.wrapKey(buf('k'), buf(RSA.publicKey), { name: 'RSA-OAEP-AES-KWP', aesKeySize: 100 })",
            "InternalError: Failed to wrap key: invalid key size (not one of 128, 192, 256)",
        ),
        (
            "c.wrapKey(buf('k'), buf(EC256.publicKey), { name: 'RSA-OAEP' })",
            "InternalError: Failed to wrap key: RSA-OAEP needs an RSA key, and this one is EC (P-256)",
        ),
        (
            "c.wrapKey(buf('k'), new Uint8Array([255]).buffer, { name: 'RSA-OAEP' })",
            "InternalError: Failed to wrap key: the key is not PEM text",
        ),
        (
            "c.unwrapKey(new ArrayBuffer(24), new ArrayBuffer(32), { name: 'AES-KWP' })",
            "InternalError: Failed to unwrap key: AES-KWP: the integrity check failed",
        ),
        (
            "c.unwrapKey(new ArrayBuffer(256), buf(RSA.privateKey), { name: 'RSA-OAEP' })",
            "InternalError: Failed to unwrap key: RSA-OAEP decryption failed",
        ),
        (
            "c.unwrapKey(new ArrayBuffer(256), buf(RSA.privateKey), { name: 'RSA-OAEP-AES-KWP' })",
            "InternalError: Failed to unwrap key: not enough ciphertext",
        ),
    ];
    for (expression, expected) in cases {
        assert_eq!(error(expression), expected, "{expression}");
    }
    assert!(error("c.wrapKey(buf('k'), buf('w'), undefined)").starts_with("TypeError: "));
}

#[test]
fn certificates_are_checked() {
    assert_eq!(
        value(
            "[c.isValidX509CertBundle(CERT), c.isValidX509CertBundle(CERT + CERT),
              c.isValidX509CertBundle('garbage'), c.isValidX509CertBundle(''),
              c.isValidX509CertBundle(CERT.slice(0, 80)), c.isValidX509CertBundle(EC256.publicKey),
              c.isValidX509CertChain(CERT, CERT), c.isValidX509CertChain(CERT, 'garbage'),
              c.isValidX509CertChain('', CERT), ccf.isValidX509CertBundle(CERT)]"
        ),
        json!([true, true, false, false, false, false, true, false, false, true])
    );
    for (expression, expected) in [
        ("c.isValidX509CertBundle(1)", "TypeError: Argument must be a string"),
        ("c.isValidX509CertBundle()", "TypeError: Passed 0 arguments, but expected 1"),
        ("c.isValidX509CertChain(CERT)", "TypeError: Passed 1 arguments, but expected 2"),
        ("c.isValidX509CertChain(CERT, buf(CERT))", "TypeError: Argument must be a string"),
    ] {
        assert_eq!(error(expression), expected);
    }
}

#[test]
fn all_twelve_conversions_go_there_and_back() {
    let ec = ["crv", "d", "kid", "kty", "x", "y"];
    let rsa = ["d", "dp", "dq", "e", "kid", "kty", "n", "p", "q", "qi"];
    let okp = ["crv", "d", "kid", "kty", "x"];
    for (key, infix, capital, private_members) in [
        ("EC256", "", "", &ec[..]),
        ("EC384", "", "", &ec),
        ("EC521", "", "", &ec),
        ("RSA", "rsa", "Rsa", &rsa),
        ("ED", "eddsa", "Eddsa", &okp),
        ("X", "eddsa", "Eddsa", &okp),
    ] {
        let private =
            if infix.is_empty() { ["pemToJwk", "jwkToPem"] } else { ["PemToJwk", "JwkToPem"] };
        let result = value(&format!(
            "(() => {{
                const jwk = c.{infix}{}({key}.privateKey, 'id');
                const pub = c.pub{capital}PemToJwk({key}.publicKey);
                return [Object.keys(jwk), jwk.kid, c.{infix}{}(jwk) === {key}.privateKey,
                        'd' in pub, 'kid' in pub, c.pub{capital}JwkToPem(pub) === {key}.publicKey,
                        c.pub{capital}JwkToPem(jwk) === {key}.publicKey,
                        c.pub{capital}PemToJwk({key}.publicKey, 'id').kid];
            }})()",
            private[0], private[1]
        ));
        let expected = json!([private_members, "id", true, false, false, true, true, "id"]);
        assert_eq!(result, expected, "{key}");
    }
    assert_eq!(value("c.pubPemToJwk(EC384.publicKey).crv"), json!("P-384"));
}

#[test]
fn conversions_that_fail_throw() {
    let to_jwk = [
        ("pubPemToJwk", "RSA.publicKey"),
        ("pemToJwk", "ED.privateKey"),
        ("pubRsaPemToJwk", "EC256.publicKey"),
        ("rsaPemToJwk", "EC256.privateKey"),
        ("pubEddsaPemToJwk", "EC256.publicKey"),
        ("eddsaPemToJwk", "RSA.privateKey"),
    ];
    for (function, wrong) in to_jwk {
        for argument in [wrong, "'no PEM'", "7"] {
            let message = error(&format!("c.{function}({argument})"));
            let prefix = "InternalError: Failed to convert pem to jwk: ";
            assert!(message.starts_with(prefix), "{function}({argument}): {message}");
        }
        let message = error(&format!("c.{function}()"));
        assert_eq!(message, "TypeError: Passed 0 arguments, but expected 1 or 2");
        let message = error(&format!("c.{function}('', '', '')"));
        assert_eq!(message, "TypeError: Passed 3 arguments, but expected 1 or 2");
    }
    let to_pem = [
        ("pubJwkToPem", "c.pubRsaPemToJwk(RSA.publicKey)"),
        ("jwkToPem", "c.pubPemToJwk(EC256.publicKey)"),
        ("pubRsaJwkToPem", "c.pubPemToJwk(EC256.publicKey)"),
        ("rsaJwkToPem", "c.pubRsaPemToJwk(RSA.publicKey)"),
        ("pubEddsaJwkToPem", "c.pubPemToJwk(EC256.publicKey)"),
        ("eddsaJwkToPem", "c.pubEddsaPemToJwk(ED.publicKey)"),
    ];
    for (function, wrong) in to_pem {
        for argument in [wrong, "undefined", "null", "{}", "'text'", "{ kty: 'EC', crv: 'P-256' }"]
        {
            let message = error(&format!("c.{function}({argument})"));
            let prefix = "InternalError: Failed to convert jwk to pem ";
            assert!(message.starts_with(prefix), "{function}({argument}): {message}");
        }
        let message = error(&format!("c.{function}({{}}, 'kid')"));
        assert_eq!(message, "TypeError: Passed 2 arguments, but expected 1");
    }
    let thrown = error("c.jwkToPem({ toJSON() { throw new RangeError('mine'); } })");
    assert_eq!(thrown, "RangeError: mine");
}

/// A secret made at module level must not be the same for every request.
#[test]
fn module_level_keys_are_fresh_for_each_request() {
    let source = "const key = ccf.crypto.generateEcdsaKeyPair('secp256r1').publicKey;
                  export function run() { return { body: key }; }";
    let mut app = App::of(source, &["run"]);
    assert_ne!(app.call("run").text(), app.call("run").text());
}
