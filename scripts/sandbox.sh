# shellcheck shell=bash
# For scripts that need a running service: sourced, not run. The service ends with the script.
#   sandbox_start DIRECTORY ARGUMENTS...   `affiant sandbox ARGUMENTS` on a free port, its files below
#                                          DIRECTORY; sets $address, $common and $ledger
#   sandbox_stop                           as an operator would; fails unless it ends well
# $affiant names the binary.

sandbox_pid=

sandbox_start() {
    local directory=$1
    shift
    common=$directory/workspace/sandbox_common
    ledger=$directory/workspace/sandbox_0/0.ledger
    local addresses=$directory/workspace/sandbox_0/0.rpc_addresses
    mkdir -p "$directory"
    "$affiant" sandbox "$@" --node local://127.0.0.1:0 --workspace "$directory/workspace" \
        >"$directory/node.log" 2>&1 &
    sandbox_pid=$!
    for _ in $(seq 600); do
        [ -s "$addresses" ] && [ -s "$common/service_cert.pem" ] && break
        if ! kill -0 "$sandbox_pid" 2>/dev/null; then
            echo "The node did not start:" >&2
            cat "$directory/node.log" >&2
            return 1
        fi
        sleep 0.1
    done
    address=$(sed -n 's/.*"\([0-9.]*:[0-9]*\)".*/\1/p' "$addresses" | head -n 1)
    for _ in $(seq 600); do
        curl --silent --fail --output /dev/null --cacert "$common/service_cert.pem" \
            "https://$address/node/ready/app" && return 0
        sleep 0.1
    done
    echo "The node started but does not become ready:" >&2
    cat "$directory/node.log" >&2
    return 1
}

sandbox_stop() {
    [ -n "$sandbox_pid" ] || return 0
    local pid=$sandbox_pid
    sandbox_pid=
    kill -TERM "$pid" 2>/dev/null || true
    wait "$pid"
}
