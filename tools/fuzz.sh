#!/usr/bin/env bash
# Runs each fuzz target for FUZZTIME (default 30s), one after the other.
set -euo pipefail
cd "$(dirname "$0")/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# ended_by_the_clock says whether the run in $log failed for its time alone. Go's coordinator may report the end of
# -fuzztime as a failure (https://go.dev/issue/75804, mended in Go 1.27). A real failure names the input that it wrote.
ended_by_the_clock() {
	! grep -qE 'Failing input written|^panic:|hung or terminated' "$log" &&
		grep -A1 -E '^--- FAIL: Fuzz' "$log" | tail -n 1 | grep -qx '    context deadline exceeded'
}

found=$(grep -rlE '^func Fuzz' --include='*_test.go' internal cmd | xargs -n1 dirname | sort -u)
count=0
for dir in $found; do
	for target in $(grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go | cut -d' ' -f2); do
		if ! go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-30s}" "./$dir" 2>&1 | tee "$log"; then
			ended_by_the_clock || exit 1
			echo "$target: only its time was over (go.dev/issue/75804)"
		fi
		count=$((count + 1))
	done
done
echo "$count fuzz targets"
