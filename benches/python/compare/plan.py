"""What is compared: every server, in each way to run it that could be its best."""

from __future__ import annotations

from dataclasses import replace

from servers import APPS, BIN, Configuration

SQLITE = "SQLite"
POSTGRES = "PostgreSQL"
FRAMEWORKS = {"handler": "handler", "flask": "Flask", "fastapi": "FastAPI"}


def affiant(app: str, workers: int) -> Configuration:
    """An app of Affiant in a sandbox of one node, with 0 or more worker processes."""
    command = [str(BIN / "affiant"), "sandbox", "--app", str(APPS / app)]
    command += ["--node", "local://127.0.0.1:{port}", "--workspace", "{directory}/workspace"]
    if workers:
        command += ["--python-workers", str(workers)]
    framework = FRAMEWORKS.get(app.removeprefix("affiant_").removesuffix(".py"), app)
    detail = f"--python-workers {workers}" if workers else "in the node's process"
    name = f"Affiant, {framework}"
    return Configuration(name, detail, tuple(command), affiant=True, framework=framework)


def ours() -> list[Configuration]:
    """Affiant with a plain handler, Flask and FastAPI; in the node, and in two processes."""
    return [affiant(f"affiant_{app}.py", workers) for app in FRAMEWORKS for workers in (0, 2)]


def gunicorn(shape: str, workers: int, threads: int) -> tuple[str, ...]:
    """gunicorn with keep-alive, where its workers can do that (`sync` ones cannot)."""
    command = [str(BIN / "gunicorn"), "--bind", "127.0.0.1:{port}", "--workers", str(workers)]
    command += ["--worker-class", shape, "--keep-alive", "75", "--graceful-timeout", "2"]
    command += ["--no-control-socket"] if has_control_socket() else []
    if shape == "gthread":
        command += ["--threads", str(threads)]
    return (*command, "flask_app:app")


def has_control_socket() -> bool:
    """Whether this gunicorn listens for a control program, which nobody here needs."""
    from gunicorn.config import KNOWN_SETTINGS

    return any(setting.name == "control_socket_disable" for setting in KNOWN_SETTINGS)


def flask(store: str, shape: str, workers: int, threads: int, journal: str = "") -> Configuration:
    """Flask under gunicorn."""
    detail = f"{shape} {workers}x{threads}" if shape == "gthread" else f"{shape} {workers}"
    detail += f", {journal}" if journal else f", {'pool' if 'pool' in store else 'own'}"
    name = f"Flask, gunicorn, {POSTGRES if 'postgres' in store else SQLITE}"
    command = gunicorn(shape, workers, threads)
    return Configuration(
        name,
        detail,
        command,
        tls=False,
        store=store,
        journal=journal,
        pool=threads,
        framework="Flask",
    )


def fastapi(store: str, pool: int = 1, journal: str = "") -> Configuration:
    """FastAPI under uvicorn with two workers, uvloop and httptools."""
    command = [str(BIN / "uvicorn"), "fastapi_app:app", "--host", "127.0.0.1", "--port", "{port}"]
    command += ["--workers", "2", "--loop", "uvloop", "--http", "httptools"]
    command += ["--no-access-log", "--log-level", "warning"]
    detail = store if store != "sqlite" else "sqlite3 on the loop"
    detail += f", {journal}" if journal else f", pool of {pool}"
    name = f"FastAPI, uvicorn, {SQLITE if 'sqlite' in store else POSTGRES}"
    return Configuration(
        name,
        detail,
        tuple(command),
        tls=False,
        store=store,
        journal=journal,
        pool=pool,
        framework="FastAPI",
    )


def theirs() -> list[list[Configuration]]:
    """For each competitor the ways to run it among which a short run finds the fastest."""
    shapes = [("sync", 2, 1), ("sync", 4, 1), ("gthread", 2, 4), ("gthread", 2, 16)]
    shapes.append(("gthread", 4, 8))
    return [
        [
            *(flask("sqlite", *shape, "wal") for shape in [("gthread", 1, 4), *shapes]),
            *(flask("sqlite", *shape, "delete") for shape in (("gthread", 1, 4), shapes[2])),
        ],
        [
            *(flask("postgres", *shape) for shape in shapes),
            flask("postgres-pool", "gthread", 2, 4),
            flask("postgres-pool", "gthread", 2, 16),
        ],
        [
            *(fastapi("sqlite", journal=journal) for journal in ("wal", "delete")),
            fastapi("aiosqlite", journal="wal"),
        ],
        [fastapi("asyncpg", 4), fastapi("asyncpg", 16), fastapi("psycopg", 16)],
    ]


def with_tls(configuration: Configuration) -> Configuration:
    """The same competitor with TLS of its own."""
    uvicorn = "uvicorn" in configuration.command[0]
    options = ("--ssl-certfile", "--ssl-keyfile") if uvicorn else ("--certfile", "--keyfile")
    more = (options[0], "{certificate}", options[1], "{key}")
    # gunicorn takes its options before the app as well as after it.
    return replace(configuration, command=(*configuration.command, *more), tls=True)
