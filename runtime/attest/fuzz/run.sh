#!/usr/bin/env bash
# run.sh TARGET SECONDS: fuzzes one target from the seeds, with a corpus outside of the repository's files.
# run.sh all SECONDS: each target in turn. Wants the nightly toolchain and cargo-fuzz.
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
    echo "== $one, $seconds s"
    cargo +nightly fuzz run --fuzz-dir . --target-dir "$work/build" "$one" "$corpus" "$seeds" -- \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 \
        -artifact_prefix="$crashes" -print_final_stats=1
done
