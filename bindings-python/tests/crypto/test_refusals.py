"""Every refusal of ``ccf.crypto``: its class, the argument it names, and that it quotes no key."""

from random import Random

import ccf
import pytest
from ccf import crypto

ECDSA = {"name": "ECDSA", "hash": "SHA-256"}
EDDSA = {"name": "EdDSA"}
PSS = {"name": "RSA-PSS", "hash": "SHA-256"}
KWP = {"name": "AES-KWP"}
OAEP = {"name": "RSA-OAEP"}
BOTH = {"name": "RSA-OAEP-AES-KWP", "aesKeySize": 256}


def refuses(error, words, function, *arguments, **named):
    with pytest.raises(error) as caught:
        function(*arguments, **named)
    assert type(caught.value) is error
    message = str(caught.value)
    assert words in message, message
    assert len(message) < 250, message
    return message


def test_crypto_error_is_a_value_error():
    assert issubclass(ccf.CryptoError, ccf.Error) and issubclass(ccf.CryptoError, ValueError)


def test_sizes_and_curves():
    wrong = ccf.CryptoError
    for bits in (0, 1, 64, 129, 512):
        refuses(
            wrong, "Failed to generate AES key: invalid key size", crypto.generate_aes_key, bits
        )
    refuses(wrong, "size_bits: must be from 0", crypto.generate_aes_key, -1)
    refuses(wrong, "size_bits: must be from 0", crypto.generate_aes_key, 1 << 20000)
    for value, name in (("256", "str"), (256.0, "float"), (True, "bool"), (None, "NoneType")):
        words = f"size_bits must be int, not {name}"
        refuses(TypeError, words, crypto.generate_aes_key, value)
        refuses(TypeError, words, crypto.generate_rsa_key_pair, value)
    for bits in (0, 512, 1024, 2049, 16384):
        refuses(wrong, f"RSA key pair: {bits} bits", crypto.generate_rsa_key_pair, bits)
    for exponent in (0, 1, 2, 65536):
        words = f"exponent {exponent}: it must be odd"
        refuses(wrong, words, crypto.generate_rsa_key_pair, 2048, exponent)
    refuses(TypeError, "exponent must be int", crypto.generate_rsa_key_pair, 2048, "3")
    words = 'curve: unsupported curve id "secp256k1", supported: secp256r1, secp384r1, secp521r1'
    refuses(wrong, words, crypto.generate_ecdsa_key_pair, "secp256k1")
    words = 'curve: unsupported curve id "ed448", supported: curve25519, x25519'
    refuses(wrong, words, crypto.generate_eddsa_key_pair, "ed448")
    refuses(wrong, '"xxxxx', crypto.generate_eddsa_key_pair, "x" * 100_000)
    refuses(TypeError, "curve must be str, not bytes", crypto.generate_ecdsa_key_pair, b"secp256r1")
    refuses(TypeError, "curve must be str, not int", crypto.generate_eddsa_key_pair, 25519)


def test_algorithms_of_sign(p256_pair):
    def sign(words, algorithm, error=ccf.CryptoError):
        refuses(error, words, crypto.sign, algorithm, p256_pair.private_key, b"data")
        refuses(
            error, words, crypto.verify_signature, algorithm, p256_pair.public_key, b"s", b"data"
        )

    sign("algorithm must be a dict such as", "ECDSA", TypeError)
    sign("algorithm must be a dict such as", None, TypeError)
    sign('algorithm["name"] is missing', {"hash": "SHA-256"}, TypeError)
    sign('algorithm["name"] is missing', {"name": None}, TypeError)
    sign('algorithm["name"] must be str, not int', {"name": 1}, TypeError)
    sign('algorithm["name"]: unsupported signing algorithm "RSA"', {"name": "RSA"})
    sign("supported: RSA-PSS, ECDSA, EdDSA, HMAC", {"name": "ecdsa", "hash": "SHA-256"})
    sign('algorithm["hash"] is missing', {"name": "ECDSA"}, TypeError)
    sign('algorithm["hash"] is missing', {"name": "HMAC"}, TypeError)
    sign('algorithm["hash"] must be str', {"name": "ECDSA", "hash": 256}, TypeError)
    words = 'algorithm["hash"]: unsupported hash "MD5", supported: SHA-256, SHA-384, SHA-512'
    sign(words, {"name": "ECDSA", "hash": "MD5"})
    words = 'algorithm: unknown parameter "salt_lenght"; there are name, hash, saltLength'
    sign(words, {**PSS, "salt_lenght": 32}, TypeError)
    sign("each name in algorithm must be str, not int", {1: 2}, TypeError)
    sign("are the same parameter", {**PSS, "saltLength": 1, "salt_length": 1}, TypeError)
    for value in ("32", 32.0, True):
        sign('algorithm["saltLength"] must be int', {**PSS, "saltLength": value}, TypeError)
    sign('algorithm["saltLength"]: must be from 0', {**PSS, "salt_length": -1})


