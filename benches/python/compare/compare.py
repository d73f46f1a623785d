"""Compares Affiant with Flask and FastAPI on SQL databases; see README.md.

usage: compare.py [--seconds N] [--probe-seconds N] [--only WORD] [--no-scaling]
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import plan
from load import Measured, drive
from scaling import scaling
from servers import Cluster, Configuration, exchange, postgres_programs, serve

ROOT = Path(__file__).resolve().parents[3]
# Writes with 1, 32 and 100 connections, and reads.
LOADS = (("write", 1), ("write", 32), ("write", 100), ("read", 32))
READ_RECORDS = 1000
Row = tuple[Configuration, dict[tuple[str, int], Measured]]


def check(url: str) -> None:
    """Records a document and reads it back.

    Raises:
        RuntimeError: the app answers something else.
    """
    document = {"id": 1, "msg": "checked"}
    if exchange(f"{url}/documents", document) != {"id": 1}:
        raise RuntimeError(f"{url}: the answer to a new document is not its number")
    if (found := exchange(f"{url}/documents/1")) != document:
        raise RuntimeError(f"{url}: recorded {document}, read {found}")


def measure(
    configuration: Configuration, work: Path, cluster: Cluster | None, seconds: int
) -> dict[tuple[str, int], Measured]:
    """Every load, one after the other, on one fresh server."""
    results: dict[tuple[str, int], Measured] = {}
    with serve(configuration, work, cluster, "/documents/1") as server:
        check(server.url)
        drive(server, "/documents", "write", 32, 1)
        for mode, connections in LOADS:
            records = {}
            if mode == "read":
                written = min(results["write", 32].requests, results["write", 100].requests)
                records = {"records": min(READ_RECORDS, written)}
            results[mode, connections] = drive(
                server, "/documents", mode, connections, seconds, **records
            )
    return results


def fastest(
    candidates: list[Configuration], work: Path, cluster: Cluster | None, seconds: int
) -> Configuration:
    """The way to run a competitor that writes most, without TLS, over 32 connections."""
    rates = []
    for candidate in candidates:
        with serve(candidate, work, cluster, "/documents/1") as server:
            check(server.url)
            rate = drive(server, "/documents", "write", 32, seconds).per_second
        print(f"  {candidate.name}, {candidate.detail}: {rate:.0f}/s", flush=True)
        rates.append((rate, candidate))
    return max(rates, key=lambda pair: pair[0])[1]


def certificate(work: Path) -> None:
    """A certificate for the competitors' TLS: P-256, the cheapest to sign with."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-keyout", str(work / "key.pem"), "-out", str(work / "certificate.pem")]
    subprocess.run(
        [*command, "-subj", "/CN=localhost", "-days", "30"], check=True, capture_output=True
    )


def title(configuration: Configuration) -> str:
    """How a row of the tables is named."""
    return f"{configuration.name} ({configuration.detail})"


def protocol(configuration: Configuration) -> str:
    """The table's word for TLS."""
    return "TLS" if configuration.tls else "plain"


def print_rates(rows: list[Row]) -> None:
    """Requests per second and CPU time of each server."""
    print(
        f"\n{'requests/s; CPU per request':62}{'write 1':>9}{'write 32':>9}{'write 100':>10}"
        f"{'read 32':>9}{'CPU us':>8}{'read':>6}{'errors':>7}"
    )
    for configuration, results in rows:
        rates = [results[load].per_second for load in LOADS]
        errors = sum(result.errors for result in results.values())
        print(
            f"{title(configuration):56}{protocol(configuration):6}{rates[0]:9.0f}{rates[1]:9.0f}"
            f"{rates[2]:10.0f}{rates[3]:9.0f}{results['write', 32].cpu:8.0f}"
            f"{results['read', 32].cpu:6.0f}{errors:7}"
        )


def print_times(rows: list[Row]) -> None:
    """Response times of each server."""
    print(f"\n{'p50 / p99, ms':62}" + "".join(f"{f'{mode} {many}':>16}" for mode, many in LOADS))
    for configuration, results in rows:
        times = "".join(
            f"{f'{results[load].p50:.2f} / {results[load].p99:.1f}':>16}" for load in LOADS
        )
        print(f"{title(configuration):56}{protocol(configuration):6}{times}")


