package provider_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/config"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/stellar/go-stellar-sdk/clients/rpcclient"
	rpc "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/strkey"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/contract"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

func TestAccTenant_Lifecycle(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := framework(t, m)
		var first map[string]any
		changed := strings.NewReplacer(`"St. Mary's Clinic"`, `"St. Mary's Hospital"`, "ada@st-marys.example", "grace@st-marys.example",
			`"Lovelace"`, "\"Hopper\"\n metadata = { region = \"eu\" }").Replace(clinic)
		w.test(
			applied(clinic, wantValues(clinicAddress, map[string]knownvalue.Check{
				"status": knownvalue.StringExact("ACTIVE"), "welcome_email_status": knownvalue.StringExact("SENT"), "deletion_protection": knownvalue.Bool(false),
				"schema_name": knownvalue.StringRegexp(regexp.MustCompile(`^st_marys_clinic_\d+$`)),
			})...),
			between(func() {
				first = w.stored()
				w.assertStoredTenant()
				if hash := w.wasmHash(fmt.Sprint(first["soroban_contract_id"])); hash != contract.Hash() {
					t.Errorf("the ledger's wasm hash is %x, the committed file's %x", hash, contract.Hash())
				}
				mail := w.mail.Messages()[0]
				if link := fmt.Sprintf("https://app.platform.example/tenant/%s", first["id"]); !strings.Contains(mail.Text, link) || !strings.Contains(mail.HTML, "https://app.platform.example/invitation#invitation=") {
					t.Errorf("mail without its link: %s", mail.Text)
				}
			}),
			// In place: name, admin and metadata. The admin user is the same person.
			planned(changed, plancheck.ExpectResourceAction(clinicAddress, plancheck.ResourceActionUpdate)),
			between(func() {
				now, schema := w.stored(), fmt.Sprint(first["schema_name"])
				if now["id"] != first["id"] || now["schema_name"] != schema || now["name"] != "St. Mary's Hospital" {
					t.Errorf("state %v", now)
				}
				mails := w.mail.Messages()
				if last := mails[len(mails)-1]; len(mails) != 2 || last.To[0] != "grace@st-marys.example" || now["welcome_email_status"] != "SENT" || w.registry.Invitations() != 1 {
					t.Errorf("%d mails, the last to %v; %v, %d open invitations", len(mails), last.To, now["welcome_email_status"], w.registry.Invitations())
				}
				if user := w.text(`SELECT email || ' ' || last_name FROM ` + schema + `.users`); user != "grace@st-marys.example Hopper" {
					t.Errorf("user %s", user)
				}
			}),
			// Destroy archives: the rows stay, and the name is free again.
			resource.TestStep{Config: header + changed, Destroy: true},
			after(func() {
				if n := w.count(fmt.Sprintf(`SELECT count(*) FROM %s.users`, first["schema_name"])); n != 1 || w.registry.Tenant().Status != "ARCHIVED" {
					t.Errorf("%d users after destroy", n)
				}
			}, applied(changed)),
			between(func() {
				if again := w.stored(); again["id"] == first["id"] || again["schema_name"] == first["schema_name"] {
					t.Error("the archived tenant was continued")
				}
			}),
		)
	})
}

// wasmHash reads a contract's code hash with a plain getLedgerEntries call.
func (w *testEnv) wasmHash(contractID string) [32]byte {
	w.t.Helper()
	raw, err := strkey.Decode(strkey.VersionByteContract, contractID)
	if err != nil {
		w.t.Fatal(err)
	}
	id := xdr.ContractId(raw)
	key := xdr.LedgerKey{Type: xdr.LedgerEntryTypeContractData, ContractData: &xdr.LedgerKeyContractData{
		Contract: xdr.ScAddress{Type: xdr.ScAddressTypeScAddressTypeContract, ContractId: &id},
		Key:      xdr.ScVal{Type: xdr.ScValTypeScvLedgerKeyContractInstance}, Durability: xdr.ContractDataDurabilityPersistent,
	}}
	encoded, err := xdr.MarshalBase64(key)
	if err != nil {
		w.t.Fatal(err)
	}
	client := rpcclient.NewClient(w.net.RPCURL(), nil)
	got, err := client.GetLedgerEntries(w.t.Context(), rpc.GetLedgerEntriesRequest{Keys: []string{encoded}})
	if err != nil || len(got.Entries) != 1 {
		w.t.Fatalf("%d entries, %v", len(got.Entries), err)
	}
	var data xdr.LedgerEntryData
	if err := xdr.SafeUnmarshalBase64(got.Entries[0].DataXDR, &data); err != nil {
		w.t.Fatal(err)
	}
	return [32]byte(*data.ContractData.Val.Instance.Executable.WasmHash)
}

