#!/usr/bin/env python3
"""Writes the application under load with more endpoints beside those that are called: half of them exact
paths, half of them templates, all on the module of the ones that are called.

usage: many-endpoints.py COUNT DIRECTORY
then:  affiant-load --app DIRECTORY --scenario write-js,read-js,write-js-fresh,read-js-fresh
"""
import json
import pathlib
import shutil
import sys

count, directory = int(sys.argv[1]), pathlib.Path(sys.argv[2])
source = pathlib.Path(__file__).parent / "app"
shutil.copytree(source, directory, dirs_exist_ok=True)
app = json.loads((source / "app.json").read_text())
endpoints = app["endpoints"]
present = sum(len(verbs) for verbs in endpoints.values())
for number in range(count - present):
    path = f"/more/{number}" if number % 2 == 0 else f"/more/{number}/{{id}}"
    endpoints[path] = {"get": endpoints["/fresh/log/private"]["get"]}
(directory / "app.json").write_text(json.dumps(app, indent=2))
print(f"{directory}: {max(count, present)} endpoints")
