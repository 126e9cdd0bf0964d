#!/bin/sh
# Prints the path of a terraform or tofu CLI: $HEALTHCARE_CLI, terraform or tofu
# on PATH, else an OpenTofu that is built once from source, which takes some
# minutes and needs nothing but Go.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
if [ -n "${HEALTHCARE_CLI:-}" ]; then
	command -v "$HEALTHCARE_CLI" || { echo "HEALTHCARE_CLI is $HEALTHCARE_CLI, which is no program" >&2; exit 1; }
	exit
fi
for name in terraform tofu; do
	if command -v "$name"; then exit; fi
done
if [ ! -x "$root/bin/tofu" ]; then
	echo "no terraform or tofu on PATH: building OpenTofu, once, which takes about ten minutes" >&2
	mkdir -p "$root/bin"
	(cd "$root/tools/tofu" && go build -trimpath -ldflags "-s -w -X github.com/opentofu/opentofu/version.dev=no" -o "$root/bin/tofu.new" github.com/opentofu/opentofu/cmd/tofu) >&2
	mv "$root/bin/tofu.new" "$root/bin/tofu"
fi
echo "$root/bin/tofu"
