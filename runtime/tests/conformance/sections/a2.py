"""A.2: which globals exist in an app's handler, and how many arguments functions take."""

from kit import UNDEFINED, threw

LANGUAGES = ("js",)

PRESENT = [
    ("console", "object"), ("Math.random", "function"), ("ccf", "object"),
    ("ccf.strToBuf", "function"), ("ccf.crypto", "object"), ("ccf.kv", "object"),
    ("ccf.rpc", "object"), ("ccf.consensus", "object"), ("ccf.historical", "object"),
    ("ccf.gov", "object"), ("ccf.gov.validateConstitution", "function"),
    ("snp_attestation.verifySnpAttestation", "function"),
]
ABSENT = [
    "ccf.node", "ccf.network", "ccf.host", "ccf.refreshAppBytecodeCache",
    "ccf.setJwtPublicSigningKeys", "ccf.removeJwtPublicSigningKeys", "ccf.historicalState",
]
ALIASES = [
    "generateAesKey", "generateRsaKeyPair", "generateEcdsaKeyPair", "generateEddsaKeyPair",
    "wrapKey", "digest", "isValidX509CertBundle", "isValidX509CertChain",
]
# Call, arguments passed, arguments expected.
COUNTS = [
    ("ccf.strToBuf()", 0, 1), ("ccf.strToBuf('a', 'b')", 2, 1), ("ccf.bufToStr()", 0, 1),
    ("ccf.jsonCompatibleToBuf()", 0, 1), ("ccf.bufToJsonCompatible()", 0, 1),
    ("ccf.pemToId()", 0, 1), ("ccf.enableUntrustedDateTime()", 0, 1),
    ("ccf.enableMetricsLogging()", 0, 1), ("ccf.crypto.digest('SHA-256')", 1, 2),
    ("ccf.consensus.getLastCommittedTxId(1)", 1, 0), ("ccf.consensus.getStatusForTxId(1)", 1, 2),
    ("ccf.consensus.getViewForSeqno()", 0, 1), ("m.has()", 0, 1), ("m.get()", 0, 1),
    ("m.get(b('a'), 1)", 2, 1), ("m.getVersionOfPreviousWrite()", 0, 1), ("m.set(b('a'))", 1, 2),
    ("m.set(b('a'), b('b'), 1)", 3, 2), ("m.delete()", 0, 1), ("m.clear(1)", 1, 0),
    ("m.forEach()", 0, 1), ("request.body.text(1)", 1, 0), ("request.body.json(1)", 1, 0),
    ("request.body.arrayBuffer(1)", 1, 0),
]


def run(t):
    for name, kind in PRESENT:
        t.do(f"{name} is there", f"return typeof {name}", kind)
    for name in ABSENT:
        t.do(f"{name} is not there", f"return {name}", UNDEFINED)
    for name in ALIASES:
        t.do(f"ccf.{name} is ccf.crypto.{name}", f"return ccf.{name} === ccf.crypto.{name}", True)
    for call, passed, expected in COUNTS:
        message = f"TypeError: Passed {passed} arguments, but expected {expected}"
        t.do(f"{call} counts its arguments", f"return {call}", threw(message))
    for call in ("setApplyWrites()", "setApplyWrites(true, 1)", "setClaimsDigest()"):
        passed = call.count(",") + (not call.endswith("()"))
        message = f"TypeError: Passed {passed} arguments but expected 1"
        t.do(f"ccf.rpc.{call} has no comma", f"return ccf.rpc.{call}", threw(message))
    present = t.main.get("/app/engine/facts").json["present"]
    t.equal("everything is there before modules are evaluated", present,
            ["function", "function", "function", "function", "undefined"])
    t.do("ccf.historicalState is a key of no handler but historical ones",
         "return Object.keys(ccf).includes('historicalState')", False)
