#!/bin/sh
# Prints the path of an OpenTofu CLI that is built once for this user, into the cache
# folder, from the version in tools/tofu. With --cached nothing is built: it fails when
# the CLI is missing.
set -eu
source=$(cd "$(dirname "$0")/tofu" && pwd)
key=$(cat "$0" "$source/go.mod" | cksum | cut -d ' ' -f 1)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/terraform-provider-healthcare/opentofu-$key
if [ -x "$cache/tofu" ]; then
	echo "$cache/tofu"
	exit
fi
if [ "${1:-}" = --cached ]; then
	echo "OpenTofu is not built: tools/tofu.sh builds it, once" >&2
	exit 1
fi
echo "building OpenTofu, once, which takes about ten minutes" >&2
mkdir -p "$cache"
made=$cache/tofu.$$
trap 'rm -f "$made"; rmdir "$cache" 2>/dev/null || :' EXIT
trap 'exit 1' INT TERM HUP
CGO_ENABLED=0 nice -n 10 go build -C "$source" -buildvcs=false -ldflags "-s -w -X github.com/opentofu/opentofu/version.dev=no" \
	-o "$made" github.com/opentofu/opentofu/cmd/tofu >&2 || {
	echo "OpenTofu cannot be built here" >&2
	exit 1
}
mv "$made" "$cache/tofu"
echo "$cache/tofu"
