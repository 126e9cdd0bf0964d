#!/usr/bin/env bash
# Checks the release files in a folder, the argument, for rules that goreleaser does not
# check: file names are those that the Terraform Registry expects, every file has a checksum,
# every archive a bill of materials, and a CLI installs and starts the provider from its
# zip. For the programs of another platform than this one it checks names alone.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cli=$("$root/tools/cli.sh")
provider=terraform-provider-healthcare
max_size=38000000 # Bytes of the unpacked provider, which each user downloads. Windows' is the largest.
fail() { echo "release-files: $*" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$1"

sums=$(ls -- *_SHA256SUMS)
version=${sums#"${provider}_"}
version=${version%_SHA256SUMS}
[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]] || fail "$sums: \"$version\" is not a version"
sha256sum --check --strict --quiet "$sums"

# Goreleaser writes three files for itself; they and the checksums are not released.
cut -c67- "$sums" | sort >"$work/listed"
find . -maxdepth 1 -type f ! -name artifacts.json ! -name config.yaml ! -name metadata.json \
	! -name "$sums" ! -name "$sums.sig" | sed 's|^\./||' | sort >"$work/found"
diff "$work/listed" "$work/found" || fail "files (>) and checksums (<) differ"

names="^($provider|tenant-api|devstack)_${version//./\\.}_[a-z]+_[a-z0-9]+"
while read -r file; do
	case $file in
	"${provider}_${version}_manifest.json") continue ;;
	*.sbom.json) grep -q '"pkg:golang/std@go' "$file" || fail "$file lists no components" ;;
	"$provider"_*.zip | *_windows_*.zip | tenant-api_*.tar.gz | devstack_*.tar.gz) ;;
	*) fail "$file: unexpected kind of file" ;;
	esac
	[[ $file =~ $names\.(zip|tar\.gz|sbom\.json)$ ]] || fail "$file: not NAME_${version}_OS_ARCH"
done <"$work/listed"
grep -q "^${provider}_.*\.zip$" "$work/listed" || fail "no archive of the provider"
diff <(sed -nE 's/\.(zip|tar\.gz)$//p' "$work/listed") <(sed -n 's/\.sbom\.json$//p' "$work/listed") ||
	fail "archives (<) and bills of materials (>) differ"
while read -r archive; do
	for file in LICENSE NOTICE licences/go.txt licences/crates.txt; do
		case $archive in
		*.zip) grep -aqF "$file" "$archive" ;; # Its folder is not compressed.
		*.tar.gz) tar -tzf "$archive" "$file" >/dev/null ;;
		esac || fail "$archive has no $file"
	done
done <"$work/listed"
manifest=$(tr -d '[:space:]' <"${provider}_${version}_manifest.json")
[ "$manifest" = '{"version":1,"metadata":{"protocol_versions":["6.0"]}}' ] || fail "the manifest is $manifest"
large=$(find . -name "${provider}_v*" -type f -size "+${max_size}c")
[ -z "$large" ] || fail "larger than $max_size bytes: $large"

platform=$(go env GOHOSTOS)_$(go env GOHOSTARCH)
zip=${provider}_${version}_$platform.zip
if [ -e "$zip" ]; then
	for host in registry.terraform.io registry.opentofu.org; do
		mkdir -p "$work/mirror/$host/healthcare-platform/healthcare"
		cp "$zip" "$work/mirror/$host/healthcare-platform/healthcare/"
	done
	export TF_CLI_CONFIG_FILE=$work/cli.tfrc
	cat >"$TF_CLI_CONFIG_FILE" <<-END
		provider_installation {
		  filesystem_mirror { path = "$work/mirror" }
		}
	END
	mkdir "$work/config"
	cat >"$work/config/main.tf" <<-END
		terraform {
		  required_providers {
		    healthcare = { source = "healthcare-platform/healthcare", version = "= $version" }
		  }
		}
	END
	"$cli" -chdir="$work/config" init -input=false -no-color >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "$zip cannot be installed"; }
	"$cli" -chdir="$work/config" providers schema -json >"$work/schema"
	grep -q '"healthcare_tenant"' "$work/schema" || fail "$zip: the provider has no healthcare_tenant"
	echo "$("$cli" version | head -n 1) installs and starts $provider $version"
fi

for program in "tenant-api version" "devstack --version"; do
	archive=${program%% *}_${version}_$platform.tar.gz
	[ -e "$archive" ] || continue
	tar -xzf "$archive" -C "$work" "${program%% *}"
	printed=$("$work/"$program)
	[[ $printed == "${program%% *} $version ("* ]] || fail "$program prints \"$printed\", not $version"
	echo "$printed"
done
