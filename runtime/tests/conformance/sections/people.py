"""Identities that the sections make for themselves."""

import datetime
import hashlib
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID


def certificate(name, key, begins, ends):
    """A self-signed certificate valid from `begins` to `ends` days from now."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=begins))
        .not_valid_after(now + datetime.timedelta(days=ends))
        .sign(key, hashes.SHA256())
    )


def person(world, name, key, begins, ends):
    """The two files of a certificate and its key."""
    folder = world.directory(name)
    pem = serialization.Encoding.PEM
    paths = folder / "cert.pem", folder / "privk.pem"
    made = certificate(name, key, begins, ends)
    paths[0].write_bytes(made.public_bytes(pem))
    paths[1].write_bytes(key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return paths


def identity(paths):
    """The id and the PEM of a certificate."""
    pem = paths[0].read_text()
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest(), pem
