"""Durable stores of documents for ASGI apps: every `put` has been synced to disk when it returns.

The environment variables are those of sql.py; `open` is called once per process, in its event loop.
"""

from __future__ import annotations

import os

import aiosqlite
import asyncpg
from psycopg_pool import AsyncConnectionPool

from sql import GET, PUT, SCHEMA, sqlite_connection


class BlockingSqlite:
    """One connection per process, called on the event loop: no hand-over to a thread."""

    async def open(self) -> None:
        """Opens the database."""
        self.connection = sqlite_connection(
            os.environ["COMPARE_DATABASE"], os.environ["COMPARE_JOURNAL"]
        )

    async def close(self) -> None:
        """Closes the database."""
        self.connection.close()

    async def put(self, number: int, body: str) -> None:
        """Records or replaces a document."""
        self.connection.execute(PUT.format("?", "?"), (number, body))

    async def get(self, number: int) -> str | None:
        """The document's text."""
        row = self.connection.execute(GET.format("?"), (number,)).fetchone()
        return row[0] if row else None


class Aiosqlite:
    """One connection per process, on aiosqlite's thread."""

    async def open(self) -> None:
        """Opens the database."""
        self.connection = await aiosqlite.connect(
            os.environ["COMPARE_DATABASE"], timeout=30, isolation_level=None
        )
        await self.connection.execute(f"PRAGMA journal_mode = {os.environ['COMPARE_JOURNAL']}")
        await self.connection.execute("PRAGMA synchronous = FULL")
        await self.connection.execute(SCHEMA.format("INTEGER"))

    async def close(self) -> None:
        """Closes the database."""
        await self.connection.close()

    async def put(self, number: int, body: str) -> None:
        """Records or replaces a document."""
        await self.connection.execute(PUT.format("?", "?"), (number, body))

    async def get(self, number: int) -> str | None:
        """The document's text."""
        rows = await self.connection.execute_fetchall(GET.format("?"), (number,))
        return next(iter(rows))[0] if rows else None


class Asyncpg:
    """A pool of asyncpg's connections per process; asyncpg prepares the statements by itself."""

    async def open(self) -> None:
        """Opens the pool."""
        size = int(os.environ["COMPARE_POOL"])
        self.pool = await asyncpg.create_pool(
            os.environ["COMPARE_DATABASE"], min_size=size, max_size=size
        )

    async def close(self) -> None:
        """Closes the pool."""
        await self.pool.close()

    async def put(self, number: int, body: str) -> None:
        """Records or replaces a document."""
        await self.pool.execute(PUT.format("$1", "$2"), number, body)

    async def get(self, number: int) -> str | None:
        """The document's text."""
        return await self.pool.fetchval(GET.format("$1"), number)


class Psycopg:
    """A pool of psycopg's asynchronous connections per process."""

    async def open(self) -> None:
        """Opens the pool."""
        size = int(os.environ["COMPARE_POOL"])
        self.pool = AsyncConnectionPool(
            os.environ["COMPARE_DATABASE"],
            min_size=size,
            max_size=size,
            kwargs={"autocommit": True},
            open=False,
        )
        await self.pool.open(wait=True)

    async def close(self) -> None:
        """Closes the pool."""
        await self.pool.close()

    async def put(self, number: int, body: str) -> None:
        """Records or replaces a document."""
        async with self.pool.connection() as connection:
            await connection.execute(PUT.format("%s", "%s"), (number, body))

    async def get(self, number: int) -> str | None:
        """The document's text."""
        async with self.pool.connection() as connection:
            row = await (await connection.execute(GET.format("%s"), (number,))).fetchone()
        return row[0] if row else None
