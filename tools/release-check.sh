#!/usr/bin/env bash
# Makes a release of HEAD twice: in clones in different folders, with different time zones,
# file modes and Go flags. Both must have the same checksums; then the first one's files are
# checked. TARGETS is a regular expression of platforms, or "all"; each platform takes a
# minute or more the first time.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
targets=${TARGETS:-(linux|windows)_amd64} # Windows has the largest program.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
git diff --quiet HEAD || echo "release-check: uncommitted changes are not checked" >&2

config=$work/goreleaser.yml
cp .goreleaser.yml "$config"
if [ "$targets" != all ]; then
	sed -E -i "/^ +- [a-z]+_[a-z0-9_.]+\$/{/- ($targets)/!d}" "$config"
fi

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
echo "both releases are the same"
tools/release-files.sh "$work/one/dist"
