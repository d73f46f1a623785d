"""The same endpoint as a Flask app on an SQL database, for gunicorn.

COMPARE_STORE names the store: `sqlite` or `postgres` (one connection per thread), or `postgres-pool`.
"""

import json
import os

from flask import Flask, request

import sql

app = Flask(__name__)
store = {
    "sqlite": sql.Sqlite,
    "postgres": sql.Postgres,
    "postgres-pool": sql.PostgresPool,
}[os.environ["COMPARE_STORE"]]()


@app.post("/documents")
def record():
    """Records the document of the body."""
    document = request.get_json()
    store.put(document["id"], json.dumps(document))
    return {"id": document["id"]}, 201


@app.get("/documents/<int:number>")
def read(number: int):
    """The document with the number in the path."""
    text = store.get(number)
    if text is None:
        return {"error": "no such document"}, 404
    return json.loads(text)
