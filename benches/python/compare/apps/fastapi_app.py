"""The same endpoint as a FastAPI app on an SQL database, for uvicorn.

COMPARE_STORE names the store: `sqlite` (sqlite3 on the event loop: each call is short), `aiosqlite`,
`asyncpg` or `psycopg` (a pool of each).
"""

import os
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

import sql_async

store = {
    "sqlite": sql_async.BlockingSqlite,
    "aiosqlite": sql_async.Aiosqlite,
    "asyncpg": sql_async.Asyncpg,
    "psycopg": sql_async.Psycopg,
}[os.environ["COMPARE_STORE"]]()


@asynccontextmanager
async def lifespan(_app: FastAPI):
    """The store is open while the app serves."""
    await store.open()
    yield
    await store.close()


app = FastAPI(lifespan=lifespan)


class Document(BaseModel):
    """A small JSON document."""

    id: int
    msg: str


@app.post("/documents", status_code=201)
async def record(document: Document) -> dict[str, int]:
    """Records the document of the body."""
    await store.put(document.id, document.model_dump_json())
    return {"id": document.id}


@app.get("/documents/{number}")
async def read(number: int) -> Document:
    """The document with the number in the path."""
    text = await store.get(number)
    if text is None:
        raise HTTPException(404, "no such document")
    return Document.model_validate_json(text)
