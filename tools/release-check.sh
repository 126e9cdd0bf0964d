#!/usr/bin/env bash
# Makes a release of HEAD twice, as two people would: in clones in different folders,
# with other time zones, file modes and Go flags. Both have to have the same
# checksums, and then the first is looked into. TARGETS are the platforms, a regular
# expression, or "all", each of which takes a minute or more the first time.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
targets=${TARGETS:-(linux|windows)_amd64} # The largest program is Windows'.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
git diff --quiet HEAD || echo "release-check: what is not committed is not checked" >&2

config=$work/goreleaser.yml
all=-all
cp .goreleaser.yml "$config"
if [ "$targets" != all ]; then
	all=
	sed -E -i "/^ +- [a-z]+_[a-z0-9_.]+\$/{/- ($targets)/!d}" "$config"
fi

# Nothing of one clone may be needed by the other.
make_release() { # folder
	local began=$SECONDS
	git clone --quiet "$root" "$1"
	cd "$1"
	"$root/tools/release.sh" --snapshot --config "$config" >"$work/log" 2>&1 || { cat "$work/log"; return 1; }
	echo "made in $((SECONDS - began)) s"
}
(make_release "$work/one")
(umask 077; TZ=Asia/Kathmandu GOFLAGS=-mod=mod make_release "$work/at/another/place")
(cd "$work" && diff one/dist/*_SHA256SUMS at/another/place/dist/*_SHA256SUMS) || {
	echo "release-check: the same commit gave two releases" >&2
	exit 1
}
echo "both are the same"
(cd "$work/one/dist" && sha256sum --check --strict --quiet ./*_SHA256SUMS)
go run ./cmd/release check $all "$work/one/dist"

# What a person is told has to be the version, too.
platform=$(go env GOOS)_$(go env GOARCH)
version=$(sed -n 's/.*"version":"\([^"]*\)".*/\1/p' "$work/one/dist/metadata.json")
for program in "tenant-api version" "devstack --version"; do
	archive=$work/one/dist/${program%% *}_${version}_$platform.tar.gz
	[ -e "$archive" ] || continue # Another platform was asked for.
	tar -xzf "$archive" -C "$work" "${program%% *}"
	said=$("$work/"$program)
	[[ $said == "${program%% *} $version ("* ]] || { echo "release-check: $program says \"$said\", and not $version" >&2; exit 1; }
	echo "$said"
done
