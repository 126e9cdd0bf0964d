#!/bin/sh
# Runs the Rust unit tests natively, with rustup's or Debian's toolchain.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/terraform-provider-healthcare/rust/native}
export CARGO_TARGET_DIR
for crate in internal/soroban/contract internal/devstack/stellarnet/host/rust; do
	echo "cargo test in $crate"
	(cd "$root/$crate" && cargo test --locked --quiet)
done
