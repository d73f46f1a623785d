"""What one of ``ccf.crypto`` and ``cryptography`` (OpenSSL) makes, the other takes, in both directions."""

import base64
import datetime
import os

import pytest
from ccf import crypto
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives import serialization as ser
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

HASHES = {"SHA-256": hashes.SHA256(), "SHA-384": hashes.SHA384(), "SHA-512": hashes.SHA512()}
CURVES = {
    "secp256r1": (ec.SECP256R1(), 32, "SHA-256"),
    "secp384r1": (ec.SECP384R1(), 48, "SHA-384"),
    "secp521r1": (ec.SECP521R1(), 66, "SHA-512"),
}
OAEP = {"mgf": padding.MGF1(hashes.SHA256()), "algorithm": hashes.SHA256()}
DATA = b"what is signed"


def private_pem(key, form=ser.PrivateFormat.PKCS8):
    return key.private_bytes(ser.Encoding.PEM, form, ser.NoEncryption())


def public_pem(key):
    form = ser.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(ser.Encoding.PEM, form)


def loaded(pair):
    """A pair of ours as a key of theirs; its texts must be those that OpenSSL writes."""
    key = ser.load_pem_private_key(pair.private_key.encode(), None)
    assert private_pem(key).decode() == pair.private_key
    assert public_pem(key).decode() == pair.public_key
    return key


@pytest.fixture(scope="module")
def their_rsa():
    return rsa.generate_private_key(65537, 2048)


@pytest.mark.parametrize("hash", HASHES)
@pytest.mark.parametrize("name", CURVES)
def test_ecdsa(name, hash):
    curve, size, _ = CURVES[name]
    algorithm = {"name": "ECDSA", "hash": hash}
    key = loaded(crypto.generate_ecdsa_key_pair(name))
    assert key.curve.name == name
    signature = crypto.sign(algorithm, private_pem(key), DATA)
    assert len(signature) == 2 * size
    r, s = (int.from_bytes(signature[at : at + size], "big") for at in (0, size))
    key.public_key().verify(encode_dss_signature(r, s), DATA, ec.ECDSA(HASHES[hash]))

    key = ec.generate_private_key(curve)
    r, s = decode_dss_signature(key.sign(DATA, ec.ECDSA(HASHES[hash])))
    signature = r.to_bytes(size, "big") + s.to_bytes(size, "big")
    assert crypto.verify_signature(algorithm, public_pem(key), signature, DATA)
    assert not crypto.verify_signature(algorithm, public_pem(key), signature, DATA + b"!")
    other = {**algorithm, "hash": "SHA-256" if hash != "SHA-256" else "SHA-512"}
    assert not crypto.verify_signature(other, public_pem(key), signature, DATA)


@pytest.mark.parametrize("name", ["saltLength", "salt_length"])
@pytest.mark.parametrize("hash", HASHES)
@pytest.mark.parametrize("salt", [None, 0, 1, 32, 64])
def test_rsa_pss(their_rsa, rsa_pair, name, hash, salt):
    algorithm = {"name": "RSA-PSS", "hash": hash}
    if salt is not None:
        algorithm[name] = salt
    pss = padding.PSS(padding.MGF1(HASHES[hash]), salt or 0)
    signature = crypto.sign(algorithm, rsa_pair.private_key, DATA)
    public = ser.load_pem_public_key(rsa_pair.public_key.encode())
    public.verify(signature, DATA, pss, HASHES[hash])
    with pytest.raises(InvalidSignature):
        public.verify(signature, DATA + b"!", pss, HASHES[hash])

    signature = their_rsa.sign(DATA, pss, HASHES[hash])
    assert crypto.verify_signature(algorithm, public_pem(their_rsa), signature, DATA)
    longer = {**algorithm, name: (salt or 0) + 1}
    assert not crypto.verify_signature(longer, public_pem(their_rsa), signature, DATA)


