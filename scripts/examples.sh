# shellcheck shell=bash
# For scripts that run the examples: sourced, not run, after sandbox.sh. Makes $work, which goes with the
# script, as the service does.

work=$(mktemp -d)
finish() {
    sandbox_stop || true
    rm -rf "$work"
}
trap finish EXIT

quiet() { # COMMAND...: its output is shown only if it fails
    if ! "$@" >"$work/output" 2>&1; then
        echo "$* failed in $PWD:" >&2
        cat "$work/output" >&2
        return 1
    fi
}

finished() { # NAME: ends its service, and audits the ledger
    sandbox_stop
    quiet "$affiant" ledger verify "$ledger" --service-cert "$common/service_cert.pem"
    echo "$1: ledger verified"
}

note() { # METHOD PATH [BODY]: one request of user0 to the running service; prints the body
    curl --silent --show-error --fail-with-body --cacert "$common/service_cert.pem" \
        --cert "$common/user0_cert.pem" --key "$common/user0_privk.pem" \
        --request "$1" "https://$address/app/$2" \
        --header 'content-type: application/json' --data "${3:-}"
}
