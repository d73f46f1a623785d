"""How workers begin and end: imports that fail, apps that are replaced, lifespans, libraries."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest
from served import COMMAND, PATIENCE, Workers

ENDPOINT = """
import ccf

@ccf.endpoint("/x", auth=["no_auth"], mode="readonly")
def x(request):
    return {answer!r}
"""
ALLOW = (
    '[tool.affiant]\napp = "app.py"\n[tool.affiant.policy]\nctypes = true\nmodules = ["ctypes"]\n'
)
CRASH = "import ctypes\nctypes.string_at(0)\n"


def app(directory: Path, source: str) -> Path:
    directory.mkdir(exist_ok=True)
    (directory / "pyproject.toml").write_text(ALLOW)
    (directory / "app.py").write_text(source)
    return directory


def refused(tmp_path: Path, source: str) -> str:
    """What a sandbox says that does not start."""
    place = app(tmp_path / "app", source)
    options = ["--app", str(place), "--python-workers", "1", "--node", "local://127.0.0.1:0"]
    ended = subprocess.run(
        [*COMMAND, "sandbox", *options, "--workspace", str(tmp_path / "workspace")],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ended.returncode != 0
    return ended.stdout + ended.stderr


def test_a_crash_at_import_is_told(tmp_path: Path) -> None:
    said = refused(tmp_path, CRASH)
    assert "ended as the app was imported: signal 11, segmentation fault" in said
    # Where it happened.
    assert "app.py" in said


def test_an_exception_at_import_is_told(tmp_path: Path) -> None:
    said = refused(tmp_path, "import ccf\nraise RuntimeError('no good')\n")
    assert "RuntimeError: no good" in said
    assert "app.py" in said and "line 2" in said


def test_an_app_that_is_not_there_is_told_as_without_workers(tmp_path: Path) -> None:
    said = set()
    for workers in ("0", "1"):
        options = ["--app", "gone.py", "--python-workers", workers, "--workspace", str(tmp_path)]
        options += ["--node", "local://127.0.0.1:0"]
        ended = subprocess.run(
            [*COMMAND, "sandbox", *options], cwd=tmp_path, capture_output=True, text=True
        )
        assert ended.returncode != 0
        said.add(ended.stdout + ended.stderr)
    assert len(said) == 1
    assert "gone.py: no such file" in said.pop()


def test_a_new_app_takes_over_and_a_broken_one_does_not(tmp_path: Path) -> None:
    place = app(tmp_path / "app", ENDPOINT.format(answer="first"))
    sandbox = Workers(tmp_path, place, 2, "--watch")
    client = sandbox.client()
    assert client("GET", "/x")[:2] == (200, "first")
    before = sandbox.until("three workers", lambda: len(w := sandbox.workers()) == 3 and w)

    app(place, CRASH)
    sandbox.line("Not reloaded")
    assert client("GET", "/x")[:2] == (200, "first")

    since = len(sandbox.lines)
    app(place, ENDPOINT.format(answer="second"))
    sandbox.line("Reloaded", since)
    assert client("GET", "/x")[:2] == (200, "second")
    sandbox.until("the first app's workers end", lambda: not before & sandbox.workers())
    sandbox.until("three workers", lambda: len(sandbox.workers()) == 3)
    sandbox.stop()


def test_workers_that_die_at_start_are_tried_again_ever_more_slowly(tmp_path: Path) -> None:
    flag = tmp_path / "broken"
    source = ENDPOINT.format(answer="fine") + (
        "import ctypes\n"
        f"if ctypes.CDLL(None).access({str(flag)!r}.encode(), 0) == 0:\n"
        "    ctypes.string_at(0)\n"
        '@ccf.endpoint("/crash", auth=["no_auth"])\n'
        "def crash(request):\n"
        "    ctypes.string_at(0)\n"
    )
    sandbox = Workers(tmp_path, app(tmp_path / "app", source), 1)
    client = sandbox.client()
    sandbox.until("two workers", lambda: len(sandbox.workers()) == 2)
    flag.touch()
    assert client("GET", "/crash")[0] == 500
    sandbox.line("cannot be started; tried again in 100 ms")
    # The spare one.
    assert client("GET", "/x")[0] == 200
    assert client("GET", "/crash")[0] == 500
    sandbox.line("cannot be started; tried again in 400 ms")
    status, body, _ = client("GET", "/x")
    assert (status, body["error"]["message"]) == (
        503,
        "No process is ready to run this application's handlers. Retry later.",
    )
    flag.unlink()
    sandbox.until("a worker", lambda: client("GET", "/x")[0] == 200)
    sandbox.stop()


def test_a_lifespan_begins_and_ends_in_each_worker(tmp_path: Path) -> None:
    source = (
        "async def app(scope, receive, send):\n"
        "    if scope['type'] == 'lifespan':\n"
        "        await receive()\n"
        "        print('begins')\n"
        "        await send({'type': 'lifespan.startup.complete'})\n"
        "        await receive()\n"
        "        print('ends')\n"
        "        await send({'type': 'lifespan.shutdown.complete'})\n"
        "        return\n"
        "    await receive()\n"
        "    import ccf\n"
        "    ccf.kv['hits']['n'] = (ccf.kv['hits'].get('n') or 0) + 1\n"
        "    body = str(ccf.kv['hits']['n']).encode()\n"
        "    await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
        "    await send({'type': 'http.response.body', 'body': body})\n"
    )
    sandbox = Workers(tmp_path, app(tmp_path / "app", source), 1)
    client = sandbox.client()
    assert [client("GET", "/any/path")[1] for _ in range(3)] == ["1", "2", "3"]
    sandbox.until("two workers", lambda: sandbox.lines.count("begins") == 2)
    sandbox.stop()
    sandbox.until("both end", lambda: sandbox.lines.count("ends") == 2)


def test_an_interrupt_of_the_terminal_is_the_node_s(tmp_path: Path) -> None:
    place = app(tmp_path / "app", ENDPOINT.format(answer="fine"))
    sandbox = Workers(tmp_path, place, 1)
    client = sandbox.client()
    assert client("GET", "/x")[0] == 200
    sandbox.process.send_signal(signal.SIGINT)
    assert sandbox.process.wait(PATIENCE) == 0
    sandbox.line("Stopped.")
    assert not any("Traceback" in line or "worker process" in line for line in sandbox.lines)


LIBRARIES = {
    "numpy": "import numpy as np\na = np.random.default_rng(1).random((300, 300))\n"
    "answer = float((a @ np.linalg.inv(a)).trace())\nright = abs(answer - 300) < 1e-6",
    "pandas": "import pandas as pd\nf = pd.DataFrame({'k': list('aab'), 'v': [1, 2, 3]})\n"
    "right = f.groupby('k').v.sum().to_dict() == {'a': 3, 'b': 3}",
    "scipy": "from scipy import optimize\n"
    "right = abs(optimize.brentq(lambda x: x * x - 2, 0, 2) - 2**0.5) < 1e-9",
    "sklearn": "from sklearn.linear_model import LogisticRegression\n"
    "m = LogisticRegression().fit([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1])\n"
    "right = m.predict([[0.1], [2.9]]).tolist() == [0, 1]",
    "pydantic": "import pydantic\nclass M(pydantic.BaseModel):\n    n: int\n"
    'right = M.model_validate_json(\'{"n": "7"}\').n == 7',
    "cryptography": "from cryptography.hazmat.primitives.asymmetric import ec\n"
    "from cryptography.hazmat.primitives import hashes\nk = ec.generate_private_key(ec.SECP256R1())\n"
    "s = k.sign(b'x', ec.ECDSA(hashes.SHA256()))\n"
    "k.public_key().verify(s, b'x', ec.ECDSA(hashes.SHA256()))\nright = True",
}


@pytest.mark.parametrize("library", LIBRARIES)
def test_libraries_work_in_workers(tmp_path: Path, library: str) -> None:
    pytest.importorskip(library)
    first, *rest = LIBRARIES[library].splitlines()
    body = "\n".join(f"    {line}" for line in rest)
    source = (
        f"import ccf\n{first}\n@ccf.endpoint('/x', auth=['no_auth'])\ndef x(request):\n"
        f"    import time; began = time.perf_counter()\n{body}\n"
        "    ccf.kv['results']['right'] = bool(right)\n    return {'right': bool(right)}\n"
    )
    place = app(tmp_path / "app", source)
    (place / "pyproject.toml").write_text('[tool.affiant]\napp = "app.py"\n')
    sandbox = Workers(tmp_path, place, 2)
    client = sandbox.client()
    for _ in range(4):
        assert client("GET", "/x")[:2] == (200, {"right": True})
    sandbox.stop()


def test_the_next_request_does_not_wait_for_imports(tmp_path: Path) -> None:
    source = (
        "import time, ctypes, ccf\ntime.sleep(1.5)\n"
        "@ccf.endpoint('/x', auth=['no_auth'])\ndef x(request):\n    return 'fine'\n"
        "@ccf.endpoint('/crash', auth=['no_auth'])\ndef crash(request):\n    ctypes.string_at(0)\n"
    )
    sandbox = Workers(tmp_path, app(tmp_path / "app", source), 1)
    client = sandbox.client()
    sandbox.until("two workers", lambda: len(sandbox.workers()) == 2)
    time.sleep(2.5)
    assert client("GET", "/crash")[0] == 500
    began = time.monotonic()
    assert client("GET", "/x")[:2] == (200, "fine")
    assert time.monotonic() - began < 1
    sandbox.stop()