func TestAccTenant_ManagedByAdoptsAfterLostState(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := framework(t, m)
		managed := `provider "healthcare" { managed_by = "infrastructure/tenants" }` + clinic
		var id any
		w.test(
			applied(managed),
			after(func() {
				id = w.stored()["id"]
				w.forget("clinic")
			}, planned(managed, plancheck.ExpectResourceAction(clinicAddress, plancheck.ResourceActionCreate))),
			between(func() {
				w.assertStoredTenant()
				if w.stored()["id"] != id {
					t.Error("another tenant")
				}
			}),
		)
	})
}

func TestAccTenant_DeletionProtection(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := framework(t, m)
		const protected, unprotected, external = "  deletion_protection = true\n", "  deletion_protection = false\n", "  external_id = \"crm-1\"\n"
		taint := func(step resource.TestStep) resource.TestStep {
			step.Taint = []string{clinicAddress}
			return step
		}
		destroy := func(step resource.TestStep) resource.TestStep {
			step.Destroy = true
			return step
		}
		w.test(
			applied(clinicWith(protected)),
			destroy(w.refused(clinicWith(protected), "Tenant is protected", "set deletion_protection = false")),
			// The provider does not see a taint when it plans.
			taint(w.refusedAtApply(clinicWith(protected), "Tenant is protected", "neither archived nor replaced")),
			between(func() {
				if w.registry.Tenant().Status != "ACTIVE" {
					t.Error("a protected tenant was archived")
				}
				w.untaint()
			}),
			w.refused(clinicWith(protected+external), "Tenant is protected"), // Another external id is another tenant.
			applied(clinicWith(unprotected)),
			applied(clinicWith(unprotected+external)),
			taint(w.refusedAtApply(clinicWith(unprotected+external), "an external_id stays with the archived tenant, so choose another one")),
			between(w.untaint),
			destroy(resource.TestStep{Config: header + clinicWith(unprotected+external)}),
			w.refusedAtApply(clinicWith(unprotected+external), "a tenant with this external id exists already", "To bring that tenant back with its data, set unarchive_existing = true"),
		)
	})
}

func TestAccTenant_UnusualNames(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := framework(t, m)
		names := fmt.Sprintf(`
locals {
  names = ["PG Clinic", "3M Health", "O'Brien & Søn — Klinik", "协和医院", "x'); DROP SCHEMA public CASCADE;--", %q, %q, %q, "  Blanks around  "]
}
resource "healthcare_tenant" "t" {
  count            = length(local.names)
  name             = local.names[count.index]
  admin_email      = "ada@clinic.example"
  admin_first_name = "Ada"
  admin_last_name  = "O'Neil; --"
}
`, strings.Repeat("a", 255), strings.Repeat("a", 254)+"b", strings.Repeat("a", 254)+"-")
		again := fmt.Sprintf(`
resource "healthcare_tenant" "again" {
  name             = %q
  admin_email      = "ada@clinic.example"
  admin_first_name = "Ada"
  admin_last_name  = "Lovelace"
  depends_on       = [healthcare_tenant.t] # Planned first, it would find the live tenant, which is a second error.
}
`, strings.Repeat("A", 255))
		w.test(
			applied(names),
			between(func() {
				if live, schemas := w.registry.Count(tenant.StatusActive), w.registry.Schemas(); live != 9 || schemas != 9 {
					t.Errorf("%d live tenants, %d schemas", live, schemas)
				}
				if n := w.registry.Transactions(txlog.PurposeUpload, ""); n != 1 {
					t.Errorf("%d uploads", n)
				}
			}),
			w.refusedAtApply(names+again, "a tenant with this name exists already"), // The same 255 letters are the same name.
		)
	})
}

