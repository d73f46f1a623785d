"""``ccf.crypto``: keys, signatures, hashes, key wrapping, certificates.

CCF's functions in snake_case. They need no running request. Wherever a key or a certificate is wanted, it
is PEM: ``str``, or the same as ``bytes``. Wherever data is wanted, it is ``bytes``, or anything else of
bytes (``bytearray``, ``memoryview``).

Two exceptions tell faults apart, and no message quotes key material:

* ``TypeError``: an argument is of a wrong type; a parameter is missing, misspelt or given twice.
* :class:`ccf.CryptoError` (a ``ValueError``): a key or a size that does not do, an algorithm that there is
  not, an operation that failed.

Parameters are dicts with CCF's names (``saltLength``, ``aesKeySize``) or Python's (``salt_length``,
``aes_key_size``). What takes long, such as making an RSA key, lets other threads run meanwhile.

>>> from ccf import crypto
>>> pair = crypto.generate_ecdsa_key_pair("secp256r1")
>>> signature = crypto.sign({"amount": 100}, pair.private_key)
>>> crypto.verify({"amount": 100}, pair.public_key, signature)
True
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict, overload

from affiant import _native
from affiant._native import KeyPair

__all__ = [
    "AesKwp",
    "EcdsaOrHmac",
    "EdDsa",
    "Jwk",
    "KeyPair",
    "RsaOaep",
    "RsaOaepAesKwp",
    "RsaPss",
    "digest",
    "eddsa_jwk_to_pem",
    "eddsa_pem_to_jwk",
    "generate_aes_key",
    "generate_ecdsa_key_pair",
    "generate_eddsa_key_pair",
    "generate_rsa_key_pair",
    "is_valid_x509_cert_bundle",
    "is_valid_x509_cert_chain",
    "jwk_to_pem",
    "pem_to_jwk",
    "pub_eddsa_jwk_to_pem",
    "pub_eddsa_pem_to_jwk",
    "pub_jwk_to_pem",
    "pub_pem_to_jwk",
    "pub_rsa_jwk_to_pem",
    "pub_rsa_pem_to_jwk",
    "rsa_jwk_to_pem",
    "rsa_pem_to_jwk",
    "sign",
    "unwrap_key",
    "verify",
    "verify_signature",
    "wrap_key",
]

Buffer = bytes | bytearray | memoryview
Pem = str | bytes
Hash = Literal["SHA-256", "SHA-384", "SHA-512"]
Jwk = dict[str, Any]


class EcdsaOrHmac(TypedDict):
    """ECDSA and HMAC: the hash is of the caller's choice."""

    name: Literal["ECDSA", "HMAC"]
    hash: Hash


class _EdDsa(TypedDict):
    name: Literal["EdDSA"]


class EdDsa(_EdDsa, total=False):
    """Ed25519, which has a hash of its own: ``hash`` is not looked at."""

    hash: Hash


class _RsaPss(TypedDict):
    name: Literal["RSA-PSS"]
    hash: Hash


class RsaPss(_RsaPss, total=False):
    """RSA-PSS; the salt's length in bytes, 0 if it is not given, as in CCF. Give 32."""

    saltLength: int
    salt_length: int


class _RsaOaep(TypedDict):
    name: Literal["RSA-OAEP"]


class RsaOaep(_RsaOaep, total=False):
    """RSA-OAEP with SHA-256 for both hashes."""

    label: Buffer


class AesKwp(TypedDict):
    """AES key wrap with padding (RFC 5649)."""

    name: Literal["AES-KWP"]


class _RsaOaepAesKwp(TypedDict):
    name: Literal["RSA-OAEP-AES-KWP"]


class RsaOaepAesKwp(_RsaOaepAesKwp, total=False):
    """A fresh AES key wraps the data, RSA-OAEP that key. The AES key's size is in bits."""

    aesKeySize: Literal[128, 192, 256]
    aes_key_size: Literal[128, 192, 256]
    label: Buffer


