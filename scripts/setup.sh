#!/usr/bin/env bash
# Checks for what the build and the tests need, and installs what is missing: as root with apt, else
# it prints the one command to run.
#   usage: setup.sh [node|c]    with `node`: also what the JavaScript examples need; with `c`: also what
#                               the C library's tests need
set -euo pipefail

missing=()
need() { # command, Debian package
    command -v "$1" >/dev/null 2>&1 || missing+=("$2")
}
need cc build-essential
need make make
need curl curl
need python3 python3
python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || missing+=(python3-venv)
# The tests of hosts that run Python (bindings-python/host) link its library.
python=${PYO3_PYTHON:-python3}
library='import os.path, sysconfig
directory, name = sysconfig.get_config_vars("LIBDIR", "LDLIBRARY")
raise SystemExit(not os.path.exists(os.path.join(directory, name)))'
if ! "$python" -c "$library" >/dev/null 2>&1; then
    case $("$python" -c 'import sys; print(sys.base_prefix)' 2>/dev/null) in
    "" | /usr) missing+=(libpython3-dev) ;;
    *)
        echo "setup: $(command -v "$python") was built without a library to link. Name another interpreter in" >&2
        echo "       PYO3_PYTHON, such as /usr/bin/python3 with the package libpython3-dev, and run make again;" >&2
        echo "       pyenv builds one with PYTHON_CONFIGURE_OPTS=--enable-shared." >&2
        exit 1
        ;;
    esac
fi
if [ "${1:-}" = node ]; then
    need node nodejs
    need npm npm
    need openssl openssl
fi
if [ "${1:-}" = c ]; then
    need g++ g++
    need clang clang
    need cmake cmake
    need pkg-config pkg-config
    need valgrind valgrind
    # Debian has clang's sanitizers in a package of their own; Ubuntu before 24.04 has not.
    probe=$(mktemp)
    echo 'int main(void) { return 0; }' | clang -fsanitize=address -x c -o "$probe" - >/dev/null 2>&1 ||
        missing+=(libclang-rt-dev)
    rm -f "$probe"
fi

if [ "${#missing[@]}" -gt 0 ]; then
    install="apt-get install -y --no-install-recommends ${missing[*]}"
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "setup: missing: ${missing[*]} (Debian package names). Install them and run make again." >&2
        exit 1
    fi
    if [ "$(id -u)" -ne 0 ]; then
        echo "setup: some packages are missing. Run this once, then make again:" >&2
        echo "    sudo apt-get update && sudo $install" >&2
        exit 1
    fi
    echo "setup: installing ${missing[*]}"
    apt-get update -qq
    apt-cache show libclang-rt-dev >/dev/null 2>&1 || install=${install/ libclang-rt-dev/}
    DEBIAN_FRONTEND=noninteractive $install -qq >/dev/null
fi

if [ "${1:-}" = node ] && [ "$(node -p 'process.versions.node.split(".")[0]')" -lt 18 ]; then
    echo "setup: Node.js $(node --version) is too old for the JavaScript examples: 18 or newer is needed." >&2
    exit 1
fi

if ! command -v cargo >/dev/null 2>&1; then
    echo "setup: no Rust toolchain found. Install rustup (https://rustup.rs), then run make again;" >&2
    echo "       rust-toolchain.toml selects the version." >&2
    exit 1
fi
