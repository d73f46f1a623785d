"""Key pairs that all tests of ``ccf.crypto`` share: RSA keys take long to make."""

import pytest
from ccf import crypto


@pytest.fixture(scope="session")
def rsa_pair():
    return crypto.generate_rsa_key_pair(2048)


@pytest.fixture(scope="session")
def p256_pair():
    return crypto.generate_ecdsa_key_pair("secp256r1")


@pytest.fixture(scope="session")
def ed25519_pair():
    return crypto.generate_eddsa_key_pair("curve25519")


@pytest.fixture(scope="session")
def x25519_pair():
    return crypto.generate_eddsa_key_pair("x25519")
