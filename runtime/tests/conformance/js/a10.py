"""A.10: evidence of platforms, on a node whose host has neither verifier nor provider."""

from kit import UNDEFINED, threw

COUNT = "TypeError: Passed {} arguments, but expected between {}"
NO_VERIFIER = threw(
    "Error: snp_attestation.verifySnpAttestation: this node cannot check SEV-SNP evidence; its "
    "host sets no attestation verifier")
NO_PROVIDER = threw(
    "Error: ccf.getAttestation: this node has no evidence of its platform to give; its host sets "
    "no attestation provider")


def no_buffer(what):
    return threw(f"TypeError: {what} must be an ArrayBuffer")


# Arguments, outcome.
VERIFY = [
    ("", threw(COUNT.format(0, "2 and 4"))),
    ("b('e')", threw(COUNT.format(1, "2 and 4"))),
    ("b('e'), b('e'), b('e'), '00', 1", threw(COUNT.format(5, "2 and 4"))),
    ("'e', b('e')", no_buffer("evidence")),
    ("undefined, b('e')", no_buffer("evidence")),
    ("new Uint8Array(4), b('e')", no_buffer("evidence")),
    ("b('e'), 'e'", no_buffer("endorsements")),
    ("b('e'), undefined", no_buffer("endorsements")),
    ("b('e'), b('e'), 'u'", no_buffer("uvm_endorsements")),
    ("b('e'), b('e'), null", no_buffer("uvm_endorsements")),
    ("b('e'), b('e')", NO_VERIFIER),
    ("b('e'), b('e'), b('u')", NO_VERIFIER),
    ("b('e'), b('e'), undefined, 'db18000000000004'", NO_VERIFIER),
]
EVIDENCE = [
    ("b('d'), 1", threw(COUNT.format(2, "0 and 1"))),
    ("'d'", no_buffer("The report data")),
    ("null", no_buffer("The report data")),
    ("new ArrayBuffer(65)", threw("RangeError: The report data has more than 64 bytes")),
    ("", NO_PROVIDER),
    ("new ArrayBuffer(64)", NO_PROVIDER),
]


def run(t):
    for arguments, outcome in VERIFY:
        t.js(f"verifySnpAttestation({arguments})",
             f"return snp_attestation.verifySnpAttestation({arguments})", outcome)
    for arguments, outcome in EVIDENCE:
        t.js(f"getAttestation({arguments})", f"return ccf.getAttestation({arguments})", outcome)
    t.js("snp_attestation has one function", "return Object.keys(snp_attestation)",
         ["verifySnpAttestation"])
    t.js("it is not under ccf", "return ccf.snp_attestation", UNDEFINED)
