#!/usr/bin/env bash
# tests/bench.sh [MEGABYTES] [SEED]: one log (400 MB by default) drained, archived to MinIO and
# verified by the release binaries; prints wall time, CPU-seconds and peak memory of each.
# Needs what ./test installs, and GNU time (apt-get install time).
set -euo pipefail
cd "$(dirname "$0")/.."
megabytes=${1:-400}
seed=${2:-1}
target=${CARGO_TARGET_DIR:-target}/release

command -v /usr/bin/time > /dev/null || {
    echo "bench: GNU time is missing: apt-get install time" >&2
    exit 1
}
cargo build --locked --release --quiet -p holdfast -p holdfast-agent -p holdfast-tests
work=$(mktemp -d)
# The server ends when its stdin does, which is when this script does.
mkfifo "$work/leash"
"$target/serve-minio" < "$work/leash" > "$work/environment" &
exec 9> "$work/leash"
trap 'exec 9>&-; wait; rm -rf "$work"' EXIT
for _ in $(seq 600); do
    grep -qx '' "$work/environment" && break
    sleep 0.1
done
while IFS= read -r line && [ -n "$line" ]; do
    export "${line?}"
done < "$work/environment"

mkdir "$work/logs"
"$target/make-log" $((megabytes * 1000000)) "$seed" > "$work/logs/big.log"
cat > "$work/agent.toml" << EOF
agent = "bench"
spool = "$work/spool"
state = "$work/state"
spool_cap = "64GiB"
[[stream]]
name = "all"
include = ["$work/logs/*"]
retention = "1d"
EOF
cat > "$work/archiver.toml" << EOF
spool = "$work/spool"
store = "s3://bench/prod"
EOF

# measured NAME COMMAND...: prints what it cost, and per GB of log.
measured() {
    local name=$1
    shift
    if ! /usr/bin/time -o "$work/cost" -f '%e %U %S %M' "$@" > "$work/out" 2> "$work/err"; then
        tail -20 "$work/out" "$work/err" >&2
        exit 1
    fi
    awk -v name="$name" -v gb="0.$(printf '%09d' $((bytes % 1000000000)))" -v whole=$((bytes / 1000000000)) \
        '{ size = whole + gb; cpu = $2 + $3
           printf "%-10s %8.2f s wall %8.2f CPU-s (%5.2f user, %5.2f system) %7.2f CPU-s/GB %7.1f MiB peak\n",
                  name, $1, cpu, $2, $3, cpu / size, $4 / 1024 }' "$work/cost"
}

bytes=$(stat -c %s "$work/logs/big.log")
entries=$(wc -l < "$work/logs/big.log")
echo "log: $bytes bytes, $entries lines, seed $seed; $(nproc) cores"
"$target/holdfast-agent" init --config "$work/agent.toml" > "$work/signers"
"$target/holdfast" bucket create --store s3://bench/prod --retention 1d > /dev/null
measured agent "$target/holdfast-agent" drain --config "$work/agent.toml" -q
measured archiver "$target/holdfast" archive --config "$work/archiver.toml" --once -q
measured verifier "$target/holdfast" verify --store s3://bench/prod --signers "$work/signers"
stored=$(find "$work/spool/sealed" -name body -printf '%s\n' | awk '{ sum += $1 } END { print sum }')
batches=$(find "$work/spool/sealed" -name manifest | wc -l)
awk -v bytes="$bytes" -v stored="$stored" -v batches="$batches" \
    'BEGIN { printf "stored: %d bytes in %d batches, %.2f : 1\n", stored, batches, bytes / stored }'
