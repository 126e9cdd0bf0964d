package apiclient_test

import (
	"context"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

const (
	password = "correct horse battery staple"
	another  = "Tr0ub4dor&3 is another one"
)

// assertPassword fails the test unless the admin of a live tenant has this password,
// "" for none, and the registry has no trace of it.
func (w *testServer) assertPassword(live tenant.Tenant, password string) {
	w.t.Helper()
	var hash string
	if err := w.db.Pool().QueryRow(w.t.Context(), `SELECT coalesce(password_hash, '') FROM `+live.SchemaName+`.users`).Scan(&hash); err != nil {
		w.t.Fatal(err)
	}
	if password == "" && hash != "" || password != "" && !postgrestest.Verifies(hash, password) {
		w.t.Errorf("the admin's password is another one: %q", hash)
	}
	for _, t := range w.registry.All() {
		if t.ID == live.ID.String() && t.PasswordHash != "" {
			w.t.Errorf("the registry keeps %q", t.PasswordHash)
		}
	}
}

func clinicWithPassword(p tenant.Password) tenant.Inputs {
	in := clinic()
	in.AdminPassword = p
	return in
}

// passwordConformance is the part of the conformance suite about passwords.
var passwordConformance = []conformanceCase{
	{"SetsPassword", func(t *testing.T, w *testServer, all tenantService) {
		out, err := all.Provision(t.Context(), clinicWithPassword(password))
		if err != nil {
			t.Fatal(err)
		}
		w.assertPassword(out.Tenant, password)
		got, err := all.Update(t.Context(), out.Tenant.ID, clinicWithPassword(another), 0)
		if err != nil || !got.UpdatedAt.After(out.Tenant.UpdatedAt) {
			t.Errorf("%+v, %v", got, err)
		}
		w.assertPassword(out.Tenant, another)
		in := clinic()
		in.Name = "Klinik"
		if _, err := all.Update(t.Context(), out.Tenant.ID, in, 0); err != nil {
			t.Error(err)
		}
		w.assertPassword(out.Tenant, another)
	}},
	{"NoPasswordByDefault", func(t *testing.T, w *testServer, all tenantService) {
		out, err := all.Provision(t.Context(), clinic())
		if err != nil {
			t.Fatal(err)
		}
		w.assertPassword(out.Tenant, "")
	}},
	{"RejectsInvalidPasswords", func(t *testing.T, w *testServer, all tenantService) {
		refused := func(err error, message string) {
			t.Helper()
			wantKind(t, err, errs.KindInvalid)
			if got := errs.SafeMessage(err); !strings.HasPrefix(got, "adminPassword "+message) {
				t.Errorf("%q", got)
			}
			if fields := errs.FieldsOf(err); len(fields) != 1 || fields[0].Field != "adminPassword" {
				t.Errorf("fields %v", fields)
			}
		}
		_, err := all.Provision(t.Context(), clinicWithPassword("short"))
		refused(err, "has 5 characters; at least 12 are needed")
		out, err := all.Provision(t.Context(), clinic())
		if err != nil {
			t.Fatal(err)
		}
		_, err = all.Update(t.Context(), out.Tenant.ID, clinicWithPassword("tab\tand the rest"), 0)
		refused(err, "has a line break or another control character; remove it")
		_, err = all.Update(t.Context(), out.Tenant.ID, clinicWithPassword("is ADA@clinic.example"), 0)
		refused(err, "has the admin's e-mail address in it; choose one that is harder to guess")
		w.assertPassword(out.Tenant, "")
	}},
	{"LastPasswordWinsWhenContinued", func(t *testing.T, w *testServer, all tenantService) {
		broken := func(context.Context) error {
			return errs.Errorf(errs.KindPermanent, "deploy", "the deployer has no funds")
		}
		w.onDeploy = broken
		first, err := all.Provision(t.Context(), clinicWithPassword(password))
		wantKind(t, err, errs.KindPermanent)
		w.onDeploy = nil
		out, err := all.Provision(t.Context(), clinicWithPassword(another))
		if err != nil || !out.Continued || out.Tenant.ID != first.Tenant.ID {
			t.Fatalf("%+v, %v", out, err)
		}
		w.assertPassword(out.Tenant, another)
	}},
	{"KeepsPasswordWhenContinued", func(t *testing.T, w *testServer, all tenantService) {
		w.onDeploy = func(context.Context) error {
			return errs.Errorf(errs.KindPermanent, "deploy", "the deployer has no funds")
		}
		first, err := all.Provision(t.Context(), clinicWithPassword(password))
		wantKind(t, err, errs.KindPermanent)
		w.onDeploy = nil
		out, err := all.Retry(t.Context(), first.Tenant.ID)
		if err != nil {
			t.Fatal(err)
		}
		w.assertPassword(out.Tenant, password)
	}},
	{"AdoptSetsGivenPassword", func(t *testing.T, w *testServer, all tenantService) {
		first, err := all.Provision(t.Context(), clinicWithPassword(password))
		if err != nil {
			t.Fatal(err)
		}
		out, err := all.Provision(t.Context(), clinicWithPassword(another))
		if err != nil || !out.Adopted || out.Tenant.ID != first.Tenant.ID {
			t.Fatalf("%+v, %v", out, err)
		}
		w.assertPassword(out.Tenant, another)
		if out, err = all.Provision(t.Context(), clinic()); err != nil || !out.Adopted {
			t.Errorf("%+v, %v", out, err)
		}
		w.assertPassword(out.Tenant, another)
		other := clinicWithPassword(password)
		other.AdminFirstName = "Grace"
		_, err = all.Provision(t.Context(), other)
		wantKind(t, err, errs.KindConflict)
		w.assertPassword(out.Tenant, another)
	}},
}