def test_a_salt_that_no_key_has_room_for_is_only_not_valid(rsa_pair):
    algorithm = {"name": "RSA-PSS", "hash": "SHA-256", "saltLength": 2**32 - 1}
    assert not crypto.verify_signature(algorithm, rsa_pair.public_key, bytes(256), DATA)


def test_ed25519(ed25519_pair):
    signature = crypto.sign({"name": "EdDSA", "hash": "SHA-256"}, ed25519_pair.private_key, DATA)
    loaded(ed25519_pair).public_key().verify(signature, DATA)


def test_their_ed25519():
    key = ed25519.Ed25519PrivateKey.generate()
    signature = key.sign(DATA)
    assert crypto.verify_signature({"name": "EdDSA"}, public_pem(key), signature, DATA)
    assert not crypto.verify_signature({"name": "EdDSA"}, public_pem(key), signature, b"")


def test_x25519_agrees(x25519_pair):
    mine, theirs = loaded(x25519_pair), x25519.X25519PrivateKey.generate()
    assert mine.exchange(theirs.public_key()) == theirs.exchange(mine.public_key())


@pytest.mark.parametrize("exponent", [3, 65537])
def test_rsa_keys(exponent):
    key = loaded(crypto.generate_rsa_key_pair(2048, exponent))
    assert key.key_size == 2048
    assert key.public_key().public_numbers().e == exponent


def test_private_keys_in_older_forms(their_rsa):
    older = ser.PrivateFormat.TraditionalOpenSSL
    key = ec.generate_private_key(ec.SECP256R1())
    assert crypto.pem_to_jwk(private_pem(key, older)) == crypto.pem_to_jwk(private_pem(key))
    signed = crypto.sign(DATA, private_pem(their_rsa, older))
    assert crypto.verify(DATA, public_pem(their_rsa), signed)


@pytest.mark.parametrize("size", [16, 24, 32])
@pytest.mark.parametrize("length", [1, 7, 8, 32, 1000])
def test_aes_kwp(size, length):
    key, data, kwp = crypto.generate_aes_key(8 * size), os.urandom(length), {"name": "AES-KWP"}
    assert len(key) == size
    wrapped = crypto.wrap_key(data, key, kwp)
    assert wrapped == keywrap.aes_key_wrap_with_padding(key, data)
    assert crypto.unwrap_key(wrapped, key, kwp) == data


@pytest.mark.parametrize("label", [None, b"", b"label"])
def test_rsa_oaep(rsa_pair, their_rsa, label):
    parameters = {"name": "RSA-OAEP", "label": label}
    wrapped = crypto.wrap_key(DATA, rsa_pair.public_key, parameters)
    assert loaded(rsa_pair).decrypt(wrapped, padding.OAEP(label=label, **OAEP)) == DATA
    wrapped = their_rsa.public_key().encrypt(DATA, padding.OAEP(label=label, **OAEP))
    # CCF's form of the wrapping key: PEM as bytes.
    assert crypto.unwrap_key(wrapped, private_pem(their_rsa), parameters) == DATA


@pytest.mark.parametrize("bits", [128, 192, 256])
@pytest.mark.parametrize("name", ["aesKeySize", "aes_key_size"])
def test_rsa_oaep_aes_kwp(rsa_pair, bits, name):
    parameters = {"name": "RSA-OAEP-AES-KWP", name: bits, "label": b"l"}
    data = rsa_pair.private_key.encode()
    wrapped = crypto.wrap_key(data, rsa_pair.public_key, parameters)
    key = loaded(rsa_pair).decrypt(wrapped[:256], padding.OAEP(label=b"l", **OAEP))
    assert len(key) == bits // 8
    assert keywrap.aes_key_unwrap_with_padding(key, wrapped[256:]) == data
    for same in (parameters, {"name": "RSA-OAEP-AES-KWP", "label": b"l"}):
        assert crypto.unwrap_key(wrapped, rsa_pair.private_key, same) == data


def certificate(name, key, issuer=None, issuer_key=None, authority=False, past=False):
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=10)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=5 if past else 20))
        .add_extension(x509.BasicConstraints(authority, None), True)
    )
    return built.sign(issuer_key or key, hashes.SHA256())


