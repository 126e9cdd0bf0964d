package apiclient_test

import (
	"context"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

const (
	password = "correct horse battery staple"
	another  = "Tr0ub4dor&3 is another one"
)

// isPassword fails the test unless the admin of a live tenant has this password,
// "" for none, and the registry has no trace of it.
func (w *world) isPassword(tenant provisioning.Tenant, password string) {
	w.t.Helper()
	var hash, kept string
	if err := w.db.Pool().QueryRow(w.t.Context(), `SELECT coalesce(u.password_hash, ''), coalesce(t.admin_password_hash, '')
		FROM `+tenant.SchemaName+`.users u, tenants t WHERE t.id = $1`, tenant.ID).Scan(&hash, &kept); err != nil {
		w.t.Fatal(err)
	}
	if password == "" && hash != "" || password != "" && !postgrestest.Verifies(hash, password) {
		w.t.Errorf("the admin's password is another one: %q", hash)
	}
	if kept != "" {
		w.t.Errorf("the registry keeps %q", kept)
	}
}

func clinicWith(p provisioning.Password) provisioning.Inputs {
	in := clinic()
	in.AdminPassword = p
	return in
}

// passwords is the part of the conformance suite that is about them.
var passwords = []conformer{
	{"TakesAPassword", func(t *testing.T, w *world, all tenants) {
		out, err := all.Provision(t.Context(), clinicWith(password))
		if err != nil {
			t.Fatal(err)
		}
		w.isPassword(out.Tenant, password)
		got, err := all.Update(t.Context(), out.Tenant.ID, clinicWith(another), 0)
		if err != nil || !got.UpdatedAt.After(out.Tenant.UpdatedAt) {
			t.Errorf("%+v, %v", got, err)
		}
		w.isPassword(out.Tenant, another)
		in := clinic()
		in.Name = "Klinik"
		if _, err := all.Update(t.Context(), out.Tenant.ID, in, 0); err != nil {
			t.Error(err)
		}
		w.isPassword(out.Tenant, another)
	}},
	{"HasNoneByItself", func(t *testing.T, w *world, all tenants) {
		out, err := all.Provision(t.Context(), clinic())
		if err != nil {
			t.Fatal(err)
		}
		w.isPassword(out.Tenant, "")
	}},
	{"RefusesPasswords", func(t *testing.T, w *world, all tenants) {
		refused := func(err error, message string) {
			t.Helper()
			wantKind(t, err, provisioning.KindInvalid)
			if got := provisioning.SafeMessage(err); !strings.HasPrefix(got, "adminPassword "+message) {
				t.Errorf("%q", got)
			}
			if fields := provisioning.FieldsOf(err); len(fields) != 1 || fields[0].Field != "adminPassword" {
				t.Errorf("fields %v", fields)
			}
		}
		_, err := all.Provision(t.Context(), clinicWith("short"))
		refused(err, "has 5 characters; at least 12 are needed")
		out, err := all.Provision(t.Context(), clinic())
		if err != nil {
			t.Fatal(err)
		}
		_, err = all.Update(t.Context(), out.Tenant.ID, clinicWith("tab\tand the rest"), 0)
		refused(err, "has a line break or another control character; remove it")
		_, err = all.Update(t.Context(), out.Tenant.ID, clinicWith("is ADA@clinic.example"), 0)
		refused(err, "has the admin's e-mail address in it; choose one that is harder to guess")
		w.isPassword(out.Tenant, "")
	}},
	{"TheNewestPasswordHoldsWhenContinued", func(t *testing.T, w *world, all tenants) {
		broken := func(context.Context) error {
			return provisioning.Errorf(provisioning.KindPermanent, "deploy", "the deployer has no funds")
		}
		w.onDeploy = broken
		first, err := all.Provision(t.Context(), clinicWith(password))
		wantKind(t, err, provisioning.KindPermanent)
		w.onDeploy = nil
		out, err := all.Provision(t.Context(), clinicWith(another))
		if err != nil || !out.Continued || out.Tenant.ID != first.Tenant.ID {
			t.Fatalf("%+v, %v", out, err)
		}
		w.isPassword(out.Tenant, another)
	}},
	{"ResumesWithItsPassword", func(t *testing.T, w *world, all tenants) {
		w.onDeploy = func(context.Context) error {
			return provisioning.Errorf(provisioning.KindPermanent, "deploy", "the deployer has no funds")
		}
		first, err := all.Provision(t.Context(), clinicWith(password))
		wantKind(t, err, provisioning.KindPermanent)
		w.onDeploy = nil
		out, err := all.Resume(t.Context(), first.Tenant.ID)
		if err != nil {
			t.Fatal(err)
		}
		w.isPassword(out.Tenant, password)
	}},
	{"WhatItAdoptsHasThePasswordThatWasGiven", func(t *testing.T, w *world, all tenants) {
		first, err := all.Provision(t.Context(), clinicWith(password))
		if err != nil {
			t.Fatal(err)
		}
		out, err := all.Provision(t.Context(), clinicWith(another))
		if err != nil || !out.Adopted || out.Tenant.ID != first.Tenant.ID {
			t.Fatalf("%+v, %v", out, err)
		}
		w.isPassword(out.Tenant, another)
		if out, err = all.Provision(t.Context(), clinic()); err != nil || !out.Adopted {
			t.Errorf("%+v, %v", out, err)
		}
		w.isPassword(out.Tenant, another)
		other := clinicWith(password)
		other.AdminFirstName = "Grace"
		_, err = all.Provision(t.Context(), other)
		wantKind(t, err, provisioning.KindConflict)
		w.isPassword(out.Tenant, another)
	}},
}
