package blueprint_test

import (
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
)

// TestParse_Clinic reads the example of the specification, with files of each kind.
func TestParse_Clinic(t *testing.T) {
	t.Parallel()
	b, err := blueprint.Parse(os.DirFS("testdata/clinic"))
	if err != nil {
		t.Fatal(err)
	}
	region := "eu"
	webhook := blueprint.Endpoint{URL: "https://directory.example/tenants", Secret: "BLUEPRINT_SECRET_DIRECTORY", Timeout: 30 * time.Second, Deadline: 15 * time.Minute}
	undo := webhook
	undo.URL += "/undo"
	want := blueprint.Blueprint{
		Name: "clinic", Extends: blueprint.BaseStandard, Contract: blueprint.ContractStandard,
		Roles:      []blueprint.Role{{Name: "admin", Description: "Manages the organisation"}, {Name: "physician", Description: "Treats patients"}},
		Variables:  []blueprint.Variable{{Name: "region", Default: &region, Pattern: "^(eu|us)$", Description: "Where records may lie"}},
		Privileges: blueprint.Privileges{AppendOnly: []string{"audit_logs", "dispensations"}, ReadOnly: []string{"icd10"}},
		Grants:     []blueprint.Grant{{Role: "clinic_app", Read: blueprint.Tables{All: true}, Write: blueprint.Tables{Names: []string{"patients", "appointments"}}}},
		Ignore:     []string{"stats_*"},
		Mail:       blueprint.Mail{ProductName: "Clinic Cloud", Support: "help@clinic.example", Locale: "en"},
		Steps: []blueprint.Step{{
			Name: "REGISTER_IN_DIRECTORY", After: "STORE_CONTRACT_ADDRESS", Webhook: webhook, Undo: &undo, Database: blueprint.StepDatabaseTenant,
		}},
		Mails: []blueprint.MailFile{
			{File: "mail/logo.png"}, {File: "mail/welcome.de-AT.html"}, {File: "mail/welcome.de-AT.txt"}, {File: "mail/welcome.html"}, {File: "mail/welcome.txt"},
		},
	}
	for i := range b.Mails {
		if len(b.Mails[i].Content) == 0 {
			t.Errorf("%s is empty", b.Mails[i].File)
		}
		b.Mails[i].Content = nil
	}
	migrations, samples := b.Migrations, b.Samples
	b.Migrations, b.Samples, b.SHA256 = nil, nil, ""
	if !reflect.DeepEqual(b, want) {
		t.Errorf("got  %+v\nwant %+v", b, want)
	}
	if len(migrations) != 3 || len(samples) != 1 {
		t.Fatalf("%d migrations, %d samples", len(migrations), len(samples))
	}
	first, second, third := migrations[0], migrations[1], migrations[2]
	if first.Version != 1 || first.File != "migrations/0001_patients.sql" || len(first.Up) != 5 || first.Seed != 4 || first.NoTransaction || first.Allow != nil {
		t.Errorf("the first migration is %+v", first)
	}
	if s := second.Up[0]; !second.NoTransaction || second.Seed != -1 || s.Line != 3 || s.Command != "CREATE INDEX" || s.WithoutConcurrently() != "CREATE INDEX patients_name ON patients (lower(name))" {
		t.Errorf("the second migration is %+v", second)
	}
	if !reflect.DeepEqual(third.Allow, []blueprint.Class{blueprint.ClassLocks, blueprint.ClassScans}) {
		t.Errorf("the third migration permits %q", third.Allow)
	}
	if s := samples[0]; s.Version != 2 || s.File != "samples/0002_patients.sql" || len(s.Statements) != 1 || s.Statements[0].Command != "INSERT" {
		t.Errorf("the sample is %+v", s)
	}
}

func TestStandard(t *testing.T) {
	t.Parallel()
	b := blueprint.Standard()
	if b.Name != blueprint.StandardName || b.SchemaVersion() != 1 || len(b.SHA256) != 64 || !reflect.DeepEqual(b.Roles, blueprint.DefaultRoles()) {
		t.Errorf("the standard blueprint is %+v", b)
	}
	if layers := b.Layers(); len(layers) != 1 {
		t.Errorf("it has %d layers", len(layers))
	}
	m := b.Migrations[0]
	if next := m.Up[m.Seed]; next.Command != "ALTER TABLE" {
		t.Errorf("behind the seed rows comes %q", next.SQL)
	}
}

