#!/usr/bin/env bash
# Builds the C library and makes what is installed of it, in target/capi/package (with Python:
# target/capi/package-python):
#   libaffiant.so.VERSION   exports the functions of include/affiant.h, versioned, and nothing else
#   libaffiant.a            one object, in which every other name is local, so that a program may bring its own
#                           QuickJS, BoringSSL or Rust
#   *.debug                 line numbers for the shared library, for debuggers; not installed
#   libs                    what a program links beside libaffiant.a
#   usage: package.sh
# PROFILE=dev builds unoptimised. PYTHON=1 adds Python applications, with the libpython of PYO3_PYTHON or python3;
# PYTHON=INTERPRETER with that of this one.
# HEADER names another header than include/affiant.h.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
# shellcheck source=runtime/capi/packaging/common.sh
. "$here/packaging/common.sh"

profile=${PROFILE:-release}
header=${HEADER:-$root/include/affiant.h}
cargo=(build --quiet --locked -p affiant-capi --profile "$profile")
libs=(-lpthread -ldl -lm)
if [ -n "$python" ]; then
    cargo+=(--features python)
    export PYO3_PYTHON=$python
    read -r -a python_libs <<<"$(python_link_flags)"
    libs+=("${python_libs[@]}")
fi
(cd "$root" && "${CARGO:-cargo}" "${cargo[@]}")
built=$root/target/$profile
[ "$profile" != dev ] || built=$root/target/debug
built=$built/libaffiant_capi.a

# Without a change in what goes in, what came out stays: links cost seconds.
inputs=$(stat -c '%Y %s %n' "$built" "$header" "$here"/package.sh "$here"/packaging/* && echo "${libs[*]}")
if [ "$(cat "$package/inputs" 2>/dev/null)" = "$inputs" ]; then
    exit 0
fi
rm -rf "$package"
mkdir -p "$package/work"
work=$package/work

"$here/packaging/exports.sh" "$header" >"$work/exports"
[ -s "$work/exports" ] || fail "$header declares no functions"
undefined=()
while read -r name; do
    undefined+=(-u "$name")
done <"$work/exports"

# One object of what the exported functions reach. Groups are dissolved: their names become local, and two
# objects of that kind in one program would otherwise throw out each other's sections.
"${LD:-ld}" -r --gc-sections --force-group-allocation "${undefined[@]}" -o "$work/joined.o" "$built"

# Hooks that parts of the library look up weakly: a program that has such names for a library of its own
# does not mean ours. Bitcode of the Rust library is of no use to linkers of other versions.
hooks=()
for name in OPENSSL_memory_{alloc,free,get_size,realloc} sdallocx; do
    hooks+=(--redefine-sym "$name=affiant_unset_$name")
done
objcopy -R .llvmbc -R .llvmcmd "${hooks[@]}" --keep-global-symbols="$work/exports" \
    "$work/joined.o" "$work/named.o"
rm "$work/joined.o"

{
    echo "$symbol_version {"
    echo "global:"
    sed 's/.*/    &;/' "$work/exports"
    echo "local: *;"
    echo "};"
} >"$work/versions.map"
# Stays loaded once it is: it has threads, and a function to call in forked processes.
"${CC:-cc}" -shared -o "$work/libaffiant.so" "$work/named.o" \
    -Wl,-soname,"$soname" -Wl,--version-script="$work/versions.map" -Wl,--build-id=sha1 \
    -Wl,--gc-sections -Wl,--no-undefined -Wl,-z,now -Wl,-z,relro -Wl,-z,noexecstack -Wl,-z,nodelete \
    -Wl,--as-needed "${libs[@]}"
objcopy --only-keep-debug --compress-debug-sections "$work/libaffiant.so" "$package/$real_name.debug"
(cd "$package" && objcopy --strip-unneeded --add-gnu-debuglink="$real_name.debug" \
    "$work/libaffiant.so" "$real_name")

objcopy --strip-unneeded "$work/named.o" "$work/affiant.o"
(cd "$work" && ar rcsD "$package/libaffiant.a" affiant.o)

echo "${libs[*]}" >"$package/libs"
mv "$work/exports" "$package/exports"
rm -r "$work"
echo "$inputs" >"$package/inputs"
for file in "$real_name" libaffiant.a; do
    say "$(du --apparent-size -h "$package/$file" | cut -f1) target/capi/${package##*/}/$file"
done