// TestAccTenant_InvalidInputAtPlan: each invalid value is reported, all in one plan.
func TestAccTenant_InvalidInputAtPlan(t *testing.T) {
	w := framework(t, databaseMode)
	var configuration strings.Builder
	var messages []string
	add := func(lines, message string) {
		fmt.Fprintf(&configuration, "resource \"healthcare_tenant\" \"t%d\" {\n%s}\n", len(messages), lines)
		messages = append(messages, message)
	}
	for field, cases := range map[string]map[string]string{
		"name": {
			``: "name is empty; give 3 to 255 characters", `ab`: "name has 2 characters; at least 3 are needed",
			strings.Repeat("a", 256): "name has 256 characters; at most 255 are possible", `---`: "name has no letter or digit",
			`a\nbc`: "name has a control character (U+000A) at byte 1; remove it",
		},
		"admin_email": {
			`nobody`: "admin_email needs exactly one @", `\"a\"@b.example`: "admin_email has a quoted part",
			`a@b.example\nBcc: x`: "admin_email has white space, a line break or a control character",
			`.a@b.example`:        "admin_email has a dot at the start, the end or beside another dot before the @",
			`a@b`:                 "admin_email needs a full domain after the @",
			strings.Repeat("a", 60) + "@" + strings.Repeat(strings.Repeat("b", 60)+".", 4) + "example": "admin_email has 312 bytes; at most 254 are possible",
		},
		"admin_first_name": {``: "admin_first_name is empty", strings.Repeat("a", 256): "admin_first_name has 256 characters; at most 255 are possible"},
		"admin_last_name":  {`a\tb`: "admin_last_name has a control character"},
		"external_id": {
			` x`: "external_id starts or ends with white space", ``: "external_id is empty",
			strings.Repeat("a", 256): "external_id has 256 characters; at most 255 are possible",
		},
	} {
		for value, message := range cases {
			values := map[string]string{
				"name": fmt.Sprintf("Clinic %d", len(messages)), "admin_email": "a@b.example", "admin_first_name": "A", "admin_last_name": "B", "external_id": fmt.Sprint(len(messages)), field: value,
			}
			var lines strings.Builder
			for name, v := range values {
				fmt.Fprintf(&lines, "  %s = \"%s\"\n", name, v)
			}
			add(lines.String(), message)
		}
	}
	for metadata, message := range map[string]string{
		`{ "" = "x" }`: `metadata has the key "", which is empty`,
		`{ for i in range(65) : tostring(i) => "x" }`: "metadata has 65 keys; at most 64 are possible",
		`{ (format("%064d", 0)) = "x" }`:              "which has 64 characters; at most 63 are possible",
		`{ k = format("%01025d", 0) }`:                `metadata has under key "k" a value that has 1025 characters; at most 1024 are possible`,
	} {
		add(fmt.Sprintf("  name = \"Clinic %d\"\n  admin_email = \"a@b.example\"\n  admin_first_name = \"A\"\n  admin_last_name = \"B\"\n  metadata = %s\n", len(messages), metadata), message)
	}
	w.test(w.refusedTimes(len(messages), configuration.String(), messages...))
	if n := w.registry.Count(); n != 0 {
		t.Errorf("%d tenants", n)
	}
}