Signing = EcdsaOrHmac | EdDsa | RsaPss
Wrapping = RsaOaep | AesKwp | RsaOaepAesKwp


def generate_aes_key(size_bits: int) -> bytes:
    """A fresh AES key.

    Args:
        size_bits: 128, 192 or 256.

    Returns:
        The key itself: 16, 24 or 32 random bytes.

    Raises:
        CryptoError: another size.
    """
    return _native.crypto_generate_aes_key(size_bits)


def generate_rsa_key_pair(size_bits: int, exponent: int = 65537) -> KeyPair:
    """A fresh RSA key pair. 2048 bits take some tenths of a second, 8192 many seconds.

    Args:
        size_bits: 2048, 3072, 4096 or 8192.
        exponent: the public exponent, odd and at least 3; leave it unless a peer insists.

    Raises:
        CryptoError: another size, or an impossible exponent.
    """
    return _native.crypto_generate_rsa_key_pair(size_bits, exponent)


def generate_ecdsa_key_pair(curve: Literal["secp256r1", "secp384r1", "secp521r1"]) -> KeyPair:
    """A fresh EC key pair.

    Args:
        curve: ``secp256r1``, ``secp384r1`` or ``secp521r1``.

    Raises:
        CryptoError: another curve.

    >>> pair = generate_ecdsa_key_pair("secp256r1")
    >>> pair.public_key == pair["publicKey"]
    True
    """
    return _native.crypto_generate_ecdsa_key_pair(curve)


def generate_eddsa_key_pair(curve: Literal["curve25519", "x25519"]) -> KeyPair:
    """A fresh Ed25519 or X25519 key pair.

    Args:
        curve: ``curve25519`` (CCF's name of Ed25519, which signs) or ``x25519`` (which agrees on keys and
            does not sign).

    Raises:
        CryptoError: another curve.
    """
    return _native.crypto_generate_eddsa_key_pair(curve)


@overload
def sign(data: Any, key: Pem) -> str: ...


@overload
def sign(algorithm: Signing, key: Pem, data: Buffer) -> bytes: ...


def sign(*arguments: Any, **named: Any) -> str | bytes:
    """Signs data: ``sign(data, key)``, or in CCF's form ``sign(algorithm, key, data)``.

    ``sign(data, key)`` takes the algorithm from the key: ECDSA with the curve's own hash (SHA-256 for
    P-256, SHA-384 for P-384, SHA-512 for P-521), RSA-PSS with SHA-256 and 32 bytes of salt, or Ed25519.
    What is signed: of ``str`` the UTF-8; ``bytes`` (and a request's ``body``) as they are; of any other
    value its JSON, without spaces, members in their order, as UTF-8: the bytes that
    :func:`ccf.json_compatible_to_buf` gives, except that floats with an exponent are written ``1e30``,
    not ``1e+30``. The result is base64 text, so that it can go into a JSON body.

    ``sign(algorithm, key, data)`` signs bytes and returns bytes: of ECDSA the two numbers r and s, each as
    long as the curve's field (IEEE P1363, not DER).

    Args:
        algorithm: ``{"name": "ECDSA", "hash": "SHA-256"}``, ``{"name": "EdDSA"}``,
            ``{"name": "RSA-PSS", "hash": "SHA-256", "saltLength": 32}`` or
            ``{"name": "HMAC", "hash": "SHA-256"}``; also SHA-384 and SHA-512.
        key: a private key in PEM; for HMAC the secret: bytes, or text of which the UTF-8 is the secret.
        data: what is signed.

    Raises:
        TypeError: an argument of a wrong type, or not two or three of them.
        CryptoError: the key is none, or not for this algorithm; an algorithm or hash that there is not; a
            salt longer than the key has room for.

    >>> pair = generate_eddsa_key_pair("curve25519")
    >>> len(sign({"name": "EdDSA"}, pair.private_key, b"data"))
    64
    """
    names = ("data", "key") if len(arguments) + len(named) == 2 else ("algorithm", "key", "data")
    given = dict(zip(names, arguments))
    if len(arguments) + len(named) not in (2, 3) or {*given, *named} != {*names}:
        raise TypeError("sign() takes (data, key) or (algorithm, key, data)")
    given.update(named)
    if len(names) == 2:
        return _native.crypto_sign_typed(given["data"], given["key"])
    return _native.crypto_sign(given["algorithm"], given["key"], given["data"])


