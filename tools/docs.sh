#!/bin/bash
# Writes docs/ from the provider's own schema, templates/ and examples/.
# The schema is read with whatever CLI there is, so the result is the same with
# terraform and tofu.
set -eu -o pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
go build -o "$tmp/terraform-provider-healthcare" .
cat >"$tmp/cli.tfrc" <<EOF
provider_installation {
  dev_overrides {
    "healthcare-platform/healthcare" = "$tmp"
  }
  direct {}
}
EOF
cat >"$tmp/main.tf" <<'EOF'
terraform {
  required_providers {
    healthcare = { source = "healthcare-platform/healthcare" }
  }
}
EOF
TF_CLI_CONFIG_FILE=$tmp/cli.tfrc "$HEALTHCARE_CLI" -chdir="$tmp" providers schema -json >"$tmp/schema.json"
# tfplugindocs looks the provider up under this name.
sed -i.bak -E 's#"registry\.[a-z.]+/healthcare-platform/healthcare"#"registry.terraform.io/hashicorp/healthcare"#' "$tmp/schema.json"
"$BIN/tfplugindocs" generate --provider-name healthcare --rendered-provider-name Healthcare --providers-schema "$tmp/schema.json"
"$HEALTHCARE_CLI" fmt -recursive examples >/dev/null
