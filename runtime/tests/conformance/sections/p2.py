"""P.2: module ccf, the request and the caller; the place of A.2."""

from kit import threw

LANGUAGES = ("python",)

GROUPS = {
    "crypto": ["digest", "eddsa_jwk_to_pem", "eddsa_pem_to_jwk", "generate_aes_key",
               "generate_ecdsa_key_pair", "generate_eddsa_key_pair", "generate_rsa_key_pair",
               "is_valid_x509_cert_bundle", "is_valid_x509_cert_chain", "jwk_to_pem", "pem_to_jwk",
               "pub_eddsa_jwk_to_pem", "pub_eddsa_pem_to_jwk", "pub_jwk_to_pem", "pub_pem_to_jwk",
               "pub_rsa_jwk_to_pem", "pub_rsa_pem_to_jwk", "rsa_jwk_to_pem", "rsa_pem_to_jwk",
               "sign", "unwrap_key", "verify", "verify_signature", "wrap_key"],
    "consensus": ["get_last_committed_txid", "get_status_for_txid", "get_view_for_seqno"],
    "historical": ["drop_cached_states", "get_state_range"],
    "rpc": ["set_apply_writes", "set_claims_digest"],
    "snp_attestation": ["verify_snp_attestation"],
    "network": ["get_nodes", "get_service_certificate", "get_service_status"],
}
TOP = ["buf_to_json_compatible", "buf_to_str", "create_proposal", "digest", "endpoint",
       "get_attestation", "json_compatible_to_buf", "pem_to_id", "str_to_buf", "tcb_hex_to_policy",
       "Response", "HTTPError", "CCFPythonRuntime", "Error", "AccessError", "NoTransactionError",
       "CryptoError", "TimeLimitExceeded"]
# Class, classes that it is one of.
ERRORS = [
    ("AccessError", ["Error", "PermissionError"]), ("CryptoError", ["Error", "ValueError"]),
    ("NoTransactionError", ["Error", "RuntimeError"]), ("Error", ["Exception"]),
    ("TimeLimitExceeded", ["BaseException"]),
]
REQUEST = [
    ("method", "request.method", "POST"), ("path", "request.path", "/app/run/rw"),
    ("app_path", "request.app_path", "/run/rw"), ("url", "request.url", "/app/run/rw?a=A"),
    ("route", "request.route", "/app/run/rw"), ("query is decoded", "request.query", "a=A"),
    ("raw_query is as sent", "request.raw_query", "a=%41"), ("scheme", "request.scheme", "https"),
    ("params", "request.params", {}), ("by item", "request['method']", "POST"),
    ("get", "[request.get('method'), request.get('absent', 7)]", ["POST", 7]),
    ("in", "['method' in request, 'absent' in request]", [True, False]),
    ("headers are a dict", "type(request.headers).__name__", "dict"),
    ("header_items are pairs", "('x-own', 'v') in request.header_items", True),
    ("data of text", "request.data == request.body.text()", True),
    ("bytes of the body", "bytes(request.body) == request.body.bytes()", True),
    ("str of the body", "str(request.body) == request.body.text()", True),
    ("len of the body", "len(request.body) == len(bytes(request.body))", True),
    ("body_bytes", "request.body_bytes == bytes(request.body)", True),
    ("CCF's name for the bytes", "request.body.array_buffer() == request.body_bytes", True),
    ("it is ccf.request", "ccf.request is request", True),
    ("its repr has no body", "repr(request)", "<Request POST /app/run/rw?a=A>"),
    ("it cannot be changed", "setattr(request, 'method', 'GET')",
     threw("AttributeError: attribute 'method' of 'affiant._native.Request' objects is not "
           "writable")),
    ("the caller's fields are attributes", "request.caller.policy", "no_auth"),
    ("and items", "request.caller['policy']", "no_auth"),
    ("what a caller has not", "request.caller.id",
     threw('AttributeError: this caller has no "id"')),
    ("may be asked for", "request.caller.get('id', 'nobody')", "nobody"),
    ("a caller as dict", "request.caller.to_dict()", {"policy": "no_auth"}),
]
BODIES = [
    ("JSON is parsed", "application/json", b'{"a": [1]}', {"a": [1]}),
    ("text is text", "text/plain", b'{"a": [1]}', '{"a": [1]}'),
    ("bytes are bytes", "application/octet-stream", b"\x00\xff", {"$hex": "00ff"}),
    ("no body is None", "application/json", b"", None),
]
OUTSIDE = (
    "import threading\nseen = []\n"
    "def f():\n"
    "    try: seen.append(m.get('k'))\n"
    "    except Exception as e: seen.append(type(e).__name__)\n"
    "%s\nthread.start(); thread.join(); return seen"
)


