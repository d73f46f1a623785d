"""A.8: ccf.crypto. Python's `cryptography` (OpenSSL) verifies what the handlers make, and the other
way round; `make conformance-crypto` does so ten thousand times without the handlers."""

import base64
import datetime
import hashlib
import hmac
import json
import re

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives import serialization as ser
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils, x25519

from kit import buffer, threw
from language import either, javascript

HASHES = {"SHA-256": hashes.SHA256(), "SHA-384": hashes.SHA384(), "SHA-512": hashes.SHA512()}
DATA = b"what is signed"
KEY = b"0123456789abcdef"


def private_pem(key):
    return key.private_bytes(
        ser.Encoding.PEM, ser.PrivateFormat.PKCS8, ser.NoEncryption()
    ).decode()


def public_pem(key):
    return key.public_key().public_bytes(
        ser.Encoding.PEM, ser.PublicFormat.SubjectPublicKeyInfo
    ).decode()


def literal(data):
    """An expression for these bytes."""
    return either(f"new Uint8Array({list(data)}).buffer", repr(data))


def crypto(name):
    """CCF's name of a function of `ccf.crypto`, in JavaScript's or Python's habit."""
    snake = re.sub(r"(?<=[a-z0-9])[A-Z]", lambda found: f"_{found[0].lower()}", name)
    return f"ccf.crypto.{either(name, snake)}"


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
    verify = either(
        "const k = {}; const sig = {}; const v = d => ccf.crypto.verifySignature({}, k, sig, d); ",
        "k = {}; sig = {}; v = lambda d: ccf.crypto.verify_signature({}, k, sig, d); ",
    ) + "return [v({}), v(b('another'))]"
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
        t.do(f"ECDSA {curve} verifies", verify.format(pem, literal(made), how, literal(DATA)),
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
                t.do(f"RSA-PSS salt {salt} verifies",
                     verify.format(pem, made, json.dumps(how), literal(DATA)), [True, False])
    made = keys.ed.sign(DATA)
    pem = json.dumps(private_pem(keys.ed))
    t.do("EdDSA is the one signature", sign.format("{'name': 'EdDSA'}", pem, literal(DATA)),
         buffer(made))
    pem = json.dumps(public_pem(keys.ed))
    t.do("EdDSA verifies", verify.format(pem, literal(made), "{'name': 'EdDSA'}", literal(DATA)),
         [True, False])
    for name in HASHES:
        tag = hmac.digest(b"secret", DATA, name.lower().replace("-", ""))
        how = json.dumps({"name": "HMAC", "hash": name})
        t.do(f"HMAC {name}", sign.format(how, "'secret'", literal(DATA)), buffer(tag))
    t.do("digest", f"return ccf.crypto.digest('SHA-256', {literal(DATA)})",
         buffer(hashlib.sha256(DATA).digest()))
    key = keys.curves["P-256"]
    made = literal(fixed(key.sign(DATA, ec.ECDSA(HASHES["SHA-256"])), 32))
    pem = json.dumps(certificate("signer", key))
    t.do("a certificate verifies",
         verify.format(pem, made, "{'name': 'ECDSA', 'hash': 'SHA-256'}", literal(DATA)),
         [True, False])


WRAPPING = "RSA-OAEP, AES-KWP, RSA-OAEP-AES-KWP"


def unknown(what, python, supported):
    """The refusal of a name that is none of the supported ones."""
    return threw(f"RangeError: {what}, supported: {supported}",
                 f"CryptoError: {python}, supported: {supported}")


def refusals(t, keys):
    ecdsa = "{'name': 'ECDSA', 'hash': 'SHA-256'}"
    pem = json.dumps(private_pem(keys.curves["P-256"]))
    t.expressions([
        ("sign wants a known hash",
         f"ccf.crypto.sign({{'name': 'ECDSA', 'hash': 'MD5'}}, {pem}, b('x'))",
         unknown("Unsupported hash algorithm", 'algorithm["hash"]: unsupported hash "MD5"',
                 "SHA-256, SHA-384, SHA-512")),
        ("sign wants a known algorithm",
         f"ccf.crypto.sign({{'name': 'DSA', 'hash': 'SHA-256'}}, {pem}, b('x'))",
         unknown("Unsupported signing algorithm",
                 'algorithm["name"]: unsupported signing algorithm "DSA"',
                 "RSA-PSS, ECDSA, EdDSA, HMAC")),
        ("sign wants a buffer",
         f"ccf.crypto.sign({ecdsa}, {pem}, {either('new Uint8Array(2)', '[1, 2]')})",
         threw("TypeError: Argument must be an ArrayBuffer",
               "TypeError: data must be bytes, not list")),
        ("sign wants three arguments", f"ccf.crypto.sign({ecdsa})",
         threw("TypeError: Passed 1 arguments, but expected 3",
               "TypeError: sign() takes (data, key) or (algorithm, key, data)")),
        ("verifySignature has SHA-256 only", javascript(
            "ccf.crypto.verifySignature({name: 'ECDSA', hash: 'SHA-512'}, '', b(''), b(''))"),
         threw("RangeError: Unsupported hash algorithm, supported: SHA-256")),
        ("verifySignature has no HMAC", javascript(
            "ccf.crypto.verifySignature({name: 'HMAC', hash: 'SHA-256'}, '', b(''), b(''))"),
         threw("RangeError: Unsupported signing algorithm, supported: RSA-PSS, ECDSA, EdDSA")),
        ("verifySignature wants four arguments", f"{crypto('verifySignature')}()",
         threw("TypeError: Passed 0 arguments, but expected 4",
               "TypeError: verify_signature() missing 4 required positional arguments: "
               "'algorithm', 'key', 'signature', and 'data'")),
        ("digest has SHA-256 only", javascript("ccf.crypto.digest('SHA-512', b(''))"),
         threw("RangeError: unsupported digest algorithm, supported: SHA-256")),
        ("AES keys have three sizes", f"{crypto('generateAesKey')}(100)",
         threw("RangeError: invalid key size (not one of 128, 192, 256)",
               "CryptoError: Failed to generate AES key: invalid key size (not one of 128, 192, "
               "256)")),
        ("no other curves", f"{crypto('generateEcdsaKeyPair')}('secp256k1')",
         unknown("Unsupported curve id", 'curve: unsupported curve id "secp256k1"',
                 "secp256r1, secp384r1, secp521r1")),
        ("no other Edwards curves", f"{crypto('generateEddsaKeyPair')}('ed448')",
         unknown("Unsupported curve id", 'curve: unsupported curve id "ed448"',
                 "curve25519, x25519")),
        ("wrapKey knows three algorithms", f"{crypto('wrapKey')}(b(''), b(''), {{'name': 'X'}})",
         unknown("unsupported key wrapping algorithm",
                 'parameters["name"]: unsupported key wrapping algorithm "X"', WRAPPING)),
        ("unwrapKey knows three algorithms",
         f"{crypto('unwrapKey')}(b(''), b(''), {{'name': 'X'}})",
         unknown("unsupported key unwrapping algorithm",
                 'parameters["name"]: unsupported key wrapping algorithm "X"', WRAPPING)),
        ("a bundle is text", f"{crypto('isValidX509CertBundle')}(1)",
         threw("TypeError: Argument must be a string",
               "TypeError: pem must be str or bytes, not int")),
    ])
    failing = [
        ("sign", f"ccf.crypto.sign({ecdsa}, 'no key', b('x'))", "Failed to sign: "),
        ("sign with EdDSA", f"ccf.crypto.sign({{'name': 'EdDSA'}}, {pem}, b('x'))",
         either("Failed to sign with EdDSA pair: ", "Failed to sign: ")),
        ("wrapKey", f"{crypto('wrapKey')}(b('k'), b('short'), {{'name': 'AES-KWP'}})",
         "Failed to wrap key: "),
        ("unwrapKey", f"{crypto('unwrapKey')}(b('k'), b('short'), {{'name': 'AES-KWP'}})",
         "Failed to unwrap key: "),
        ("pemToJwk", f"{crypto('pemToJwk')}('no key')", "Failed to convert pem to jwk: "),
        ("generateRsaKeyPair", f"{crypto('generateRsaKeyPair')}(10)",
         "Failed to generate RSA key pair: "),
    ]
    for name, expression, prefix in failing:
        prefix = json.dumps(prefix)
        t.do(f"a failing {name} is an InternalError with its prefix", either(
            f"try {{ {expression}; }} catch (e) {{ "
            f"return [e.name, e.message.startsWith({prefix})]; }}",
            f"try:\n    {expression}\nexcept ccf.CryptoError as e:\n"
            f"    return ['InternalError', str(e).startswith({prefix})]"), ["InternalError", True])


def made_pair(t, expression):
    """A pair of keys that a handler made."""
    return t.value(either(
        f"return {expression}",
        f"pair = {expression}; "
        "return {'privateKey': pair.private_key, 'publicKey': pair.public_key}"))


def generation(t):
    load = lambda pair: ser.load_pem_private_key(pair["privateKey"].encode(), None)
    for function, arguments, size in [
        ("generateEcdsaKeyPair", "'secp256r1'", 256),
        ("generateEcdsaKeyPair", "'secp384r1'", 384),
        ("generateEcdsaKeyPair", "'secp521r1'", 521),
        ("generateRsaKeyPair", "2048", 2048),
        ("generateRsaKeyPair", "2048, 3", 2048),
    ]:
        pair = made_pair(t, f"{crypto(function)}({arguments})")
        key = load(pair)
        t.equal(f"{function}({arguments})",
                [key.key_size, public_pem(key) == pair["publicKey"]], [size, True])
    for curve, kind in [
        ("curve25519", ed25519.Ed25519PrivateKey),
        ("x25519", x25519.X25519PrivateKey),
    ]:
        pair = made_pair(t, f"{crypto('generateEddsaKeyPair')}('{curve}')")
        key = load(pair)
        t.equal(curve, [isinstance(key, kind), public_pem(key) == pair["publicKey"]], [True, True])
    t.do("AES keys", either(
        "return [128, 192, 256].map(n => ccf.crypto.generateAesKey(n).byteLength)",
        "return [len(ccf.crypto.generate_aes_key(n)) for n in (128, 192, 256)]"), [16, 24, 32])


def wrapping(t, keys):
    for size in (16, 24, 32):
        secret = bytes(range(size))
        wrapped = keywrap.aes_key_wrap_with_padding(secret, KEY)
        t.do(f"AES-KWP of {size} bytes wraps",
             f"return {crypto('wrapKey')}({literal(KEY)}, {literal(secret)}, "
             "{'name': 'AES-KWP'})",
             buffer(wrapped))
        t.do(f"AES-KWP of {size} bytes unwraps",
             f"return {crypto('unwrapKey')}({literal(wrapped)}, {literal(secret)}, "
             "{'name': 'AES-KWP'})", buffer(KEY))
    public, private = json.dumps(public_pem(keys.rsa)), json.dumps(private_pem(keys.rsa))
    for label in (None, b"a label"):
        scheme = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), label)
        params = "{'name': 'RSA-OAEP'" + (f", 'label': {literal(label)}" if label else "") + "}"
        wrapped = given(
            t.value(f"return {crypto('wrapKey')}({literal(KEY)}, b({public}), {params})")
        )
        t.equal(f"RSA-OAEP with label {label} wraps", keys.rsa.decrypt(wrapped, scheme), KEY)
        wrapped = keys.rsa.public_key().encrypt(KEY, scheme)
        t.do(f"RSA-OAEP with label {label} unwraps",
             f"return {crypto('unwrapKey')}({literal(wrapped)}, b({private}), {params})",
             buffer(KEY))
    scheme = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    for bits in (128, 192, 256):
        params = f"{{'name': 'RSA-OAEP-AES-KWP', 'aesKeySize': {bits}}}"
        wrapped = given(
            t.value(f"return {crypto('wrapKey')}({literal(KEY)}, b({public}), {params})")
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
        t.do(f"{number}: {to_jwk} and {to_pem}",
             f"return {crypto(to_pem)}({crypto(to_jwk)}({private}))", private_pem(key))
        t.do(f"{number}: {pub_to_jwk} and {pub_to_pem}",
             f"return {crypto(pub_to_pem)}({crypto(pub_to_jwk)}({public}))", public_pem(key))
        t.do(f"{number}: {pub_to_jwk} with a key id",
             f"return {crypto(pub_to_jwk)}({public}, 'the id')['kid']", "the id")
    numbers = keys.curves["P-256"].private_numbers()
    member = lambda number: base64.urlsafe_b64encode(number.to_bytes(32, "big")).decode().rstrip("=")
    t.do("the members of an EC JWK",
         f"return {crypto('pemToJwk')}({json.dumps(private_pem(keys.curves['P-256']))})",
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
        t.do(f"bundle: {name}", f"return {crypto('isValidX509CertBundle')}({json.dumps(text)})",
             valid)
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
        t.do(f"chain: {name}", f"return {crypto('isValidX509CertChain')}({source})", valid)


def typed(t, keys):
    """Ours: the key says how."""
    for name, key in [*keys.curves.items(), ("RSA", keys.rsa), ("Ed25519", keys.ed)]:
        private, public = json.dumps(private_pem(key)), json.dumps(public_pem(key))
        t.do(f"ours: sign and verify with {name}", either(
            f"const d = {{a: [1]}}; const sig = ccf.crypto.sign(d, {private}); "
            f"const v = d => ccf.crypto.verify(d, {public}, sig); "
            "return [typeof sig, v(d), v('{\"a\":[1]}'), v(b('{\"a\":[1]}')), v({})]",
            f"d = {{'a': [1]}}; sig = ccf.crypto.sign(d, {private}); "
            f"v = lambda d: ccf.crypto.verify(d, {public}, sig); "
            "return ['string' if type(sig) is str else '', v(d), v('{\"a\":[1]}'), "
            "v(b('{\"a\":[1]}')), v({})]"),
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
