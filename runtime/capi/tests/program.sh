#!/usr/bin/env bash
# Builds one test program against the installed package and runs it once.
#   usage: program.sh VARIANT SOURCE
#
# A program may rely on this: it runs without arguments in an empty directory, with
#   AFFIANT_TEST_DIR    that directory. A data directory NAME that a program leaves there is checked by others
#                       (ledgers.sh). NAME.expect, if there, says what is in it: lines of a map, a key and a
#                       value, the last two in hex, tabs between them. NAME.proof, if there, is a directory
#                       with service_cert.pem, receipts/TXID.json, receipts/TXID.cose and transactions.json:
#                       {"chosen": [["TXID", null or "the claims digest in hex"], ...]}
#   AFFIANT_TEST_ROOT   the top of the checkout, for applications and certificates to load
#   AFFIANT_TEST_QUICK  set to 1 where everything takes fifty times as long: do less of the same
# It passes if it ends with 0 in time, and if nothing was found by whoever watched. What it prints is shown
# if it fails.
set -euo pipefail

variant=$1 source=$2
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
name=$(basename "$source")

export PKG_CONFIG_PATH=$AFFIANT_PREFIX/lib/pkgconfig
package=affiant
optimise=(-O1 -g)
compiler=${variant%%-*}
case $variant in
gcc) optimise=(-O2 -g) ;;
clang-static)
    optimise=(-O2)
    package=affiant-static
    ;;
# As written and not inlined: names in reports, and no instructions that Valgrind does not know.
valgrind) compiler=gcc ;;
*-address) optimise+=(-fsanitize=address -fno-omit-frame-pointer) ;;
*-undefined) optimise+=(-fsanitize=undefined -fno-sanitize-recover=all) ;;
*)
    echo "no variant is called $variant" >&2
    exit 2
    ;;
esac
case $source in
*.c) language=(-std=c11) ;;
*)
    language=(-std=c++17)
    compiler=${compiler/gcc/g++}
    compiler=${compiler/clang/clang++}
    ;;
esac

program=$(cd .. && pwd)/program
# GCC takes what sanitizers insert for uses of what is not initialised; the plain builds look for those.
case $variant in
gcc-*) language+=(-Wno-maybe-uninitialized) ;;
esac
read -r -a flags <<<"$(pkg-config --cflags --libs "$package")"
"$compiler" -Wall -Wextra -Werror -pedantic "${language[@]}" "${optimise[@]}" -pthread -I "$here" \
    -o "$program" "$source" "${flags[@]}"

export LD_LIBRARY_PATH=$AFFIANT_PREFIX/lib
export AFFIANT_TEST_ROOT=$root
# The ledgers of plain runs are kept for others.
export AFFIANT_TEST_DIR=$PWD/data
case $variant in
gcc | clang-static | valgrind) AFFIANT_TEST_DIR=$AFFIANT_LEDGERS/$name-$variant ;;
esac
rm -rf "$AFFIANT_TEST_DIR"
mkdir -p "$AFFIANT_TEST_DIR"
cd "$AFFIANT_TEST_DIR"

command=("$program")
seconds=120
case $variant in
*-address)
    export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1
    # LeakSanitizer does not look into what CPython takes for its objects unless the C library gives it.
    export PYTHONMALLOC=malloc
    ;;
*-undefined) export UBSAN_OPTIONS=print_stacktrace=1 ;;
valgrind)
    export AFFIANT_TEST_QUICK=1
    seconds=300
    command=(valgrind --quiet --error-exitcode=99 --leak-check=full --show-leak-kinds=definite
        --errors-for-leak-kinds=definite --num-callers=30 --fair-sched=try
        --suppressions="$here/valgrind.supp" "${command[@]}")
    ;;
esac
timeout --kill-after=10 "$seconds" "${command[@]}"
