"""A.3: converters and PEM helpers."""

import hashlib
import ssl

from kit import buffer, threw

NOT_A_STRING = threw("TypeError: Argument must be a string")
NOT_A_BUFFER = threw("TypeError: Argument must be an ArrayBuffer")
TABLE = [
    ("strToBuf gives UTF-8", "ccf.strToBuf('h\u00e9 \u20ac \U0001f600')",
     buffer("h\u00e9 \u20ac \U0001f600".encode())),
    ("strToBuf of nothing is empty", "ccf.strToBuf('')", buffer(b"")),
    ("strToBuf gives an ArrayBuffer", "ccf.strToBuf('a') instanceof ArrayBuffer", True),
    ("strToBuf drops what follows a NUL", "ccf.strToBuf('ab\\0cd')", buffer(b"ab")),
    ("strToBuf refuses a number", "ccf.strToBuf(7)", NOT_A_STRING),
    ("strToBuf refuses undefined", "ccf.strToBuf(undefined)", NOT_A_STRING),
    ("strToBuf refuses a String object", "ccf.strToBuf(new String('a'))", NOT_A_STRING),
    ("bufToStr reads UTF-8", "ccf.bufToStr(new Uint8Array([0xc3, 0xa9]).buffer)", "\u00e9"),
    ("bufToStr is the inverse", "ccf.bufToStr(ccf.strToBuf('h\u00e9llo'))", "h\u00e9llo"),
    ("bufToStr refuses a typed array", "ccf.bufToStr(new Uint8Array(1))", NOT_A_BUFFER),
    ("bufToStr refuses a DataView", "ccf.bufToStr(new DataView(b('a')))", NOT_A_BUFFER),
    ("bufToStr refuses a string", "ccf.bufToStr('a')", NOT_A_BUFFER),
    ("bufToStr refuses null", "ccf.bufToStr(null)", NOT_A_BUFFER),
    ("bufToStr takes invalid UTF-8", "typeof ccf.bufToStr(new Uint8Array([255, 97]).buffer)",
     "string"),
    ("jsonCompatibleToBuf is JSON.stringify", "s(ccf.jsonCompatibleToBuf({ b: 1, a: [null] }))",
     '{"b":1,"a":[null]}'),
    ("jsonCompatibleToBuf takes a string", "s(ccf.jsonCompatibleToBuf('a'))", '"a"'),
    ("jsonCompatibleToBuf takes null", "s(ccf.jsonCompatibleToBuf(null))", "null"),
    ("jsonCompatibleToBuf honours toJSON",
     "s(ccf.jsonCompatibleToBuf({ toJSON: () => 'own' }))", '"own"'),
    ("bufToJsonCompatible parses", "ccf.bufToJsonCompatible(b('{\"a\":[1,null]}'))",
     {"a": [1, None]}),
    ("bufToJsonCompatible refuses a string", "ccf.bufToJsonCompatible('{}')", NOT_A_BUFFER),
    ("bufToJsonCompatible refuses a typed array", "ccf.bufToJsonCompatible(new Uint8Array(1))",
     NOT_A_BUFFER),
    ("pemToId refuses a number", "ccf.pemToId(1)", NOT_A_STRING),
    ("enableUntrustedDateTime gives its argument", "ccf.enableUntrustedDateTime(true)", True),
    ("enableUntrustedDateTime converts to a boolean", "ccf.enableUntrustedDateTime('')", False),
    ("enableMetricsLogging gives the previous value", "ccf.enableMetricsLogging(true)", False),
    ("enableMetricsLogging takes booleans only", "ccf.enableMetricsLogging(1)",
     threw("TypeError: First argument must be a boolean")),
]
NO_CPUID = threw("TypeError: cpuid must be a string of 8 hex digits")
NO_TCB = threw("TypeError: tcb_version must be a string of 16 hex digits")
# cpuid, TCB version, parts. Milan and Genoa have the same layout, Turin another.
MILAN = {"microcode": 0xdb, "snp": 0x18, "tee": 0, "boot_loader": 4}
GENOA = {"microcode": 0x54, "snp": 0x17, "tee": 1, "boot_loader": 9}
TURIN = {"microcode": 0x51, "snp": 4, "tee": 3, "boot_loader": 2, "fmc": 1}
POLICIES = [
    ("Milan", "00a00f11", "db18000000000004", MILAN),
    ("Milan, upper case", "00A00F11", "DB18000000000004", MILAN),
    ("Genoa", "00a10f11", "5417000000000109", GENOA),
    ("Bergamo", "00aa0f02", "5417000000000109", GENOA),
    ("Turin", "00b00f21", "5100000004030201", TURIN),
    ("Turin Dense", "00b10f10", "5100000004030201", TURIN),
]
# Arguments, outcome.
NO_POLICIES = [
    ("", threw("TypeError: Passed 0 arguments, but expected 2")),
    ("'00a00f11'", threw("TypeError: Passed 1 arguments, but expected 2")),
    ("'00a00f11', 'db18000000000004', 1", threw("TypeError: Passed 3 arguments, but expected 2")),
    ("'a00f11', 'db18000000000004'", NO_CPUID),
    ("'0x00a00f', 'db18000000000004'", NO_CPUID),
    ("10489617, 'db18000000000004'", NO_CPUID),
    ("'00a00f11', 'db18'", NO_TCB),
    ("'00a00f11', '+b18000000000004'", NO_TCB),
    ("'00a00f11', undefined", NO_TCB),
    ("'00800f11', 'db18000000000004'",
     threw("RangeError: cpuid 00800f11 is of no processor with SEV-SNP that is known")),
]


def run(t):
    t.expressions(TABLE)
    for name, cpuid, tcb, parts in POLICIES:
        t.js(f"tcbHexToPolicy: {name}", f"return ccf.tcbHexToPolicy('{cpuid}', '{tcb}')",
             {"hexstring": tcb, **parts})
    for arguments, outcome in NO_POLICIES:
        t.js(f"tcbHexToPolicy({arguments})", f"return ccf.tcbHexToPolicy({arguments})", outcome)
    for name, expression in (
        ("jsonCompatibleToBuf refuses undefined", "ccf.jsonCompatibleToBuf(undefined)"),
        ("jsonCompatibleToBuf refuses a function", "ccf.jsonCompatibleToBuf(() => 1)"),
        ("jsonCompatibleToBuf passes a cycle's exception on",
         "(() => { const a = {}; a.a = a; ccf.jsonCompatibleToBuf(a); })()"),
        ("jsonCompatibleToBuf passes a BigInt's exception on", "ccf.jsonCompatibleToBuf(1n)"),
    ):
        t.js(name, f"try {{ {expression} }} catch (e) {{ return e.name }}", "TypeError")
    t.js("bufToJsonCompatible throws what JSON.parse throws",
         "try { ccf.bufToJsonCompatible(b('{')) } catch (e) { return e.name }", "SyntaxError")
    t.js("jsonCompatibleToBuf passes an exception of toJSON on",
         "ccf.jsonCompatibleToBuf({ toJSON() { throw new Error('mine') } })", threw("Error: mine"))
    pem = t.main.identity("user0")[0].read_text()
    wanted = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    t.js("pemToId is the hex SHA-256 of the DER", f"return ccf.pemToId(`{pem}`)", wanted)
    t.js("pemToId ignores white space around", f"return ccf.pemToId(`\\n{pem}\\n`)", wanted)
    t.js("pemToId of nonsense is an InternalError",
         "try { ccf.pemToId('nonsense') } catch (e) { "
         "return [e.name, e.message.startsWith('Failed to parse PEM: ')] }",
         ["InternalError", True])
