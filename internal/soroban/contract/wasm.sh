#!/bin/sh
# Builds one crate to WebAssembly, or checks that the committed file is what its
# sources give. Called by the build.sh of each crate, never by hand:
#
#   wasm.sh CRATE_DIR TARGET STD_CRATES OUT [--check]
#
# The committed bytes have to come out the same on every machine, so there is one
# toolchain, Debian's, and rustup is not used even where it is installed:
#
#   apt-get install rustc-web cargo-web rust-web-src lld-22
#
# Debian ships no standard library for these targets, so cargo builds it from
# rust-web-src; -Z build-std is why RUSTC_BOOTSTRAP is set.
set -eu
LC_ALL=C
export LC_ALL

crate=$(cd "$1" && pwd) target=$2 std=$3 out=$4 mode=${5:-}

for tool in /usr/bin/cargo /usr/bin/rustc /usr/bin/wasm-ld-22; do
	[ -x "$tool" ] || {
		echo "$tool is missing: apt-get install rustc-web cargo-web rust-web-src lld-22" >&2
		exit 1
	}
done
compiler=$(/usr/bin/rustc --version)

# What the bytes depend on, unit tests aside. wasmtest has the same rule.
sources() {
	(cd "$crate" && find Cargo.toml Cargo.lock build.rs src getrandom -type f ! -name 'test*.rs' 2>/dev/null |
		sort | xargs sha256sum | sha256sum | cut -d' ' -f1)
}

# No path of this machine may reach the bytes, neither in a panic message nor
# through the order that symbol hashes give.
cargo_home=${CARGO_HOME:-$HOME/.cargo}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/terraform-provider-healthcare/rust
sep=$(printf '\037')
# First, because the folders to hide exist only after the first download.
fetch() {
	(cd "$crate" && RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc \
		/usr/bin/cargo fetch --locked --quiet -Z build-std="$std" --target "$target")
}

build() {
	fetch
	flags="--remap-path-prefix=$crate=/crate$sep--remap-path-prefix=/usr/lib/rustlib/src/rust=/rust"
	for dir in "$cargo_home"/registry/src/*; do
		[ -d "$dir" ] && flags="$flags$sep--remap-path-prefix=$dir=/deps"
	done
	(
		cd "$crate"
		unset RUSTFLAGS RUSTC_WRAPPER RUSTUP_TOOLCHAIN
		env RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc \
			CARGO_ENCODED_RUSTFLAGS="$flags" \
			CARGO_TARGET_DIR="$1" CARGO_INCREMENTAL=0 \
			"CARGO_TARGET_$(echo "$target" | tr 'a-z-' 'A-Z_')_LINKER=/usr/bin/wasm-ld-22" \
			/usr/bin/cargo build --locked --release --lib -j "${WASM_JOBS:-2}" \
			-Z build-std="$std" --target "$target"
	)
}

digest=${out%.wasm}.digest
case $mode in
"")
	build "$cache/$(basename "$out" .wasm)"
	install -m 644 "$cache/$(basename "$out" .wasm)/$target/release/"*.wasm "$out"
	printf 'sources %s\nwasm %s\ncompiler %s\n' \
		"$(sources)" "$(sha256sum <"$out" | cut -d' ' -f1)" "$compiler" >"$digest"
	echo "$out: $(wc -c <"$out") bytes"
	;;
--check)
	# Another compiler gives other bytes, which would say nothing of the sources.
	grep -qxF "compiler $compiler" "$digest" || {
		echo "$out was built by $(sed -n 's/^compiler //p' "$digest"), this is $compiler" >&2
		exit 1
	}
	tmp=$(mktemp -d)
	trap 'rm -rf "$tmp"' EXIT
	build "$tmp"
	cmp "$tmp/$target/release/"*.wasm "$out" || {
		echo "$out is not what its sources give: run make wasm" >&2
		exit 1
	}
	;;
*)
	echo "usage: build.sh [--check]" >&2
	exit 2
	;;
esac
