"""The endpoint as a FastAPI app on Affiant: the store is the node's."""

import ccf
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

app = FastAPI()
documents = ccf.kv["documents"]


class Document(BaseModel):
    """A small JSON document."""

    id: int
    msg: str


@app.post("/documents", status_code=201)
async def record(document: Document) -> dict[str, int]:
    """Records the document of the body."""
    documents[str(document.id)] = document.model_dump()
    return {"id": document.id}


@app.get("/documents/{number}")
async def read(number: int) -> Document:
    """The document with the number in the path."""
    document = documents.get(str(number))
    if document is None:
        raise HTTPException(404, "no such document")
    return Document(**document)
