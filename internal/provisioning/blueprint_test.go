package provisioning_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// TestService_Provision_PlatformWithItsOwnUsers: a blueprint that extends none and has no
// contract makes a live tenant without the standard tables, without an invitation and without a
// contract.
func TestService_Provision_PlatformWithItsOwnUsers(t *testing.T) {
	w := newWorld(t)
	_, err := w.db.Blueprints.Publish(t.Context(), fstest.MapFS{
		"blueprint.yaml": {Data: []byte("apiVersion: healthcare-platform/v1\nkind: Blueprint\nname: lab\nextends: none\ncontract: none\nvariables:\n  region: {default: eu, pattern: \"^(eu|us)$\"}\n")},
		"migrations/0001_lab.sql": {Data: []byte("-- +goose Up\nCREATE TABLE users (id bigserial PRIMARY KEY, login text NOT NULL);\n" +
			"CREATE TABLE settings (region text NOT NULL);\nINSERT INTO settings VALUES (current_setting('tenant.variables.region'));\n")},
	}, true)
	if err != nil {
		t.Fatal(err)
	}
	s := w.process().service(provisioning.PipelineOptions{})
	in := clinic()
	in.Blueprint, in.Variables = "lab", map[string]string{"region": "us"}
	out, err := s.Provision(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	made := out.Tenant
	if made.Status != tenant.StatusActive || made.ContractID != "" || !made.WithoutContract || !made.WithoutUsers || made.SchemaVersion != 1 || made.BlueprintRevision != 1 {
		t.Errorf("%+v", made)
	}
	if n := w.count(`SELECT count(*) FROM ` + made.SchemaName + `.settings WHERE region = 'us'`); n != 1 {
		t.Errorf("%d rows have the tenant's region", n)
	}
	if n := w.registry.Invitations(); n != 0 {
		t.Errorf("%d invitations", n)
	}
	statuses := map[tenant.Step]tenant.StepStatus{}
	log, err := w.db.Log(t.Context(), made.ID, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range log {
		statuses[e.Step] = e.Status
	}
	for step, want := range map[tenant.Step]tenant.StepStatus{
		tenant.StepRunMigrations: tenant.StepCompleted, tenant.StepSeedRolesAndUser: tenant.StepSkipped, tenant.StepDeploySorobanContract: tenant.StepSkipped,
		tenant.StepStoreContractAddress: tenant.StepSkipped, tenant.StepSendWelcomeEmail: tenant.StepCompleted,
	} {
		if statuses[step] != want {
			t.Errorf("%s is %s, want %s", step, statuses[step], want)
		}
	}
	// An update reaches no table users, and another welcome mail needs no invitation.
	in.AdminFirstName = "Grace"
	if _, err := s.Update(t.Context(), made.ID, in, 0); err != nil {
		t.Error(err)
	}
	if again, err := s.Invite(t.Context(), made.ID); err != nil || len(again.Warnings) > 0 {
		t.Errorf("%+v, %v", again, err)
	}
	in.AdminPassword = "correct horse battery"
	if _, err := s.Update(t.Context(), made.ID, in, 0); errs.KindOf(err) != errs.KindInvalid || !strings.Contains(err.Error(), "adminPassword") {
		t.Errorf("a password without users: %v", err)
	}
	in.Name, in.ExternalID = "Second", ""
	if _, err := s.Provision(t.Context(), in); errs.KindOf(err) != errs.KindInvalid || !strings.Contains(err.Error(), "adminPassword") {
		t.Errorf("a password without users: %v", err)
	}
}

// TestService_BlueprintRules: what the inputs say of the blueprint is checked before anything is
// recorded.
func TestService_BlueprintRules(t *testing.T) {
	w := newWorld(t)
	publish := func(text string) {
		t.Helper()
		files := fstest.MapFS{"blueprint.yaml": {Data: []byte("apiVersion: healthcare-platform/v1\nkind: Blueprint\nname: clinic\nvariables:\n  region: {pattern: \"^(eu|us)$\"}\n" + text)},
			"migrations/0001_x.sql": {Data: []byte("-- +goose Up\nCREATE TABLE x (id int);\n")}}
		if _, err := w.db.Blueprints.Publish(t.Context(), files, true); err != nil {
			t.Fatal(err)
		}
	}
	publish("")
	s := w.process().service(provisioning.PipelineOptions{})
	for name, c := range map[string]struct {
		blueprint string
		variables map[string]string
		want      string
	}{
		"Unknown":         {"clinik", nil, `"clinik" is not published in this registry`},
		"Missing":         {"clinic", nil, `variables.region has no value`},
		"Pattern":         {"clinic", map[string]string{"region": "it's"}, "does not match"},
		"NewLine":         {"clinic", map[string]string{"region": "eu\nus"}, "does not match"},
		"Long":            {"clinic", map[string]string{"region": strings.Repeat("x", 20_000)}, "has under key \"region\" a value of 20000 bytes"},
		"UnknownVariable": {"clinic", map[string]string{"region": "eu", "reg": "x"}, `variables.reg is no variable of the blueprint "clinic"`},
		"OfStandard":      {"", map[string]string{"region": "eu"}, `variables.region is no variable of the blueprint "standard"`},
		"Name":            {"Clinic!", nil, `is "Clinic!"; write lower-case letters`},
	} {
		in := clinic()
		in.Blueprint, in.Variables = c.blueprint, c.variables
		_, err := s.Provision(t.Context(), in)
		if errs.KindOf(err) != errs.KindInvalid || !strings.Contains(errs.SafeMessage(err), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := w.registry.Count(); n != 0 {
		t.Errorf("%d tenants were recorded", n)
	}
	in := clinic()
	in.Blueprint, in.Variables = "clinic", map[string]string{"region": "eu"}
	out, err := s.Provision(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	in.Blueprint, in.Variables = "standard", nil
	if _, err := s.Update(t.Context(), out.Tenant.ID, in, 0); errs.KindOf(err) != errs.KindConflict || !strings.Contains(errs.SafeMessage(err), `blueprint is "standard", and tenant Clinic (`+out.Tenant.ID.String()+`) was made from "clinic"`) {
		t.Errorf("another blueprint: %v", err)
	}
	in.Blueprint, in.Variables = "clinic", map[string]string{"region": "us"}
	if changed, err := s.Update(t.Context(), out.Tenant.ID, in, 0); err != nil || changed.Variables["region"] != "us" {
		t.Errorf("%+v, %v", changed.Variables, err)
	}
	if err := w.db.Blueprints.Retire(t.Context(), "clinic"); err != nil {
		t.Fatal(err)
	}
	in.Name, in.ExternalID = "Another", ""
	if _, err := s.Provision(t.Context(), in); errs.KindOf(err) != errs.KindInvalid || !strings.Contains(errs.SafeMessage(err), `"clinic" is retired`) {
		t.Errorf("a retired blueprint: %v", err)
	}
}

// TestService_DefaultBlueprint: tenants whose inputs name no blueprint get the configured one, and
// errors about it say where it comes from.
func TestService_DefaultBlueprint(t *testing.T) {
	w := newWorld(t)
	s := w.process().service(provisioning.PipelineOptions{DefaultBlueprint: "clinic"})
	in := clinic()
	in.ManagedBy = "tests"
	_, err := s.Provision(t.Context(), in)
	if want := `blueprint "clinic" is not published in this registry; publish it, or correct the name; the request names none, so it is that of DEFAULT_BLUEPRINT`; errs.KindOf(err) != errs.KindInvalid || errs.SafeMessage(err) != want {
		t.Errorf("%v, want %s", err, want)
	}
	if _, err := s.Submit(t.Context(), in, nil); errs.KindOf(err) != errs.KindInvalid || !strings.Contains(errs.SafeMessage(err), "DEFAULT_BLUEPRINT") {
		t.Errorf("queued: %v", err)
	}
	postgrestest.PublishBlueprint(t, w.db, postgrestest.ClinicBlueprint())
	if _, err := s.Provision(t.Context(), in); errs.SafeMessage(err) != "variables.region has no value; give one (Where records may lie)" {
		t.Errorf("without its variable: %v", err)
	}
	in.Variables = map[string]string{"region": "eu"}
	out, err := s.Provision(t.Context(), in)
	if err != nil || out.Tenant.Blueprint != "clinic" {
		t.Fatalf("%+v, %v", out, err)
	}
	if again, err := s.Provision(t.Context(), in); err != nil || !again.Adopted {
		t.Errorf("the same inputs: %+v, %v", again, err)
	}
	standard := clinic()
	standard.Name, standard.Blueprint = "Standard", "standard"
	if out, err := s.Provision(t.Context(), standard); err != nil || out.Tenant.Blueprint != "standard" {
		t.Errorf("%+v, %v", out, err)
	}
}
