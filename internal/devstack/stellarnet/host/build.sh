#!/bin/sh
# Builds the Soroban host: build.sh [--check]. See wasm.sh in the contract's
# folder. It also rewrites the files that depend on the host: settings.bin holds
# its default settings, testdata the answers of the native build.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
"$here/../../../soroban/contract/wasm.sh" "$here/rust" wasm32-unknown-unknown \
	std,panic_abort "$here/host.wasm" "$@"
[ "$#" -gt 0 ] || {
	(cd "$here" && go test -count=1 -run TestDefaultConfigSettings . -update)
	"$here/conformance.sh"
}
