"""``ccf.crypto`` against the answers printed in the standards."""

import base64
import hashlib

import pytest
from ccf import crypto


def b64(text):
    data = bytes.fromhex("".join(text.split()))
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@pytest.mark.parametrize(
    ("data", "wrapped"),
    [
        (
            "c37b7e6492584340bed12207808941155068f738",
            "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a",
        ),
        ("466f7250617369", "afbeb0f07dfbf5419200f2ccb50bb24f"),
    ],
)
def test_rfc_5649_key_wrap_with_padding(data, wrapped):
    key = bytes.fromhex("5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8")
    kwp = {"name": "AES-KWP"}
    assert crypto.wrap_key(bytes.fromhex(data), key, kwp).hex() == wrapped
    assert crypto.unwrap_key(bytes.fromhex(wrapped), key, kwp).hex() == data


@pytest.mark.parametrize(
    ("seed", "public", "message", "signature"),
    [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bac"
            "c61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290"
            "ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ],
)
def test_rfc_8032_ed25519(seed, public, message, signature):
    jwk = {"kty": "OKP", "crv": "Ed25519", "d": b64(seed), "x": b64(public)}
    private, public = crypto.eddsa_jwk_to_pem(jwk), crypto.pub_eddsa_jwk_to_pem(jwk)
    data, signature = bytes.fromhex(message), bytes.fromhex(signature)
    assert crypto.sign({"name": "EdDSA"}, private, data) == signature
    assert crypto.sign(data, private) == base64.b64encode(signature).decode()
    assert crypto.verify_signature({"name": "EdDSA"}, public, signature, data)
    assert not crypto.verify_signature({"name": "EdDSA"}, public, signature, data + b"\0")


@pytest.mark.parametrize(
    ("hash", "key", "data", "tag"),
    [
        (
            "SHA-256",
            "0b" * 20,
            "4869205468657265",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            "SHA-384",
            "4a656665",
            "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
            "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c7"
            "8b3239ecfab21649",
        ),
        (
            "SHA-512",
            "4a656665",
            "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994"
            "a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
        ),
        (
            "SHA-256",
            "aa" * 131,
            "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d2"
            "048617368204b6579204669727374",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
    ],
)
def test_rfc_4231_hmac(hash, key, data, tag):
    key, data, tag = bytes.fromhex(key), bytes.fromhex(data), bytes.fromhex(tag)
    algorithm = {"name": "HMAC", "hash": hash}
    assert crypto.sign(algorithm, key, data) == tag
    assert crypto.verify_signature(algorithm, key, tag, data)
    assert not crypto.verify_signature(algorithm, key, tag[:-1], data)
    assert not crypto.verify_signature(algorithm, key, tag, data + b"\0")


def test_the_secret_of_an_hmac_may_be_text():
    algorithm = {"name": "HMAC", "hash": "SHA-256"}
    assert crypto.sign(algorithm, "Jefé", b"d") == crypto.sign(algorithm, "Jefé".encode(), b"d")


P256 = {
    "kty": "EC",
    "crv": "P-256",
    "x": b64("60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6"),
    "y": b64("7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299"),
}
P384 = {
    "kty": "EC",
    "crv": "P-384",
    "x": b64(
        "EC3A4E415B4E19A4568618029F427FA5DA9A8BC4AE92E02E06AAE5286B300C64"
        "DEF8F0EA9055866064A254515480BC13"
    ),
    "y": b64(
        "8015D9B72D7D57244EA8EF9AC0C621896708A59367F9DFB9F54CA84B3F1C9DB1"
        "288B231C3AE0D4FE7344FD2533264720"
    ),
}


@pytest.mark.parametrize(
    ("jwk", "hash", "signature"),
    [
        (
            P256,
            "SHA-256",
            "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
            "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8",
        ),
        (
            P256,
            "SHA-384",
            "0EAFEA039B20E9B42309FB1D89E213057CBF973DC0CFC8F129EDDDC800EF7719"
            "4861F0491E6998B9455193E34E7B0D284DDD7149A74B95B9261F13ABDE940954",
        ),
        (
            P256,
            "SHA-512",
            "8496A60B5E9B47C825488827E0495B0E3FA109EC4568FD3F8D1097678EB97F00"
            "2362AB1ADBE2B8ADF9CB9EDAB740EA6049C028114F2460F96554F61FAE3302FE",
        ),
        (
            P384,
            "SHA-256",
            "21B13D1E013C7FA1392D03C5F99AF8B30C570C6F98D4EA8E354B63A21D3DAA33"
            "BDE1E888E63355D92FA2B3C36D8FB2CDF3AA443FB107745BF4BD77CB38916746"
            "32068A10CA67E3D45DB2266FA7D1FEEBEFDC63ECCD1AC42EC0CB8668A4FA0AB0",
        ),
    ],
)
def test_rfc_6979_ecdsa(jwk, hash, signature):
    key = crypto.pub_jwk_to_pem(jwk)
    algorithm, signature = {"name": "ECDSA", "hash": hash}, bytes.fromhex(signature)
    assert crypto.verify_signature(algorithm, key, signature, b"sample")
    assert not crypto.verify_signature(algorithm, key, signature, b"Sample")
    assert not crypto.verify_signature(algorithm, key, b"", b"sample")


def test_rfc_8037_and_7517_private_jwks():
    okp = {
        "kty": "OKP",
        "crv": "Ed25519",
        "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    }
    assert crypto.eddsa_pem_to_jwk(crypto.eddsa_jwk_to_pem(okp)) == okp
    ec = {
        "kty": "EC",
        "crv": "P-256",
        "d": "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    }
    assert crypto.pem_to_jwk(crypto.jwk_to_pem(ec), "7") == {**ec, "kid": "7"}
    # What other writers add is not looked at, of whatever type it is.
    more = {**ec, "kid": 7, "use": "sig", "key_ops": ["sign"], "ext": True}
    assert crypto.jwk_to_pem(more) == crypto.jwk_to_pem(ec)


def test_rfc_8410_pem():
    private = (
        "-----BEGIN PRIVATE KEY-----\n"
        "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
        "-----END PRIVATE KEY-----\n"
    )
    public = (
        "-----BEGIN PUBLIC KEY-----\n"
        "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
        "-----END PUBLIC KEY-----\n"
    )
    assert crypto.eddsa_jwk_to_pem(crypto.eddsa_pem_to_jwk(private)) == private
    assert crypto.pub_eddsa_jwk_to_pem(crypto.eddsa_pem_to_jwk(private)) == public


@pytest.mark.parametrize("hash", ["SHA-256", "SHA-384", "SHA-512"])
@pytest.mark.parametrize("size", [0, 3, 32 * 1024 - 1, 32 * 1024, 1_000_000])
def test_digests(hash, size):
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    expected = hashlib.new(hash.replace("-", "").lower(), data).digest()
    for form in (data, bytearray(data), memoryview(data)):
        assert crypto.digest(hash, form) == expected


def test_bytes_that_do_not_lie_side_by_side():
    expected = hashlib.sha256(b"ace").digest()
    assert crypto.digest("SHA-256", memoryview(b"abcdef")[::2]) == expected
