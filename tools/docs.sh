#!/bin/bash
# Writes docs/ from the provider's own schema, templates/ and examples/. The schema
# comes from no CLI, so that the installed version does not change a page.
set -eu -o pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
go run ./cmd/providerschema >"$tmp/schema.json"
docs() { "$BIN/tfplugindocs" "$@" --provider-name healthcare --providers-schema "$tmp/schema.json"; }
docs generate --rendered-provider-name Healthcare
go run ./cmd/settingsdoc >docs/guides/configuration.md
docs validate >"$tmp/validate" 2>&1 || { cat "$tmp/validate" >&2; exit 1; }
"$HEALTHCARE_CLI" fmt -recursive examples >/dev/null
