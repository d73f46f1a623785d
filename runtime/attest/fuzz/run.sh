#!/usr/bin/env bash
# run.sh TARGET SECONDS: fuzzes one target from the seeds for so many seconds of CPU time, with a corpus
# outside of the repository's files. run.sh all SECONDS: each target in turn. Wants the nightly toolchain
# and cargo-fuzz.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

target=${1:?the name of a target, or all}
seconds=${2:?seconds for each target}
root=$(cd ../../.. && pwd)
work=${FUZZ_DIR:-$root/target/fuzz}

cargo +nightly --version >/dev/null 2>&1 || {
    echo "fuzzing wants the nightly toolchain: rustup toolchain install nightly --profile minimal" >&2
    exit 1
}
cargo +nightly fuzz --version >/dev/null 2>&1 || {
    echo "fuzzing wants cargo-fuzz: cargo +nightly install cargo-fuzz --locked" >&2
    exit 1
}

if [ "$target" = all ]; then
    mapfile -t targets < <(cargo +nightly fuzz list --fuzz-dir .)
else
    targets=("$target")
fi

# The seeds: made by the test that replays mutations of them.
(cd "$root" && SEEDS_DIR="$work/seeds" cargo test --locked --quiet -p affiant-attest --test mutations -- writes_the_seeds)

for one in "${targets[@]}"; do
    corpus="$work/corpus/$one" seeds="$work/seeds/$one" crashes="$work/crashes/$one/"
    mkdir -p "$corpus" "$seeds" "$crashes"
    cargo +nightly fuzz build --fuzz-dir . --target-dir "$work/build" "$one"
    program=$(find "$work/build" -path "*/release/$one" -type f)
    used=0 runs=0
    # The fuzzer counts wall time, which says little on a busy machine: again until the CPU time is used.
    while ((used < seconds)); do
        left=$((seconds - used))
        TIMEFORMAT="%0U %0S"
        { time "$program" "$corpus" "$seeds" -max_total_time="$((left > 5 ? left : 5))" -timeout=20 \
            -rss_limit_mb=2048 -max_len=65536 -artifact_prefix="$crashes" -print_final_stats=1 \
            >"$work/$one.log" 2>&1; } 2>"$work/$one.time" || {
            tail -40 "$work/$one.log" >&2
            echo "$one: found something; its input is in $crashes" >&2
            exit 1
        }
        read -r user system <"$work/$one.time"
        used=$((used + user + system))
        runs=$((runs + $(sed -n 's/^stat::number_of_executed_units: *//p' "$work/$one.log")))
    done
    coverage=$(grep -o 'cov: [0-9]* ft: [0-9]* corp: [0-9]*' "$work/$one.log" | tail -1)
    echo "$one: $used s of CPU time, $runs executions, $coverage, nothing found"
done
