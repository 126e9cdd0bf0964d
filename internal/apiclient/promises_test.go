package apiclient_test

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// promises is the part of the conformance suite about complete results and about arguments
// that must have an effect.
var promises = []conformanceCase{
	{"ReturnsCompleteTenants", func(t *testing.T, w *testServer, all tenantService) {
		out, err := all.Provision(t.Context(), clinic())
		if err != nil {
			t.Fatal(err)
		}
		stored, err := w.db.Get(t.Context(), out.Tenant.ID)
		if err != nil {
			t.Fatal(err)
		}
		assertSameTenant(t, out.Tenant, stored)
		for listed, err := range all.All(t.Context(), tenant.ListQuery{}) {
			if err != nil {
				t.Fatal(err)
			}
			assertSameTenant(t, listed, stored)
		}
		page, err := all.List(t.Context(), tenant.ListQuery{Limit: 1})
		if err != nil || page.Total != 1 || page.Next != nil || len(page.Tenants) != 1 {
			t.Fatalf("%+v, %v", page, err)
		}
		assertSameTenant(t, page.Tenants[0], stored)
		other := clinic()
		other.Name, other.ExternalID = "Queued Clinic", "crm-2"
		submission, err := w.service.Submit(t.Context(), other, nil)
		if err != nil {
			t.Fatal(err)
		}
		queued, err := all.Get(t.Context(), submission.Tenant.ID)
		if err != nil || !queued.Queued {
			t.Errorf("%+v, %v", queued, err)
		}
	}},
	{"VersionDetectsLaterChanges", func(t *testing.T, _ *testServer, all tenantService) {
		out, err := all.Provision(t.Context(), clinic())
		if err != nil {
			t.Fatal(err)
		}
		in := clinic()
		in.Name = "Klinik"
		if _, err := all.Update(t.Context(), out.Tenant.ID, in, out.Tenant.Version); err != nil {
			t.Fatal(err)
		}
		in.Name = "Clinique"
		_, err = all.Update(t.Context(), out.Tenant.ID, in, out.Tenant.Version)
		wantKind(t, err, errs.KindStale)
	}},
	{"ChangesExternalID", func(t *testing.T, _ *testServer, all tenantService) {
		out, err := all.Provision(t.Context(), clinic())
		if err != nil {
			t.Fatal(err)
		}
		for _, wanted := range []string{"crm-2", ""} {
			in := clinic()
			in.ExternalID = wanted
			if got, err := all.Update(t.Context(), out.Tenant.ID, in, 0); err != nil || got.ExternalID != wanted {
				t.Errorf("%q, %v, want %q", got.ExternalID, err, wanted)
			}
		}
		_, err = all.FindByExternalID(t.Context(), "crm-1")
		wantKind(t, err, errs.KindNotFound)
	}},
	{"ContinuesListAfterPosition", func(t *testing.T, _ *testServer, all tenantService) {
		for i := range 5 {
			in := clinic()
			in.Name, in.ExternalID = fmt.Sprintf("Clinic %d", i), fmt.Sprint(i)
			if _, err := all.Provision(t.Context(), in); err != nil {
				t.Fatal(err)
			}
		}
		query := tenant.ListQuery{Limit: 2, Status: tenant.StatusActive, Text: "clinic"}
		names := ""
		for pages := 1; ; pages++ {
			page, err := all.List(t.Context(), query)
			if err != nil || page.Total != 5 {
				t.Fatalf("%+v, %v", page, err)
			}
			for _, tenant := range page.Tenants {
				names += tenant.Name + " "
			}
			if query.After = page.Next; page.Next == nil {
				break
			}
			if last := page.Tenants[len(page.Tenants)-1]; page.Next.ID != last.ID || !page.Next.CreatedAt.Equal(last.CreatedAt) || pages > 3 {
				t.Fatalf("%+v after %+v", page.Next, last)
			}
		}
		if names != "Clinic 4 Clinic 3 Clinic 2 Clinic 1 Clinic 0 " {
			t.Error(names)
		}
		first, err := all.List(t.Context(), tenant.ListQuery{Limit: 2})
		if err != nil {
			t.Fatal(err)
		}
		names = ""
		for tenant, err := range all.All(t.Context(), tenant.ListQuery{Limit: 2, After: first.Next}) {
			if err != nil {
				t.Fatal(err)
			}
			names += tenant.Name + " "
		}
		if names != "Clinic 2 Clinic 1 Clinic 0 " {
			t.Error(names)
		}
		if page, err := all.List(t.Context(), tenant.ListQuery{}); err != nil || len(page.Tenants) != 5 {
			t.Errorf("%+v, %v", page, err)
		}
		for field, wrong := range map[string]tenant.ListQuery{
			"limit": {Limit: tenant.MaxPage + 1}, "q": {Text: strings.Repeat("x", 256)}, "status": {Status: "LOST"},
		} {
			_, err := all.List(t.Context(), wrong)
			wantKind(t, err, errs.KindInvalid)
			if fields := errs.FieldsOf(err); len(fields) != 1 || fields[0].Field != field {
				t.Errorf("%+v: %v", wrong, fields)
			}
		}
	}},
	{"HonoursRequestedRetention", func(t *testing.T, w *testServer, all tenantService) {
		out, err := all.Provision(t.Context(), clinic())
		if err != nil {
			t.Fatal(err)
		}
		id := out.Tenant.ID
		if _, err := all.Archive(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		w.registry.Archive(40 * 24 * time.Hour)
		_, err = all.Purge(t.Context(), id, out.Tenant.Name, 60*24*time.Hour)
		wantKind(t, err, errs.KindConflict)
		if !strings.Contains(errs.SafeMessage(err), "its data are kept until") {
			t.Error(err)
		}
		first, err := all.Purge(t.Context(), id, out.Tenant.Name, provisioning.DefaultRetention)
		if err != nil {
			t.Fatal(err)
		}
		again, err := all.Purge(t.Context(), id, out.Tenant.Name, provisioning.DefaultRetention)
		if err != nil || again.By != first.By || !again.PurgedAt.Equal(first.PurgedAt) || !again.ArchivedAt.Equal(first.ArchivedAt) || !reflect.DeepEqual(again.Rows, first.Rows) {
			t.Errorf("%+v, then %+v, %v", first, again, err)
		}
	}},
	{"ReturnsLogOfAllAttempts", func(t *testing.T, w *testServer, all tenantService) {
		w.onDeploy = func(context.Context) error {
			return errs.Errorf(errs.KindPermanent, "deploy", "the deployer has no funds")
		}
		out, err := all.Provision(t.Context(), clinic())
		wantKind(t, err, errs.KindPermanent)
		w.onDeploy = nil
		if _, err := all.Retry(t.Context(), out.Tenant.ID); err != nil {
			t.Fatal(err)
		}
		for _, every := range []bool{true, false} {
			got, err := all.Log(t.Context(), out.Tenant.ID, every)
			if err != nil {
				t.Fatal(err)
			}
			want, err := w.db.Log(t.Context(), out.Tenant.ID, every)
			if err != nil || len(got) != len(want) {
				t.Fatalf("%d entries, want %d, %v", len(got), len(want), err)
			}
			for i := range want {
				got[i].CreatedAt, want[i].CreatedAt = got[i].CreatedAt.UTC(), want[i].CreatedAt.UTC()
				// The API has whole milliseconds.
				got[i].Duration, want[i].Duration = got[i].Duration.Round(time.Millisecond), want[i].Duration.Round(time.Millisecond)
				if !reflect.DeepEqual(got[i], want[i]) {
					t.Errorf("got  %+v\nwant %+v", got[i], want[i])
				}
			}
		}
		_, err = all.Log(t.Context(), uuid.New(), true)
		wantKind(t, err, errs.KindNotFound)
	}},
	{"InvalidNameIsNotFound", func(t *testing.T, _ *testServer, all tenantService) {
		for _, name := range []string{"", " ", "ab", " ab ", strings.Repeat("x", 300)} {
			_, err := all.FindByName(t.Context(), name)
			wantKind(t, err, errs.KindNotFound)
			if got, want := errs.SafeMessage(err), "there is no tenant named "+strings.TrimSpace(name); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
		for _, key := range []string{"", " x", strings.Repeat("x", 300)} {
			_, err := all.FindByExternalID(t.Context(), key)
			wantKind(t, err, errs.KindNotFound)
			if got, want := errs.SafeMessage(err), "there is no tenant with the external id "+key; got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
	}},
	{"HonoursRequestedLoginTTL", func(t *testing.T, _ *testServer, all tenantService) {
		out, err := all.Provision(t.Context(), clinic())
		if err != nil {
			t.Fatal(err)
		}
		for _, ttl := range []time.Duration{-time.Second, 500 * time.Millisecond, 24*time.Hour + time.Millisecond} {
			_, err := all.OpenCredential(t.Context(), out.Tenant.ID, credentials.Request{TTL: ttl})
			wantKind(t, err, errs.KindInvalid)
			if want := fmt.Sprintf("ttlSeconds is %v; a login is valid for at least a minute", ttl); !strings.Contains(errs.SafeMessage(err), want) {
				t.Errorf("%v, want %q", err, want)
			}
			_, err = all.RenewCredential(t.Context(), out.Tenant.ID, uuid.New(), ttl)
			wantKind(t, err, errs.KindInvalid)
		}
		const ttl = 10*time.Minute + 900*time.Millisecond
		before := time.Now()
		c, err := all.OpenCredential(t.Context(), out.Tenant.ID, credentials.Request{TTL: ttl})
		if err != nil || c.ExpiresAt.Before(before.Add(ttl-time.Second)) { // The database stores whole seconds.
			t.Errorf("%v after %v, %v", c.ExpiresAt, before, err)
		}
	}},
	{"RecordsReasonForLogin", func(t *testing.T, w *testServer, all tenantService) {
		out, err := all.Provision(t.Context(), clinic())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := all.OpenCredential(t.Context(), out.Tenant.ID, credentials.Request{Reason: " Ticket 4711 "}); err != nil {
			t.Fatal(err)
		}
		if last := w.registry.Events(w.registry.LastEvent() - 1); len(last) != 1 || !strings.Contains(last[0], `"reason": "Ticket 4711"`) {
			t.Errorf("%q", last)
		}
		for reason, want := range map[string]string{"  ": "reason is empty; give 1 to 1000 characters", strings.Repeat("x", 1001): "reason has 1001 characters; at most 1000 are possible"} {
			_, err := all.OpenCredential(t.Context(), out.Tenant.ID, credentials.Request{Reason: reason})
			wantKind(t, err, errs.KindInvalid)
			if !strings.Contains(errs.SafeMessage(err), want) {
				t.Errorf("%v, want %q", err, want)
			}
		}
	}},
	{"ReturnsContractState", func(t *testing.T, w *testServer, all tenantService) {
		out, err := all.Provision(t.Context(), clinic())
		if err != nil {
			t.Fatal(err)
		}
		full := contracts.Snapshot{
			TenantID: out.Tenant.ID, ContractID: out.Tenant.ContractID, Ledger: 4_000_000_000, State: contracts.StateExpired, LiveUntil: 7,
			CodeArchived: true, WasmHash: strings.Repeat("ab", 32), Outdated: true, Status: contracts.ContractStatusSuspended,
			Anchor: contracts.Anchor{Seq: 3, Root: [32]byte{1, 2, 255}, Ledger: 5},
		}
		for _, wanted := range []contracts.Snapshot{full, {
			TenantID: out.Tenant.ID, ContractID: out.Tenant.ContractID, Ledger: 9, State: contracts.StateMismatch, Mismatch: "its owner is another one",
		}} {
			w.onRead = func() contracts.Snapshot { return wanted }
			found, err := all.Inspect(t.Context(), []uuid.UUID{out.Tenant.ID})
			if err != nil || len(found) != 1 || found[0].Contract != wanted {
				t.Errorf("got  %+v, %v\nwant %+v", found, err, wanted)
			}
		}
		wantKind(t, all.ReconcileContract(t.Context(), uuid.New()), errs.KindNotFound)
	}},
}