def pem_of(*certificates):
    return "".join(one.public_bytes(ser.Encoding.PEM).decode() for one in certificates)


def test_certificates(their_rsa):
    root_key, middle_key, leaf_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    root = certificate("root", root_key, authority=True)
    middle = certificate("middle", middle_key, root, root_key, authority=True)
    leaf = certificate("leaf", leaf_key, middle, middle_key)
    late = certificate("late", leaf_key, middle, middle_key, past=True)
    assert crypto.is_valid_x509_cert_bundle(pem_of(leaf, middle))
    assert crypto.is_valid_x509_cert_bundle(pem_of(leaf).encode())
    for text in ("", "no", b"\xff", pem_of(leaf)[:-40], public_pem(root_key)):
        assert not crypto.is_valid_x509_cert_bundle(text)
    assert crypto.is_valid_x509_cert_chain(pem_of(leaf, middle), pem_of(root))
    assert crypto.is_valid_x509_cert_chain(pem_of(leaf, middle).encode(), pem_of(root).encode())
    assert not crypto.is_valid_x509_cert_chain(pem_of(leaf), pem_of(root))
    assert not crypto.is_valid_x509_cert_chain(pem_of(late, middle), pem_of(root))
    assert not crypto.is_valid_x509_cert_chain(pem_of(leaf, middle), b"\xff")

    # A certificate verifies as its key does; CCF takes no salt with one, and ours takes either.
    signature = crypto.sign(DATA, private_pem(leaf_key))
    assert crypto.verify(DATA, pem_of(leaf), signature)
    own = pem_of(certificate("rsa", their_rsa))
    for salt in (0, 32):
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), salt)
        signature = their_rsa.sign(DATA, pss, hashes.SHA256())
        told = {"name": "RSA-PSS", "hash": "SHA-256", "saltLength": 32}
        assert crypto.verify_signature(told, own, signature, DATA)
        assert crypto.verify_signature(told, public_pem(their_rsa), signature, DATA) == (salt == 32)


@pytest.mark.parametrize("name", CURVES)
def test_the_typed_form_takes_the_curves_own_hash(name):
    _, _, hash = CURVES[name]
    pair = crypto.generate_ecdsa_key_pair(name)
    signature = crypto.sign(DATA, pair.private_key)
    assert crypto.verify(DATA, pair.public_key, signature)
    raw = base64.b64decode(signature)
    algorithm = {"name": "ECDSA", "hash": hash}
    assert crypto.verify_signature(algorithm, pair.public_key, raw, DATA)


def test_all_twelve_conversions(rsa_pair, ed25519_pair, x25519_pair):
    ec_functions = (
        crypto.pem_to_jwk,
        crypto.jwk_to_pem,
        crypto.pub_pem_to_jwk,
        crypto.pub_jwk_to_pem,
    )
    rsa_functions = (
        crypto.rsa_pem_to_jwk,
        crypto.rsa_jwk_to_pem,
        crypto.pub_rsa_pem_to_jwk,
        crypto.pub_rsa_jwk_to_pem,
    )
    okp_functions = (
        crypto.eddsa_pem_to_jwk,
        crypto.eddsa_jwk_to_pem,
        crypto.pub_eddsa_pem_to_jwk,
        crypto.pub_eddsa_jwk_to_pem,
    )
    pairs = [(crypto.generate_ecdsa_key_pair(name), ec_functions) for name in CURVES]
    pairs += [(rsa_pair, rsa_functions), (ed25519_pair, okp_functions)]
    pairs += [(x25519_pair, okp_functions)]
    for pair, (to_jwk, to_pem, pub_to_jwk, pub_to_pem) in pairs:
        private, public = to_jwk(pair.private_key, "id"), pub_to_jwk(pair.public_key)
        assert private["kid"] == "id" and "kid" not in public
        assert to_pem(private) == pair.private_key
        assert pub_to_pem(public) == pub_to_pem(private) == pair.public_key
        assert public.items() < private.items()