def test_keys_and_data_of_sign(p256_pair, rsa_pair, ed25519_pair, x25519_pair):
    wrong = ccf.CryptoError
    for key in ("", "no key", b"\xff\xfe", p256_pair.public_key):
        for algorithm in (ECDSA, EDDSA, PSS):
            refuses(wrong, "key: not", crypto.sign, algorithm, key, b"data")
        refuses(wrong, "key: not", crypto.sign, b"data", key)
    for algorithm, pair in (
        (ECDSA, rsa_pair),
        (PSS, p256_pair),
        (EDDSA, p256_pair),
        (ECDSA, x25519_pair),
    ):
        words = f"Failed to sign: key: {algorithm['name']} needs an"
        refuses(wrong, words, crypto.sign, algorithm, pair.private_key, b"data")
    words = "Failed to sign: key: an X25519 key cannot sign"
    refuses(wrong, words, crypto.sign, b"data", x25519_pair.private_key)
    words = "a salt of 255 bytes does not fit"
    refuses(wrong, words, crypto.sign, {**PSS, "saltLength": 255}, rsa_pair.private_key, b"data")
    for key in (None, 1, {}, object()):
        refuses(TypeError, "key must be str or bytes, not", crypto.sign, ECDSA, key, b"data")
        refuses(TypeError, "key must be str or bytes, not", crypto.sign, b"data", key)
    words = "key must be str or bytes (one of its private_key and public_key), not KeyPair"
    refuses(TypeError, words, crypto.sign, ECDSA, p256_pair, b"data")
    refuses(TypeError, words, crypto.sign, b"data", p256_pair)
    words = "data must be bytes (text.encode() makes bytes of text), not str"
    refuses(TypeError, words, crypto.sign, ECDSA, p256_pair.private_key, "data")
    refuses(
        TypeError, "data must be bytes, not dict", crypto.sign, ECDSA, p256_pair.private_key, {}
    )
    for value in (object(), {1: 2}, {"a": b"bytes"}, float("nan"), {1, 2}):
        words = "data must be str, bytes or a value that has JSON: "
        refuses(TypeError, words, crypto.sign, value, p256_pair.private_key)
    endless = []
    endless.append(endless)
    refuses(TypeError, "nested more than", crypto.sign, endless, p256_pair.private_key)


def test_the_count_of_arguments_of_sign(p256_pair):
    key = p256_pair.private_key
    for arguments in ((), (b"data",), (ECDSA, key, b"data", 4)):
        refuses(TypeError, "sign() takes (data, key) or", crypto.sign, *arguments)
    refuses(TypeError, "sign() takes", crypto.sign, ECDSA, key, algorithm=ECDSA)
    refuses(TypeError, "sign() takes", crypto.sign, b"data", data=b"data")
    refuses(TypeError, "sign() takes", crypto.sign, b"data", secret=key)


