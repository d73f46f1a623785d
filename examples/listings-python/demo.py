"""Talks to a running listing.

usage: demo.py handler|flask [URL [COMMON_DIRECTORY]]
"""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
import sys
from pathlib import Path
from typing import Any

import ccf
import httpx2


def connect(url: str, common: Path) -> httpx2.Client:
    """A client that trusts this service alone and shows the certificate of user0."""
    if not (common / "user0_cert.pem").is_file():
        raise SystemExit(
            f"demo.py: no {common}/user0_cert.pem: start the service as README.md says"
        )
    context = ssl.create_default_context(cafile=common / "service_cert.pem")
    context.load_cert_chain(common / "user0_cert.pem", common / "user0_privk.pem")
    return httpx2.Client(base_url=f"{url}/app", verify=context, trust_env=False)


def expect(answer: httpx2.Response, status: int = 200) -> Any:
    """The answer's value. Ends the demo unless it has this status."""
    if answer.status_code != status:
        raise SystemExit(
            f"demo.py: {answer.request.method} {answer.url}: status {answer.status_code}, "
            f"not {status}: {answer.text}"
        )
    return answer.json() if answer.content else None


def check(what: str, holds: bool) -> None:
    """Ends the demo unless this holds."""
    if not holds:
        raise SystemExit(f"demo.py: it does not hold that {what}")


def handler(client: httpx2.Client) -> None:
    """The handler listing, and the runtime as one object."""
    public_key = expect(client.put("/key"))["public_key"]
    print("Data, processed and signed in the node:")
    answer = expect(client.post("/handle", content="the quick brown fox"))
    print(f"  {answer['result']}, signature {answer['signature'][:16]}...")
    digest = hashlib.sha256(b"the quick brown fox").hexdigest()
    check("the result is the data's digest", answer["result"] == {"sha256": digest})
    good = ccf.crypto.verify("the quick brown fox", public_key, answer["signature"])
    bad = ccf.crypto.verify("the quick brown cat", public_key, answer["signature"])
    check("the signature is of this data and no other", good and not bad)
    evidence = answer["attestation"]
    print(f"  evidence of the platform: {evidence['format']}")
    statement = json.loads(base64.b64decode(evidence["bound"]))
    check("the evidence is for an app", statement["affiant"] == "app")
    structured = expect(client.post("/handle", json={"n": 1}))
    check(
        "JSON is signed as a value",
        ccf.crypto.verify({"n": 1}, public_key, structured["signature"]),
    )
    print("The runtime as one object:")
    for name, value in expect(client.get("/runtime")).items():
        print(f"  {name}: {value['format'] if name == 'attestation' else value}")


def flask(client: httpx2.Client) -> None:
    """The Flask listing."""
    expect(client.put("/data/sample", json=[1, 2, 3, 4]), 204)
    answer = expect(client.post("/secure-compute", json={"key": "sample"}))
    failed = {"error": "Computation failed", "details": None}
    check("the listing succeeds", answer.get("success") is True)
    print(f"Computed in the node, with evidence: {answer['attestation']['format']}")
    result = expect(client.get("/results/sample"))
    print(f"Stored: {result}")
    check("the result is stored", (result["id"], result["mean"]) == ("sample", 2.5))
    check(
        "without data nothing is computed",
        expect(client.post("/secure-compute", json={"key": "x"})) == failed,
    )
    expect(client.get("/results/x"), 404)


def main(
    which: str = "handler",
    url: str = "https://127.0.0.1:8000",
    directory: str = "workspace/sandbox_common",
) -> None:
    """The demo."""
    run = {"handler": handler, "flask": flask}.get(which)
    if run is None:
        raise SystemExit(f"demo.py: {which!r}: say handler or flask")
    with connect(url, Path(directory)) as client:
        run(client)


if __name__ == "__main__":
    main(*sys.argv[1:])
