"""A.8: ccf.crypto. Python's `cryptography` (OpenSSL) verifies what the handlers make, and the other
way round; `make conformance-crypto` does so ten thousand times without the handlers."""

import base64
import datetime
import hashlib
import hmac
import json

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives import serialization as ser
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils, x25519

from kit import buffer, threw

HASHES = {"SHA-256": hashes.SHA256(), "SHA-384": hashes.SHA384(), "SHA-512": hashes.SHA512()}
DATA = b"what is signed"
KEY = b"0123456789abcdef"
NO_BUFFER = threw("TypeError: Argument must be an ArrayBuffer")


def private_pem(key):
    return key.private_bytes(
        ser.Encoding.PEM, ser.PrivateFormat.PKCS8, ser.NoEncryption()
    ).decode()


def public_pem(key):
    return key.public_key().public_bytes(
        ser.Encoding.PEM, ser.PublicFormat.SubjectPublicKeyInfo
    ).decode()


def literal(data):
    """JavaScript for an ArrayBuffer."""
    return f"new Uint8Array({list(data)}).buffer"


def given(value):
    """The bytes that a snippet returned."""
    return bytes.fromhex(value["$hex"])


def holds(verify):
    try:
        verify()
    except InvalidSignature:
        return False
    return True


def certificate(name, key, issuer=None, issuer_key=None, authority=True):
    named = lambda text: x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])
    start = datetime.datetime(2024, 1, 1)
    return (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(issuer or name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=36500))
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
        .sign(issuer_key or key, hashes.SHA256())
        .public_bytes(ser.Encoding.PEM)
        .decode()
    )


class Keys:
    def __init__(self):
        self.curves = {
            "P-256": ec.generate_private_key(ec.SECP256R1()),
            "P-384": ec.generate_private_key(ec.SECP384R1()),
            "P-521": ec.generate_private_key(ec.SECP521R1()),
        }
        self.ed = ed25519.Ed25519PrivateKey.generate()
        self.x = x25519.X25519PrivateKey.generate()
        self.rsa = rsa.generate_private_key(65537, 2048)


def fixed(der, size):
    return b"".join(number.to_bytes(size, "big") for number in utils.decode_dss_signature(der))


def signatures(t, keys):
    sign = "return ccf.crypto.sign({}, {}, {})"
    verify = "const k = {}; const sig = {}; const v = d => ccf.crypto.verifySignature({}, k, sig, d); \
              return [v({}), v(b('another'))]"
    for curve, key in keys.curves.items():
        size = (key.key_size + 7) // 8
        for name, algorithm in HASHES.items():
            how = json.dumps({"name": "ECDSA", "hash": name})
            made = given(t.value(sign.format(how, json.dumps(private_pem(key)), literal(DATA))))
            der = utils.encode_dss_signature(
                int.from_bytes(made[:size], "big"), int.from_bytes(made[size:], "big")
            )
            valid = holds(lambda: key.public_key().verify(der, DATA, ec.ECDSA(algorithm)))
            t.equal(f"ECDSA {curve} {name} is r and s, and valid", [len(made), valid],
                    [2 * size, True])
        made = fixed(key.sign(DATA, ec.ECDSA(HASHES["SHA-256"])), size)
        how = json.dumps({"name": "ECDSA", "hash": "SHA-256"})
        pem = json.dumps(public_pem(key))
        t.js(f"ECDSA {curve} verifies", verify.format(pem, literal(made), how, literal(DATA)),
             [True, False])
    for name, algorithm in HASHES.items():
        for salt in (None, 32, 100):
            how = {"name": "RSA-PSS", "hash": name}
            how |= {} if salt is None else {"saltLength": salt}
            scheme = padding.PSS(padding.MGF1(algorithm), salt or 0)
            pem = json.dumps(private_pem(keys.rsa))
            made = given(t.value(sign.format(json.dumps(how), pem, literal(DATA))))
            valid = holds(lambda: keys.rsa.public_key().verify(made, DATA, scheme, algorithm))
            t.equal(f"RSA-PSS {name} salt {salt} is valid", valid, True)
            if name == "SHA-256":
                made = literal(keys.rsa.sign(DATA, scheme, algorithm))
                pem = json.dumps(public_pem(keys.rsa))
                t.js(f"RSA-PSS salt {salt} verifies",
                     verify.format(pem, made, json.dumps(how), literal(DATA)), [True, False])
    made = keys.ed.sign(DATA)
    pem = json.dumps(private_pem(keys.ed))
    t.js("EdDSA is the one signature", sign.format("{name: 'EdDSA'}", pem, literal(DATA)),
         buffer(made))
    pem = json.dumps(public_pem(keys.ed))
    t.js("EdDSA verifies", verify.format(pem, literal(made), "{name: 'EdDSA'}", literal(DATA)),
         [True, False])
    for name in HASHES:
        tag = hmac.digest(b"secret", DATA, name.lower().replace("-", ""))
        how = json.dumps({"name": "HMAC", "hash": name})
        t.js(f"HMAC {name}", sign.format(how, "'secret'", literal(DATA)), buffer(tag))
    t.js("digest", f"return ccf.crypto.digest('SHA-256', {literal(DATA)})",
         buffer(hashlib.sha256(DATA).digest()))
    key = keys.curves["P-256"]
    made = literal(fixed(key.sign(DATA, ec.ECDSA(HASHES["SHA-256"])), 32))
    pem = json.dumps(certificate("signer", key))
    t.js("a certificate verifies",
         verify.format(pem, made, "{name: 'ECDSA', hash: 'SHA-256'}", literal(DATA)), [True, False])


