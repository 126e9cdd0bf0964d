package provider_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stellar/go-stellar-sdk/clients/rpcclient"
	rpc "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/strkey"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/contract"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

func TestAccTenant_Lifecycle(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := setup(t, m, clinic)
		w.mustApply()
		s := w.state("healthcare_tenant.clinic")
		w.assertOneTenant()
		w.assertNoChanges()

		id, _ := s["id"].(string)
		schema, _ := s["schema_name"].(string)
		if !strings.HasPrefix(schema, "st_marys_clinic_") || s["welcome_email_status"] != "SENT" || s["deletion_protection"] != false {
			t.Errorf("state %v", s)
		}
		address, _ := s["soroban_contract_id"].(string)
		if hash := w.wasmHash(address); hash != contract.Hash() {
			t.Errorf("the ledger's wasm hash is %x, the committed file's %x", hash, contract.Hash())
		}
		mail := w.mail.Messages()[0]
		if link := "https://app.platform.example/tenant/" + id; !strings.Contains(mail.Text, link+"#invitation=") || !strings.Contains(mail.HTML, link) {
			t.Errorf("mail without its link: %s", mail.Text)
		}

		// In place: name, admin and metadata. The admin user is the same person.
		w.write("main.tf", header+strings.NewReplacer(`"St. Mary's Clinic"`, `"St. Mary's Hospital"`, "ada@st-marys.example", "grace@st-marys.example",
			`"Lovelace"`, "\"Hopper\"\n metadata = { region = \"eu\" }").Replace(clinic))
		w.mustApply()
		w.assertNoChanges()
		after := w.state("healthcare_tenant.clinic")
		if after["id"] != id || after["schema_name"] != schema || after["name"] != "St. Mary's Hospital" {
			t.Errorf("state %v", after)
		}
		if user := w.text(`SELECT email || ' ' || last_name FROM ` + schema + `.users`); user != "grace@st-marys.example Hopper" {
			t.Errorf("user %s", user)
		}

		// Destroy archives: the rows stay, and the name is free again.
		if r := w.run("destroy", "-auto-approve", "-no-color"); r.code != 0 {
			t.Fatalf("destroy: %s", r.out)
		}
		if n := w.count(`SELECT count(*) FROM ` + schema + `.users`); n != 1 || w.text(`SELECT status::text FROM tenants`) != "ARCHIVED" {
			t.Errorf("%d users after destroy", n)
		}
		w.mustApply()
		if again := w.state("healthcare_tenant.clinic"); again["id"] == id || again["schema_name"] == schema {
			t.Error("the archived tenant was continued")
		}
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
		w := setup(t, m, `provider "healthcare" { managed_by = "infrastructure/tenants" }`+clinic)
		w.mustApply()
		id := w.state("healthcare_tenant.clinic")["id"]
		w.run("state", "rm", "healthcare_tenant.clinic")
		w.mustApply()
		if w.state("healthcare_tenant.clinic")["id"] != id {
			t.Error("another tenant")
		}
		w.assertOneTenant()
		w.assertNoChanges()
	})
}

func TestAccTenant_DeletionProtection(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		protected := strings.Replace(clinic, "admin_email ", "deletion_protection = true\n admin_email ", 1)
		w := setup(t, m, protected)
		w.mustApply()
		w.run("plan", "-destroy", "-no-color").wantText(t, "Tenant is protected", "set deletion_protection = false")
		// A manual taint does not show in the plan.
		w.run("taint", "healthcare_tenant.clinic")
		w.apply().wantText(t, "Tenant is protected", "neither archived nor replaced")
		if w.text(`SELECT status::text FROM tenants`) != "ACTIVE" {
			t.Error("a protected tenant was archived")
		}
		w.run("untaint", "healthcare_tenant.clinic")
		protected = strings.Replace(protected, "admin_email ", "external_id = \"crm-1\"\n admin_email ", 1)
		w.write("main.tf", header+protected)
		w.run("plan", "-no-color").wantText(t, "Tenant is protected") // Another external id is another tenant.
		w.write("main.tf", header+strings.Replace(clinic, "admin_email ", "deletion_protection = false\n admin_email ", 1))
		w.mustApply()
		w.write("main.tf", header+strings.Replace(protected, "true", "false", 1))
		w.mustApply()
		w.assertNoChanges()
		w.run("plan", "-replace=healthcare_tenant.clinic", "-no-color").wantText(t, "an external_id stays with the archived tenant, so choose another one")
		if r := w.run("destroy", "-auto-approve", "-no-color"); r.code != 0 {
			t.Errorf("destroy: %s", r.out)
		}
		// An external id stays with the archived tenant.
		w.apply().wantText(t, "a tenant with this external id exists already", "An external_id stays with an archived tenant")
	})
}

