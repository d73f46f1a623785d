"""Starts and stops the servers that are compared, and PostgreSQL; reads what CPU time they took."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

APPS = Path(__file__).resolve().parent / "apps"
BIN = Path(sys.executable).parent
START_SECONDS = 30
STOP_SECONDS = 10
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Configuration:
    """One server with one way to run it.

    In `command`, `{port}`, `{directory}`, `{certificate}` and `{key}` stand for what is known when it
    starts. `store` is COMPARE_STORE of an app on an SQL database, `journal` SQLite's journal mode.
    """

    name: str
    detail: str
    command: tuple[str, ...]
    tls: bool = True
    affiant: bool = False
    store: str = ""
    journal: str = ""
    pool: int = 1
    framework: str = ""

    @property
    def postgres(self) -> bool:
        """Whether it needs a PostgreSQL server."""
        return bool(self.store) and "sqlite" not in self.store


@dataclass
class Running:
    """A server that answers."""

    url: str
    processes: list[int]

    def cpu(self) -> float:
        """Seconds of CPU time that its processes have taken, children that ended included."""
        return cpu_of_trees(self.processes)


def cpu_of_trees(roots: list[int]) -> float:
    """Seconds of CPU time of these processes and everything below them."""
    children: dict[int, list[int]] = {}
    ticks: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # The name, in parentheses, may hold anything; the fields start after it.
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks[int(entry.name)] = sum(int(value) for value in fields[11:15])
        children.setdefault(int(fields[1]), []).append(int(entry.name))
    total, left = 0, list(roots)
    while left:
        process = left.pop()
        total += ticks.get(process, 0)
        left += children.get(process, [])
    return total / TICK


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def process(
    command: list[str], log: Path, stop: signal.Signals = signal.SIGTERM, **options: Any
) -> Iterator[subprocess.Popen]:
    """Runs a process in a group of its own until the block ends; its output goes to `log`."""
    with log.open("ab") as output:
        running = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **options,
        )
    try:
        yield running
    finally:
        running.send_signal(stop)
        try:
            running.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            print(f"{command[0]} did not stop within {STOP_SECONDS} s: killed", file=sys.stderr)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()


def failure(what: str, log: Path) -> RuntimeError:
    """An error that shows the end of a server's log."""
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-30:])
    return RuntimeError(f"{what}; the end of its log:\n{tail}")


class Cluster:
    """A private PostgreSQL cluster: default settings, reachable by a Unix socket only."""

    def __init__(self, directory: Path) -> None:
        """Makes the cluster below `directory`.

        Raises:
            RuntimeError: PostgreSQL is not installed, or could not make the cluster.
        """
        self.programs = postgres_programs()
        self.data = directory / "postgresql"
        self.log = directory / "postgresql.log"
        self.log.touch()
        # A socket's path is limited to 107 bytes: not below `directory`.
        self.socket = tempfile.mkdtemp(prefix="compare-")
        self.options: dict[str, Any] = {"cwd": "/"}
        self.data.mkdir(mode=0o700)
        if os.geteuid() == 0:
            # It refuses to run as root.
            self.options.update(user="postgres", group="postgres", extra_groups=[])
            shutil.chown(self.data, "postgres", "postgres")
            shutil.chown(self.socket, "postgres", "postgres")
        initdb = [str(self.programs / "initdb"), "--auth=trust", "--username=postgres"]
        made = subprocess.run(
            [*initdb, "--encoding=UTF8", "--locale=C", "--pgdata", str(self.data)],
            capture_output=True,
            text=True,
            **self.options,
        )
        if made.returncode != 0:
            raise RuntimeError(f"initdb failed: {made.stderr}")
        self.address = f"postgresql://postgres@/postgres?host={self.socket}"

    def remove(self) -> None:
        """Removes the directory of the socket."""
        shutil.rmtree(self.socket, ignore_errors=True)

    @contextlib.contextmanager
    def running(self) -> Iterator[int]:
        """Runs the server until the block ends, with an empty table; yields its process id."""
        import psycopg

        command = [str(self.programs / "postgres"), "-D", str(self.data)]
        command += ["-c", "listen_addresses=", "-c", f"unix_socket_directories={self.socket}"]
        with process(command, self.log, signal.SIGINT, **self.options) as server:
            deadline = time.monotonic() + START_SECONDS
            while True:
                try:
                    with psycopg.connect(self.address, autocommit=True) as connection:
                        prepare(connection)
                        break
                except psycopg.OperationalError:
                    if server.poll() is not None or time.monotonic() > deadline:
                        raise failure("PostgreSQL does not serve", self.log) from None
                    time.sleep(0.05)
            yield server.pid


