#!/usr/bin/env bash
# The Python interface, row by row of the compatibility page, over real HTTPS: JavaScript's suite with
# an app in Python, and Python's own rows. The node is the wheel's (make wheel), in an environment of
# its own. Usage: python.sh [--write-counts] [SECTION...]; AFFIANT names another program than that.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
# shellcheck source=scripts/venv.sh
. "$root/scripts/venv.sh"

if ! python=$(python_at_least 11); then
    say "no Python 3.11 or newer with venv found (Debian, Ubuntu: apt-get install python3-venv)." >&2
    exit 1
fi
environment cryptography "$python" cryptography==50.0.2
environment openapi "$python" openapi-spec-validator==0.9.0
if [ -z "${AFFIANT:-}" ]; then
    wheel=$(built_wheel)
    environment python "$python" flask==3.1.3
    install_wheel "$root/target/venvs/python/bin/python" "$wheel"
    AFFIANT=$root/target/venvs/python/bin/affiant
fi
export AFFIANT
export CONFORMANCE_LANGUAGE=python
export OPENAPI_PYTHON=$root/target/venvs/openapi/bin/python
export PYTHONDONTWRITEBYTECODE=1
"$root/target/venvs/cryptography/bin/python" "$here/sections/run.py" "$@"
# One service in JavaScript, in handlers and in Flask: the same answers.
[ "$#" -gt 0 ] || PYTHON=$root/target/venvs/cryptography/bin/python "$root/examples/records/run.sh"
