"""D.1: names of maps, and what an auditor can read."""

from kit import buffer
from language import either

READABLE = [
    "public:d1", "public:d1.with.dots", "public:", "publicx", "d1", "user_accounts:d1", "HpkeKeys",
    "d1 with space", "d1/slash", "Public:ccf.gov.d1", "ccfx", "ccf", "public:ccfx", "d\u00e9",
]
RESERVED = ["public:ccf.d1", "ccf.d1", "public:ccf.", "ccf.", "public:ccf.governance.x",
            "public:ccf.gov", "ccf.internal"]


def run(t):
    for name in READABLE:
        t.do(f"a map may be called {name!r}",
             "return ccf.kv[%r].set(b('k'), b('v')).get(b('k'))" % name,
             buffer(b"v"))
    for name in RESERVED:
        value = t.value(f"return ccf.kv['{name}'].size")
        t.equal(f"{name} is reserved", [sorted(value)[0], value.get("$threw", "")[:15]],
                ["$threw", either("InternalError: ", "ValueError: map")])
    t.do("a map that nobody wrote is empty", "return [m.size, m.has(b('k'))]", [0, False])
    t.do("names are case-sensitive",
         "ccf.kv['public:d1.A'].set(b('k'), b('v')); return ccf.kv['public:d1.a'].size", 0)
    ledger(t)


def ledger(t):
    """Public maps are in the ledger as they are, private ones encrypted."""
    source = (
        b"ccf.kv['public:d1.open'].set(b('open key'), b('open value 4711')); "
        b"ccf.kv['d1.secret'].set(b('secret key'), b('secret value 4711'))"
    )
    txid = t.main.post("/app/run/rw", source, x_space="d1").txid
    t.main.committed(txid)
    folder = t.main.root / "workspace" / "sandbox_0" / "0.ledger"
    data = b"".join(path.read_bytes() for path in sorted(folder.iterdir()))
    for text, readable in (
        (b"public:d1.open", True), (b"open key", True), (b"open value 4711", True),
        (b"d1.secret", False), (b"secret key", False), (b"secret value 4711", False),
    ):
        word = "can" if readable else "cannot"
        t.equal(f"{text.decode()!r} {word} be read in the ledger", text in data, readable)