def test_verification(p256_pair, rsa_pair, x25519_pair):
    wrong = ccf.CryptoError
    verify, typed = crypto.verify_signature, crypto.verify
    for key in ("", "no key", b"\xff", p256_pair.private_key):
        refuses(wrong, "key: not", verify, ECDSA, key, b"s", b"data")
        refuses(wrong, "key: not", typed, b"data", key, b"s")
    words = "Failed to verify signature: key: ECDSA needs an EC key, and this one is RSA"
    refuses(wrong, words, verify, ECDSA, rsa_pair.public_key, b"s", b"data")
    words = "Failed to verify signature: key: an X25519 key cannot sign"
    refuses(wrong, words, typed, b"data", x25519_pair.public_key, b"s")
    refuses(TypeError, "key must be str or bytes", verify, ECDSA, None, b"s", b"data")
    refuses(TypeError, "key must be str or bytes (one", typed, b"data", p256_pair, b"s")
    refuses(TypeError, "signature must be bytes", verify, ECDSA, p256_pair.public_key, "s", b"data")
    refuses(TypeError, "data must be bytes", verify, ECDSA, p256_pair.public_key, b"s", "data")
    words = "signature must be base64 in str, or bytes, not int"
    refuses(TypeError, words, typed, b"data", p256_pair.public_key, 1)


def test_digests():
    words = 'algorithm: unsupported hash "SHA-1", supported: SHA-256, SHA-384, SHA-512'
    refuses(ccf.CryptoError, words, crypto.digest, "SHA-1", b"")
    refuses(TypeError, "algorithm must be str, not NoneType", crypto.digest, None, b"")
    refuses(TypeError, "data must be bytes (text.encode()", crypto.digest, "SHA-256", "text")
    refuses(TypeError, "data must be bytes, not list", crypto.digest, "SHA-256", [1])


def test_wrapping(rsa_pair, p256_pair):
    wrong = ccf.CryptoError
    wrap, unwrap, aes = crypto.wrap_key, crypto.unwrap_key, crypto.generate_aes_key(256)
    for function, doing, name, key in (
        (wrap, "Failed to wrap key", "wrapping_key", rsa_pair.public_key),
        (unwrap, "Failed to unwrap key", "unwrapping_key", rsa_pair.private_key),
    ):
        words = 'parameters["name"]: unsupported key wrapping algorithm "AES", supported: RSA-OAEP'
        refuses(wrong, words, function, b"k", key, {"name": "AES"})
        refuses(TypeError, "parameters must be a dict such as", function, b"k", key, "RSA-OAEP")
        refuses(TypeError, 'parameters["name"] is missing', function, b"k", key, {})
        words = 'parameters: unknown parameter "lable"; there are name, label, aesKeySize'
        refuses(TypeError, words, function, b"k", key, {**OAEP, "lable": b""})
        words = 'parameters["label"] must be bytes'
        refuses(TypeError, words, function, b"k", key, {**OAEP, "label": "text"})
        words = 'parameters["aesKeySize"] must be int, not str'
        refuses(TypeError, words, function, b"k", key, {**BOTH, "aesKeySize": "256"})
        refuses(TypeError, "key must be bytes (text.encode()", function, "k", key, OAEP)
        refuses(TypeError, f"{name} must be str or bytes, not int", function, b"k", 1, OAEP)
        refuses(TypeError, f"{name} must be bytes (text", function, b"k", "key", KWP)
        words = f"{doing}: {name}: not a PEM"
        refuses(wrong, words, function, b"k", "no key", OAEP)
        refuses(wrong, f"{name}: the key is not PEM text", function, b"k", b"\xff", OAEP)
        refuses(wrong, f"{name}: an AES key has 16, 24 or 32 bytes", function, bytes(16), b"k", KWP)
    words = "wrapping_key: RSA-OAEP needs an RSA key, and this one is EC (P-256)"
    refuses(wrong, words, wrap, b"k", p256_pair.public_key, OAEP)
    refuses(wrong, words, unwrap, b"k", p256_pair.private_key, BOTH)
    refuses(wrong, "takes at most 190", wrap, bytes(191), rsa_pair.public_key, OAEP)
    refuses(wrong, "AES-KWP wraps one byte at least", wrap, b"", aes, KWP)
    words = 'parameters["aesKeySize"] is missing'
    refuses(TypeError, words, wrap, b"k", rsa_pair.public_key, {"name": "RSA-OAEP-AES-KWP"})
    refuses(wrong, "invalid key size", wrap, b"k", rsa_pair.public_key, {**BOTH, "aesKeySize": 512})

    wrapped = wrap(b"secret", aes, KWP)
    altered = bytes([wrapped[0] ^ 1]) + wrapped[1:]
    for data, key in ((altered, aes), (wrapped, bytes(32)), (wrapped[:8], aes), (b"", aes)):
        refuses(wrong, "AES-KWP: the integrity check failed", unwrap, data, key, KWP)
    wrapped = wrap(b"secret", rsa_pair.public_key, {**OAEP, "label": b"a"})
    for data, label in ((wrapped, b"b"), (wrapped, None), (wrapped[1:], b"a"), (b"", b"a")):
        words = "RSA-OAEP decryption failed"
        refuses(wrong, words, unwrap, data, rsa_pair.private_key, {**OAEP, "label": label})
    refuses(wrong, "not enough ciphertext", unwrap, wrapped, rsa_pair.private_key, BOTH)


