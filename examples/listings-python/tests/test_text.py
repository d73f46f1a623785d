"""The listings stand in their files as README.md shows them."""

import re
from pathlib import Path

import ccf
import pytest

HERE = Path(__file__).parent.parent
LISTINGS = re.findall(r"```python\n(.*?)```", (HERE / "README.md").read_text(), re.DOTALL)
ADDED = re.compile(r"(#[^\n]*\n)+(from flask import request\n)?from helpers import [a-z_, ]+\n\n")


@pytest.mark.parametrize(("listing", "name"), [(0, "handler_listing.py"), (2, "flask_listing.py")])
def test_a_listing_is_unchanged_but_for_its_imports(listing, name):
    text = (HERE / name).read_text()
    assert text.endswith(LISTINGS[listing])
    assert ADDED.fullmatch(text.removesuffix(LISTINGS[listing]))


def test_the_runtime_object_is_that_of_the_listing():
    assert len(LISTINGS) == 3
    runtime = ccf.CCFPythonRuntime()
    attributes = re.findall(r"self\.(\w+) = ", LISTINGS[1])
    methods = re.findall(r"def ([a-z]\w*)\(self", LISTINGS[1])
    assert attributes == ["kv", "crypto", "network", "consensus"]
    assert methods == ["get_attestation", "create_proposal"]
    for name in attributes + methods:
        assert hasattr(runtime, name)
