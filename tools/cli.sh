#!/bin/sh
# Prints the path of a terraform or tofu CLI: $HEALTHCARE_CLI, terraform or tofu
# on PATH, else an OpenTofu that is built once from source, which takes some
# minutes and needs only Go.
set -eu
if [ -n "${HEALTHCARE_CLI:-}" ]; then
	command -v "$HEALTHCARE_CLI" || { echo "HEALTHCARE_CLI is $HEALTHCARE_CLI, which is not a program" >&2; exit 1; }
	exit
fi
for name in terraform tofu; do
	if command -v "$name"; then exit; fi
done
echo "no terraform or tofu on PATH" >&2
exec "$(dirname "$0")/tofu.sh"
