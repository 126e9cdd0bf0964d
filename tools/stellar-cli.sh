#!/bin/sh
# Prints the path of the official Stellar CLI, built once from crates.io into the
# user's cache folder, which takes about ten minutes and needs Rust 1.93 or newer
# and a C compiler. STELLAR_CLI is the path of an existing one.
set -eu
version=28.1.0
if [ -n "${STELLAR_CLI:-}" ]; then
	command -v "$STELLAR_CLI" || { echo "STELLAR_CLI is $STELLAR_CLI, which is no program" >&2; exit 1; }
	exit
fi
root=${XDG_CACHE_HOME:-$HOME/.cache}/terraform-provider-healthcare/stellar-cli-$version
if [ ! -x "$root/bin/stellar" ]; then
	command -v cargo >/dev/null || { echo "cargo is missing: install Rust, see https://rustup.rs" >&2; exit 1; }
	echo "building stellar-cli $version, once" >&2
	# Sources and versions are the released ones. Without optimization it takes a
	# third of the time, and without the default features no system libraries.
	CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target} CARGO_PROFILE_RELEASE_OPT_LEVEL=0 \
		cargo install --locked --no-default-features --root "$root" --version "$version" stellar-cli >&2
	rm -rf "$root/target"
fi
echo "$root/bin/stellar"
