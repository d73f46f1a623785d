"""C.3: tokens that nobody vouches for."""

import base64
import json

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
