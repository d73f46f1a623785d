#!/usr/bin/env bash
# The Python interface, row by row of the compatibility page, over real HTTPS: JavaScript's suite with
# an app in Python, and Python's own rows. The node is the wheel's (make wheel), in an environment of
# its own. Usage: python.sh [--write-counts] [SECTION...]; AFFIANT names another program than that.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
. "$here/venv.sh"

if ! python=$(python_at_least 11); then
    say "no Python 3.11 or newer with venv found (Debian, Ubuntu: apt-get install python3-venv)." >&2
    exit 1
fi
environment cryptography "$python" cryptography==50.0.2
environment openapi "$python" openapi-spec-validator==0.9.0
if [ -z "${AFFIANT:-}" ]; then
    wheel=$(find "$root/target/wheels" -name 'affiant-*.whl' 2>/dev/null | sort | tail -n 1)
    if [ -z "$wheel" ]; then
        say "no wheel in target/wheels: run make wheel first." >&2
        exit 1
    fi
    environment python "$python" flask==3.1.3
    "$root/target/conformance/python/bin/python" -m pip install --quiet --disable-pip-version-check \
        --force-reinstall --no-deps "$wheel"
    AFFIANT=$root/target/conformance/python/bin/affiant
fi
export AFFIANT
export CONFORMANCE_LANGUAGE=python
export OPENAPI_PYTHON=$root/target/conformance/openapi/bin/python
export PYTHONDONTWRITEBYTECODE=1
"$root/target/conformance/cryptography/bin/python" "$here/sections/run.py" "$@"
# One service in JavaScript, in handlers and in Flask: the same answers.
[ "$#" -gt 0 ] || PYTHON=$root/target/conformance/cryptography/bin/python "$root/examples/records/run.sh"
