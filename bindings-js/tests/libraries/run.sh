#!/usr/bin/env bash
# Well-known npm libraries, built by rollup and esbuild, at work in handlers: what a service answers is
# what the same code gives in Node.js. AFFIANT names another binary than the release build.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
affiant=${AFFIANT:-$root/target/release/affiant}
# shellcheck source=scripts/sandbox.sh
. "$root/scripts/sandbox.sh"
work=$(mktemp -d)
finish() {
    sandbox_stop || true
    rm -rf "$work"
}
trap finish EXIT

cd "$here"
if grep -n '"resolved"' package-lock.json; then
    echo "package-lock.json names hosts: npm install --omit-lockfile-registry-resolved" >&2
    exit 1
fi
rm -rf build
mkdir build
npm ci --prefer-offline --no-audit --no-fund --silent
openssl req -x509 -newkey rsa:2048 -nodes -keyout build/key.pem -out build/cert.pem -days 10 \
    -subj "/CN=libraries" 2>/dev/null
npm run --silent build >"$work/build" 2>&1 || { cat "$work/build" >&2; exit 1; }
sandbox_start "$work" --app build/dist
node check.js "$address" "$common" || { tail -n 20 "$work/node.log" >&2; exit 1; }
sandbox_stop
