"""A Flask app that knows of its ledger."""

import ccf
from flask import Flask, jsonify, request

app = Flask(__name__)


@app.put("/items/<name>")
def put(name):
    ccf.kv["items"][name] = request.get_json()
    return jsonify(stored=name), 201


@app.get("/items/<name>")
def get(name):
    return jsonify(ccf.kv["items"][name])