def run(t):
    for group, names in GROUPS.items():
        t.do(f"ccf.{group}", f"return [name for name in ccf.{group}.__all__ "
             f"if callable(getattr(ccf.{group}, name)) and name[0].islower()]"
             if group != "network" else
             "return sorted(n for n in vars(ccf.network) if n.startswith('get_'))", names)
        for name in names:
            t.do(f"ccf.{group}.{name} is documented",
                 f"return len(ccf.{group}.{name}.__doc__ or '') > 15", True)
    for name in TOP:
        t.do(f"ccf.{name} is public and documented",
             f"return '{name}' in ccf.__all__ and len(ccf.{name}.__doc__ or '') > 15", True)
    for name, bases in ERRORS:
        t.do(f"ccf.{name} is {', '.join(bases)}",
             "import builtins; return [issubclass(ccf.%s, getattr(ccf, base, None) or "
             "getattr(builtins, base)) for base in %r]" % (name, bases), [True] * len(bases))
    t.do("a time limit is no Exception", "return issubclass(ccf.TimeLimitExceeded, Exception)",
         False)
    for name, expression, expected in REQUEST:
        answer = t.main.post("/app/run/rw?a=%41", f"return {expression}".encode(), x_space="p2",
                             x_own="v", content_type="text/plain")
        t.equal(f"request: {name}", answer.json["value"], expected)
    bodies(t)
    runtime(t)


def bodies(t):
    for name, kind, body, expected in BODIES:
        headers = {"content_type": kind, "x_space": "p2", "x_python": "request.data"}
        t.equal(f"request.data: {name}", t.main.post("/app/evaluate", body, **headers).json,
                {"value": expected})


def runtime(t):
    t.do("CCFPythonRuntime has the same parts",
         "r = ccf.CCFPythonRuntime(); return [r.kv is ccf.kv, r.crypto is ccf.crypto, "
         "r.network is ccf.network, r.consensus is ccf.consensus]", [True] * 4)
    t.do("the service is open", "return ccf.network.get_service_status()", "Open")
    pem = (t.main.common / "service_cert.pem").read_text()
    t.equal("the service's certificate",
            t.value("return ccf.network.get_service_certificate()").strip(), pem.strip())
    t.do("nodes by id", "return list(ccf.network.get_nodes())",
         [t.main.get("/node/state").json["node_id"]])
    said = t.value("ccf.create_proposal('set_user', {})")["$threw"]
    t.equal("proposals from apps: a clear refusal",
            said.startswith("Error: create_proposal('set_user'): this node takes no proposals"),
            True)
    t.do("a thread of one's own has no transaction",
         OUTSIDE % "thread = threading.Thread(target=f)", ["NoTransactionError"])
    t.do("unless it is given the request's context",
         "m['k'] = 'seen'; import contextvars; context = contextvars.copy_context()\n"
         + OUTSIDE % "thread = threading.Thread(target=context.run, args=(f,))", ["seen"])
    t.do("no attribute by CCF's JavaScript names", "return ccf.strToBuf",
         threw("AttributeError: module 'ccf' has no attribute 'strToBuf'"))
