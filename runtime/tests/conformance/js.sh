#!/usr/bin/env bash
# The JavaScript interface, row by row of the compatibility page, over real HTTPS.
# Usage: js.sh [--write-counts] [SECTION...]; AFFIANT names another binary than the release one.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
. "$here/venv.sh"

if ! python=$(python_at_least 10); then
    say "no Python 3.10 or newer with venv found (Debian, Ubuntu: apt-get install python3-venv)." >&2
    exit 1
fi
environment js "$python" cryptography==50.0.2
environment openapi "$python" openapi-spec-validator==0.9.0
export AFFIANT=${AFFIANT:-$root/target/release/affiant}
export OPENAPI_PYTHON=$root/target/conformance/openapi/bin/python
export PYTHONDONTWRITEBYTECODE=1
exec "$root/target/conformance/js/bin/python" "$here/js/run.py" "$@"