func TestAccTenant_UnusualNames(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := setup(t, m, fmt.Sprintf(`
locals {
  names = ["PG Clinic", "3M Health", "O'Brien & Søn — Klinik", "协和医院", "x'); DROP SCHEMA public CASCADE;--", %q, %q, %q, "  Blanks around  "]
}
resource "healthcare_tenant" "t" {
  for_each         = toset(local.names)
  name             = each.value
  admin_email      = "ada@clinic.example"
  admin_first_name = "Ada"
  admin_last_name  = "O'Neil; --"
}
`, strings.Repeat("a", 255), strings.Repeat("a", 254)+"b", strings.Repeat("a", 254)+"-"))
		w.mustApply()
		w.assertNoChanges()
		if n := w.count(`SELECT count(*) FROM tenants WHERE status = 'ACTIVE'`); n != 9 {
			t.Errorf("%d tenants", n)
		}
		if n := w.count(`SELECT count(*) FROM pg_namespace n JOIN tenants t ON n.nspname = t.schema_name`); n != 9 {
			t.Errorf("%d schemas", n)
		}
		if n := w.count(`SELECT count(*) FROM stellar_transactions WHERE purpose = 'UPLOAD'`); n != 1 {
			t.Errorf("%d uploads", n)
		}
		// The same 255 letters are the same name.
		w.write("again.tf", fmt.Sprintf(`
resource "healthcare_tenant" "again" {
  name             = %q
  admin_email      = "ada@clinic.example"
  admin_first_name = "Ada"
  admin_last_name  = "Lovelace"
}
`, strings.Repeat("A", 255)))
		w.apply().wantText(t, "Name is used twice")
	})
}

func TestAccTenant_InvalidInputAtPlan(t *testing.T) {
	w := setup(t, databaseMode, "")
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
			values := map[string]string{"name": "Clinic", "admin_email": "a@b.example", "admin_first_name": "A", "admin_last_name": "B", "external_id": "x", field: value}
			var b strings.Builder
			for name, v := range values {
				fmt.Fprintf(&b, "  %s = \"%s\"\n", name, v)
			}
			w.write("main.tf", header+"resource \"healthcare_tenant\" \"t\" {\n"+b.String()+"}\n")
			r := w.run("validate", "-no-color")
			if r.code == 0 {
				t.Errorf("%s = %q passes", field, value)
			}
			r.wantText(t, message)
		}
	}
	for metadata, message := range map[string]string{
		`{ "" = "x" }`: `metadata has the key "", which is empty`,
		`{ for i in range(65) : tostring(i) => "x" }`: "metadata has 65 keys; at most 64 are possible",
		`{ (format("%064d", 0)) = "x" }`:              "which has 64 characters; at most 63 are possible",
		`{ k = format("%01025d", 0) }`:                `metadata has under key "k" a value that has 1025 characters; at most 1024 are possible`,
	} {
		w.write("main.tf", header+strings.Replace(clinic, "admin_email ", "metadata = "+metadata+"\n admin_email ", 1))
		w.run("validate", "-no-color").wantText(t, message)
	}
	if n := w.count(`SELECT count(*) FROM tenants`); n != 0 {
		t.Errorf("%d tenants", n)
	}
}

func TestAccProvider_Settings(t *testing.T) {
	w := setup(t, databaseMode, clinic)
	w.env = map[string]string{}
	w.run("plan", "-no-color").wantText(t,
		"Invalid provider configuration: database", "DATABASE_URL is not set",
		"Invalid provider configuration: soroban", "SOROBAN_NETWORK is not set", "SOROBAN_CONTRACT_DEPLOYER_SECRET is not set",
		"Invalid provider configuration: mail", "MAIL_HOST is not set")
	// Secrets come from variables: the newest CLI prints the source line of a
	// diagnostic.
	w.env["TF_VAR_url"], w.env["TF_VAR_seed"] = "mysql://u:s3cret@h/d", "not-a-seed"
	w.write("main.tf", header+`
variable "url" {}
variable "seed" {}
provider "healthcare" {
  database = { url = var.url }
  soroban  = { network = "testnet", deployer_secret = var.seed }
  mail     = { host = "smtp.example", from = "nobody" }
}
`+clinic)
	r := w.run("plan", "-no-color")
	r.wantText(t, "DATABASE_URL cannot be read", "SOROBAN_CONTRACT_DEPLOYER_SECRET is not a secret key", "MAIL_FROM is not an address")
	if strings.Contains(r.out, "s3cret") || strings.Contains(r.out, "not-a-seed") {
		t.Errorf("a secret is printed: %s", r.out)
	}
}

func TestAccProvider_AutoMigrateOff(t *testing.T) {
	w := setup(t, databaseMode, `provider "healthcare" { database = { auto_migrate = false } }`+clinic)
	w.env["DATABASE_URL"] = testenv.EmptyDatabase(t)
	w.apply().wantText(t, "the registry is at version 0 and this program needs", "let auto_migrate do so", "Nothing was changed")
}

func TestAccProvider_UnknownSettingsAreDeferred(t *testing.T) {
	w := setup(t, databaseMode, "")
	url := w.env["DATABASE_URL"]
	// A default in place of the unknown value would be this database, which does not exist.
	w.env["DATABASE_URL"] = "postgres://nobody@127.0.0.1:1/wrong"
	w.write("main.tf", header+`
variable "url" { sensitive = true }
resource "terraform_data" "database" { input = var.url }
provider "healthcare" { database = { url = terraform_data.database.output } }
`+clinic)
	w.env["TF_VAR_url"] = url
	w.mustApply()
	w.assertOneTenant()
	w.assertNoChanges()
	// The database will be replaced, so only the state is known.
	r := w.run("plan", "-no-color", "-replace=terraform_data.database")
	if r.code != 0 {
		t.Errorf("plan: %s", r.out)
	}
	r.wantText(t, "1 to add, 0 to change, 1 to destroy")
}
