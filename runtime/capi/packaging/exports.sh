#!/usr/bin/env bash
# Prints the functions that a C header declares, one a line, sorted: what the libraries export.
#   usage: exports.sh HEADER
# Bodies in braces (inline functions, structures) are taken out first. Of what remains, a statement that is
# neither a type definition nor static and has a name before its first parenthesis declares a function.
set -euo pipefail

"${CC:-cc}" -std=c11 -E -P "$1" | awk '
    {
        count = length($0)
        for (i = 1; i <= count; i++) {
            letter = substr($0, i, 1)
            if (letter == "{") depth++
            else if (letter == "}") { depth--; if (depth == 0) text = text ";" }
            else if (depth == 0) text = text letter
        }
        text = text " "
    }
    END {
        statements = split(text, all, ";")
        for (s = 1; s <= statements; s++) {
            statement = all[s]
            if (statement ~ /(^|[^a-z_])(typedef|static)[^a-z_]/) continue
            if (match(statement, /affiant_[a-z0-9_]+ *\(/)) {
                name = substr(statement, RSTART, RLENGTH)
                sub(/ *\($/, "", name)
                print name
            }
        }
    }' | LC_ALL=C sort -u
