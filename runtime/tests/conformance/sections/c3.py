"""C.3: tokens that nobody vouches for, and tokens of registered issuers."""

import base64
import json
import re

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding

import governed
from governed import CHILD, COMMON, FOREVER, ONE, PARENT, TENANTS, TWO
from language import either

TENANT = "11111111-2222-3333-4444-555555555555"
ENTRA = f"https://login.microsoftonline.com/{TENANT}/v2.0"
CHALLENGE = 'Bearer realm="JWT bearer token access", error="invalid_token"'


def part(value):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(header=None, payload=None):
    header = {"alg": "RS256", "kid": "nobody"} if header is None else header
    payload = {"iss": "https://issuer", "exp": 4102444800} if payload is None else payload
    return f"Bearer {part(header)}.{part(payload)}.{part(b'signature')}"


def run(t):
    def refusal(value=None, path="/app/echo/jwt"):
        headers = {} if value is None else {"authorization": value}
        return t.main.get(path, **headers)

    answer = refusal()
    t.equal("no token", [answer.status, answer.headers.get("www-authenticate")], [401, CHALLENGE])
    t.equal("the policy says why", answer.json["error"]["details"],
            [{"auth_policy": "jwt", "code": "InvalidAuthenticationInfo",
              "message": "Missing authorization header"}])
    header = "JWT header does not follow schema: At /"
    for name, value, message in (
        ("one word", "Bearer", "Authorization header only contains one field"),
        ("another scheme", "Basic eDp5", "Authorization header does not have Bearer scheme"),
        ("the scheme's case", "bearer a.b.c", "Authorization header does not have Bearer scheme"),
        ("two parts", "Bearer abc.def", "Malformed JWT: must contain exactly 3 parts"),
        ("four parts", "Bearer abc.def.ghi.jkl", "Malformed JWT: must contain exactly 3 parts"),
        ("base64 of the signature", "Bearer Zm9v.YmF6.=wwy",
         "Failed to parse base64url in JWT (signature)"),
        ("base64 of the payload", "Bearer Zm9v.=wwy.YmF6",
         "Failed to parse base64url in JWT (payload)"),
        ("base64 of the header", "Bearer =wwy.Zm9v.YmF6",
         "Failed to parse base64url in JWT (header)"),
        ("no header", "Bearer .abc.abc", "JWT part is empty (header)"),
        ("no payload", "Bearer abc..abc", "JWT part is empty (payload)"),
        ("no signature", "Bearer abc.abc.", "JWT part is empty (signature)"),
        ("no JSON", "Bearer Zm9v.Zm9v.Zm9v", "JWT header or payload is not valid JSON: "),
        ("no object", "Bearer MQ.MQ.MQ", "JWT header or payload is not an object"),
        ("alg none", token({"alg": "none", "kid": "k"}), f"{header}alg"),
        ("alg HS256", token({"alg": "HS256", "kid": "k"}), f"{header}alg"),
        ("no kid", token({"alg": "RS256"}), f"{header}kid"),
        ("no exp", token(payload={"iss": "i"}), "JWT payload is missing required field: exp"),
        ("no iss", token(payload={"exp": 1}), "JWT payload is missing required field: iss"),
        ("unknown kid", token(), "JWT signing key not found for kid nobody"),
    ):
        answer = refusal(value)
        said = answer.json["error"]["details"][0]["message"]
        t.equal(name, [answer.status, said.startswith(message) or said], [401, True])
    t.equal("the next policy is tried",
            refusal(token(), "/app/echo/jwt_or_none").json["caller"]["policy"], "no_auth")
    answer = t.main.client("user0").get("/app/echo/jwt_and_user", authorization=token())
    t.equal("all_of says which refused", answer.json["error"]["details"][0],
            {"auth_policy": "jwt+user_cert", "code": "InvalidAuthenticationInfo",
             "message": "jwt:JWT signing key not found for kid nobody"})
    t.equal("all_of has that one's challenge", answer.headers.get("www-authenticate"), CHALLENGE)
    t.equal("a token above the headers' bound",
            refusal("Bearer " + "a" * 17_000).brief, [431, "RequestHeaderTooLarge"])
    vouched(t, governed.service(t.world))


