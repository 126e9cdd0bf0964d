package apiclient_test

import (
	"context"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// clinicInputs are of a tenant that is made from postgrestest.ClinicBlueprint.
func clinicInputs() tenant.Inputs {
	in := clinic()
	in.Blueprint, in.Variables = "clinic", map[string]string{"region": "eu"}
	return in
}

// wantField checks that an error is about one field only, and the beginning of its message.
func wantField(t *testing.T, err error, kind errs.Kind, field, message string) {
	t.Helper()
	wantKind(t, err, kind)
	if fields := errs.FieldsOf(err); len(fields) != 1 || fields[0].Field != field || !strings.HasPrefix(fields[0].Message, message) {
		t.Errorf("%+v, want %s %s", fields, field, message)
	}
}

// settingsOf reads the row that the blueprint clinic has made from the tenant's variables.
func settingsOf(t *testing.T, w *testServer, of tenant.Tenant) (region, plan string) {
	t.Helper()
	row := w.db.Pool().QueryRow(t.Context(), `SELECT region, plan FROM `+pgx.Identifier{of.SchemaName, "settings"}.Sanitize())
	if err := row.Scan(&region, &plan); err != nil {
		t.Fatal(err)
	}
	return region, plan
}

// blueprintConformance is the part of the conformance suite about blueprints and variables.
var blueprintConformance = []conformanceCase{
	{"ProvisionsFromBlueprint", func(t *testing.T, w *testServer, all tenantService) {
		postgrestest.PublishBlueprint(t, w.db, postgrestest.ClinicBlueprint())
		out, err := all.Provision(t.Context(), clinicInputs())
		if err != nil {
			t.Fatal(err)
		}
		got := out.Tenant
		if got.Blueprint != "clinic" || got.BlueprintRevision != 1 || got.SchemaVersion != 1 || !maps.Equal(got.Variables, map[string]string{"region": "eu"}) {
			t.Errorf("%+v", got) // The variables are those that were given, without defaults.
		}
		stored, err := w.db.Get(t.Context(), got.ID)
		if err != nil {
			t.Fatal(err)
		}
		assertSameTenant(t, got, stored)
		if region, plan := settingsOf(t, w, got); region != "eu" || plan != "basic" {
			t.Errorf("region %q, plan %q", region, plan)
		}
		again, err := all.Provision(t.Context(), clinicInputs())
		if err != nil || !again.Adopted {
			t.Errorf("the same inputs: %+v, %v", again, err)
		}
	}},
	{"FiltersByBlueprint", func(t *testing.T, w *testServer, all tenantService) {
		postgrestest.PublishBlueprint(t, w.db, postgrestest.ClinicBlueprint())
		standard, of := clinic(), clinicInputs()
		standard.Name, standard.ExternalID = "Standard", "crm-2"
		for _, in := range []tenant.Inputs{standard, of} {
			out, err := all.Provision(t.Context(), in)
			if err == nil && in.Name == standard.Name {
				_, err = all.SetHold(t.Context(), out.Tenant.ID, "Case 17")
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		for name, want := range map[string]string{"clinic": of.Name, "standard": standard.Name, "other": "", "": of.Name + standard.Name} {
			names, total := "", int64(0)
			for q := (tenant.ListQuery{Blueprint: name, Limit: 1}); ; {
				page, err := all.List(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				for _, listed := range page.Tenants {
					names += listed.Name
				}
				if q.After, total = page.Next, page.Total; page.Next == nil {
					break
				}
			}
			if names != want || int(total) != strings.Count(want, "Standard")+strings.Count(want, "Mary") {
				t.Errorf("%q: %s of %d", name, names, total)
			}
		}
		for _, c := range []struct {
			query tenant.ListQuery
			want  int64
		}{
			{tenant.ListQuery{Metadata: standard.Metadata}, 2}, {tenant.ListQuery{Metadata: tenant.MetadataFilter{"region": "none"}}, 0},
			{tenant.ListQuery{ManagedBy: standard.ManagedBy + "x"}, 0}, {tenant.ListQuery{CreatedAfter: time.Now().Add(time.Hour)}, 0},
			{tenant.ListQuery{Held: new(true)}, 1}, {tenant.ListQuery{Held: new(false), ManagedBy: standard.ManagedBy}, 1},
			{tenant.ListQuery{CreatedAfter: time.Now().Add(-time.Hour), CreatedBefore: time.Now().Add(time.Hour)}, 2},
		} {
			if page, err := all.List(t.Context(), c.query); err != nil || page.Total != c.want {
				t.Errorf("%+v: %d, %v", c.query, page.Total, err)
			}
		}
		_, err := all.List(t.Context(), tenant.ListQuery{Blueprint: "A"})
		wantKind(t, err, errs.KindInvalid)
		if fields := errs.FieldsOf(err); len(fields) != 1 || fields[0].Field != "blueprint" {
			t.Errorf("%+v", fields)
		}
	}},
	{"RefusesUnfitBlueprint", func(t *testing.T, w *testServer, all tenantService) {
		refused := func(field, message string, change func(in *tenant.Inputs)) {
			t.Helper()
			in := clinicInputs()
			change(&in)
			_, err := all.Provision(t.Context(), in)
			wantField(t, err, errs.KindInvalid, field, message)
		}
		refused("blueprint", `"clinic" is not published in this registry`, func(*tenant.Inputs) {})
		postgrestest.PublishBlueprint(t, w.db, postgrestest.ClinicBlueprint())
		refused("blueprint", `is "Clinic"; write lower-case`, func(in *tenant.Inputs) { in.Blueprint = "Clinic" })
		refused("variables.region", "has no value; give one (Where records may lie)", func(in *tenant.Inputs) { in.Variables = nil })
		refused("variables.region", `is "asia", which the pattern eu|us does not match`, func(in *tenant.Inputs) { in.Variables["region"] = "asia" })
		refused("variables.size", `is no variable of the blueprint "clinic"; known are plan, region`, func(in *tenant.Inputs) { in.Variables["size"] = "1" })
		refused("variables.region", `is no variable of the blueprint "standard"; it has no variables, remove it`, func(in *tenant.Inputs) { in.Blueprint = "" })
		refused("variables", `has a key that is "Region"; write`, func(in *tenant.Inputs) { in.Variables = map[string]string{"Region": "eu"} })
		if err := w.db.Blueprints.Retire(t.Context(), "clinic"); err != nil {
			t.Fatal(err)
		}
		refused("blueprint", `"clinic" is retired, so it makes no new tenants`, func(*tenant.Inputs) {})
		if n := w.registry.Count(); n != 0 {
			t.Errorf("%d tenants were recorded", n)
		}
	}},
	{"NeverChangesBlueprint", func(t *testing.T, w *testServer, all tenantService) {
		postgrestest.PublishBlueprint(t, w.db, postgrestest.ClinicBlueprint())
		out, err := all.Provision(t.Context(), clinicInputs())
		if err != nil {
			t.Fatal(err)
		}
		in := clinicInputs()
		in.Blueprint, in.Variables = "standard", nil
		_, err = all.Update(t.Context(), out.Tenant.ID, in, 0)
		wantField(t, err, errs.KindConflict, "blueprint", `is "standard", and tenant St. Mary's Clinic (`+out.Tenant.ID.String()+`) was made from "clinic", which never changes; create another tenant`)
		in.Blueprint = "other"
		_, err = all.Update(t.Context(), out.Tenant.ID, in, 0)
		wantField(t, err, errs.KindConflict, "blueprint", `is "other"`)
		in = clinicInputs()
		in.Blueprint, in.Name = "", "Klinik"
		if got, err := all.Update(t.Context(), out.Tenant.ID, in, 0); err != nil || got.Blueprint != "clinic" || got.Name != "Klinik" {
			t.Errorf("without a blueprint: %+v, %v", got, err)
		}
		other := clinic()
		other.Name = "Klinik"
		_, err = all.Provision(t.Context(), other) // Of the same external id.
		wantKind(t, err, errs.KindConflict)
		if fields := errs.FieldsOf(err); len(fields) != 2 || fields[0].Field != "externalId" || fields[1].Field != "blueprint" || !strings.HasPrefix(fields[1].Message, `is "standard", and`) {
			t.Errorf("%+v", fields)
		}
	}},
	{"ContinuesWithNewVariables", func(t *testing.T, w *testServer, all tenantService) {
		postgrestest.PublishBlueprint(t, w.db, postgrestest.ClinicBlueprint())
		w.onDeploy = func(context.Context) error {
			return errs.Errorf(errs.KindPermanent, "deploy", "the deployer has no funds")
		}
		failed, err := all.Provision(t.Context(), clinicInputs())
		wantKind(t, err, errs.KindPermanent)
		w.onDeploy = nil
		in := clinicInputs()
		in.Blueprint, in.Variables = "standard", nil
		_, err = all.Provision(t.Context(), in)
		wantField(t, err, errs.KindConflict, "blueprint", `is "standard", and tenant St. Mary's Clinic (`+failed.Tenant.ID.String()+`) was made from "clinic"`)
		if got, err := all.Get(t.Context(), failed.Tenant.ID); err != nil || got.Status != tenant.StatusFailed || got.Attempt != 1 || got.Version != failed.Tenant.Version {
			t.Errorf("after a refusal: %+v, %v", got, err)
		}
		in = clinicInputs()
		in.Variables = map[string]string{"region": "us", "plan": `it's "full"`}
		out, err := all.Provision(t.Context(), in)
		if err != nil || !out.Continued || out.Tenant.ID != failed.Tenant.ID || !maps.Equal(out.Tenant.Variables, in.Variables) {
			t.Fatalf("%+v, %v", out, err)
		}
		if region, plan := settingsOf(t, w, out.Tenant); region != "us" || plan != `it's "full"` {
			t.Errorf("region %q, plan %q", region, plan)
		}
	}},
	{"ChangesVariables", func(t *testing.T, w *testServer, all tenantService) {
		postgrestest.PublishBlueprint(t, w.db, postgrestest.ClinicBlueprint())
		out, err := all.Provision(t.Context(), clinicInputs())
		if err != nil {
			t.Fatal(err)
		}
		in := clinicInputs()
		update := func() (tenant.Tenant, error) { return all.Update(t.Context(), out.Tenant.ID, in, 0) }
		in.Variables = map[string]string{"region": "us", "plan": "two\nlines"}
		changed, err := update()
		if err != nil || !maps.Equal(changed.Variables, in.Variables) || changed.Version != out.Tenant.Version+1 {
			t.Errorf("%+v, %v", changed, err)
		}
		if same, err := update(); err != nil || same.Version != changed.Version {
			t.Errorf("equal variables: version %d, %v", same.Version, err)
		}
		in.Variables = nil
		_, err = update()
		wantField(t, err, errs.KindInvalid, "variables.region", "has no value")
		if err := w.db.Blueprints.Retire(t.Context(), "clinic"); err != nil {
			t.Fatal(err)
		}
		in.Variables = map[string]string{"region": "asia"}
		_, err = update()
		wantField(t, err, errs.KindInvalid, "variables.region", `is "asia"`)
		in.Variables = map[string]string{"region": "eu"}
		if got, err := update(); err != nil || !maps.Equal(got.Variables, in.Variables) {
			t.Errorf("of a retired blueprint: %+v, %v", got, err)
		}
		stricter := postgrestest.ClinicBlueprint()
		stricter["blueprint.yaml"].Data = []byte(strings.Replace(string(stricter["blueprint.yaml"].Data), "eu|us", "us", 1))
		postgrestest.PublishBlueprint(t, w.db, stricter)
		in.Name = "Klinik"
		if got, err := update(); err != nil || got.Name != "Klinik" {
			t.Errorf("unchanged variables that a later revision does not permit: %+v, %v", got, err)
		}
	}},
	{"HasNoVariablesWithStandard", func(t *testing.T, _ *testServer, all tenantService) {
		out, err := all.Provision(t.Context(), clinic())
		if err != nil || out.Tenant.Blueprint != "standard" || out.Tenant.BlueprintRevision != 0 || out.Tenant.SchemaVersion != 1 || out.Tenant.Variables != nil {
			t.Fatalf("%+v, %v", out.Tenant, err)
		}
		in := clinic()
		in.Variables = map[string]string{"region": "eu"}
		_, err = all.Update(t.Context(), out.Tenant.ID, in, 0)
		wantField(t, err, errs.KindInvalid, "variables.region", `is no variable of the blueprint "standard"`)
	}},
}