def verify(data: Any, key: Pem, signature: str | Buffer) -> bool:
    """Whether `signature` is what ``sign(data, key)`` made with the private half of `key`.

    Args:
        data: what was signed; see :func:`sign`.
        key: a public key or a certificate in PEM.
        signature: base64 text as :func:`sign` returns it, or the bytes. What is no signature at all is
            only not valid.

    Raises:
        CryptoError: the key is none, or cannot verify (X25519).
    """
    return _native.crypto_verify_typed(data, key, signature)


def verify_signature(algorithm: Signing, key: Pem, signature: Buffer, data: Buffer) -> bool:
    """Whether `signature` is one of `data`.

    CCF verifies with SHA-256 only and has no HMAC here; this has all that :func:`sign` has, and compares
    HMACs in constant time.

    Args:
        algorithm: as for :func:`sign`. RSA-PSS with a certificate also takes a signature without salt,
            as CCF does.
        key: a public key or a certificate in PEM; for HMAC the secret.
        signature: of ECDSA r and s, each as long as the curve's field.
        data: what was signed.

    Raises:
        TypeError: an argument of a wrong type.
        CryptoError: the key is none, or not for this algorithm; an algorithm that there is not.
    """
    return _native.crypto_verify_signature(algorithm, key, signature, data)


def digest(algorithm: Hash, data: Buffer) -> bytes:
    """The digest of `data`.

    Args:
        algorithm: ``SHA-256``, ``SHA-384`` or ``SHA-512`` (CCF has the first only).
        data: any bytes.

    Raises:
        CryptoError: another algorithm.

    >>> digest("SHA-256", b"abc").hex()[:8]
    'ba7816bf'
    """
    return _native.crypto_digest(algorithm, data)


def wrap_key(key: Buffer, wrapping_key: Pem | Buffer, parameters: Wrapping) -> bytes:
    """Encrypts a key with another.

    Args:
        key: what is wrapped: an AES key, or a PEM as bytes (``pair.private_key.encode()``).
        wrapping_key: for RSA a public key in PEM; for AES-KWP the AES key itself, 16, 24 or 32 bytes.
        parameters: ``{"name": "AES-KWP"}``, ``{"name": "RSA-OAEP"}`` (at most the modulus less 66 bytes
            fit), or ``{"name": "RSA-OAEP-AES-KWP", "aesKeySize": 256}``, whose output is the wrapped AES
            key, then the data wrapped with it. The RSA ones take a ``label`` of bytes.

    Raises:
        TypeError: an argument or parameter of a wrong type.
        CryptoError: a key that does not do, data that does not fit, an algorithm that there is not.

    >>> outer = generate_aes_key(256)
    >>> wrapped = wrap_key(b"secret", outer, {"name": "AES-KWP"})
    >>> unwrap_key(wrapped, outer, {"name": "AES-KWP"})
    b'secret'
    """
    return _native.crypto_wrap_key(key, wrapping_key, parameters)


def unwrap_key(key: Buffer, unwrapping_key: Pem | Buffer, parameters: Wrapping) -> bytes:
    """Decrypts what :func:`wrap_key` made.

    Args:
        key: the wrapped key.
        unwrapping_key: for RSA the private key in PEM; for AES-KWP the AES key itself.
        parameters: the same as for wrapping; ``aesKeySize`` may be left out.

    Raises:
        TypeError: an argument or parameter of a wrong type.
        CryptoError: not the key, not the label, or the data was changed: which, is not told.
    """
    return _native.crypto_unwrap_key(key, unwrapping_key, parameters)


