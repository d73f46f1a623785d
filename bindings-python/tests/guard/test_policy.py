"""The policy's table: every problem at once, each with its cure."""

from __future__ import annotations

import importlib.util
import pathlib
import sys

import pytest

_FILE = pathlib.Path(__file__).parents[2] / "python/affiant/_guard/policy.py"
_SPEC = importlib.util.spec_from_file_location("guard_policy", _FILE)
policy_module = importlib.util.module_from_spec(_SPEC)
# Loaded by its file: the package around it wants its native part.
sys.modules["guard_policy"] = policy_module
_SPEC.loader.exec_module(policy_module)
Policy, PolicyError = policy_module.Policy, policy_module.PolicyError


def test_a_whole_policy_is_read_and_written_back() -> None:
    table = {
        "read": ["/etc/app"],
        "write": ["/var/app"],
        "network": ["db:5432", "[::1]:*", "*"],
        "modules": ["multiprocessing"],
        "environment": ["HOME"],
        "subprocess": True,
        "ctypes": True,
    }
    policy = Policy.parse(table, "p.toml")
    assert policy.network == ("db:5432", "[::1]:*", "*") and policy.subprocess
    assert policy.table() == table
    assert Policy.parse({}, "p.toml") == Policy() and Policy().table() == {}


def test_every_problem_is_told_with_its_key_and_cure() -> None:
    table = {
        "read": ["etc", "/a/../b", 7],
        "network": ["host", "host:0", "*:80", "::1:80", "h:99999"],
        "subprocess": "yes",
        "modules": "pty",
        "environment": ["A=b", ""],
        "wirte": [],
    }
    with pytest.raises(PolicyError) as caught:
        Policy.parse(table, "/x/pyproject.toml")
    text = str(caught.value)
    assert text.startswith("[tool.affiant.policy] in /x/pyproject.toml cannot be used:")
    starts = [problem.split(":")[0] for problem in caught.value.problems]
    assert starts == [
        *("read[0]", "read[1]", "read[2]"),
        *(f"network[{index}]" for index in range(5)),
        *("subprocess", "modules", "environment[0]", "environment[1]", "wirte"),
    ]
    assert all(";" in problem for problem in caught.value.problems)


def test_a_table_that_is_none() -> None:
    with pytest.raises(PolicyError):
        Policy.parse([], "p.toml")  # type: ignore[arg-type]
