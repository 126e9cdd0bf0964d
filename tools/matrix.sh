#!/usr/bin/env bash
# Runs the provider's acceptance tests with other CLIs than "make test" does: the TestAcc
# tests with the CLI of tools/cli.sh ("make test" runs them with the newest Terraform), and
# the others with the newest Terraform, and all with the newest OpenTofu. It leaves out
# crashes, server faults, drills and programs of the API, which are the same for every CLI and take the most
# time.
set -euo pipefail
cd "$(dirname "$0")/.."
unset TF_CLI_CONFIG_FILE TF_ACC_TERRAFORM_PATH
export CHECKPOINT_DISABLE=1 TF_ACC=1 TF_IN_AUTOMATION=1
left_out='PointInTime|TestCLIExamples/PostgreSQLPlatform|TestCLIExamples/Migrating|TestCLIExamples/API|KillInEachStep|TestCLITenant_Faults|ConcurrentApplies|ServerKilled|AfterKill|ManyInterrupted'
untested=()
cli=$(tools/cli.sh)
echo "testing terraform-plugin-testing with $("$cli" version | head -n 1)"
HEALTHCARE_CLI=$cli TF_ACC_TERRAFORM_PATH=$cli go test -timeout 20m -parallel 6 -run '^TestAcc' ./internal/provider
for build in terraform tofu; do
	if ! cli=$("tools/$build.sh"); then
		untested+=("$build")
		continue
	fi
	echo "testing with $("$cli" version | head -n 1)"
	newest=none # Only Terraform has actions and lists.
	skip=$left_out
	if [ "$build" = terraform ]; then
		newest=$cli
		skip="$left_out|^TestAcc" # "make test" runs those with it.
	fi
	TF_ACC_TERRAFORM_PATH=$cli HEALTHCARE_CLI=$cli HEALTHCARE_CLI_NEWEST=$newest go test -timeout 20m -parallel 6 -skip "$skip" ./internal/provider
done
if [ ${#untested[@]} -gt 0 ]; then
	printf '\n!! NOT TESTED with the newest %s, which cannot be built here.\n\n' "${untested[@]}"
fi
