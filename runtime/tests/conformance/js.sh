#!/usr/bin/env bash
# The JavaScript interface, row by row of the compatibility page, over real HTTPS.
# Usage: js.sh [--write-counts] [SECTION...]; AFFIANT names another binary than the release one.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
# shellcheck source=scripts/venv.sh
. "$root/scripts/venv.sh"

if ! python=$(python_at_least 10); then
    say "no Python 3.10 or newer with venv found (Debian, Ubuntu: apt-get install python3-venv)." >&2
    exit 1
fi
environment cryptography "$python" cryptography==50.0.2
environment openapi "$python" openapi-spec-validator==0.9.0
# Microsoft's npm package for handlers, which apps bundle.
ccf_app=@microsoft/ccf-app@6.0.1
package=$root/target/conformance/ccf-app
if [ "$(cat "$package/version" 2>/dev/null)" != "$ccf_app" ]; then
    say "fetching $ccf_app"
    rm -rf "$package"
    mkdir -p "$package"
    (cd "$package" && npm pack --silent "$ccf_app" >/dev/null && tar -xzf ./*.tgz)
    echo "$ccf_app" >"$package/version"
fi
export CCF_APP=$package/package
export AFFIANT=${AFFIANT:-$root/target/release/affiant}
export OPENAPI_PYTHON=$root/target/venvs/openapi/bin/python
export CONFORMANCE_LANGUAGE=js
export PYTHONDONTWRITEBYTECODE=1
exec "$root/target/venvs/cryptography/bin/python" "$here/sections/run.py" "$@"