def refusals(t, keys):
    ecdsa = "{name: 'ECDSA', hash: 'SHA-256'}"
    pem = json.dumps(private_pem(keys.curves["P-256"]))
    t.expressions([
        ("sign wants a known hash", f"ccf.crypto.sign({{name: 'ECDSA', hash: 'MD5'}}, {pem}, b('x'))",
         threw("RangeError: Unsupported hash algorithm, supported: SHA-256, SHA-384, SHA-512")),
        ("sign wants a known algorithm",
         f"ccf.crypto.sign({{name: 'DSA', hash: 'SHA-256'}}, {pem}, b('x'))",
         threw("RangeError: Unsupported signing algorithm, supported: RSA-PSS, ECDSA, EdDSA, HMAC")),
        ("sign wants a buffer", f"ccf.crypto.sign({ecdsa}, {pem}, new Uint8Array(2))", NO_BUFFER),
        ("sign wants three arguments", f"ccf.crypto.sign({ecdsa})",
         threw("TypeError: Passed 1 arguments, but expected 3")),
        ("verifySignature has SHA-256 only",
         "ccf.crypto.verifySignature({name: 'ECDSA', hash: 'SHA-512'}, '', b(''), b(''))",
         threw("RangeError: Unsupported hash algorithm, supported: SHA-256")),
        ("verifySignature has no HMAC",
         "ccf.crypto.verifySignature({name: 'HMAC', hash: 'SHA-256'}, '', b(''), b(''))",
         threw("RangeError: Unsupported signing algorithm, supported: RSA-PSS, ECDSA, EdDSA")),
        ("verifySignature wants four arguments", "ccf.crypto.verifySignature()",
         threw("TypeError: Passed 0 arguments, but expected 4")),
        ("digest has SHA-256 only", "ccf.crypto.digest('SHA-512', b(''))",
         threw("RangeError: unsupported digest algorithm, supported: SHA-256")),
        ("AES keys have three sizes", "ccf.crypto.generateAesKey(100)",
         threw("RangeError: invalid key size (not one of 128, 192, 256)")),
        ("no other curves", "ccf.crypto.generateEcdsaKeyPair('secp256k1')",
         threw("RangeError: Unsupported curve id, supported: secp256r1, secp384r1, secp521r1")),
        ("no other Edwards curves", "ccf.crypto.generateEddsaKeyPair('ed448')",
         threw("RangeError: Unsupported curve id, supported: curve25519, x25519")),
        ("wrapKey knows three algorithms", "ccf.crypto.wrapKey(b(''), b(''), {name: 'X'})",
         threw("RangeError: unsupported key wrapping algorithm, supported: RSA-OAEP, AES-KWP, "
               "RSA-OAEP-AES-KWP")),
        ("unwrapKey knows three algorithms", "ccf.crypto.unwrapKey(b(''), b(''), {name: 'X'})",
         threw("RangeError: unsupported key unwrapping algorithm, supported: RSA-OAEP, AES-KWP, "
               "RSA-OAEP-AES-KWP")),
        ("a bundle is text", "ccf.crypto.isValidX509CertBundle(1)",
         threw("TypeError: Argument must be a string")),
    ])
    failing = [
        ("sign", f"ccf.crypto.sign({ecdsa}, 'no key', b('x'))", "Failed to sign: "),
        ("sign with EdDSA", f"ccf.crypto.sign({{name: 'EdDSA'}}, {pem}, b('x'))",
         "Failed to sign with EdDSA pair: "),
        ("wrapKey", "ccf.crypto.wrapKey(b('k'), b('short'), {name: 'AES-KWP'})",
         "Failed to wrap key: "),
        ("unwrapKey", "ccf.crypto.unwrapKey(b('k'), b('short'), {name: 'AES-KWP'})",
         "Failed to unwrap key: "),
        ("pemToJwk", "ccf.crypto.pemToJwk('no key')", "Failed to convert pem to jwk: "),
        ("generateRsaKeyPair", "ccf.crypto.generateRsaKeyPair(10)",
         "Failed to generate RSA key pair: "),
    ]
    for name, expression, prefix in failing:
        t.js(f"a failing {name} is an InternalError with its prefix",
             f"try {{ {expression}; }} catch (e) {{ "
             f"return [e.name, e.message.startsWith({json.dumps(prefix)})]; }}",
             ["InternalError", True])