def print_ratios(rows: list[Row]) -> None:
    """Affiant's rates over those of competitors with the same framework; handlers: over all."""
    print(
        f"\n{'times as many requests/s':62}{'write 1':>9}{'write 32':>9}{'write 100':>10}"
        f"{'read 32':>9}{'CPU':>8}"
    )
    competitors = [row for row in rows if not row[0].affiant]
    for configuration, results in (row for row in rows if row[0].affiant):
        print(title(configuration))
        for other, others in competitors:
            if configuration.framework not in ("handler", other.framework):
                continue
            over = [results[load].per_second / others[load].per_second for load in LOADS]
            cpu = others["write", 32].cpu / results["write", 32].cpu
            print(
                f"  over {other.name:54}{protocol(other):6}{over[0]:8.1f}x{over[1]:8.1f}x"
                f"{over[2]:9.1f}x{over[3]:8.1f}x{cpu:7.1f}x"
            )


def print_machine() -> None:
    """Versions, and how busy the machine is."""
    names = "Flask gunicorn fastapi uvicorn uvloop httptools psycopg asyncpg aiosqlite".split()
    import sqlite3

    command = [str(postgres_programs() / "postgres"), "--version"]
    postgres = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    print(
        f"CPython {platform.python_version()}, SQLite {sqlite3.sqlite_version}, PostgreSQL {postgres[2]}"
    )
    print(", ".join(f"{name} {version(name)}" for name in names))
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{os.cpu_count()} cores, load average {load}", flush=True)


def compare(work: Path, arguments: argparse.Namespace, failures: list[str]) -> list[Row]:
    """Finds the best way to run each competitor, then measures everything.

    A server that fails is named in `failures`, and does not keep the others from being measured.
    """

    def chosen(configuration: Configuration) -> bool:
        return arguments.only.lower() in title(configuration).lower()

    competitors = [[one for one in group if chosen(one)] for group in plan.theirs()]
    competitors = [group for group in competitors if group]
    ours = [one for one in plan.ours() if chosen(one)]
    if not competitors and not ours:
        raise SystemExit(f"compare: no server is called anything like {arguments.only!r}")
    cluster = None
    if any(one.postgres for group in competitors for one in group):
        cluster = Cluster(work)
    try:
        certificate(work)
        print(f"ways to run, written per second, 32 connections, {arguments.probe_seconds} s each:")
        best = [fastest(group, work, cluster, arguments.probe_seconds) for group in competitors]
        everything = ours + [one for plain in best for one in (plan.with_tls(plain), plain)]
        rows = []
        for configuration in everything:
            print(f"{title(configuration)}, {protocol(configuration)}: ", end="", flush=True)
            try:
                results = measure(configuration, work, cluster, arguments.seconds)
            except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
                print(f"FAILED: {error}", flush=True)
                failures.append(title(configuration))
                continue
            print(f"{results['write', 32].per_second:.0f}/s", flush=True)
            rows.append((configuration, results))
        return rows
    finally:
        if cluster is not None:
            cluster.remove()


def main() -> int:
    """Runs the comparison; everything that it started has ended when it returns."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=2, help="how long each load lasts")
    parser.add_argument("--probe-seconds", type=int, default=1, help="how long each way is tried")
    parser.add_argument("--only", default="", help="servers with this word in their name only")
    parser.add_argument("--no-scaling", action="store_true", help="no measurement of workers")
    arguments = parser.parse_args()
    # So that the blocks that stop servers are left in order.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    place = ROOT / "target" / "compare"
    place.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="run-", dir=place))
    work.chmod(0o755)
    failures: list[str] = []
    try:
        print_machine()
        rows = compare(work, arguments, failures)
        print_rates(rows)
        print_times(rows)
        if {configuration.affiant for configuration, _ in rows} == {True, False}:
            print_ratios(rows)
        if not arguments.no_scaling:
            scaling(work, arguments.seconds)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if failures:
        print(f"failed: {'; '.join(failures)}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