func TestAccProvider_Settings(t *testing.T) {
	w := framework(t, databaseMode)
	w.env = map[string]string{}
	// Secrets come from variables: the newest CLI prints the source line of a diagnostic.
	w.secrets = []string{"s3cret", "not-a-seed"}
	wrong := w.refusedTimes(3, `
variable "url" {}
variable "seed" {}
provider "healthcare" {
  database = { url = var.url }
  soroban  = { network = "testnet", deployer_secret = var.seed }
  mail     = { host = "smtp.example", from = "nobody" }
  app_url  = "https://app.example"
}
`+clinic, "DATABASE_URL cannot be read", "SOROBAN_CONTRACT_DEPLOYER_SECRET is not a secret key", "MAIL_FROM is not an address")
	wrong.ConfigVariables = config.Variables{"url": config.StringVariable("mysql://u:s3cret@h/d"), "seed": config.StringVariable("not-a-seed")}
	w.test(
		w.refusedTimes(3, "provider \"healthcare\" {}\n"+clinic,
			"Invalid provider configuration: database", "DATABASE_URL is not set",
			"Invalid provider configuration: soroban", "SOROBAN_NETWORK is not set", "SOROBAN_CONTRACT_DEPLOYER_SECRET is not set",
			"Invalid provider configuration: mail", "MAIL_HOST is not set"),
		w.refusedTimes(2, `provider "healthcare" {
  database = { url = "postgres://h/d" }
  soroban  = { network = "testnet", network_passphrase = "Ours", deployer_secret = "G" }
  mail     = { host = "smtp.example", from = "a@b.example" }
}
`+clinic, `SOROBAN_NETWORK_PASSPHRASE is "Ours", but SOROBAN_NETWORK is testnet`, "(also as soroban.network_passphrase)",
			`APP_URL is not set, but MAIL_HOST is "smtp.example"`, "(also as app_url)"),
		wrong,
	)
}

// TestAccProvider_OpaqueSchemaNames: with that setting, no name in the catalogs, which every
// login of the server reads, shows the name of the tenant.
func TestAccProvider_OpaqueSchemaNames(t *testing.T) {
	w := framework(t, databaseMode)
	w.test(
		applied("provider \"healthcare\" {\n  database = { schema_names = \"opaque\" }\n}\n"+clinic, wantAttribute("database_state", "IN_SYNC")),
		between(func() {
			schema := fmt.Sprint(w.stored()["schema_name"])
			if !regexp.MustCompile(`^t_[a-z2-7]{26}$`).MatchString(schema) {
				t.Errorf("the schema is %q", schema)
			}
			if role := fmt.Sprint(w.stored()["database_role"]); !strings.HasPrefix(role, schema+"_") {
				t.Errorf("the role is %q", role)
			}
		}),
	)
}

func TestAccProvider_AutoMigrateOff(t *testing.T) {
	w := framework(t, databaseMode)
	w.env["DATABASE_URL"] = testenv.EmptyDatabase(t)
	w.test(w.refusedAtApply(`provider "healthcare" { database = { auto_migrate = false } }`+clinic,
		"the registry is at version 0 and this program needs", "let auto_migrate do so", "Nothing was changed"))
}

// TestAccProvider_UnknownSettings: a setting that is unknown in the plan is never replaced
// by its default.
func TestAccProvider_UnknownSettings(t *testing.T) {
	w := framework(t, databaseMode)
	variables := config.Variables{"url": config.StringVariable(w.env["DATABASE_URL"])}
	// A default in place of the unknown value would be this database, which does not exist.
	w.env["DATABASE_URL"] = "postgres://nobody@127.0.0.1:1/wrong"
	step := planned(`
variable "url" { sensitive = true }
resource "terraform_data" "database" { input = var.url }
provider "healthcare" { database = { url = terraform_data.database.output } }
`+clinic, plancheck.ExpectResourceAction(clinicAddress, plancheck.ResourceActionCreate))
	step.ConfigVariables = variables
	// While the database is replaced its address is unknown, so the provider plans from the
	// state alone.
	replaced := step
	replaced.ConfigPlanChecks = resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
		plancheck.ExpectResourceAction("terraform_data.database", plancheck.ResourceActionDestroyBeforeCreate),
		plancheck.ExpectResourceAction(clinicAddress, plancheck.ResourceActionNoop),
	}}
	replaced.Taint = []string{"terraform_data.database"}
	w.test(step, between(w.assertStoredTenant), replaced, between(w.assertStoredTenant))
}
