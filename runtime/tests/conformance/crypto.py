"""Round trips between Affiant's application crypto API and Python's `cryptography` (OpenSSL).

Usage: crypto.py PEER [ROUND_TRIPS [SEED]]

What one side signs or wraps, the other verifies or unwraps, over all algorithms, curves, hashes, salt
lengths and sizes, with keys that both sides made in every form; and what was changed is refused. The
peer reads JSON lines and answers each, so all requests of a kind go to it at once.
"""

import base64
import collections
import datetime
import hashlib
import hmac
import json
import os
import random
import subprocess
import sys
import time

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
CURVES = {"P-256": (ec.SECP256R1(), 32), "P-384": (ec.SECP384R1(), 48), "P-521": (ec.SECP521R1(), 66)}
DATA_BYTES_MAX = 2000


def b64(data):
    return base64.b64encode(data).decode()


def b64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def minimal(number):
    return b64url(number.to_bytes((number.bit_length() + 7) // 8, "big"))


class Peer:
    """Gathers requests with what is to be done with their answers, then asks them all."""

    def __init__(self, path):
        self.path = path
        self.requests = []

    def ask(self, check, **request):
        self.requests.append((request, check))

    def run(self):
        requests, self.requests = self.requests, []
        lines = "".join(json.dumps(request) + "\n" for request, _ in requests)
        done = subprocess.run([self.path], input=lines, capture_output=True, text=True, check=True)
        answers = done.stdout.splitlines()
        assert len(answers) == len(requests), f"{len(answers)} answers to {len(requests)} requests"
        for (request, check), answer in zip(requests, answers):
            try:
                check(json.loads(answer))
            except Exception as error:
                fault = error if str(error) else type(error).__name__
                sys.exit(f"conformance: {fault}\nrequest: {json.dumps(request)}\nanswer: {answer}")


def ok(answer):
    assert "ok" in answer, "the peer failed"
    return answer["ok"]


def refused(answer):
    assert "error" in answer, "the peer accepted what it must refuse"


def expects(value):
    def check(answer):
        assert ok(answer) == value, f"expected {value!r}"

    return check


class Key:
    """A key pair that Python has loaded, and its texts."""

    def __init__(self, kind, private, private_pem=None):
        self.kind, self.private, self.public = kind, private, private.public_key()
        self.public_pem = self.public.public_bytes(
            ser.Encoding.PEM, ser.PublicFormat.SubjectPublicKeyInfo
        ).decode()
        formats = [ser.PrivateFormat.PKCS8]
        if kind not in ("Ed25519", "X25519"):
            formats.append(ser.PrivateFormat.TraditionalOpenSSL)
        self.pems = [
            private.private_bytes(ser.Encoding.PEM, form, ser.NoEncryption()).decode()
            for form in formats
        ]
        self.pkcs8 = self.pems[0]
        if private_pem is not None:
            assert private_pem == self.pkcs8, f"PKCS#8 of a {kind} key differs from OpenSSL's"
            assert private_pem in self.pems

    def any_pem(self):
        return random.choice(self.pems)

    def jwk(self):
        """The private JWK, written from the numbers."""
        if self.kind == "RSA":
            n = self.private.private_numbers()
            names = {"d": n.d, "p": n.p, "q": n.q, "dp": n.dmp1, "dq": n.dmq1, "qi": n.iqmp}
            names |= {"n": n.public_numbers.n, "e": n.public_numbers.e}
            return {"kty": "RSA"} | {name: minimal(number) for name, number in names.items()}
        if self.kind in CURVES:
            size = CURVES[self.kind][1]
            n = self.private.private_numbers()
            names = {"x": n.public_numbers.x, "y": n.public_numbers.y, "d": n.private_value}
            return {"kty": "EC", "crv": self.kind} | {
                name: b64url(number.to_bytes(size, "big")) for name, number in names.items()
            }
        return {
            "kty": "OKP",
            "crv": self.kind,
            "x": b64url(self.public.public_bytes_raw()),
            "d": b64url(self.private.private_bytes_raw()),
        }


def make_keys(peer):
    keys = collections.defaultdict(list)

    def made_by_peer(kind):
        def check(answer):
            pair = ok(answer)
            private = ser.load_pem_private_key(pair["private"].encode(), None)
            key = Key(kind, private, pair["private"])
            assert key.public_pem == pair["public"], f"the public half of a {kind} key differs"
            keys[kind].append(key)

        return check

    for kind in [*CURVES, "Ed25519", "X25519"]:
        for _ in range(3):
            peer.ask(made_by_peer(kind), op="generate", kind=kind)
    for bits, exponent in [(2048, 65537), (2048, 3), (2048, 4294967295), (3072, 65537), (4096, 65537)]:
        peer.ask(made_by_peer("RSA"), op="generate", kind="RSA", bits=bits, exponent=exponent)
    peer.run()
    for name, (curve, _) in CURVES.items():
        keys[name] += [Key(name, ec.generate_private_key(curve)) for _ in range(3)]
    keys["Ed25519"] += [Key("Ed25519", ed25519.Ed25519PrivateKey.generate()) for _ in range(3)]
    keys["X25519"] += [Key("X25519", x25519.X25519PrivateKey.generate()) for _ in range(3)]
    for bits, exponent in [(2048, 65537), (2048, 3), (2304, 65537), (3072, 65537), (4096, 65537)]:
        keys["RSA"].append(Key("RSA", rsa.generate_private_key(exponent, bits)))
    return keys


def some_bytes(low=0, high=DATA_BYTES_MAX):
    # Small sizes and sizes at block ends matter most.
    size = random.choice([random.randint(low, high), random.randint(low, min(high, 40)), 64, 128])
    return os.urandom(min(max(size, low), high))


def changed(data):
    data = bytearray(data)
    data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return bytes(data)


def to_p1363(der, size):
    return b"".join(number.to_bytes(size, "big") for number in decode_dss_signature(der))


def from_p1363(fixed):
    half = len(fixed) // 2
    return encode_dss_signature(
        int.from_bytes(fixed[:half], "big"), int.from_bytes(fixed[half:], "big")
    )


class Trips:
    """One method for each kind of round trip; each asks the peer once or more."""

    def __init__(self, peer, keys):
        self.peer, self.keys = peer, keys

    def ecdsa(self):
        curve = random.choice(list(CURVES))
        size = CURVES[curve][1]
        key, data, name = random.choice(self.keys[curve]), some_bytes(), random.choice(list(HASHES))
        scheme = ec.ECDSA(HASHES[name])
        request = {"algorithm": "ECDSA", "hash": name, "data": b64(data)}

        def python_verifies(answer):
            signature = base64.b64decode(ok(answer))
            assert len(signature) == 2 * size, "the signature is not r || s"
            key.public.verify(from_p1363(signature), data, scheme)

        self.peer.ask(python_verifies, op="sign", key=key.any_pem(), **request)
        signature = to_p1363(key.private.sign(data, scheme), size)
        self.peer_verifies(key, signature, request)

    def rsa_pss(self):
        key, data, name = random.choice(self.keys["RSA"]), some_bytes(), random.choice(list(HASHES))
        algorithm = HASHES[name]
        longest = (key.private.key_size + 7) // 8 - algorithm.digest_size - 2
        salt = random.choice([0, 20, 32, algorithm.digest_size, longest, random.randint(0, longest)])
        scheme = padding.PSS(padding.MGF1(algorithm), salt)
        request = {"algorithm": "RSA-PSS", "hash": name, "saltLength": salt, "data": b64(data)}

        def python_verifies(answer):
            key.public.verify(base64.b64decode(ok(answer)), data, scheme, algorithm)

        self.peer.ask(python_verifies, op="sign", key=key.any_pem(), **request)
        self.peer_verifies(key, key.private.sign(data, scheme, algorithm), request)

    def eddsa(self):
        key, data = random.choice(self.keys["Ed25519"]), some_bytes()
        request = {"algorithm": "EdDSA", "data": b64(data)}
        signature = key.private.sign(data)
        self.peer.ask(expects(b64(signature)), op="sign", key=key.any_pem(), **request)
        self.peer_verifies(key, signature, request)

    def peer_verifies(self, key, signature, request):
        for tried, valid in [(signature, True), (changed(signature), False)]:
            self.peer.ask(
                expects(valid), op="verify", key=key.public_pem, signature=b64(tried), **request
            )

    def hmac(self):
        name = random.choice(list(HASHES))
        secret, data = some_bytes(0, 300), some_bytes()
        tag = hmac.digest(secret, data, name.lower().replace("-", ""))
        request = {"hash": name, "secret": b64(secret), "data": b64(data)}
        self.peer.ask(expects(b64(tag)), op="hmac", **request)
        self.peer.ask(expects(True), op="hmac-verify", signature=b64(tag), **request)
        self.peer.ask(expects(False), op="hmac-verify", signature=b64(changed(tag)), **request)

    def digest(self):
        name, data = random.choice(list(HASHES)), some_bytes(0, 10 * DATA_BYTES_MAX)
        digest = hashlib.new(name.lower().replace("-", ""), data).digest()
        self.peer.ask(expects(b64(digest)), op="digest", hash=name, data=b64(data))

    def aes_kwp(self):
        secret, data = os.urandom(random.choice([16, 24, 32])), some_bytes(1)
        wrapped = keywrap.aes_key_wrap_with_padding(secret, data)
        request = {"algorithm": "AES-KWP", "secret": b64(secret)}
        self.peer.ask(expects(b64(wrapped)), op="wrap", data=b64(data), **request)
        self.peer.ask(expects(b64(data)), op="unwrap", data=b64(wrapped), **request)
        self.peer.ask(refused, op="unwrap", data=b64(changed(wrapped)), **request)

    def rsa_oaep(self):
        key = random.choice(self.keys["RSA"])
        longest = key.private.key_size // 8 - 66
        data = some_bytes(0, longest)
        label = random.choice([None, b"", os.urandom(random.randint(1, 50))])
        scheme = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), label)
        request = {"algorithm": "RSA-OAEP", "label": None if label is None else b64(label)}

        def python_unwraps(answer):
            opened = key.private.decrypt(base64.b64decode(ok(answer)), scheme)
            assert opened == data, "another text came out"

        self.peer.ask(python_unwraps, op="wrap", key=key.public_pem, data=b64(data), **request)
        wrapped = key.public.encrypt(data, scheme)
        pem = key.any_pem()
        self.peer.ask(expects(b64(data)), op="unwrap", key=pem, data=b64(wrapped), **request)
        self.peer.ask(refused, op="unwrap", key=pem, data=b64(changed(wrapped)), **request)

    def rsa_oaep_aes_kwp(self):
        key, data = random.choice(self.keys["RSA"]), some_bytes(1)
        bits, label = random.choice([128, 192, 256]), random.choice([None, os.urandom(9)])
        size = key.private.key_size // 8
        scheme = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), label)
        request = {
            "algorithm": "RSA-OAEP-AES-KWP",
            "label": None if label is None else b64(label),
            "bits": bits,
        }

        def python_unwraps(answer):
            wrapped = base64.b64decode(ok(answer))
            secret = key.private.decrypt(wrapped[:size], scheme)
            assert len(secret) == bits // 8, "the inner key has another size"
            opened = keywrap.aes_key_unwrap_with_padding(secret, wrapped[size:])
            assert opened == data, "another text came out"

        self.peer.ask(python_unwraps, op="wrap", key=key.public_pem, data=b64(data), **request)
        secret = os.urandom(bits // 8)
        wrapped = key.public.encrypt(secret, scheme)
        wrapped += keywrap.aes_key_wrap_with_padding(secret, data)
        pem = key.any_pem()
        self.peer.ask(expects(b64(data)), op="unwrap", key=pem, data=b64(wrapped), **request)
        self.peer.ask(refused, op="unwrap", key=pem, data=b64(changed(wrapped)), **request)

    def jwk(self):
        key = random.choice(random.choice(list(self.keys.values())))
        private = key.jwk()
        public = {n: v for n, v in private.items() if n not in ("d", "p", "q", "dp", "dq", "qi")}
        self.peer.ask(expects(private), op="jwk-from-private", key=key.any_pem())
        self.peer.ask(expects(key.pkcs8), op="jwk-to-private", jwk=private)
        self.peer.ask(expects(public), op="jwk-from-public", key=key.public_pem)
        self.peer.ask(expects(key.public_pem), op="jwk-to-public", jwk=random.choice([public, private]))


def certificate(subject, key, issuer, issuer_key, authority, pss):
    name = lambda text: x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])
    start = datetime.datetime(2024, 1, 1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=3650))
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
    )
    algorithm, scheme = random.choice(list(HASHES.values())), None
    if issuer_key.kind == "Ed25519":
        algorithm = None
    elif issuer_key.kind == "RSA" and pss:
        scheme = padding.PSS(padding.MGF1(algorithm), random.choice([0, 20, algorithm.digest_size]))
    made = builder.sign(issuer_key.private, algorithm, rsa_padding=scheme)
    return made.public_bytes(ser.Encoding.PEM).decode()


