package provider_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/compare"
	"github.com/hashicorp/terraform-plugin-testing/config"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
)

// withData has two tenants, and reads them with each data source.
const withData = clinic + `
resource "healthcare_tenant" "other" {
  name             = "Other Clinic"
  admin_email      = "grace@other.example"
  admin_first_name = "Grace"
  admin_last_name  = "Hopper"
  external_id      = "crm-7"
  metadata         = { region = "eu" }
  legal_hold       = { active = true, reason = "Case 7" }
  depends_on       = [healthcare_tenant.clinic]
}
data "healthcare_tenant" "by_id" { id = healthcare_tenant.clinic.id }
data "healthcare_tenant" "by_name" {
  name       = "ST. MARY'S clinic"
  depends_on = [healthcare_tenant.clinic]
}
data "healthcare_tenant" "by_key" {
  external_id = "crm-7"
  depends_on  = [healthcare_tenant.other]
}
data "healthcare_tenants" "all" { depends_on = [healthcare_tenant.other] }
data "healthcare_tenants" "some" {
  search     = "grace@"
  status     = "ACTIVE"
  depends_on = [healthcare_tenant.other]
}
data "healthcare_tenants" "invited" {
  invitation_status = "PENDING"
  depends_on        = [healthcare_tenant.other]
}
data "healthcare_tenants" "expired" {
  invitation_status = "EXPIRED"
  depends_on        = [healthcare_tenant.other]
}
data "healthcare_tenants" "region" {
  metadata       = { region = "eu" }
  created_after  = "2020-01-01T00:00:00Z"
  created_before = "2999-01-01T00:00:00+02:00"
  depends_on     = [healthcare_tenant.other]
}
data "healthcare_tenants" "none" {
  managed_by    = "nobody"
  created_after = "2020-01-01T00:00:00Z"
  depends_on    = [healthcare_tenant.other]
}
data "healthcare_tenants" "held" {
  held       = true
  depends_on = [healthcare_tenant.other]
}
data "healthcare_tenants" "one" {
  limit      = 1
  depends_on = [healthcare_tenant.other]
}
data "healthcare_tenant_provisioning_status" "clinic" { tenant_id = healthcare_tenant.clinic.id }
`

// listed expects exactly these tenants, each with a known attribute.
func listed(attribute string, values ...string) map[string]knownvalue.Check {
	tenants := make([]knownvalue.Check, len(values))
	for i, value := range values {
		tenants[i] = knownvalue.ObjectPartial(map[string]knownvalue.Check{attribute: knownvalue.StringExact(value)})
	}
	return map[string]knownvalue.Check{"tenants": knownvalue.ListExact(tenants)}
}

// dataChecks expect what the data sources of withData read.
func (w *testEnv) dataChecks() []statecheck.StateCheck {
	checks := wantValues("data.healthcare_tenant.by_key", map[string]knownvalue.Check{
		"name":     knownvalue.StringExact("Other Clinic"),
		"metadata": knownvalue.MapExact(map[string]knownvalue.Check{"region": knownvalue.StringExact("eu")}),
	})
	for _, by := range []string{"data.healthcare_tenant.by_id", "data.healthcare_tenant.by_name"} {
		for _, field := range []string{"id", "name", "admin_email", "admin_first_name", "schema_name", "database_role", "status", "soroban_contract_id",
			"welcome_email_status", "created_at", "updated_at"} {
			at := tfjsonpath.New(field)
			checks = append(checks, statecheck.ExpectKnownValue(by, at, knownvalue.NotNull()),
				statecheck.CompareValuePairs(by, at, clinicAddress, at, compare.ValuesSame()))
		}
		checks = append(checks, wantValues(by, map[string]knownvalue.Check{
			"external_id": knownvalue.Null(), "archived_at": knownvalue.Null(), "activated_at": knownvalue.NotNull(), "provisioning_error": knownvalue.Null(),
			"invitation": knownvalue.ObjectExact(map[string]knownvalue.Check{
				"status": knownvalue.StringExact("PENDING"), "sent_at": knownvalue.NotNull(), "expires_at": knownvalue.NotNull(), "accepted_at": knownvalue.Null(),
			}),
		})...)
	}
	checks = append(checks, wantValues("data.healthcare_tenants.all", listed("name", "Other Clinic", "St. Mary's Clinic"))...)
	checks = append(checks, wantValues("data.healthcare_tenants.invited", listed("invitation_status", "PENDING", "PENDING"))...)
	checks = append(checks, wantValues("data.healthcare_tenants.expired", listed("name"))...)
	checks = append(checks, wantValues("data.healthcare_tenants.region", listed("name", "Other Clinic"))...)
	checks = append(checks, wantValues("data.healthcare_tenants.none", listed("name"))...)
	checks = append(checks, wantValues("data.healthcare_tenants.held", listed("name", "Other Clinic"))...)
	checks = append(checks, wantValues("data.healthcare_tenants.one", listed("name", "Other Clinic"))...)
	checks = append(checks, wantValues("data.healthcare_tenants.some", listed("admin_email", "grace@other.example"))...)

	const progress = "data.healthcare_tenant_provisioning_status.clinic"
	checks = append(checks, wantValues(progress, map[string]knownvalue.Check{
		"status": knownvalue.StringExact("ACTIVE"), "attempt": knownvalue.Int64Exact(1), "tenant_name": knownvalue.StringExact("St. Mary's Clinic"),
		"steps": knownvalue.ListSizeExact(7),
	})...)
	return append(checks, statecheck.ExpectKnownValue(progress, tfjsonpath.New("steps").AtSliceIndex(4), knownvalue.ObjectPartial(map[string]knownvalue.Check{
		"step": knownvalue.StringExact("DEPLOY_SOROBAN_CONTRACT"), "status": knownvalue.StringExact("COMPLETED"),
		"result": knownvalue.StringFunc(func(result string) error {
			if id := w.registry.Named("St. Mary's Clinic").ContractID; !strings.Contains(result, id) {
				return fmt.Errorf("%s has no contract %s", result, id)
			}
			return nil
		}),
	})))
}

