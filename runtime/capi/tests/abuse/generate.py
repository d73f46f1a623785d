#!/usr/bin/env python3
"""Writes a C program that calls every function of include/affiant.h with what it must not be given.

    usage: generate.py include/affiant.h > abuse.c

For each function there is one call in which all is as it should be, and one for each way in which one argument can be
wrong: handles that are NULL, forged, freed or of another type; outputs that are NULL or misaligned; slices that lead
nowhere, are no UTF-8 or huge; structs of wrong sizes; constants that are none. All of them are made

* from the main thread, with a runtime that lives and with one that has stopped;
* from 8 threads at once, with the same handles;
* from inside an endpoint's callback, with its handles too, and from another thread meanwhile;
* with those handles after the callback;
* in a forked child, with the parent's handles.

Each call must return a status that the library has a name for, and in the end a ledger must still work. A function or a
type that the tables below do not know ends the generation: a new function cannot be forgotten.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

# How one valid object of each type is had; it is freed by affiant_X_free. Others are had from callbacks only.
OWNED = {
    "options": "make_options()",
    "runtime": "make_runtime(NULL)",
    "tx": "make_tx(w->runtime)",
    "snapshot": "make_snapshot(w->runtime)",
    "iterator": "make_iterator(w->runtime)",
    "receipt": "make_receipt(w->runtime)",
    "verdict": "make_verdict(w->runtime)",
    "evidence": "make_evidence(w->runtime)",
    "key": "make_key()",
    "bytes": "make_bytes()",
    "response": "make_response(w->runtime)",
}
LENT = ["request"]

# Structs that cross by pointer: a valid one.
STRUCTS = {
    "affiant_range": "{.size = sizeof(affiant_range), .limit = 3}",
    "affiant_receipt_options": "{.size = sizeof(affiant_receipt_options)}",
    "affiant_service_options": "{.size = sizeof(affiant_service_options), .timeout_ms = 100}",
    "affiant_check": "{.size = sizeof(affiant_check)}",
    "affiant_endpoint": "{.size = sizeof(affiant_endpoint), .method = T(\"GET\"), .path = T(\"/more\"), "
    ".handler = callback}",
    "affiant_call": "{.size = sizeof(affiant_call), .method = T(\"GET\"), .target = T(\"/app/plain\")}",
    "affiant_app_options": "{.size = sizeof(affiant_app_options)}",
}
# Of these NULL is a valid value, beside the outputs that the header says may be NULL.
SCALARS = {"uint32_t", "uint64_t", "size_t", "uint16_t", "bool", "uint8_t"}
# Valid values of parameters, by function and name or by name; slices default to SLICE.
VALUES = {
    ("affiant_options_new", "header_version"): "AFFIANT_VERSION",
    ("affiant_check_version", "header"): "AFFIANT_VERSION",
    ("affiant_options_set_sealing", "kind"): "AFFIANT_SEALING_KEY_FILE",
    ("affiant_options_set_directory", "path"): 'T("/proc/none/of/it")',
    ("affiant_key_generate", "kind"): "AFFIANT_KEY_P256",
    ("affiant_key_self_signed_certificate", "subject"): 'T("CN=x")',
    ("affiant_options_listen", "address"): 'T("127.0.0.1:0")',
    ("affiant_verify_service", "url"): 'T("https://127.0.0.1:1")',
    ("affiant_runtime_load_app", "path"): 'T("/proc/none")',
    "hash": "AFFIANT_HASH_SHA256",
    "timeout_ms": "20",
    "platform": "AFFIANT_PLATFORM_VIRTUAL",
    "delay_ms": "100",
    "http_threads": "1",
    "executor_threads": "1",
    "index": "0",
    "seqno": "1",
    "status": "200",
    "keep": "true",
    "size": "16",
    "aes_key_bits": "256",
    "validity_days": "1",
    "at_unix_s": "0",
    "txid": "w->txid",
    "digest": "S(thirty_two_bytes, 32)",
    "text": 'T("2.17")',
    "data_json": 'T("{}")',
    "policy_json": 'T("{}")',
}
SLICE = 'T("some")'
BAD_SLICES = [
    "S(NULL, 5)",
    "S(NULL, SIZE_MAX)",
    'S("x", SIZE_MAX)',
    'S("\\xff\\xfe\\x00", 3)',
    "S(NULL, 0)",
    'S("", 0)',
    "S(long_text, sizeof long_text)",
]
BAD_NUMBERS = {
    "uint32_t": ["0", "77", "UINT32_MAX"],
    "uint64_t": ["0", "UINT64_C(1) << 63"],
    "size_t": ["1000000000"],
    "uint16_t": ["0", "99", "65535"],
    "bool": ["false"],
}
# What would wait for as long as it is told to, or for ever.
NOT_LONG = {"timeout_ms"}
FORGED = ["1", "UINTPTR_MAX", "UINT64_C(0x123456789abcdef0)", "(uintptr_t)&w->txid", "(uintptr_t)w"]
# Not called with the shared runtime where others use it: they would end it.
ENDS = {"affiant_runtime_stop", "affiant_runtime_free"}
RUNTIME_C = Path(__file__).with_name("abuse.inc.c")


def without_comments(text: str) -> str:
    return re.sub(r"//[^\n]*", "", re.sub(r"/\*.*?\*/", "", text, flags=re.S))


class Header:
    def __init__(self, text: str) -> None:
        text = without_comments(text)
        named = re.findall(r"typedef (u?int\d+_t) (affiant_\w+);", text)
        self.numbers = {name: number for number, name in named}
        self.opaque = {
            name[len("affiant_") :] for name in re.findall(r"typedef struct (affiant_\w+) \1;", text)
        }
        self.structs = set(re.findall(r"\}\s*(affiant_\w+);", text))
        self.functions = []
        for result, name, arguments in re.findall(
            r"^([\w \*]+?)\b(affiant_\w+)\(([^;{}]*)\);", text, flags=re.M
        ):
            if "typedef" in result or "static" in result:
                continue
            parameters = []
            for argument in re.split(r",(?![^(]*\))", " ".join(arguments.split())):
                argument = argument.strip()
                if argument in ("void", ""):
                    continue
                found = re.fullmatch(r"(.+?)\s*(\**)\s*(\w+)", argument)
                if found is None:
                    inner = re.fullmatch(r"(void \(\*)(\w+)(\)\(void ?\*\w*\))", argument)
                    if inner is None:
                        sys.exit(f"{name}: cannot read {argument!r}")
                    parameters.append(("free_function", inner.group(2)))
                    continue
                parameters.append((found.group(1).strip() + found.group(2), found.group(3)))
            self.functions.append((result.strip(), name, parameters))


class Function:
    """One function's calls."""

    def __init__(self, header: Header, result: str, name: str, parameters: list) -> None:
        self.header, self.result, self.name, self.parameters = header, result, name, parameters
        self.before: list[str] = []
        self.after: list[str] = []
        self.valid: list[str] = []
        self.bad: list[list[str]] = []
        for position, (kind, parameter) in enumerate(parameters):
            self.argument(position, kind, parameter)

    def value(self, parameter: str, usual: str) -> str:
        return VALUES.get((self.name, parameter), VALUES.get(parameter, usual))

    def argument(self, position: int, kind: str, parameter: str) -> None:
        header = self.header
        bare = kind.replace("const ", "")
        if kind in header.numbers:
            kind = bare = header.numbers[kind]
        pointee = bare.rstrip("*")
        short = pointee[len("affiant_") :] if pointee.startswith("affiant_") else ""
        if bare == "affiant_slice":
            self.add(self.value(parameter, SLICE), BAD_SLICES)
        elif bare == "affiant_txid":
            self.add("w->txid", ["(affiant_txid){0, 0}", "(affiant_txid){UINT64_MAX, UINT64_MAX}"])
        elif bare in SCALARS:
            bad = [] if parameter in NOT_LONG else BAD_NUMBERS[bare]
            self.add(self.value(parameter, "1"), bad)
        elif short in header.opaque and bare.endswith("**"):
            self.output(position, f"{pointee} *", f"if (o{position}) {pointee}_free(o{position});", "NULL")
        elif short in header.opaque:
            self.handle(position, pointee, short, "const " in kind)
        elif pointee in STRUCTS and (bare.endswith("*") and bare.count("*") == 1):
            self.struct(position, pointee)
        elif bare == "void*" and parameter == "object":
            self.add("w->runtime", ["NULL", "w->freed_tx", "(const void *)1"])
        elif bare == "char*":
            self.before.append("char text[64]; (void)text;")
            self.add("text", ["NULL"])
        elif parameter == "capacity":
            self.add("sizeof text", ["0", "1"])
        elif bare == "uint8_t*":
            self.before.append("uint8_t room[64]; (void)room;")
            self.add("room", ["NULL"])
        elif bare == "void*" and parameter == "userdata":
            self.add("NULL", [])
        elif kind == "free_function":
            self.add("NULL", ["frees_nothing"])
        elif bare.endswith("*") and bare.count("*") == 1:
            self.output(position, header.numbers.get(pointee, pointee), "", "{0}")
        else:
            sys.exit(f"{self.name}: the tables do not know {kind} {parameter}")

    def add(self, valid: str, bad: list[str]) -> None:
        self.valid.append(valid)
        self.bad.append(bad)

    def output(self, position: int, kind: str, after: str, zero: str) -> None:
        self.before.append(f"{kind} o{position} = {zero}; (void)o{position};")
        self.after.append(after)
        misaligned = f"({kind} *)(void *)((char *)w->room + 1)"
        bad = ["NULL"] if kind in ("bool", "uint8_t") else ["NULL", misaligned]
        self.add(f"&o{position}", bad)

    def handle(self, position: int, pointee: str, short: str, is_const: bool) -> None:
        others = [name for name in OWNED if name != short]
        bad = ["NULL"]
        bad += [f"(void *)(uintptr_t)({number})" for number in FORGED]
        bad += [f"(void *)w->{name}" for name in others]
        bad += [f"(void *)w->stale_{name}" for name in ["request", "tx", "response"]]
        bad += [f"(void *)w->lent_{name}" for name in ["request", "tx", "response"]]
        if short in OWNED:
            bad.append(f"w->freed_{short}")
        if short in LENT:
            self.add(f"w->lent_{short}", bad)
        elif self.name in ENDS or self.name == f"{pointee}_free":
            # Its own, which it may end.
            made = OWNED[short]
            if short in ("options", "runtime"):
                # Inside a callback they are not freed, so there the call is made with the world's.
                made = f"w->inside ? w->{short} : {made}"
            self.before.append(f"{pointee} *own = {made}; (void)own;")
            self.after.append(f"{pointee}_free(own);")
            self.add("own", bad)
        else:
            self.add(f"w->{short}", bad)

    def struct(self, position: int, pointee: str) -> None:
        if pointee not in STRUCTS:
            sys.exit(f"{self.name}: no valid {pointee} is known")
        self.before.append(f"{pointee} s{position} = {STRUCTS[pointee]};")
        self.before.append(f"struct {{ {pointee} known; char tail[256]; }} b{position} = {{s{position}, {{0}}}};")
        self.before.append(f"memset(b{position}.tail, 1, sizeof b{position}.tail);")
        sized = [f"sized(&b{position}, {size})" for size in ["0", "1", f"sizeof b{position}", "SIZE_MAX"]]
        self.add(f"&s{position}", ["NULL", "(void *)((char *)w->room + 1)", *sized])

    def calls(self) -> list[str]:
        """All arguments valid, then each wrong one by itself."""
        all_calls = [self.valid]
        for position, bad in enumerate(self.bad):
            for value in bad:
                all_calls.append([*self.valid[:position], value, *self.valid[position + 1 :]])
        return [f"{self.name}({', '.join(arguments)})" for arguments in all_calls]

    def text(self) -> str:
        lines = [f"static void abuse_{self.name}(world *w) {{", "    (void)w;"]
        for call in self.calls():
            body = " ".join(self.before)
            check = f'answered({call}, "{self.name}");' if self.result == "affiant_status" else f"(void){call}; counted();"
            if self.name in ENDS or self.name.endswith("_free"):
                check = f"if (!w->gentle) {{ {check} }}" if "own" not in self.valid else check
            lines.append(f"    {{ {body} {check} {' '.join(self.after)} }}")
        lines.append("}")
        return "\n".join(lines)


def main() -> None:
    header = Header(Path(sys.argv[1]).read_text())
    unknown = header.opaque - set(OWNED) - set(LENT)
    if unknown:
        sys.exit(f"no object of these types can be made: {sorted(unknown)}")
    for name in STRUCTS:
        if name not in header.structs:
            sys.exit(f"{name} is not in the header")
    functions = [Function(header, *function) for function in header.functions]
    if len(functions) < 50:
        sys.exit(f"only {len(functions)} functions were found")
    begin, end = RUNTIME_C.read_text().split("/* THE CALLS */\n")
    print("/* Generated by runtime/capi/tests/abuse/generate.py. */")
    print(begin)
    print("\n\n".join(function.text() for function in functions))
    print("\nstatic void (*const ALL[])(world *) = {")
    print("".join(f"    abuse_{function.name},\n" for function in functions) + "};")
    print(end)


if __name__ == "__main__":
    main()
