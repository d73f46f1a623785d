"""The endpoint as a Flask app on Affiant: the store is the node's."""

import ccf
from flask import Flask, request

app = Flask(__name__)
documents = ccf.kv["documents"]


@app.post("/documents")
def record():
    """Records the document of the body."""
    document = request.get_json()
    documents[str(document["id"])] = document
    return {"id": document["id"]}, 201


@app.get("/documents/<int:number>")
def read(number: int):
    """The document with the number in the path."""
    document = documents.get(str(number))
    if document is None:
        return {"error": "no such document"}, 404
    return document
