"""D.3: transactions."""

import json
import threading

from kit import UNDEFINED, buffer
from language import either


def run(t):
    def put(space, source):
        return t.main.post("/app/run/rw", source.encode(), x_space=space).txid

    version = either("getVersionOfPreviousWrite", "get_version_of_previous_write")
    put("d3.a", "m.set(b('a'), b('old')); m.set(b('b'), b('old')); m.set(b('c'), b('old'))")
    t.do("own writes are read", "m.set(b('a'), b('new')); return m.get(b('a'))", buffer(b"new"),
         space="d3.a", mode="rw")
    t.do("own deletions are read", "m.delete(b('b')); return [m.has(b('b')), m.get(b('b'))]",
         [False, UNDEFINED], space="d3.a")
    t.do("size counts own writes and deletions",
         "m.delete(b('c')); m.set(b('d'), b('')); m.set(b('e'), b('')); return m.size", 3,
         space="d3.a")
    t.do("a key that is deleted and set again is there",
         "m.set(b('x'), b('1')); m.delete(b('x')); m.set(b('x'), b('2')); return m.get(b('x'))",
         buffer(b"2"))
    t.do("clear hides what the state has and what was set",
         either("m.set(b('z'), b('')); m.clear(); const n = m.size; ",
                "m.set(b('z'), b('')); m.clear(); n = m.size; ") +
         "m.set(b('y'), b('')); return [n, m.size]", [0, 1], space="d3.a")
    t.do("and so it is kept", either(
        "const seen = []; m.forEach((v, k) => seen.push(s(k))); return seen",
        "return [s(k) for k in m]"),
         ["y"], space="d3.a")
    txid = put("d3.b", "m.set(b('k'), b('1'))")
    seqno = int(txid.split(".")[1])
    t.do("the version of a key is the seqno of its last write",
         f"return m.{version}(b('k'))", seqno, space="d3.b")
    put("d3.c", "m.set(b('other'), b('1'))")
    t.do("writes elsewhere do not change it", f"return m.{version}(b('k'))", seqno,
         space="d3.b")
    again = int(put("d3.b", "m.set(b('k'), b('1'))").split(".")[1])
    t.equal("writing the same value is a write", again > seqno, True)
    t.do("with a version of its own", f"return m.{version}(b('k'))", again,
         space="d3.b")
    first = put("d3.b", "m.delete(b('absent'))")
    t.equal("deleting what is absent takes a seqno", int(first.split(".")[1]) > again, True)
    first = put("d3.d", "m.clear()")
    second = put("d3.d", "m.set(b('k'), b('v'))")
    t.equal("one transaction, one seqno over all its maps",
            [first.split(".")[0], second.split(".")[0]], ["2", "2"])
    t.do("a failed request leaves nothing of any map", "return [ccf.kv['d3.e'].size, "
         "ccf.kv['public:d3.f'].size]", [0, 0]) if failed(t) else None
    big = either(
        "m.set(b('big'), new Uint8Array(900000).fill(7).buffer); return m.get(b('big')).byteLength",
        "m.set(b('big'), bytes([7]) * 900000); return len(m.get(b('big')))")
    t.do("a value of 900 kB", big, 900000)
    t.do("a thousand keys", either(
        "for (let i = 0; i < 1000; i++) m.set(b(`${i}`), b('v')); return m.size",
        "for i in range(1000): m.set(b(f'{i}'), b('v'))\nreturn m.size"), 1000, space="d3.many")
    t.do("are a thousand keys later", "return m.size", 1000, space="d3.many")
    t.do("a key of a kilobyte", either(
        "const k = b('k'.repeat(1024)); m.set(k, b('v')); return m.has(k)",
        "k = b('k' * 1024); m.set(k, b('v')); return m.has(k)"), True)
    consistent(t)
    answer = t.main.post("/app/tx/write", json.dumps({"space": "d3.g", "key": "now"}).encode())
    t.do("the next request sees it at once", "return m.has(b('now'))", True, space="d3.g")
    t.equal("and its answer left before commit or at it", answer.status, 200)


def consistent(t):
    """A handler sees one state from its first read to its last, whoever writes meanwhile."""
    ended = threading.Event()

    def write():
        client = t.main.new_client()
        source = either(
            "const n = b(`${Math.random()}`); m.set(b('x'), n); ccf.kv['d3.y'].set(b('y'), n)",
            "import random; n = b(str(random.random())); m.set(b('x'), n); "
            "ccf.kv['d3.y'].set(b('y'), n)").encode()
        while not ended.is_set():
            client.post("/app/run/rw", source, x_space="d3.x")
        client.close()

    writers = [threading.Thread(target=write) for _ in range(3)]
    for writer in writers:
        writer.start()
    source = either(
        "const first = m.get(b('x')); let waste = 0; for (let i = 0; i < 20000; i++) waste += i;"
        "const other = ccf.kv['d3.y'].get(b('y')); const again = m.get(b('x'));"
        "const text = (v) => (v === undefined ? '' : s(v));"
        "return text(first) === text(other) && text(first) === text(again)",
        "first = m.get(b('x')); waste = sum(i for i in range(20000)); "
        "other = ccf.kv['d3.y'].get(b('y')); again = m.get(b('x')); "
        "return first == other and first == again",
    )
    client = t.main.new_client()
    seen = []
    for _ in range(20):
        answer = client.post("/app/run/ro", source.encode(), x_space="d3.x")
        seen.append(answer.json["value"])
    ended.set()
    for writer in writers:
        writer.join()
    client.close()
    t.equal("one consistent state of all maps", seen, [True] * 20)


def failed(t):
    source = either(
        "ccf.kv['d3.e'].set(ccf.strToBuf('k'), ccf.strToBuf('v')); "
        "ccf.kv['public:d3.f'].set(ccf.strToBuf('k'), ccf.strToBuf('v')); throw new Error('no')",
        "ccf.kv['d3.e'].set(b'k', b'v'); ccf.kv['public:d3.f'].set(b'k', b'v'); "
        "raise RuntimeError('no')",
    )
    return t.main.post("/app/bare", source.encode()).status == 500
