#!/bin/sh
# Compares the speed of this checkout with another commit: tools/bench-compare.sh COMMIT
set -eu
base=${1:?give a commit: make bench-compare BASE=<commit>}
dir=$(mktemp -d)
trap 'git worktree remove --force "$dir/base"; rmdir "$dir"' EXIT
git worktree add --quiet --detach "$dir/base" "$base"
go run ./cmd/bench -compare "$dir/base"