def generation(t):
    load = lambda pair: ser.load_pem_private_key(pair["privateKey"].encode(), None)
    for call, size in [
        ("generateEcdsaKeyPair('secp256r1')", 256),
        ("generateEcdsaKeyPair('secp384r1')", 384),
        ("generateEcdsaKeyPair('secp521r1')", 521),
        ("generateRsaKeyPair(2048)", 2048),
        ("generateRsaKeyPair(2048, 3)", 2048),
    ]:
        pair = t.value(f"return ccf.crypto.{call}")
        key = load(pair)
        t.equal(call, [key.key_size, public_pem(key) == pair["publicKey"]], [size, True])
    for curve, kind in [
        ("curve25519", ed25519.Ed25519PrivateKey),
        ("x25519", x25519.X25519PrivateKey),
    ]:
        pair = t.value(f"return ccf.crypto.generateEddsaKeyPair('{curve}')")
        key = load(pair)
        t.equal(curve, [isinstance(key, kind), public_pem(key) == pair["publicKey"]], [True, True])
    t.js("AES keys", "return [128, 192, 256].map(n => ccf.crypto.generateAesKey(n).byteLength)",
         [16, 24, 32])


def wrapping(t, keys):
    for size in (16, 24, 32):
        secret = bytes(range(size))
        wrapped = keywrap.aes_key_wrap_with_padding(secret, KEY)
        t.js(f"AES-KWP of {size} bytes wraps",
             f"return ccf.crypto.wrapKey({literal(KEY)}, {literal(secret)}, {{name: 'AES-KWP'}})",
             buffer(wrapped))
        t.js(f"AES-KWP of {size} bytes unwraps",
             f"return ccf.crypto.unwrapKey({literal(wrapped)}, {literal(secret)}, "
             "{name: 'AES-KWP'})", buffer(KEY))
    public, private = json.dumps(public_pem(keys.rsa)), json.dumps(private_pem(keys.rsa))
    for label in (None, b"a label"):
        scheme = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), label)
        params = "{name: 'RSA-OAEP'" + (f", label: {literal(label)}" if label else "") + "}"
        wrapped = given(
            t.value(f"return ccf.crypto.wrapKey({literal(KEY)}, b({public}), {params})")
        )
        t.equal(f"RSA-OAEP with label {label} wraps", keys.rsa.decrypt(wrapped, scheme), KEY)
        wrapped = keys.rsa.public_key().encrypt(KEY, scheme)
        t.js(f"RSA-OAEP with label {label} unwraps",
             f"return ccf.crypto.unwrapKey({literal(wrapped)}, b({private}), {params})", buffer(KEY))
    scheme = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    for bits in (128, 192, 256):
        params = f"{{name: 'RSA-OAEP-AES-KWP', aesKeySize: {bits}}}"
        wrapped = given(
            t.value(f"return ccf.crypto.wrapKey({literal(KEY)}, b({public}), {params})")
        )
        secret = keys.rsa.decrypt(wrapped[:256], scheme)
        opened = keywrap.aes_key_unwrap_with_padding(secret, wrapped[256:])
        t.equal(f"RSA-OAEP-AES-KWP of {bits} bits wraps", [len(secret), opened], [bits // 8, KEY])


def conversions(t, keys):
    rows = [(key, "pemToJwk", "jwkToPem", "pubPemToJwk", "pubJwkToPem")
            for key in keys.curves.values()]
    rows.append((keys.rsa, "rsaPemToJwk", "rsaJwkToPem", "pubRsaPemToJwk", "pubRsaJwkToPem"))
    rows += [(key, "eddsaPemToJwk", "eddsaJwkToPem", "pubEddsaPemToJwk", "pubEddsaJwkToPem")
             for key in (keys.ed, keys.x)]
    for number, (key, to_jwk, to_pem, pub_to_jwk, pub_to_pem) in enumerate(rows):
        private, public = json.dumps(private_pem(key)), json.dumps(public_pem(key))
        t.js(f"{number}: {to_jwk} and {to_pem}",
             f"return ccf.crypto.{to_pem}(ccf.crypto.{to_jwk}({private}))", private_pem(key))
        t.js(f"{number}: {pub_to_jwk} and {pub_to_pem}",
             f"return ccf.crypto.{pub_to_pem}(ccf.crypto.{pub_to_jwk}({public}))", public_pem(key))
        t.js(f"{number}: {pub_to_jwk} with a key id",
             f"return ccf.crypto.{pub_to_jwk}({public}, 'the id').kid", "the id")
    numbers = keys.curves["P-256"].private_numbers()
    member = lambda number: base64.urlsafe_b64encode(number.to_bytes(32, "big")).decode().rstrip("=")
    t.js("the members of an EC JWK",
         f"return ccf.crypto.pemToJwk({json.dumps(private_pem(keys.curves['P-256']))})",
         {"kty": "EC", "crv": "P-256", "x": member(numbers.public_numbers.x),
          "y": member(numbers.public_numbers.y), "d": member(numbers.private_value)})


def certificates(t, keys):
    one, two = keys.curves["P-256"], keys.curves["P-384"]
    root = certificate("1", one)
    middle = certificate("2", two, "1", one)
    leaf = certificate("3", keys.rsa, "2", two, authority=False)
    for name, text, valid in [
        ("one certificate", root, True),
        ("two certificates", root + "\n" + leaf, True),
        ("garbage", "garbage", False),
        ("a key", public_pem(one), False),
    ]:
        t.js(f"bundle: {name}", f"return ccf.crypto.isValidX509CertBundle({json.dumps(text)})", valid)
    for name, chain, trusted, valid in [
        ("an authority that is trusted itself", middle, middle, True),
        ("a leaf that is trusted itself", leaf, leaf, False),
        ("no intermediates", middle, root, True),
        ("an intermediate", leaf + "\n" + middle, root, True),
        ("a trusted intermediate", leaf, middle, True),
        ("no way to the trusted", leaf, root, False),
        ("nothing trusted", leaf, "", False),
        ("no chain", "", root, False),
    ]:
        source = f"{json.dumps(chain)}, {json.dumps(trusted)}"
        t.js(f"chain: {name}", f"return ccf.crypto.isValidX509CertChain({source})", valid)


def typed(t, keys):
    """Ours: the key says how."""
    for name, key in [*keys.curves.items(), ("RSA", keys.rsa), ("Ed25519", keys.ed)]:
        private, public = json.dumps(private_pem(key)), json.dumps(public_pem(key))
        t.js(f"ours: sign and verify with {name}",
             f"const d = {{a: [1]}}; const sig = ccf.crypto.sign(d, {private}); "
             f"const v = d => ccf.crypto.verify(d, {public}, sig); "
             "return [typeof sig, v(d), v('{\"a\":[1]}'), v(b('{\"a\":[1]}')), v({})]",
             ["string", True, True, True, False])
    made = t.value(f"return ccf.crypto.sign('text', {json.dumps(private_pem(keys.rsa))})")
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    valid = holds(lambda: keys.rsa.public_key().verify(
        base64.b64decode(made), b"text", scheme, hashes.SHA256()))
    t.equal("ours: RSA keys sign with RSA-PSS, SHA-256, 32 bytes of salt", valid, True)


def run(t):
    keys = Keys()
    signatures(t, keys)
    refusals(t, keys)
    generation(t)
    wrapping(t, keys)
    conversions(t, keys)
    certificates(t, keys)
    typed(t, keys)
