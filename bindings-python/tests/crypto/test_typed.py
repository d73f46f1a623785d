"""``sign(data, key)``: what bytes are signed, and what comes of it."""

import base64
import threading
import time

import ccf
import pytest
from ccf import crypto


def raw(signature):
    return base64.b64decode(signature, validate=True)


@pytest.mark.parametrize(
    ("value", "signed"),
    [
        ("größe", "größe".encode()),
        (b"\0\xff", b"\0\xff"),
        (bytearray(b"ab"), b"ab"),
        (memoryview(b"ab"), b"ab"),
        ({"b": 1, "a": [True, None, 1.5, "\n"]}, b'{"b":1,"a":[true,null,1.5,"\\n"]}'),
        ([], b"[]"),
        (None, b"null"),
        (7, b"7"),
    ],
)
def test_what_is_signed(ed25519_pair, value, signed):
    signature = crypto.sign(value, ed25519_pair.private_key)
    assert raw(signature) == crypto.sign({"name": "EdDSA"}, ed25519_pair.private_key, signed)
    assert crypto.verify(value, ed25519_pair.public_key, signature)
    assert crypto.verify(value, ed25519_pair.public_key, raw(signature))
    assert not crypto.verify(signed + b"!", ed25519_pair.public_key, signature)
    if not isinstance(value, str | bytes | bytearray | memoryview):
        assert signed == ccf.json_compatible_to_buf(value)


def test_rsa_has_a_salt_of_32_bytes(rsa_pair):
    signature = raw(crypto.sign("data", rsa_pair.private_key))
    algorithm = {"name": "RSA-PSS", "hash": "SHA-256", "saltLength": 32}
    assert crypto.verify_signature(algorithm, rsa_pair.public_key, signature, b"data")
    assert crypto.sign("data", rsa_pair.private_key) != crypto.sign("data", rsa_pair.private_key)


@pytest.mark.parametrize("signature", ["", "no base64", "AAAA", b"", b"\0" * 64])
def test_what_is_no_signature_is_only_not_valid(ed25519_pair, signature):
    assert crypto.verify("data", ed25519_pair.public_key, signature) is False


def test_arguments_may_be_named(ed25519_pair):
    key = ed25519_pair.private_key
    expected = crypto.sign(b"data", key)
    assert crypto.sign(data=b"data", key=key) == crypto.sign(b"data", key=key) == expected
    algorithm = {"name": "EdDSA"}
    assert crypto.sign(algorithm=algorithm, key=key, data=b"data") == raw(expected)
    assert crypto.sign(algorithm, key=key, data=b"data") == raw(expected)


def test_pairs_show_no_key(p256_pair):
    assert repr(p256_pair) == str(p256_pair) == "<KeyPair EC (P-256)>"
    assert p256_pair["privateKey"] == p256_pair["private_key"] == p256_pair.private_key
    assert p256_pair["publicKey"] == p256_pair["public_key"] == p256_pair.public_key
    assert dict(p256_pair) == {
        "privateKey": p256_pair.private_key,
        "publicKey": p256_pair.public_key,
    }
    with pytest.raises(KeyError):
        p256_pair["secret"]
    with pytest.raises(TypeError):
        p256_pair[0]
    with pytest.raises(AttributeError):
        p256_pair.private_key = "other"
    with pytest.raises(TypeError):
        ccf.json_compatible_to_buf(p256_pair)


def test_keys_differ():
    assert crypto.generate_aes_key(256) != crypto.generate_aes_key(256)
    pairs = [crypto.generate_ecdsa_key_pair("secp256r1").private_key for _ in range(3)]
    assert len(set(pairs)) == 3


def test_making_a_key_lets_others_run():
    ticks = 0
    made = threading.Event()

    def make():
        for _ in range(2):
            crypto.generate_rsa_key_pair(4096)
        made.set()

    threading.Thread(target=make, daemon=True).start()
    while not made.is_set():
        ticks += 1
        time.sleep(0.001)
    # Two such keys take hundreds of milliseconds; with the GIL held there would be a tick or two.
    assert ticks > 10
