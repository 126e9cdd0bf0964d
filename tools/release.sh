#!/bin/sh
# Runs goreleaser in the current folder, which is a clone of the repository. It needs
# the network only for missing modules, and publishes nothing. The
# checksums are signed when GPG_FINGERPRINT names a key.
set -eu
skip=publish
[ -n "${GPG_FINGERPRINT:-}" ] || skip=$skip,sign
if [ -z "$(git remote)" ]; then # Then goreleaser does not look for the commit either.
	export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=remote.origin.url \
		GIT_CONFIG_VALUE_0=https://github.com/healthcare-platform/terraform-provider-healthcare
fi
goreleaser release --clean --skip="$skip" "$@"
# Goreleaser has the manifest's checksum, but only uploads the file.
for sums in dist/*_SHA256SUMS; do
	cp terraform-registry-manifest.json "${sums%SHA256SUMS}manifest.json"
done
