"""A.3: converters and PEM helpers."""

import hashlib
import json
import ssl

from kit import buffer, threw
from language import JAVASCRIPT, either, javascript

TO_BUF = either("ccf.strToBuf", "ccf.str_to_buf")
TO_STR = either("ccf.bufToStr", "ccf.buf_to_str")
JSON_TO_BUF = either("ccf.jsonCompatibleToBuf", "ccf.json_compatible_to_buf")
BUF_TO_JSON = either("ccf.bufToJsonCompatible", "ccf.buf_to_json_compatible")
TO_ID = either("ccf.pemToId", "ccf.pem_to_id")


def no_string(python):
    return threw("TypeError: Argument must be a string", f"TypeError: {python}")


def no_buffer(python):
    return threw("TypeError: Argument must be an ArrayBuffer", f"TypeError: {python}")


TABLE = [
    ("strToBuf gives UTF-8", f"{TO_BUF}('h\u00e9 \u20ac \U0001f600')",
     buffer("h\u00e9 \u20ac \U0001f600".encode())),
    ("strToBuf of nothing is empty", f"{TO_BUF}('')", buffer(b"")),
    ("strToBuf gives an ArrayBuffer", either("ccf.strToBuf('a') instanceof ArrayBuffer",
                                             "type(ccf.str_to_buf('a')) is bytes"), True),
    ("strToBuf drops what follows a NUL", javascript("ccf.strToBuf('ab\\0cd')"), buffer(b"ab")),
    ("strToBuf refuses a number", f"{TO_BUF}(7)", no_string("str_to_buf takes a str, not int")),
    ("strToBuf refuses undefined", f"{TO_BUF}({either('undefined', 'None')})",
     no_string("str_to_buf takes a str, not NoneType")),
    ("strToBuf refuses a String object", javascript("ccf.strToBuf(new String('a'))"),
     no_string("")),
    ("bufToStr reads UTF-8", either("ccf.bufToStr(new Uint8Array([0xc3, 0xa9]).buffer)",
                                    "ccf.buf_to_str(bytes([0xc3, 0xa9]))"), "\u00e9"),
    ("bufToStr is the inverse", f"{TO_STR}({TO_BUF}('h\u00e9llo'))", "h\u00e9llo"),
    ("bufToStr refuses a typed array", javascript("ccf.bufToStr(new Uint8Array(1))"),
     no_buffer("")),
    ("bufToStr refuses a DataView", javascript("ccf.bufToStr(new DataView(b('a')))"),
     no_buffer("")),
    ("bufToStr refuses a string", f"{TO_STR}('a')", no_buffer("buf_to_str takes bytes, not str")),
    ("bufToStr refuses null", f"{TO_STR}({either('null', 'None')})",
     no_buffer("buf_to_str takes bytes, not NoneType")),
    ("bufToStr takes invalid UTF-8",
     javascript("typeof ccf.bufToStr(new Uint8Array([255, 97]).buffer)"), "string"),
    ("jsonCompatibleToBuf is JSON.stringify",
     f"s({JSON_TO_BUF}(" + either("{ b: 1, a: [null] }", "{'b': 1, 'a': [None]}") + "))",
     '{"b":1,"a":[null]}'),
    ("jsonCompatibleToBuf takes a string", f"s({JSON_TO_BUF}('a'))", '"a"'),
    ("jsonCompatibleToBuf takes null", f"s({JSON_TO_BUF}({either('null', 'None')}))", "null"),
    ("jsonCompatibleToBuf honours toJSON",
     javascript("s(ccf.jsonCompatibleToBuf({ toJSON: () => 'own' }))"), '"own"'),
    ("bufToJsonCompatible parses", f"{BUF_TO_JSON}(b('{{\"a\":[1,null]}}'))", {"a": [1, None]}),
    ("bufToJsonCompatible refuses a string", f"{BUF_TO_JSON}('{{}}')",
     no_buffer("buf_to_json_compatible takes bytes, not str")),
    ("bufToJsonCompatible refuses a typed array",
     javascript("ccf.bufToJsonCompatible(new Uint8Array(1))"), no_buffer("")),
    ("pemToId refuses a number", f"{TO_ID}(1)", no_string("pem_to_id takes a str, not int")),
]
# Switches of CCF's JavaScript that no Python app needs.
SWITCHES = [
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
    ("", threw("TypeError: Passed 0 arguments, but expected 2",
               "TypeError: tcb_hex_to_policy() missing 2 required positional arguments: 'cpuid' "
               "and 'tcb_version'")),
    ("'00a00f11'", threw("TypeError: Passed 1 arguments, but expected 2",
                         "TypeError: tcb_hex_to_policy() missing 1 required positional argument: "
                         "'tcb_version'")),
    ("'00a00f11', 'db18000000000004', 1", threw(
        "TypeError: Passed 3 arguments, but expected 2",
        "TypeError: tcb_hex_to_policy() takes 2 positional arguments but 3 were given")),
    ("'a00f11', 'db18000000000004'", NO_CPUID),
    ("'0x00a00f', 'db18000000000004'", NO_CPUID),
    ("10489617, 'db18000000000004'", NO_CPUID),
    ("'00a00f11', 'db18'", NO_TCB),
    ("'00a00f11', '+b18000000000004'", NO_TCB),
    (either("'00a00f11', undefined", "'00a00f11', None"), NO_TCB),
    ("'00800f11', 'db18000000000004'",
     threw("RangeError: cpuid 00800f11 is of no processor with SEV-SNP that is known",
           "ValueError: cpuid 00800f11 is of no processor with SEV-SNP that is known")),
]


