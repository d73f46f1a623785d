"""A.10: evidence of platforms, on a node whose host has neither verifier nor provider."""

from kit import UNDEFINED, threw
from language import JAVASCRIPT, either, javascript

COUNT = "TypeError: Passed {} arguments, but expected between {}"
NO_VERIFIER = threw(
    "Error: snp_attestation.verifySnpAttestation: this node cannot check SEV-SNP evidence; its "
    "host sets no attestation verifier",
    "Error: this node cannot check SEV-SNP evidence; its host sets no attestation verifier")
NO_PROVIDER = threw(
    "Error: ccf.getAttestation: this node has no evidence of its platform to give; its host sets "
    "no attestation provider",
    "Error: this node has no evidence of its platform to give; its host sets no attestation "
    "provider")


def no_buffer(what, python="bytes (text.encode() makes bytes of text), not str"):
    name = "report_data" if what.startswith("The") else what
    return threw(f"TypeError: {what} must be an ArrayBuffer",
                 f"TypeError: {name} must be {python}")


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
    ("b('e'), b('e')", NO_VERIFIER),
    ("b('e'), b('e'), b('u')", NO_VERIFIER),
    (f"b('e'), b('e'), {NONE}, 'db18000000000004'", NO_VERIFIER),
]
BYTES = either("new ArrayBuffer", "bytes")
EVIDENCE = [
    ("b('d'), 1", counted(2, "0 and 1",
                          f"get_attestation() takes from 0 to 1 {TAKES} 2 were given")),
    ("'d'", no_buffer("The report data")),
    (javascript("null"), no_buffer("The report data")),
    (f"{BYTES}(65)", threw("RangeError: The report data has more than 64 bytes",
                           "ValueError: report data has at most 64 bytes")),
    ("", NO_PROVIDER),
    (f"{BYTES}(64)", NO_PROVIDER),
]
VERIFIER = either("snp_attestation.verifySnpAttestation",
                  "ccf.snp_attestation.verify_snp_attestation")
PROVIDER = either("ccf.getAttestation", "ccf.get_attestation")


def run(t):
    for arguments, outcome in VERIFY:
        t.do(f"verifySnpAttestation({arguments})",
             arguments if arguments is None else f"return {VERIFIER}({arguments})", outcome)
    for arguments, outcome in EVIDENCE:
        t.do(f"getAttestation({arguments})",
             arguments if arguments is None else f"return {PROVIDER}({arguments})", outcome)
    t.do("snp_attestation has one function", either(
        "return Object.keys(snp_attestation)", "return ccf.snp_attestation.__all__"),
        [VERIFIER.rpartition(".")[2]])
    if JAVASCRIPT:
        t.do("it is not under ccf", "return ccf.snp_attestation", UNDEFINED)
