"""Durable stores of documents for WSGI apps: every `put` has been synced to disk when it returns.

COMPARE_DATABASE is the path of the SQLite file, or what PostgreSQL's client connects with;
COMPARE_JOURNAL is SQLite's journal mode (`wal` or `delete`), COMPARE_POOL the pool's size per process.
The statements are single ones outside of a transaction block: the cheapest that each database has.
"""

from __future__ import annotations

import os
import sqlite3
import threading

import psycopg
from psycopg_pool import ConnectionPool

SCHEMA = "CREATE TABLE IF NOT EXISTS documents (id {} PRIMARY KEY, body TEXT NOT NULL)"
PUT = (
    "INSERT INTO documents (id, body) VALUES ({}, {}) "
    "ON CONFLICT (id) DO UPDATE SET body = excluded.body"
)
GET = "SELECT body FROM documents WHERE id = {}"


def sqlite_connection(database: str, journal: str) -> sqlite3.Connection:
    """A connection that syncs every commit, without Python's implicit transactions."""
    connection = sqlite3.connect(database, timeout=30, isolation_level=None)
    connection.execute(f"PRAGMA journal_mode = {journal}")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(SCHEMA.format("INTEGER"))
    return connection


class Sqlite:
    """One connection per thread."""

    def __init__(self) -> None:
        self.local = threading.local()

    def connection(self) -> sqlite3.Connection:
        """This thread's connection."""
        if not hasattr(self.local, "connection"):
            self.local.connection = sqlite_connection(
                os.environ["COMPARE_DATABASE"], os.environ["COMPARE_JOURNAL"]
            )
        return self.local.connection

    def put(self, number: int, body: str) -> None:
        """Records or replaces a document."""
        self.connection().execute(PUT.format("?", "?"), (number, body))

    def get(self, number: int) -> str | None:
        """The document's text."""
        row = self.connection().execute(GET.format("?"), (number,)).fetchone()
        return row[0] if row else None


class Postgres:
    """One connection per thread; psycopg prepares the statements by itself."""

    def __init__(self) -> None:
        self.local = threading.local()

    def connection(self) -> psycopg.Connection:
        """This thread's connection."""
        if not hasattr(self.local, "connection"):
            self.local.connection = psycopg.connect(os.environ["COMPARE_DATABASE"], autocommit=True)
        return self.local.connection

    def put(self, number: int, body: str) -> None:
        """Records or replaces a document."""
        self.connection().execute(PUT.format("%s", "%s"), (number, body))

    def get(self, number: int) -> str | None:
        """The document's text."""
        row = self.connection().execute(GET.format("%s"), (number,)).fetchone()
        return row[0] if row else None


class PostgresPool:
    """A pool of connections per process, as psycopg's documentation advises."""

    def __init__(self) -> None:
        size = int(os.environ["COMPARE_POOL"])
        self.pool = ConnectionPool(
            os.environ["COMPARE_DATABASE"],
            min_size=size,
            max_size=size,
            kwargs={"autocommit": True},
            open=True,
        )

    def put(self, number: int, body: str) -> None:
        """Records or replaces a document."""
        with self.pool.connection() as connection:
            connection.execute(PUT.format("%s", "%s"), (number, body))

    def get(self, number: int) -> str | None:
        """The document's text."""
        with self.pool.connection() as connection:
            row = connection.execute(GET.format("%s"), (number,)).fetchone()
        return row[0] if row else None