def is_valid_x509_cert_bundle(pem: Pem) -> bool:
    """Whether `pem` is one or more certificates in PEM, one after the other."""
    return _native.crypto_is_valid_bundle(pem)


def is_valid_x509_cert_chain(chain: Pem, trusted: Pem) -> bool:
    """Whether a certificate leads to a trusted one now (RFC 5280, without policies and revocation).

    Args:
        chain: PEM: the certificate in question first, then intermediate ones, if any.
        trusted: PEM: one or more certificates of authorities.
    """
    return _native.crypto_is_valid_chain(chain, trusted)


def pub_pem_to_jwk(pem: Pem, kid: str | None = None) -> Jwk:
    """The JSON Web Key of a public EC key: ``kty``, ``crv``, ``x``, ``y``, and ``kid`` if given.

    All twelve conversions raise `CryptoError` for what is no key, or a key of another kind.
    """
    return _native.crypto_public_pem_to_jwk("EC", pem, kid)


def pem_to_jwk(pem: Pem, kid: str | None = None) -> Jwk:
    """The JSON Web Key of a private EC key: the public members, and ``d``."""
    return _native.crypto_private_pem_to_jwk("EC", pem, kid)


def pub_rsa_pem_to_jwk(pem: Pem, kid: str | None = None) -> Jwk:
    """The JSON Web Key of a public RSA key: ``kty``, ``n``, ``e``, and ``kid`` if given."""
    return _native.crypto_public_pem_to_jwk("RSA", pem, kid)


def rsa_pem_to_jwk(pem: Pem, kid: str | None = None) -> Jwk:
    """The JSON Web Key of a private RSA key: also ``d``, ``p``, ``q``, ``dp``, ``dq``, ``qi``."""
    return _native.crypto_private_pem_to_jwk("RSA", pem, kid)


def pub_eddsa_pem_to_jwk(pem: Pem, kid: str | None = None) -> Jwk:
    """The JSON Web Key of a public Ed25519 or X25519 key: ``kty``, ``crv``, ``x``."""
    return _native.crypto_public_pem_to_jwk("OKP", pem, kid)


def eddsa_pem_to_jwk(pem: Pem, kid: str | None = None) -> Jwk:
    """The JSON Web Key of a private Ed25519 or X25519 key: also ``d``."""
    return _native.crypto_private_pem_to_jwk("OKP", pem, kid)


def pub_jwk_to_pem(jwk: Jwk) -> str:
    """The PEM of a public EC key; private members of `jwk` are not looked at."""
    return _native.crypto_public_jwk_to_pem("EC", jwk)


def jwk_to_pem(jwk: Jwk) -> str:
    """The PEM (PKCS#8) of a private EC key; its public members must fit ``d``."""
    return _native.crypto_private_jwk_to_pem("EC", jwk)


def pub_rsa_jwk_to_pem(jwk: Jwk) -> str:
    """The PEM of a public RSA key."""
    return _native.crypto_public_jwk_to_pem("RSA", jwk)


def rsa_jwk_to_pem(jwk: Jwk) -> str:
    """The PEM (PKCS#8) of a private RSA key; all its members must be there and fit."""
    return _native.crypto_private_jwk_to_pem("RSA", jwk)


def pub_eddsa_jwk_to_pem(jwk: Jwk) -> str:
    """The PEM of a public Ed25519 or X25519 key."""
    return _native.crypto_public_jwk_to_pem("OKP", jwk)


def eddsa_jwk_to_pem(jwk: Jwk) -> str:
    """The PEM (PKCS#8) of a private Ed25519 or X25519 key."""
    return _native.crypto_private_jwk_to_pem("OKP", jwk)
