"""C.4: requests that users sign."""

import hashlib
import ssl

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

CHALLENGE = 'COSE-SIGN1 realm="Signed request access"'
ES384 = b"\x38\x22"


def byte_string(data):
    """A CBOR byte string of at most 64 KB."""
    if len(data) < 24:
        return bytes([0x40 | len(data)]) + data
    if len(data) < 256:
        return b"\x58" + bytes([len(data)]) + data
    return b"\x59" + len(data).to_bytes(2, "big") + data


class Signer:
    """A user of the service whose key is on P-384."""

    def __init__(self, paths):
        self.pem = paths[0].read_text()
        self.id = hashlib.sha256(ssl.PEM_cert_to_DER_cert(self.pem)).hexdigest()
        self.key = serialization.load_pem_private_key(paths[1].read_bytes(), None)

    def protected(self, algorithm=ES384):
        return b"\xa2\x01" + algorithm + b"\x04" + byte_string(self.id.encode())

    def signature(self, protected, payload):
        covered = b"\x84\x6aSignature1" + byte_string(protected) + b"\x40" + byte_string(payload)
        r, s = decode_dss_signature(self.key.sign(covered, ec.ECDSA(hashes.SHA384())))
        return r.to_bytes(48, "big") + s.to_bytes(48, "big")

    def message(self, payload, protected=None, signature=None):
        protected = self.protected() if protected is None else protected
        signature = self.signature(protected, payload) if signature is None else signature
        parts = byte_string(protected), b"\xa0", byte_string(payload), byte_string(signature)
        return b"\xd2\x84" + b"".join(parts)


def run(t):
    user, other = (Signer(t.main.identity(name)) for name in ("user0", "user1"))
    member = Signer(t.main.identity("member0"))

    def post(body, content_type="application/cose", path="/app/signed"):
        return t.main.post(path, body, content_type=content_type)

    def reason(answer):
        return [answer.status, answer.json["error"]["details"][0]["message"]]

    good = user.message(b"payload")
    seen = {"policy": "user_cose_sign1", "id": user.id, "data": None, "cert": user.pem,
            "cose": ["content"], "content": "payload"}
    t.equal("the handler sees who signed, and what", post(good).json, seen)
    t.equal("it may be sent again", post(good).status, 200)
    t.equal("an empty payload", post(user.message(b"")).json["content"], "")
    t.equal("a long payload", len(post(user.message(b"x" * 60_000)).json["content"]), 60_000)
    answer = post(member.message(b"payload"))
    t.equal("a member is no user", reason(answer), [401, "Signer is not a known user"])
    t.equal("the challenge", answer.headers.get("www-authenticate"), CHALLENGE)
    invalid = [401, "Failed to validate COSE Sign1"]
    signature = user.signature(user.protected(), b"payload")
    t.equal("another payload", reason(post(user.message(b"pay1oad", signature=signature))), invalid)
    t.equal("another user's key", reason(post(other.message(b"payload", user.protected()))), invalid)
    t.equal("a cut signature", reason(post(user.message(b"payload", signature=signature[1:]))), invalid)
    t.equal("EdDSA", reason(post(user.message(b"payload", user.protected(b"\x27")))),
            [401, "Unsupported algorithm: -8"])
    t.equal("another content type", reason(post(good, "application/json")),
            [401, "Content type is not set to application/cose"])
    t.equal("a parameter of the content type", reason(post(good, "application/cose; x=y")),
            [401, "Content type is not set to application/cose"])
    t.equal("no content type", reason(t.main.post("/app/signed", good)),
            [401, "Missing content-type header"])
    broken = [500, "InternalError"]
    t.equal("no CBOR", post(b"{}").brief, broken)
    t.equal("no tag", post(good[1:]).brief, broken)
    t.equal("another tag", post(b"\xd1" + good[1:]).error,
            [500, "InternalError", "COSE_Sign1 is not tagged"])
    t.equal("cut short", post(good[:-1]).brief, broken)
    t.equal("something behind it", post(good + b"x").brief, broken)
    t.equal("no algorithm", post(user.message(b"payload", b"\xa0")).error,
            [500, "InternalError", "Missing algorithm in protected header"])
    t.equal("no kid", post(user.message(b"payload", b"\xa1\x01" + ES384)).error,
            [500, "InternalError", "Missing kid in protected header"])
    t.equal("what is broken ends it, whatever policies follow",
            post(b"{}", path="/app/signed/or_user").brief, broken)
