#!/usr/bin/env bash
# The C library as its users meet it: installed, then every program of tests/c (C11) and tests/cpp (C++17)
# built by gcc and by clang against what was installed, and run plainly, under AddressSanitizer with
# LeakSanitizer, under UndefinedBehaviorSanitizer and under Valgrind; the package's own checks; the examples;
# and what others say of the ledgers that the programs leave.
#   usage: run.sh [NAME...]   only these: programs, checks, examples, `ledgers`
# JOBS runs go side by side. PROFILE and PYTHON as for package.sh; with PYTHON, the programs of tests/python
# too. program.sh says what a program may rely on.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
# shellcheck source=runtime/capi/packaging/common.sh
. "$root/runtime/capi/packaging/common.sh"
speaker=test-capi
# shellcheck source=scripts/venv.sh
. "$root/scripts/venv.sh"

out=$root/target/capi
export AFFIANT_PREFIX=$out/prefix$flavour AFFIANT_TESTS=$out/tests$flavour AFFIANT_LEDGERS=$out/ledgers$flavour
jobs=${JOBS:-$(nproc)}
chosen=("$@")

wanted() { # NAME
    [ "${#chosen[@]}" -eq 0 ] || [[ " ${chosen[*]} " == *" $1 "* ]]
}

# Installed in one place and used in another, as packagers and users do.
rm -rf "$out/stage" "$AFFIANT_PREFIX" "$AFFIANT_TESTS"
[ "${#chosen[@]}" -gt 0 ] || rm -rf "$AFFIANT_LEDGERS"
mkdir -p "$AFFIANT_TESTS" "$AFFIANT_LEDGERS"
DESTDIR=$out/stage PREFIX=/opt/affiant LIBDIR='' "$root/runtime/capi/install.sh" >"$out/install.log" || {
    cat "$out/install.log" >&2
    exit 1
}
mv "$out/stage/opt/affiant" "$AFFIANT_PREFIX"
say "$(du --apparent-size -Dh "$AFFIANT_PREFIX/lib/libaffiant.so" | cut -f1) shared," \
    "$(du --apparent-size -h "$AFFIANT_PREFIX/lib/libaffiant.a" | cut -f1) static;" \
    "built and installed in $SECONDS s"

# Every function with what it must not be given, from what the header says of them.
mkdir -p "$out/generated"
python3 "$here/abuse/generate.py" "$AFFIANT_PREFIX/include/affiant.h" >"$out/generated/abuse.c"

# The slow runs begin first.
tasks=()
programs=0
for variant in valgrind gcc-address clang-address gcc-undefined clang-undefined gcc clang-static; do
    for source in "$out/generated/abuse.c" "$here"/c/*.c "$here"/cpp/*.cpp ${python:+"$here"/python/*.c}; do
        [ -f "$source" ] || continue
        name=$(basename "$source")
        wanted "$name" || wanted "${name%.*}" || continue
        tasks+=("program $variant $source")
        [ "$variant" != gcc ] || programs=$((programs + 1))
    done
done
for check in symbols headers cmake loading strangers second-rust readme guide; do
    ! wanted "$check" || tasks+=("check $check")
done
for example in "$root"/examples/*/CMakeLists.txt "$root"/examples/*/Makefile; do
    # Those of the C library have a run.sh.
    [ -x "$(dirname "$example")/run.sh" ] && wanted "$(basename "$(dirname "$example")")" || continue
    tasks+=("example gcc $example" "example clang $example")
done
if [ "${#tasks[@]}" -eq 0 ] && ! wanted ledgers; then
    fail "nothing is called ${chosen[*]}"
fi

status=0
run() { # TASKS...
    printf '%s\n' "$@" | xargs -r -P "$jobs" -L 1 "$here/task.sh" || status=1
}
[ "${#tasks[@]}" -eq 0 ] || run "${tasks[@]}"

# What others say of the ledgers that they left.
if wanted ledgers; then
    readers=("ledgers ccf7" "ledgers ccf6" "ledgers rust")
    if built_wheel >/dev/null 2>&1; then
        readers+=("ledgers python")
    else
        say "NOT READ through Python: no wheel is built (make wheel)"
    fi
    run "${readers[@]}"
fi

# What passed, a line for each program; then whatever failed.
joined() {
    printf '%s' "$1"
    [ "$#" -eq 1 ] || printf ', %s' "${@:2}"
}
runs=0
for directory in "$AFFIANT_TESTS"/*/; do
    passed=()
    for result in "$directory"*/result; do
        [ -f "$result" ] || continue
        runs=$((runs + 1))
        if [ "$(cut -d' ' -f1 "$result")" = passed ]; then
            passed+=("$(cut -d' ' -f2- "$result")")
        fi
    done
    [ "${#passed[@]}" -eq 0 ] || printf '%-20s %s\n' "$(basename "$directory")" "$(joined "${passed[@]}")"
done
for result in "$AFFIANT_TESTS"/*/*/result; do
    [ -f "$result" ] || continue
    [ "$(cut -d' ' -f1 "$result")" = failed ] || continue
    status=1
    printf '\n== FAILED: %s\n' "$(cut -d' ' -f2- "$result")" >&2
    cat "$(dirname "$result")/output" >&2
done
[ "$status" -eq 0 ] || fail "failed after $SECONDS s; the files are in target/capi/tests$flavour"
say "$programs programs, $runs runs, all passed in $SECONDS s"