// TestAccData: the data sources read what the resources have, and a tenant that is not
// there is an error.
func TestAccData(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := framework(t, m)
		w.test(
			w.refused(`data "healthcare_tenant" "x" { name = "No Such Clinic" }`, "there is no tenant named No Such Clinic"),
			w.refused(`data "healthcare_tenant_provisioning_status" "x" { tenant_id = "01a2032d-a32c-7643-bc92-bd01bfc32875" }`,
				"there is no tenant 01a2032d-a32c-7643-bc92-bd01bfc32875"),
			applied(withData, w.dataChecks()...),
		)
	})
}

func TestAccData_Rules(t *testing.T) {
	w := framework(t, databaseMode)
	w.test(
		w.refused(`data "healthcare_tenant" "x" { id = "what" }`, "The id is not a UUID; give the tenant's id"),
		w.refused(`data "healthcare_tenant" "x" {}`, "Exactly one of these attributes must be configured: [id,name,external_id]"),
		w.refused(`data "healthcare_tenant" "x" {
  name        = "A name"
  external_id = "and a key"
}`, "Exactly one of these attributes must be configured"),
		w.refused(`data "healthcare_tenants" "x" { status = "LOST" }`,
			`value must be one of: ["PENDING" "PROVISIONING" "ACTIVE" "SUSPENDED" "FAILED" "ARCHIVED"]`),
		w.refused(`data "healthcare_tenants" "x" { created_after = "yesterday" }`, `The created_after is "yesterday", which is no time; give it as 2026-01-31T00:00:00Z`),
		w.refused(`data "healthcare_tenants" "x" { limit = 0 }`, "value must be at least 1"),
	)
}

func TestAccFunctions(t *testing.T) {
	w := framework(t, databaseMode)
	call := func(call, words string) resource.TestStep {
		return w.refused(`output "x" { value = provider::healthcare::`+call+` }`, words)
	}
	secret := w.refused(`variable "seed" { sensitive = true }
output "x" {
  sensitive = true
  value     = provider::healthcare::contract_id("testnet", var.seed, "01a2032d-a32c-7643-bc92-bd01bfc32875")
}`, "deployer is a secret key")
	secret.ConfigVariables = config.Variables{"seed": config.StringVariable(w.seed)}
	w.test(
		call(`slug("ab")`, "name has 2 characters; at least 3 are needed"),
		call(`contract_id("", "G", "x")`, "network is empty"),
		call(`contract_id("testnt", "G", "x")`, `network is "testnt", which is no network (did you mean "testnet"?)`),
		call(`contract_id("testnet", "GABC", "01a2032d-a32c-7643-bc92-bd01bfc32875")`, "is not an account address"),
		call(`contract_id("testnet", "`+w.deployer()+`", "x")`, "tenant_id is not a UUID"),
		secret,
		applied(clinic+`
locals { deployer = "`+w.deployer()+`" }
output "slug" { value = provider::healthcare::slug(" St. Mary's Clinic ") }
output "contract" {
  value = provider::healthcare::contract_id("Standalone Network ; February 2017", local.deployer, healthcare_tenant.clinic.id) == healthcare_tenant.clinic.soroban_contract_id
}
output "testnet" { value = provider::healthcare::contract_id("testnet", local.deployer, healthcare_tenant.clinic.id) }
`,
			statecheck.ExpectKnownOutputValue("slug", knownvalue.StringExact("st_marys_clinic")),
			statecheck.ExpectKnownOutputValue("contract", knownvalue.Bool(true)),
			statecheck.ExpectKnownOutputValue("testnet", knownvalue.StringRegexp(regexp.MustCompile(`^C.{55}$`)))),
	)
}
