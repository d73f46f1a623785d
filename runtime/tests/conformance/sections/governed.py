"""A service that proposals set up: its people, its issuers of tokens, and what signs for them."""

import base64
import functools
import json

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

import apps
import kit
from language import either, module
from people import certificate, identity, person

SET_APP = either("set_js_app", "set_python_app")
ONE, TWO, CHILD = "https://one.example", "https://two.example", "https://login.parent.example/x"
PARENT = "https://parent.example"
COMMON = "https://login.microsoftonline.com/common/v2.0"
TENANTS = "https://login.microsoftonline.com/{tenantid}/v2.0"
MEMBER_DATA = {"operator": True, "of": ["a", None]}
FOREVER = 4102444800


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value):
    return base64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def spki(key):
    """DER of a public key, in the base64 of the tables."""
    der = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def rsa_jwk(kid, key, **more):
    public = key.public_key().public_numbers()
    return {"kty": "RSA", "kid": kid, "n": number(public.n), "e": number(public.e), **more}


def ec_jwk(kid, key, **more):
    public = key.public_key().public_numbers()
    size = (key.curve.key_size + 7) // 8
    x, y = (base64url(value.to_bytes(size, "big")) for value in (public.x, public.y))
    return {"kty": "EC", "kid": kid, "crv": f"P-{key.curve.key_size}", "x": x, "y": y, **more}


def signature(key, data):
    """RS256 or ES256, as the key is."""
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    size = (key.curve.key_size + 7) // 8
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def token(key, header, payload, sign=signature):
    """A header's value with a token that `key` signed."""
    parts = [base64url(json.dumps(part).encode()) for part in (header, payload)]
    signed = ".".join(parts)
    return f"Bearer {signed}.{base64url(sign(key, signed.encode()))}"


class Governed:
    """What the proposals say, and the service that they made."""

    def __init__(self, world):
        self.curve = ec.generate_private_key(ec.SECP256R1())
        self.p384 = ec.generate_private_key(ec.SECP384R1())
        self.rsa = rsa.generate_private_key(65537, 2048)
        self.other_rsa = rsa.generate_private_key(65537, 2048)
        self.people = {
            name: person(world, name, self.p384, -1, 10)
            for name in ("user0", "member0", "user7", "user8", "gone", "member7")
        }
        self.member_key = self.other_rsa.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
        common = [
            (f"{name}_{suffix}.pem", path)
            for name in ("user0", "member0")
            for suffix, path in zip(("cert", "privk"), self.people[name])
        ]
        options = []
        for name, actions in self.proposals().items():
            options += ["--apply", world.proposal(name, actions)]
        options += ["--initial-user-count", "2"]
        self.service = world.sandbox("governed", None, *options, common=common)

    def id(self, name):
        return identity(self.people[name])[0]

    def pem(self, name):
        return identity(self.people[name])[1]

    def proposals(self):
        old = {"/old": {"get": apps.endpoint("old", "f")}}
        source = either("export const f = () => ({})", "def f():\n    return {}\n")
        return {
            "old_app": [(SET_APP, bundle(old, {module("old"): source}))],
            "app": [(SET_APP, bundle(apps.endpoints(), kit.read_sources(apps.MODULES)))],
            "people": [
                ("set_user", {"cert": self.pem("user7"), "user_data": {"role": "clerk"}}),
                ("set_user", {"cert": self.pem("user8")}),
                ("set_user", {"cert": self.pem("gone"), "user_data": {}}),
                ("set_member", {"cert": self.pem("member7"), "member_data": {"of": "us"},
                                "encryption_pub_key": self.member_key,
                                "recovery_role": "Owner"}),
            ],
            "data": [
                ("set_user_data", {"user_id": self.id("user8"), "user_data": {"late": 1}}),
                ("set_member_data", {"member_id": self.id("member0"),
                                     "member_data": MEMBER_DATA}),
                ("remove_user", {"user_id": self.id("gone")}),
            ],
            "authorities": [
                ("set_ca_cert_bundle", {"name": "roots", "cert_bundle": self.pem("user7")}),
                ("set_ca_cert_bundle", {"name": "gone", "cert_bundle": self.pem("user8")}),
                ("remove_ca_cert_bundle", {"name": "gone"}),
            ],
            "issuers": self.issuers(),
            "chunk": [("trigger_ledger_chunk", None)],
        }

    def issuers(self):
        der = certificate("issuer", self.rsa, -1, 10).public_bytes(serialization.Encoding.DER)
        chain = [base64.b64encode(der).decode()]
        one = [
            rsa_jwk("rsa", self.rsa, issuer=ONE),
            ec_jwk("ec", self.curve),
            {"kty": "RSA", "kid": "x5c", "x5c": chain},
            rsa_jwk("shared", self.rsa, issuer=ONE),
            ec_jwk("p384", self.p384),
        ]
        two = [rsa_jwk("shared", self.other_rsa, issuer=TWO), ec_jwk("new", self.curve)]
        return [
            ("set_jwt_issuer", {"issuer": ONE, "key_filter": "all", "jwks": {"keys": one}}),
            ("set_jwt_issuer", {"issuer": TWO, "jwks": {"keys": [ec_jwk("old", self.curve)]}}),
            ("set_jwt_public_signing_keys", {"issuer": TWO, "jwks": {"keys": two}}),
            ("set_jwt_issuer", {"issuer": CHILD, "jwks": {
                "keys": [ec_jwk("child", self.curve, issuer=PARENT)]}}),
            ("set_jwt_issuer", {"issuer": COMMON, "jwks": {
                "keys": [rsa_jwk("entra", self.rsa, issuer=TENANTS)]}}),
            ("set_jwt_issuer", {"issuer": "gone", "jwks": {
                "keys": [ec_jwk("gone", self.curve)]}}),
            ("remove_jwt_issuer", {"issuer": "gone"}),
        ]


def bundle(endpoints, sources):
    """The arguments of SET_APP."""
    modules = [{"name": name, "module": text} for name, text in sources.items()]
    return {"bundle": {"metadata": {"endpoints": endpoints}, "modules": modules}}


@functools.cache
def service(world):
    return Governed(world)


def row(table, key):
    """A snippet that gives the JSON in a row of a table of governance."""
    bytes_ = either("new ArrayBuffer(8)", "bytes(8)") if key is None else f"b({json.dumps(key)})"
    found = f"ccf.kv['public:ccf.gov.{table}'].get({bytes_})"
    return either(f"const row = {found}; return row && ccf.bufToJsonCompatible(row)",
                  f"row = {found}; return row and ccf.buf_to_json_compatible(row)")


def text(table, key):
    """A snippet that gives the text in a row of a table of governance."""
    found = f"ccf.kv['public:ccf.gov.{table}'].get(b({json.dumps(key)}))"
    return either(f"const row = {found}; return row && s(row)",
                  f"row = {found}; return row and s(row)")


def keys(table):
    """A snippet that gives the keys of a table of governance, sorted."""
    map_ = f"ccf.kv['public:ccf.gov.{table}']"
    return either(f"const keys = []; {map_}.forEach((_, k) => {{ keys.push(s(k)) }}); "
                  "return keys.sort()", f"return {map_}.keys(str)")