def chains(peer, keys, count):
    signers = [key for kind, some in keys.items() if kind != "X25519" for key in some]
    for _ in range(count):
        root, middle, leaf, other = random.sample(signers, 4)
        made = {
            "root": certificate("root", root, "root", root, True, True),
            "middle": certificate("middle", middle, "root", root, True, random.random() < 0.5),
            "leaf": certificate("leaf", leaf, "middle", middle, False, random.random() < 0.5),
            "forged": certificate("leaf", leaf, "middle", other, False, False),
        }
        for chain, check in [(["leaf", "middle"], expects(True)), (["forged", "middle"], refused)]:
            peer.ask(
                check,
                op="chain",
                chain="".join(made[name] for name in chain),
                trusted=made["root"],
                now=int(datetime.datetime(2026, 1, 1).timestamp()),
            )
    peer.run()


def main():
    round_trips = int(sys.argv[2]) if len(sys.argv) > 2 else 10000
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.SystemRandom().randrange(1 << 32)
    random.seed(seed)
    print(f"conformance: {round_trips} crypto round trips with cryptography, seed {seed}", flush=True)
    start = time.monotonic()
    peer = Peer(sys.argv[1])
    keys = make_keys(peer)
    trips = Trips(peer, keys)
    kinds = {
        trips.ecdsa: 6,
        trips.rsa_pss: 4,
        trips.eddsa: 2,
        trips.hmac: 1,
        trips.digest: 1,
        trips.aes_kwp: 3,
        trips.rsa_oaep: 2,
        trips.rsa_oaep_aes_kwp: 2,
        trips.jwk: 1,
    }
    counts = collections.Counter()
    for kind in random.choices(list(kinds), list(kinds.values()), k=round_trips):
        counts[kind.__name__] += 1
        kind()
    asked = len(peer.requests)
    peer.run()
    chains(peer, keys, max(round_trips // 100, 1))
    for name, count in sorted(counts.items()):
        print(f"conformance: {count:6} {name}")
    print(f"conformance: passed, {asked} requests in {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    try:
        main()
    except InvalidSignature:
        sys.exit("conformance: a signature of the peer is not valid")