def run(t):
    t.expressions(TABLE)
    if JAVASCRIPT:
        t.expressions(SWITCHES)
    policies(t)
    conversions(t)


def policies(t):
    """TCB versions by component."""
    function = either("ccf.tcbHexToPolicy", "ccf.tcb_hex_to_policy")
    for name, cpuid, tcb, parts in POLICIES:
        t.do(f"tcbHexToPolicy: {name}", f"return {function}('{cpuid}', '{tcb}')",
             {"hexstring": tcb, **parts})
    for arguments, outcome in NO_POLICIES:
        t.do(f"tcbHexToPolicy({arguments})", f"return {function}({arguments})", outcome)


def conversions(t):
    """What has no JSON, and certificates."""
    for name, expression in (
        ("jsonCompatibleToBuf refuses undefined", javascript("ccf.jsonCompatibleToBuf(undefined)")),
        ("jsonCompatibleToBuf refuses a function", either(
            "ccf.jsonCompatibleToBuf(() => 1)", "ccf.json_compatible_to_buf(print)")),
        ("jsonCompatibleToBuf passes a cycle's exception on", either(
            "(() => { const a = {}; a.a = a; ccf.jsonCompatibleToBuf(a); })()",
            "a = []; a.append(a); ccf.json_compatible_to_buf(a)")),
        ("jsonCompatibleToBuf passes a BigInt's exception on", either(
            "ccf.jsonCompatibleToBuf(1n)", "ccf.json_compatible_to_buf({1})")),
    ):
        if expression is not None:
            t.do(name, caught(expression), either(
                "TypeError", "ValueError" if "append" in expression else "TypeError"))
    t.do("bufToJsonCompatible throws what JSON.parse throws", caught(f"{BUF_TO_JSON}(b('{{'))"),
         either("SyntaxError", "JSONDecodeError"))
    t.do("jsonCompatibleToBuf passes an exception of toJSON on", javascript(
        "ccf.jsonCompatibleToBuf({ toJSON() { throw new Error('mine') } })"), threw("Error: mine"))
    pem = t.main.identity("user0")[0].read_text()
    wanted = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    t.do("pemToId is the hex SHA-256 of the DER", f"return {TO_ID}({json.dumps(pem)})", wanted)
    spaced = json.dumps(f"\n{pem}\n")
    t.do("pemToId ignores white space around", f"return {TO_ID}({spaced})", wanted)
    t.do("pemToId of nonsense is an InternalError", either(
        "try { ccf.pemToId('nonsense') } catch (e) { "
        "return [e.name, e.message.startsWith('Failed to parse PEM: ')] }",
        "try:\n    ccf.pem_to_id('nonsense')\nexcept ccf.CryptoError as e:\n"
        "    return ['InternalError', str(e).startswith('Failed to parse PEM: ')]"),
        ["InternalError", True])


def caught(statement):
    """A snippet that gives the name of the class of what the statement throws."""
    return either(
        f"try {{ {statement} }} catch (e) {{ return e.name }}",
        f"try:\n    {statement}\nexcept Exception as e:\n    return type(e).__name__")