def test_certificates():
    refuses(TypeError, "pem must be str or bytes, not int", crypto.is_valid_x509_cert_bundle, 1)
    chain = crypto.is_valid_x509_cert_chain
    refuses(TypeError, "chain must be str or bytes, not NoneType", chain, None, "")
    refuses(TypeError, "trusted must be str or bytes, not NoneType", chain, "", None)


def test_conversions_to_jwk(p256_pair, rsa_pair, ed25519_pair):
    wrong = ccf.CryptoError
    for function, other in (
        (crypto.pub_pem_to_jwk, rsa_pair.public_key),
        (crypto.pem_to_jwk, rsa_pair.private_key),
        (crypto.pub_rsa_pem_to_jwk, p256_pair.public_key),
        (crypto.rsa_pem_to_jwk, p256_pair.private_key),
        (crypto.pub_eddsa_pem_to_jwk, p256_pair.public_key),
        (crypto.eddsa_pem_to_jwk, p256_pair.private_key),
    ):
        words = "Failed to convert pem to jwk: pem: "
        refuses(wrong, words + "not a PEM", function, "no key")
        refuses(wrong, words + "an", function, other)
        refuses(TypeError, "pem must be str or bytes, not dict", function, {})
        refuses(TypeError, "kid must be str, not int", function, other, 1)


def test_conversions_to_pem(p256_pair, rsa_pair, ed25519_pair):
    wrong = ccf.CryptoError
    ec_jwk = crypto.pem_to_jwk(p256_pair.private_key)
    rsa_jwk = crypto.rsa_pem_to_jwk(rsa_pair.private_key)
    okp_jwk = crypto.eddsa_pem_to_jwk(ed25519_pair.private_key)
    for function, own, other in (
        (crypto.pub_jwk_to_pem, ec_jwk, rsa_jwk),
        (crypto.jwk_to_pem, ec_jwk, rsa_jwk),
        (crypto.pub_rsa_jwk_to_pem, rsa_jwk, okp_jwk),
        (crypto.rsa_jwk_to_pem, rsa_jwk, okp_jwk),
        (crypto.pub_eddsa_jwk_to_pem, okp_jwk, ec_jwk),
        (crypto.eddsa_jwk_to_pem, okp_jwk, ec_jwk),
    ):
        failed = "Failed to convert jwk to pem: jwk: "
        refuses(wrong, failed + "an", function, other)
        refuses(wrong, failed + "not a JWK", function, {})
        refuses(wrong, failed + "JWK: kty must be", function, {"kty": "oct"})
        refuses(TypeError, 'jwk["kty"] must be str, not int', function, {**own, "kty": 1})
        refuses(TypeError, "jwk must be a dict such as", function, "{}")
        for name in {"x", "n"} & own.keys():
            refuses(
                wrong,
                f"JWK: {name} is missing",
                function,
                {k: v for k, v in own.items() if k != name},
            )
            for bad in ('"', "\\", "\n", "\0", "*", "é"):
                refuses(wrong, f"JWK: {name} is not base64url", function, {**own, name: bad})
            refuses(TypeError, f'jwk["{name}"] must be str', function, {**own, name: None})
            refuses(wrong, f"{name} is longer than", function, {**own, name: "A" * 100_000})
    for function, own in ((crypto.jwk_to_pem, ec_jwk), (crypto.eddsa_jwk_to_pem, okp_jwk)):
        refuses(wrong, "JWK: d is missing", function, {k: v for k, v in own.items() if k != "d"})
        message = refuses(wrong, "not an E", function, {**own, "d": "A" * len(own["d"])})
        assert own["x"] not in message
    refuses(
        wrong,
        "JWK: qi is missing",
        crypto.rsa_jwk_to_pem,
        {k: rsa_jwk[k] for k in rsa_jwk if k != "qi"},
    )


