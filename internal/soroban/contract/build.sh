#!/bin/sh
# Builds the tenant contract: build.sh [--check]. See wasm.sh.
#
# wasm32v1-none is the one target whose features the network accepts.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
exec "$here/wasm.sh" "$here" wasm32v1-none core,alloc,panic_abort \
	"$here/tenant_contract.wasm" "$@"