def prepare(connection) -> None:
    """Checks that commits are durable, and makes an empty table."""
    for setting in ("fsync", "synchronous_commit"):
        (value,) = connection.execute(f"SHOW {setting}").fetchone()
        if value != "on":
            raise RuntimeError(f"PostgreSQL's {setting} is {value}: the comparison needs it on")
    connection.execute("DROP TABLE IF EXISTS documents")
    connection.execute("CREATE TABLE documents (id BIGINT PRIMARY KEY, body TEXT NOT NULL)")


def postgres_programs() -> Path:
    """The directory of PostgreSQL's programs: the newest of Debian's, else that of PATH.

    Raises:
        RuntimeError: PostgreSQL is not installed.
    """
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3])
    )
    if found:
        return found[-1].parent
    program = shutil.which("initdb")
    if program is None:
        raise RuntimeError("PostgreSQL is not installed: apt-get install postgresql")
    return Path(program).parent


@contextlib.contextmanager
def serve(
    configuration: Configuration, work: Path, cluster: Cluster | None, probe: str
) -> Iterator[Running]:
    """Runs a server, alone, until the block ends; `probe` is a path that it answers.

    Raises:
        RuntimeError: it does not serve within 30 s.
    """
    directory = Path(tempfile.mkdtemp(prefix="server-", dir=work))
    log = directory / "log"
    port = free_port()
    words = {"port": port, "directory": directory}
    words |= {"certificate": work / "certificate.pem", "key": work / "key.pem"}
    command = [word.format(**words) for word in configuration.command]
    environment = os.environ | {"PYTHONPATH": str(APPS), "PYTHONDONTWRITEBYTECODE": "1"}
    environment |= {"COMPARE_STORE": configuration.store, "COMPARE_POOL": str(configuration.pool)}
    environment["COMPARE_JOURNAL"] = configuration.journal
    environment["COMPARE_DATABASE"] = str(directory / "documents.sqlite")
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        processes = []
        if configuration.postgres:
            if cluster is None:
                raise RuntimeError(f"{configuration.name} needs a PostgreSQL cluster")
            environment["COMPARE_DATABASE"] = cluster.address
            processes.append(stack.enter_context(cluster.running()))
        started = process(command, log, env=environment, cwd=str(directory))
        server = stack.enter_context(started)
        scheme = "https" if configuration.tls else "http"
        deadline = time.monotonic() + START_SECONDS
        url = f"{scheme}://127.0.0.1:{port}" + ("/app" if configuration.affiant else "")
        while not answers(url + probe):
            if server.poll() is not None or time.monotonic() > deadline:
                raise failure(f"{configuration.name} ({configuration.detail}) does not serve", log)
            time.sleep(0.05)
        yield Running(url, [*processes, server.pid])


def trusting() -> ssl.SSLContext:
    """TLS without a check of the server: the certificates are made for the run."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def answers(url: str) -> bool:
    """Whether the app serves here: any status but 503 and a frontend's that is not open yet."""
    try:
        with urllib.request.urlopen(url, timeout=5, context=trusting()):
            return True
    except urllib.error.HTTPError as error:
        body = error.read()
        # The app's own "no such document" is an answer; a node that has not opened says something else.
        return error.code == 404 and b"no such document" in body
    except OSError:
        return False


def exchange(url: str, document: dict | None = None) -> object:
    """Reads a document, or records one if given; the JSON of the answer."""
    body = None if document is None else json.dumps(document).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10, context=trusting()) as answer:
        return json.load(answer)
