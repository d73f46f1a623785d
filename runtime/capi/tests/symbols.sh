#!/usr/bin/env bash
# What the installed libraries show to linkers and want from others. Reads only; says everything that is wrong.
#   usage: symbols.sh PREFIX [python]    with `python`: the library may want libpython
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
# shellcheck source=runtime/capi/packaging/common.sh
. "$root/runtime/capi/packaging/common.sh"

prefix=$1
shared=$prefix/lib/$real_name
static=$prefix/lib/libaffiant.a
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
faults=0

wrong() {
    echo "$*" >&2
    faults=$((faults + 1))
}
same() { # WHAT EXPECTED-FILE FOUND-FILE
    diff -u --label "$2" --label "$3" "$work/$2" "$work/$3" >"$work/difference" && return
    wrong "$1:"
    cat "$work/difference" >&2
}
# Name, binding, section of every symbol of a table: .dynsym or .symtab.
symbols() { # TABLE FILE
    readelf --wide --symbols "$2" | awk -v table="'$1'" '
        /^Symbol table/ { here = $3 == table; next }
        here && $1 ~ /^[0-9]+:$/ && $8 != "" { print $8, $5, $7 }'
}
dynamic() { readelf --wide --dynamic "$shared"; }

"$root/runtime/capi/packaging/exports.sh" "$prefix/include/affiant.h" >"$work/declared"

# The shared library exports what the header declares, under one version.
symbols .dynsym "$shared" >"$work/dynamic"
awk '$3 != "UND" && $3 != "ABS" { print $1 }' "$work/dynamic" | sort >"$work/exported"
sed "s/\$/@@$symbol_version/" "$work/declared" | sort >"$work/versioned"
same "exported functions" versioned exported
awk '$3 == "ABS" { print $1 }' "$work/dynamic" >"$work/absolute"
[ "$(sed 's/@.*//' "$work/absolute")" = "$symbol_version" ] ||
    wrong "absolute symbols: $(tr '\n' ' ' <"$work/absolute")instead of $symbol_version"

# It wants functions of the C library and of the unwinder only. Weak names may be missing: of the
# toolchain's start files, of newer C libraries, and of the C++ library, which a C++ program brings.
weak='_ITM_(de)?registerTMCloneTable|__gmon_start__|__cxa_finalize'
weak+='|pidfd_getpid|pidfd_spawnp|posix_spawn_file_actions_addchdir(_np)?|statx|gettid|getrandom'
weak+='|__cxa_thread_atexit_impl|copy_file_range|preadv2|pwritev2|gnu_get_libc_version|__dso_handle'
weak+='|__gxx_personality_v0|__cxa_(begin|end)_catch|__cxa_rethrow|_ZTISt9exception|_ZSt9terminatev|affiant_unset_[A-Za-z_]+'
[ -z "${2:-}" ] || weak+='|_?Py[A-Za-z0-9_]+'
awk '$3 == "UND" && $2 == "WEAK" { sub(/@.*/, "", $1); print $1 }' "$work/dynamic" |
    grep -vxE "$weak" >"$work/strange" || true
awk '$3 == "UND" && $2 != "WEAK" && $1 !~ /@GLIBC_|@GCC_/ { print $1 }' "$work/dynamic" |
    grep -vxE "${2:+_?Py[A-Za-z0-9_]+}" >>"$work/strange" || true
[ ! -s "$work/strange" ] || wrong "the shared library wants: $(tr '\n' ' ' <"$work/strange")"
libraries='lib(c|m|pthread|dl|rt)\.so\.[0-9]+|libgcc_s\.so\.1|ld-linux[-a-z0-9_]*\.so\.[0-9]+'
[ -z "${2:-}" ] || libraries+='|libpython3[.0-9a-z]*'
needed=$(dynamic | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -vxE "$libraries" || true)
[ -z "$needed" ] || wrong "the shared library needs $needed"

# How it is loaded.
dynamic | grep -qF "Library soname: [$soname]" || wrong "the soname is not $soname"
dynamic | grep -q 'FLAGS_1.*NOW.*NODELETE' || wrong "not bound at load time, or unloaded on dlclose"
! dynamic | grep -q TEXTREL || wrong "relocations in code"
readelf --wide --segments "$shared" | grep -q GNU_RELRO || wrong "no segment is made read-only"
readelf --wide --segments "$shared" | grep -q 'GNU_STACK .* RW ' || wrong "an executable stack"
! readelf --wide --sections "$shared" | grep -q '\.debug_info' || wrong "debug information was not stripped"
[ "$(readlink "$prefix/lib/libaffiant.so")" = "$soname" ] || wrong "libaffiant.so does not lead to $soname"
[ "$(readlink "$prefix/lib/$soname")" = "$real_name" ] || wrong "$soname does not lead to $real_name"

# The static library defines the same, and nothing else that another object could see.
[ "$(ar t "$static")" = affiant.o ] || wrong "members of libaffiant.a: $(ar t "$static" | tr '\n' ' ')"
symbols .symtab "$static" >"$work/static"
awk '$2 != "LOCAL" && $3 != "UND" { print $1 }' "$work/static" | sort >"$work/global"
same "global names of libaffiant.a" declared global
awk '$2 == "WEAK" && $3 == "UND" { print $1 }' "$work/static" | grep -vxE "$weak" >"$work/strange" || true
[ ! -s "$work/strange" ] || wrong "libaffiant.a looks for: $(tr '\n' ' ' <"$work/strange")"

[ "$faults" -eq 0 ] || exit 1
echo "$(wc -l <"$work/declared") functions exported as $symbol_version, and nothing else"
