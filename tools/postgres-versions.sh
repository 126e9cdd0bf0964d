#!/usr/bin/env bash
# Runs what depends on PostgreSQL's version with the versions that "make test" does not use,
# as the ordinary owner: the registry, the walls between tenants, blueprints from publishing to
# adoption and migration, and a tenant's life in Terraform. Then the registry and the walls as superuser with the installed version.
set -euo pipefail
cd "$(dirname "$0")/.."
unset TF_CLI_CONFIG_FILE
export CHECKPOINT_DISABLE=1 TF_ACC=1
HEALTHCARE_CLI=$(tools/cli.sh)
export HEALTHCARE_CLI TF_ACC_TERRAFORM_PATH="$HEALTHCARE_CLI" HEALTHCARE_CLI_NEWEST=none
life='^TestAccTenant_Lifecycle$|^TestAccTenant_DatabaseDrift$|^TestAccCredentials|^TestCLICredentials$|^TestCLIExamples$/^(Login|Switching|Blueprints|Clinic|Adoption)$|^TestAccTenant_DeletionProtection$|^TestAcc(Tenant_)?Blueprint|^TestCLIAdopted$'
registry() {
	go test -timeout 20m -parallel 6 ./internal/postgres/...
	go test -timeout 20m -run 'Hostile' ./internal/queue
}
whole() {
	registry
	go test -timeout 20m -run 'Blueprint|OwnSteps' ./internal/provisioning
	go test -timeout 20m -run 'TestBlueprints|TestTenantsAdopt|TestTenantsMigrate' ./cmd/tenant-api
	go test -timeout 20m -parallel 6 -run "$life" ./internal/provider
}
for version in ${VERSIONS:-13 16 18}; do
	echo "testing with PostgreSQL $version"
	TEST_POSTGRES_VERSION=$version whole
done
echo "testing as superuser"
TEST_DATABASE_ROLE=superuser registry