def test_no_message_quotes_a_key(rsa_pair, p256_pair, ed25519_pair):
    """Line breaks get lost in environment variables: what is then one line is the whole key."""
    for pair in (rsa_pair, p256_pair, ed25519_pair):
        pem = pair.private_key
        body = "".join(pem.split("\n")[1:-2])
        numbers = ", ".join(str(byte) for byte in body[:8].encode())
        texts = (
            pem.replace("\n", ""),
            pem.replace("\n", "\\n"),
            pem.replace("\n", "")[:-1],
            pem[: pem.index("-----END")],
            pem.replace(body[8:12], "****"),
            pem.replace(body[8:12], "AAAA"),
        )
        for text in texts:
            for function, arguments in (
                (crypto.sign, (b"data", text)),
                (crypto.sign, (EDDSA, text, b"data")),
                (crypto.verify, (b"data", text, b"")),
                (crypto.pem_to_jwk, (text,)),
                (crypto.unwrap_key, (b"", text, OAEP)),
            ):
                message = refuses(ccf.CryptoError, "", function, *arguments)
                assert body[:8] not in message and numbers not in message


def test_text_without_utf_8(ed25519_pair):
    words = "a str with a lone surrogate has no UTF-8"
    wrong, key = ccf.CryptoError, ed25519_pair.private_key
    refuses(wrong, "key: " + words, crypto.sign, b"data", "\ud800")
    refuses(wrong, "key: " + words, crypto.sign, EDDSA, "\ud800", b"data")
    refuses(wrong, "data: " + words, crypto.sign, "\ud800", key)
    refuses(TypeError, "data must be", crypto.sign, ["\ud800"], key)
    refuses(wrong, 'algorithm["name"]: ' + words, crypto.sign, {"name": "\ud800"}, key, b"data")
    refuses(wrong, 'jwk["kty"]: ' + words, crypto.jwk_to_pem, {"kty": "\ud800"})
    assert not crypto.verify(b"data", ed25519_pair.public_key, "\ud800")


def test_altered_keys_are_refused_or_read(rsa_pair, p256_pair, ed25519_pair, x25519_pair):
    """Whatever is altered: a result or CryptoError, and never a crash."""
    random = Random(1)
    pairs = {
        crypto.rsa_pem_to_jwk: rsa_pair,
        crypto.pem_to_jwk: p256_pair,
        crypto.eddsa_pem_to_jwk: random.choice([ed25519_pair, x25519_pair]),
    }
    back = {
        crypto.rsa_pem_to_jwk: crypto.rsa_jwk_to_pem,
        crypto.pem_to_jwk: crypto.jwk_to_pem,
        crypto.eddsa_pem_to_jwk: crypto.eddsa_jwk_to_pem,
    }
    refused = 0
    for function, pair in pairs.items():
        for _ in range(300):
            text = list(pair.private_key)
            for _ in range(random.randint(1, 3)):
                at = random.randrange(len(text))
                text[at : at + random.randint(0, 2)] = random.choice(
                    ["A", "/", "", "\n", "-", "=", "é"]
                )
            jwk = dict(function(pair.private_key))
            name = random.choice(sorted(jwk))
            jwk[name] = jwk[name][: random.randrange(len(jwk[name]))] + random.choice(
                ["", "A", "_"]
            )
            for attempt, value in ((function, "".join(text)), (back[function], jwk)):
                try:
                    attempt(value)
                except ccf.CryptoError as error:
                    assert len(str(error)) < 250
                    refused += 1
    assert refused > 1000
