#!/bin/sh
# Prints the path of the newest Terraform CLI that is available as a Go module, for
# tests of features that older ones lack. It is built once for this user, into the
# cache folder, and only modules come from the network. With --cached nothing is
# built: it fails when the CLI is missing. TERRAFORM_VERSION selects another version.
set -eu
version=${TERRAFORM_VERSION:-1.15.0}
module=github.com/hashicorp/terraform
backends=$(cd "$(dirname "$0")" && pwd)/terraform/_backends.go

key=$(cat "$0" "$backends" | cksum | cut -d ' ' -f 1)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/terraform-provider-healthcare/terraform-$version-$key
if [ -x "$cache/terraform" ]; then
	echo "$cache/terraform"
	exit
fi
if [ "${1:-}" = --cached ]; then
	echo "Terraform $version is not built: make cli-newest builds it, once" >&2
	exit 1
fi

echo "building Terraform $version, once, which takes some minutes" >&2
mkdir -p "$cache"
work=$(mktemp -d "$cache/build.XXXXXX")
trap 'rm -rf "$work"; rmdir "$cache" 2>/dev/null || :' EXIT
trap 'exit 1' INT TERM HUP
cd "$work" # Outside any module; settings of the go command's environment still count.
go mod download -json "$module@v$version" >download.json || {
	cat download.json >&2
	echo "the module $module@v$version cannot be downloaded: check GOPROXY and the network" >&2
	exit 1
}
source=$(sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p' download.json)

# A released module cannot use the replacements in its go.mod, which point to parts of
# the repository that it lacks: most backends. So this builds a copy that does not need
# them. Its go.sum fixes everything else, and the checksum database fixes the go.sum.
cp -R "$source" src
chmod -R u+w src
cp "$backends" src/internal/backend/init/init.go
cd src
backend=$module/internal/backend/remote-state
for part in "$module/internal/legacy" "$backend/azure" "$backend/consul" "$backend/cos" "$backend/gcs" \
	"$backend/kubernetes" "$backend/oci" "$backend/oss" "$backend/pg" "$backend/s3"; do
	go mod edit "-droprequire=$part" "-dropreplace=$part"
done
GOFLAGS='' CGO_ENABLED=0 nice -n 10 go build -trimpath -buildvcs=false -ldflags "-s -w -X $module/version.dev=no" -o ../terraform . >&2 || {
	echo "Terraform $version cannot be built here" >&2
	exit 1
}
mv ../terraform "$cache/terraform"
echo "$cache/terraform"
