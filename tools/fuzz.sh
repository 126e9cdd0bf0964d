#!/usr/bin/env bash
# Runs each fuzz target for FUZZTIME (default 30s), one after the other.
set -euo pipefail
cd "$(dirname "$0")/.."
found=$(grep -rlE '^func Fuzz' --include='*_test.go' internal cmd | xargs -n1 dirname | sort -u)
count=0
for dir in $found; do
	for target in $(grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go | cut -d' ' -f2); do
		go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-30s}" "./$dir"
		count=$((count + 1))
	done
done
echo "$count fuzz targets"
