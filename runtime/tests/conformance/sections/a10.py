"""A.10: evidence of platforms: checking somebody else's, and a node's own, which is virtual here."""

import base64
import hashlib
import json

from kit import UNDEFINED, threw
from language import JAVASCRIPT, either, javascript

COUNT = "TypeError: Passed {} arguments, but expected between {}"
# Every reason, not the first alone.
NO_EVIDENCE = ("report: report cannot be read: it has 1 bytes and a report has 1184; chain: certificate "
               "chain cannot be read: -----BEGIN CERTIFICATE----- is due where something else is")
BROKEN = threw(f"RangeError: {NO_EVIDENCE}", f"ValueError: {NO_EVIDENCE}")


def no_buffer(what, python="bytes (text.encode() makes bytes of text), not str"):
    return threw(f"TypeError: {what} must be an ArrayBuffer",
                 f"TypeError: {what} must be {python}")


def counted(passed, bounds, python):
    return threw(COUNT.format(passed, bounds), f"TypeError: {python}")


MISSING = "verify_snp_attestation() missing"
TAKES = "positional arguments but"
NONE = either("undefined", "None")
# Arguments, outcome.
VERIFY = [
    ("", counted(0, "2 and 4", f"{MISSING} 2 required positional arguments: 'evidence' and "
                 "'endorsements'")),
    ("b('e')", counted(1, "2 and 4",
                       f"{MISSING} 1 required positional argument: 'endorsements'")),
    ("b('e'), b('e'), b('e'), '00', 1", counted(
        5, "2 and 4", f"verify_snp_attestation() takes from 2 to 4 {TAKES} 5 were given")),
    ("'e', b('e')", no_buffer("evidence")),
    (f"{NONE}, b('e')", no_buffer("evidence", "bytes, not NoneType")),
    (javascript("new Uint8Array(4), b('e')"), no_buffer("evidence")),
    ("b('e'), 'e'", no_buffer("endorsements")),
    (f"b('e'), {NONE}", no_buffer("endorsements", "bytes, not NoneType")),
    ("b('e'), b('e'), 'u'", no_buffer("uvm_endorsements")),
    (javascript("b('e'), b('e'), null"), no_buffer("uvm_endorsements")),
    ("b('e'), b('e')", BROKEN),
    ("b('e'), b('e'), b('u')", BROKEN),
    (f"b('e'), b('e'), {NONE}, 'db18000000000004'", BROKEN),
]
BYTES = either("new ArrayBuffer", "bytes")
NO_BOUND = threw("TypeError: bound must be an ArrayBuffer or a string",
                 "TypeError: bound must be str or bytes, not int")
REFUSED = [
    ("b('d'), 1", counted(2, "0 and 1",
                          f"get_attestation() takes from 0 to 1 {TAKES} 2 were given")),
    ("7", NO_BOUND),
    (javascript("null"), NO_BOUND),
    (f"{BYTES}(65537)", threw("RangeError: bound has more than 65536 bytes",
                              "ValueError: bound has more than 65536 bytes")),
]
# Arguments, what the statement says is bound.
GIVEN = [("", b""), ("b('d')", b"d"), ("'d\u00e4ta'", "d\u00e4ta".encode()),
         (f"{BYTES}(65536)", bytes(65536))]
VERIFIER = either("snp_attestation.verifySnpAttestation",
                  "ccf.snp_attestation.verify_snp_attestation")
PROVIDER = either("ccf.getAttestation", "ccf.get_attestation")


def evidence(t, arguments, bound):
    """Evidence that says it is virtual, bound to an app's statement of these bytes."""
    shown = t.value(f"return {PROVIDER}({arguments})")
    name = f"getAttestation({arguments}) has evidence"
    if not isinstance(shown, dict):
        t.equal(name, shown, "evidence")
        return
    said = base64.b64decode(shown["bound"])
    raw = json.loads(base64.b64decode(shown["raw"]))
    statement = json.loads(said)
    key = hashlib.sha256(base64.b64decode(statement["node_public_key"])).hexdigest()
    t.equal(name, [
        shown["format"], sorted(shown), base64.b64decode(raw["report_data"]),
        list(statement), statement["affiant"], key, base64.b64decode(statement["bound"]),
    ], [
        "Insecure_Virtual", ["bound", "endorsements", "format", "raw"],
        hashlib.sha256(said).digest(),
        ["affiant", "node_public_key", "service_identity", "bound"], "app",
        t.main.get("/node/state").json["node_id"], bound,
    ])


def run(t):
    for arguments, outcome in VERIFY:
        t.do(f"verifySnpAttestation({arguments})",
             arguments if arguments is None else f"return {VERIFIER}({arguments})", outcome)
    for arguments, outcome in REFUSED:
        t.do(f"getAttestation({arguments})",
             arguments if arguments is None else f"return {PROVIDER}({arguments})", outcome)
    for arguments, bound in GIVEN:
        evidence(t, arguments, bound)
    t.do("snp_attestation has one function", either(
        "return Object.keys(snp_attestation)", "return ccf.snp_attestation.__all__"),
        [VERIFIER.rpartition(".")[2]])
    if JAVASCRIPT:
        t.do("it is not under ccf", "return ccf.snp_attestation", UNDEFINED)
