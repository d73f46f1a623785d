"""Drives a server with wrk and says what it gave."""

from __future__ import annotations

import itertools
import json
import resource
import subprocess
from dataclasses import dataclass
from pathlib import Path

from servers import Running

SCRIPT = Path(__file__).resolve().parent / "load.lua"
RECORDS = 100_000
TRIES = 3
GRACE_SECONDS = 30
RUNS = itertools.count(1)


@dataclass(frozen=True)
class Measured:
    """One run of wrk: rates per second, times in milliseconds, CPU in microseconds per request."""

    requests: int
    per_second: float
    p50: float
    p99: float
    cpu: float
    client_cpu: float
    errors: int


def drive(
    server: Running, path: str, mode: str, connections: int, seconds: int, records: int = RECORDS
) -> Measured:
    """Sends requests of one kind for `seconds`, always one in flight per connection.

    Raises:
        RuntimeError: wrk failed, or the server answered nothing, thrice.
    """
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"]
    command += ["-s", str(SCRIPT), server.url + path, "--", mode, str(records)]
    for _ in range(TRIES):
        run_number = str(next(RUNS))
        before, client_before = server.cpu(), cpu_of_children()
        output = run([*command, run_number], seconds + GRACE_SECONDS)
        cpu, client_cpu = server.cpu() - before, cpu_of_children() - client_before
        result = result_of(command, output)
        requests = result["requests"]
        # A machine that others keep busy may not manage a hundred handshakes in a second.
        if requests > 0:
            return Measured(
                requests=requests,
                per_second=requests * 1e6 / result["microseconds"],
                p50=result["p50"] / 1000,
                p99=result["p99"] / 1000,
                cpu=cpu * 1e6 / requests,
                client_cpu=client_cpu * 1e6 / requests,
                errors=result["refused"] + result["failed"],
            )
    raise RuntimeError(f"{' '.join(command)}: the server answered nothing: {output}")


def run(command: list[str], seconds: int) -> str:
    """What wrk prints; it does not outlive an error here."""
    client = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        output, _ = client.communicate(timeout=seconds)
    except BaseException:
        client.kill()
        client.wait()
        raise
    return output


def result_of(command: list[str], output: str) -> dict[str, int]:
    """The line of load.lua in wrk's output."""
    lines = [line for line in output.splitlines() if line.startswith("result ")]
    if not lines:
        raise RuntimeError(f"{' '.join(command)} failed: {output}")
    return json.loads(lines[0].removeprefix("result "))


def cpu_of_children() -> float:
    """Seconds of CPU time of the children that ended: between two looks, wrk's."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
