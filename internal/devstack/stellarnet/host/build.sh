#!/bin/sh
# Builds the Soroban host: build.sh [--check]. See wasm.sh in the contract's
# folder. What follows from the fresh host is written anew too: settings.bin is
# what it answers, testdata what it answers natively.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
"$here/../../../soroban/contract/wasm.sh" "$here/rust" wasm32-unknown-unknown \
	std,panic_abort "$here/host.wasm" "$@"
[ "$#" -gt 0 ] || {
	(cd "$here" && go test -count=1 -run TestDefaultConfigSettings . -update)
	"$here/conformance.sh"
}