// TestParse_Defaults has a file of three lines.
func TestParse_Defaults(t *testing.T) {
	t.Parallel()
	b, err := blueprint.Parse(folder(nil))
	if err != nil {
		t.Fatal(err)
	}
	want := blueprint.Blueprint{
		Name: "clinic", Extends: blueprint.BaseStandard, Roles: blueprint.DefaultRoles(), Contract: blueprint.ContractStandard,
		Mail: blueprint.Mail{Locale: "en"}, SHA256: b.SHA256,
	}
	if !reflect.DeepEqual(b, want) || b.SchemaVersion() != 0 {
		t.Errorf("got  %+v\nwant %+v", b, want)
	}
	if layers := b.Layers(); len(layers) != 2 || layers[0].Name != blueprint.StandardName || layers[1].Name != "clinic" {
		t.Errorf("its layers are %+v", layers)
	}
	marked, err := blueprint.Parse(folder(map[string]string{"blueprint.yaml": "\ufeff" + head}))
	if err != nil || marked.Name != "clinic" {
		t.Errorf("with a byte order mark: %+v, %v", marked, err)
	}
	none, err := blueprint.Parse(folder(map[string]string{"blueprint.yaml": head + "extends: none\ncontract: none\n"}))
	if err != nil || none.Extends != blueprint.BaseNone || none.Contract != blueprint.ContractNone || none.Roles != nil || len(none.Layers()) != 1 {
		t.Errorf("without a base: %+v, %v", none, err)
	}
}

// TestParse_StepDefaults: what undo leaves out is as in the webhook.
func TestParse_StepDefaults(t *testing.T) {
	t.Parallel()
	const own = `    undo: {url: "http://b.example", secret: BLUEPRINT_SECRET_B, timeout: 2m, deadline: 24h}
`
	for undo, want := range map[string]*blueprint.Endpoint{
		"": nil,
		"    undo: {url: \"http://b.example\"}\n": {URL: "http://b.example", Secret: "BLUEPRINT_SECRET_A", Timeout: time.Second, Deadline: time.Minute},
		own: {URL: "http://b.example", Secret: "BLUEPRINT_SECRET_B", Timeout: 2 * time.Minute, Deadline: 24 * time.Hour},
	} {
		b, err := blueprint.Parse(folder(map[string]string{"blueprint.yaml": head + `steps:
  - name: ABC
    after: SEED_ROLES_AND_USER
    webhook: {url: "https://a.example", secret: BLUEPRINT_SECRET_A, timeout: 1s, deadline: 60s}
` + undo}))
		if err != nil {
			t.Fatal(err)
		}
		if s := b.Steps[0]; !reflect.DeepEqual(s.Undo, want) || s.Database != blueprint.StepDatabaseNone || s.After != "SEED_ROLES_AND_USER" {
			t.Errorf("the step is %+v, undo %+v, want %+v", s, s.Undo, want)
		}
	}
	b, err := blueprint.Parse(folder(map[string]string{"blueprint.yaml": head + "steps: [{name: ABC, after: SEED_ROLES_AND_USER, webhook: {url: 'http://a.example', secret: BLUEPRINT_SECRET_A}}]"}))
	if err != nil || b.Steps[0].Webhook.Timeout != 30*time.Second || b.Steps[0].Webhook.Deadline != 15*time.Minute {
		t.Errorf("steps %+v, %v", b.Steps, err)
	}
}

func TestBlueprint_TenantPrivileges(t *testing.T) {
	t.Parallel()
	for yaml, want := range map[string]blueprint.Privileges{
		head: {AppendOnly: []string{"audit_logs"}, Private: []string{"audit_head"}},
		head + "privileges: {append_only: [a, audit_logs], read_only: [b]}\n": {AppendOnly: []string{"a", "audit_logs"}, ReadOnly: []string{"b"}, Private: []string{"audit_head"}},
		head + "privileges: {read_only: [audit_logs]}\n":                      {ReadOnly: []string{"audit_logs"}, Private: []string{"audit_head"}},
		head + "extends: none\nprivileges: {append_only: [a]}\n":              {AppendOnly: []string{"a"}},
	} {
		b, err := blueprint.Parse(folder(map[string]string{"blueprint.yaml": yaml}))
		if err != nil {
			t.Fatal(err)
		}
		if got := b.TenantPrivileges(); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %+v, want %+v", yaml, got, want)
		}
	}
	if got, want := blueprint.Standard().TenantPrivileges(), (blueprint.Privileges{AppendOnly: []string{"audit_logs"}, Private: []string{"audit_head"}}); !reflect.DeepEqual(got, want) {
		t.Errorf("standard: got %+v, want %+v", got, want)
	}
}