def vouched(t, made):
    """Tokens of issuers that proposals registered."""
    there = made.service

    def admitted(name, key, header, payload, issuer):
        value = governed.token(key, header, payload)
        t.equal(name, there.get("/app/echo/jwt", authorization=value).json.get("caller"),
                {"policy": "jwt",
                 "jwt": {**either({}, {"key_issuer": issuer}), "keyIssuer": issuer,
                         "header": header, "payload": payload}})

    rs, es = {"alg": "RS256"}, {"alg": "ES256"}
    valid = {"exp": FOREVER}
    constrained = {**valid, "iss": ONE}
    for name, key, header, payload, issuer in (
        ("n and e", made.rsa, {**rs, "kid": "rsa", "typ": "JWT"}, constrained, ONE),
        ("x, y and crv", made.curve, {**es, "kid": "ec"}, constrained, ONE),
        ("x5c", made.rsa, {**rs, "kid": "x5c"}, constrained, ONE),
        ("a key of set_jwt_public_signing_keys", made.curve, {**es, "kid": "new"}, constrained,
         TWO),
        ("a key without a constraint vouches for any issuer", made.curve, {**es, "kid": "ec"},
         {**valid, "iss": "https://anybody.example/x", "tid": "t"}, ONE),
        ("a parent domain's issuer", made.curve, {**es, "kid": "child"},
         {**valid, "iss": PARENT}, CHILD),
        ("one id, the first issuer", made.rsa, {**rs, "kid": "shared"}, constrained, ONE),
        ("one id, the second issuer", made.other_rsa, {**rs, "kid": "shared"},
         {**valid, "iss": TWO}, TWO),
        ("a tenant of Entra", made.rsa, {**rs, "kid": "entra"},
         {**valid, "iss": ENTRA, "tid": TENANT}, COMMON),
        ("everything in header and payload", made.rsa,
         {**rs, "kid": "rsa", "x": {"y": [1, None]}},
         {**constrained, "nbf": 1, "sub": "h\u00e9", "roles": ["a", {"b": 1.5}], "iat": 0}, ONE),
    ):
        admitted(name, key, header, payload, issuer)

    def refused(name, value, message):
        answer = there.get("/app/echo/jwt", authorization=value)
        said = answer.json["error"]["details"][0]["message"]
        t.equal(name, [answer.status, re.sub(r"time \d+ is", "time NOW is", said)], [401, message])

    def expect(name, key, header, payload, message, sign=governed.signature):
        refused(name, governed.token(key, header, payload, sign), message)

    unsigned = "Signature verification failed"
    early = "Current time NOW is before token's Not Before (nbf) claim 4102444700"
    late = "Current time NOW is after token's Expiration Time (exp) claim 1700000000"

    def constraint(kid, issuer):
        return f"Kid {kid} failed issuer constraint validation {issuer}"

    for name, key, header, payload, message in (
        ("another issuer", made.rsa, {**rs, "kid": "rsa"}, {**valid, "iss": TWO},
         constraint("rsa", ONE)),
        ("an issuer but for a slash", made.rsa, {**rs, "kid": "rsa"},
         {**valid, "iss": f"{ONE}/"}, constraint("rsa", ONE)),
        ("a tenant where there are none", made.rsa, {**rs, "kid": "rsa"},
         {**constrained, "tid": TENANT}, constraint("rsa", ONE)),
        ("the child's own issuer", made.curve, {**es, "kid": "child"}, {**valid, "iss": CHILD},
         constraint("child", PARENT)),
        ("another tenant", made.rsa, {**rs, "kid": "entra"},
         {**valid, "iss": ENTRA, "tid": "other"}, constraint("entra", TENANTS)),
        ("no tenant", made.rsa, {**rs, "kid": "entra"}, {**valid, "iss": ENTRA},
         constraint("entra", TENANTS)),
        ("the template itself", made.rsa, {**rs, "kid": "entra"},
         {**valid, "iss": TENANTS, "tid": TENANT}, constraint("entra", TENANTS)),
        ("expired", made.rsa, {**rs, "kid": "rsa"}, {"exp": 1700000000, "iss": ONE}, late),
        ("not valid yet", made.rsa, {**rs, "kid": "rsa"}, {**constrained, "nbf": 4102444700},
         early),
        ("another key", made.other_rsa, {**rs, "kid": "rsa"}, constrained, unsigned),
        ("one id, a key of neither", made.curve, {**es, "kid": "shared"}, constrained, unsigned),
        ("one id, one's key for the other", made.other_rsa, {**rs, "kid": "shared"}, constrained,
         constraint("shared", TWO)),
        ("ES256 of an RSA key", made.rsa, {**es, "kid": "rsa"}, constrained, unsigned),
        ("RS256 of an EC key", made.curve, {**rs, "kid": "ec"}, constrained, unsigned),
        ("ES256 of P-384", made.p384, {**es, "kid": "p384"}, constrained, unsigned),
        ("a key that was replaced", made.curve, {**es, "kid": "old"}, constrained,
         "JWT signing key not found for kid old"),
        ("a key of an issuer that was removed", made.curve, {**es, "kid": "gone"}, constrained,
         "JWT signing key not found for kid gone"),
    ):
        expect(name, key, header, payload, message)
    expect("an ECDSA signature in DER", made.curve, {**es, "kid": "ec"}, constrained, unsigned,
           lambda key, data: key.sign(data, ec.ECDSA(hashes.SHA256())))
    expect("RSA-PSS", made.rsa, {**rs, "kid": "rsa"}, constrained, unsigned,
           lambda key, data: key.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), 32),
                                      hashes.SHA256()))
    value = governed.token(made.rsa, {**rs, "kid": "rsa"}, constrained)
    before, _, after = value.rsplit(".", 2)
    refused("another payload", f"{before}.{part({**constrained, 'admin': True})}.{after}",
            unsigned)
    user = there.client(made.people["user7"])
    answer = user.get("/app/echo/jwt_and_user", authorization=value).json["caller"]
    t.equal("a token and a user", [answer["policy"], answer["jwt"]["jwt"]["keyIssuer"],
                                   answer["user_cert"]["id"]],
            [["jwt", "user_cert"], ONE, made.id("user7")])
    t.equal("a token before a certificate",
            user.get("/app/echo/jwt_or_user", authorization=value).json["caller"]["policy"], "jwt")
