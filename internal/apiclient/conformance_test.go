package apiclient_test

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/apiclient"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/inspection"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// TestConformance checks that the service and the API client behave the same, including the
// text of errors, which the provider displays.
func TestConformance(t *testing.T) {
	t.Parallel()
	testConformance(t, 0, slices.Concat(conformance, passwordConformance, promises, blueprintConformance))
}

// TestConformance_StepOutlastsGrace: a step that does not end after a stop is cut off.
func TestConformance_StepOutlastsGrace(t *testing.T) {
	t.Parallel()
	testConformance(t, 200*time.Millisecond, []conformanceCase{continuesAfterCancel})
}

// testConformance runs each case with the service and with the client. A running step may
// continue for the grace period after a stop; 0 is the default.
func testConformance(t *testing.T, grace time.Duration, cases []conformanceCase) {
	t.Helper()
	for name, implementation := range map[string]func(w *testServer) tenantService{
		"Service": func(w *testServer) tenantService { return w.service },
		"Client":  func(w *testServer) tenantService { return w.client(w.server.URL) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, c := range cases {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					w := newTestServer(t, grace)
					c.test(t, w, implementation(w))
				})
			}
		})
	}
}

// conformanceCase is one test of the suite.
type conformanceCase struct {
	name string
	test func(t *testing.T, w *testServer, all tenantService)
}

var continuesAfterCancel = conformanceCase{"ContinuesAfterCancel", func(t *testing.T, w *testServer, all tenantService) {
	ctx, stop := context.WithCancel(t.Context())
	reached := make(chan struct{})
	w.onDeploy = func(ctx context.Context) error {
		close(reached)
		<-ctx.Done() // Like a deployer that waits for a ledger.
		return ctx.Err()
	}
	// A step may finish; this one does not, so it lasts until the pipeline's grace
	// period ends. A client knows the tenant only from the events that it has read.
	go func() {
		<-reached
		for _, isClient := all.(*apiclient.Client); isClient && !strings.Contains(w.steps.String(), string(tenant.StepCreateSchema)); {
			time.Sleep(time.Millisecond) // Between two looks.
		}
		w.mu.Lock()
		w.onDeploy = nil
		w.mu.Unlock()
		stop()
	}()
	out, err := all.Provision(ctx, clinic())
	wantKind(t, err, errs.KindCancelled)
	if out.Tenant.ID == uuid.Nil || out.Tenant.Status != tenant.StatusProvisioning {
		t.Fatalf("%+v, %v", out, err)
	}
}}

var conformance = []conformanceCase{
	{"ProvisionsAndReads", func(t *testing.T, w *testServer, all tenantService) {
		out, err := all.Provision(t.Context(), clinic())
		if err != nil {
			t.Fatal(err)
		}
		stored, err := w.db.Get(t.Context(), out.Tenant.ID)
		if err != nil {
			t.Fatal(err)
		}
		assertSameTenant(t, out.Tenant, stored)
		for what, read := range map[string]func() (tenant.Tenant, error){
			"Get":              func() (tenant.Tenant, error) { return all.Get(t.Context(), stored.ID) },
			"FindByName":       func() (tenant.Tenant, error) { return all.FindByName(t.Context(), " st. mary's CLINIC ") },
			"FindByExternalID": func() (tenant.Tenant, error) { return all.FindByExternalID(t.Context(), "crm-1") },
		} {
			got, err := read()
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
			assertSameTenant(t, got, stored)
		}
		if stored.Status != tenant.StatusActive || len(out.Warnings) != 0 || out.Continued || out.Adopted {
			t.Errorf("%+v", out)
		}
	}},
	{"ReportsEveryInvalidField", func(t *testing.T, _ *testServer, all tenantService) {
		in := clinic()
		in.Name, in.AdminEmail = "ab", "nobody"
		_, err := all.Provision(t.Context(), in)
		wantKind(t, err, errs.KindInvalid)
		if got, want := errs.SafeMessage(err), "name has 2 characters; at least 3 are needed; adminEmail needs exactly one @"; !strings.HasPrefix(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}},
	{"NeverAdoptsLiveTenant", func(t *testing.T, _ *testServer, all tenantService) {
		in := clinic()
		in.ManagedBy = ""
		first, err := all.Provision(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		out, err := all.Provision(t.Context(), in)
		wantKind(t, err, errs.KindConflict)
		if out.ConflictingTenant == nil || out.ConflictingTenant.ID != first.Tenant.ID || out.Tenant.ID != uuid.Nil ||
			!strings.Contains(errs.SafeMessage(err), "a tenant with this external id exists already: St. Mary's Clinic ("+first.Tenant.ID.String()+"), ACTIVE") {
			t.Errorf("%+v, %v", out, err)
		}
		if fields := errs.FieldsOf(err); len(fields) != 1 || fields[0].Field != "externalId" {
			t.Errorf("fields %v", fields)
		}
	}},
	{"AdoptsOwnTenant", func(t *testing.T, _ *testServer, all tenantService) {
		first, err := all.Provision(t.Context(), clinic())
		if err != nil {
			t.Fatal(err)
		}
		out, err := all.Provision(t.Context(), clinic())
		if err != nil || !out.Adopted || out.Tenant.ID != first.Tenant.ID {
			t.Errorf("%+v, %v", out, err)
		}
	}},
	{"ContinuesFailedTenant", func(t *testing.T, w *testServer, all tenantService) {
		w.onDeploy = func(context.Context) error {
			return errs.Errorf(errs.KindPermanent, "deploy", "the deployer has no funds")
		}
		first, err := all.Provision(t.Context(), clinic())
		wantKind(t, err, errs.KindPermanent)
		if first.Tenant.Status != tenant.StatusFailed || !strings.HasPrefix(errs.SafeMessage(err), "step DEPLOY_SOROBAN_CONTRACT failed: the deployer has no funds") {
			t.Fatalf("%+v, %v", first.Tenant, err)
		}
		w.onDeploy = nil
		out, err := all.Provision(t.Context(), clinic())
		if err != nil || !out.Continued || out.Tenant.ID != first.Tenant.ID || out.Tenant.Attempt != 2 {
			t.Errorf("%+v, %v", out, err)
		}
	}},
	{"TransientFaultEndsFailed", func(t *testing.T, w *testServer, all tenantService) {
		w.onDeploy = func(context.Context) error {
			return errs.Errorf(errs.KindTransient, "deploy", "the network is busy")
		}
		out, err := all.Provision(t.Context(), clinic())
		wantKind(t, err, errs.KindTransient)
		if out.Tenant.Status != tenant.StatusFailed || w.deploys != 2 { // The two tries of this attempt, and no other attempt.
			t.Errorf("%s after %d tries, %v", out.Tenant.Status, w.deploys, err)
		}
	}},
	{"WarnsWhenMailIsNotSent", func(t *testing.T, w *testServer, all tenantService) {
		w.onMail = func() error {
			return errs.Errorf(errs.KindPermanent, "send", "the mail server refused the message permanently (554)")
		}
		out, err := all.Provision(t.Context(), clinic())
		if err != nil || out.Tenant.WelcomeEmail != tenant.WelcomeEmailFailed || len(out.Warnings) != 1 || !strings.Contains(out.Warnings[0], "(554)") {
			t.Fatalf("%+v, %v", out, err)
		}
		again, err := all.Invite(t.Context(), out.Tenant.ID)
		if err != nil || len(again.Warnings) != 1 || again.Tenant.WelcomeEmail != tenant.WelcomeEmailFailed {
			t.Errorf("%+v, %v", again, err)
		}
		w.onMail = nil
		again, err = all.Invite(t.Context(), out.Tenant.ID)
		if err != nil || len(again.Warnings) != 0 || again.Tenant.WelcomeEmail != tenant.WelcomeEmailSent {
			t.Errorf("%+v, %v", again, err)
		}
	}},
	{"UpdatesEachField", func(t *testing.T, _ *testServer, all tenantService) {
		out, err := all.Provision(t.Context(), clinic())
		if err != nil || !out.Tenant.Inputs().Equal(clinic()) {
			t.Fatalf("%+v, %v", out.Tenant, err)
		}
		for field, in := range postgrestest.OneFieldChanged(t, clinic()) {
			if field == "Variables" { // The blueprint standard has none: see ChangesVariables.
				continue
			}
			if got, err := all.Update(t.Context(), out.Tenant.ID, in, 0); err != nil || !got.Inputs().Equal(in) {
				t.Errorf("%s: %+v, %v", field, got.Inputs(), err)
			}
		}
	}},
	{"Updates", func(t *testing.T, w *testServer, all tenantService) {
		out, err := all.Provision(t.Context(), clinic())
		if err != nil {
			t.Fatal(err)
		}
		in := tenant.Inputs{Name: "Klinik", AdminEmail: "grace@clinic.example", AdminFirstName: "Grace", AdminLastName: "Hopper", ExternalID: "crm-1"}
		got, err := all.Update(t.Context(), out.Tenant.ID, in, 0)
		if err != nil || !got.Inputs().Equal(in) {
			t.Errorf("%+v, %v", got, err)
		}
		stored, err := w.db.Get(t.Context(), out.Tenant.ID)
		if err != nil {
			t.Fatal(err)
		}
		assertSameTenant(t, got, stored)
		_, err = all.Update(t.Context(), out.Tenant.ID, in, 1)
		wantKind(t, err, errs.KindStale)
		in.Name = "x"
		_, err = all.Update(t.Context(), out.Tenant.ID, in, 0)
		wantKind(t, err, errs.KindInvalid)
		other := clinic()
		other.Name, other.ExternalID = "Other", ""
		if _, err := all.Provision(t.Context(), other); err != nil {
			t.Fatal(err)
		}
		in.Name = "OTHER"
		_, err = all.Update(t.Context(), out.Tenant.ID, in, 0)
		wantKind(t, err, errs.KindConflict)
		if got, want := errs.SafeMessage(err), "name is the name of another live tenant; choose another one"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}},
	{"Archives", func(t *testing.T, _ *testServer, all tenantService) {
		out, err := all.Provision(t.Context(), clinic())
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			got, err := all.Archive(t.Context(), out.Tenant.ID)
			if err != nil || got.Status != tenant.StatusArchived || got.ArchivedAt.IsZero() || !got.WasLive() {
				t.Errorf("%+v, %v", got, err)
			}
		}
		_, err = all.Update(t.Context(), out.Tenant.ID, clinic(), 0)
		wantKind(t, err, errs.KindConflict)
		_, err = all.Retry(t.Context(), out.Tenant.ID)
		wantKind(t, err, errs.KindConflict)
		_, err = all.Invite(t.Context(), out.Tenant.ID)
		wantKind(t, err, errs.KindConflict)
	}},
	{"UnarchivesAndPurges", func(t *testing.T, w *testServer, all tenantService) {
		out, err := all.Provision(t.Context(), clinic())
		if err != nil {
			t.Fatal(err)
		}
		id := out.Tenant.ID
		if _, err := all.Archive(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		for range 2 { // For an ACTIVE tenant it succeeds.
			if got, err := all.Unarchive(t.Context(), id); err != nil || got.Status != tenant.StatusActive || !got.ArchivedAt.IsZero() {
				t.Errorf("%+v, %v", got, err)
			}
		}
		_, err = all.Purge(t.Context(), id, out.Tenant.Name, provisioning.DefaultRetention)
		wantKind(t, err, errs.KindConflict)
		if _, err := all.Archive(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		_, err = all.Purge(t.Context(), id, out.Tenant.Name, provisioning.DefaultRetention)
		wantKind(t, err, errs.KindConflict)
		w.registry.Archive(40 * 24 * time.Hour)
		_, err = all.Purge(t.Context(), id, "Another Clinic", provisioning.DefaultRetention)
		wantKind(t, err, errs.KindInvalid)
		if fields := errs.FieldsOf(err); len(fields) != 1 || fields[0].Field != "confirm" {
			t.Errorf("fields %v, %v", fields, err)
		}
		certificate, err := all.Purge(t.Context(), id, out.Tenant.Name, provisioning.DefaultRetention)
		if err != nil || certificate.TenantID != id || certificate.Rows["users"] != 1 || certificate.SchemaName != out.Tenant.SchemaName ||
			certificate.AuditHead != "" || certificate.ContractID != out.Tenant.ContractID {
			t.Errorf("%+v, %v", certificate, err)
		}
		_, err = all.Unarchive(t.Context(), id)
		wantKind(t, err, errs.KindConflict)
	}},
	{"IteratesAllPages", func(t *testing.T, _ *testServer, all tenantService) {
		for i := range 5 {
			in := clinic()
			in.Name, in.ExternalID, in.ManagedBy = fmt.Sprintf("Clinic %d", i), fmt.Sprint(i), ""
			if _, err := all.Provision(t.Context(), in); err != nil {
				t.Fatal(err)
			}
		}
		names := func(q tenant.ListQuery) (names string) {
			for listed, err := range all.All(t.Context(), q) {
				if err != nil {
					t.Fatal(err)
				}
				if listed.ID == uuid.Nil || listed.AdminEmail == "" || listed.CreatedAt.IsZero() || listed.Status != tenant.StatusActive {
					t.Errorf("%+v", listed)
				}
				names += listed.Name + " "
			}
			return names
		}
		for _, c := range []struct {
			query tenant.ListQuery
			want  string
		}{
			{tenant.ListQuery{Limit: 2}, "Clinic 4 Clinic 3 Clinic 2 Clinic 1 Clinic 0 "},
			{tenant.ListQuery{Text: "clinic 3"}, "Clinic 3 "},
			{tenant.ListQuery{Status: tenant.StatusFailed}, ""},
		} {
			if got := names(c.query); got != c.want {
				t.Errorf("%+v: %q", c.query, got)
			}
		}
		first := 0
		for _, err := range all.All(t.Context(), tenant.ListQuery{Limit: 2}) {
			if err != nil {
				t.Fatal(err)
			}
			first++
			break // The caller may stop early.
		}
		if first != 1 {
			t.Error("it went on")
		}
		for _, err := range all.All(t.Context(), tenant.ListQuery{Status: "LOST"}) {
			wantKind(t, err, errs.KindInvalid)
		}
	}},
	{"ReportsSteps", func(t *testing.T, _ *testServer, all tenantService) {
		out, err := all.Provision(t.Context(), clinic())
		if err != nil {
			t.Fatal(err)
		}
		log, err := all.Log(t.Context(), out.Tenant.ID, false)
		if err != nil || len(log) != 7 {
			t.Fatalf("%+v, %v", log, err)
		}
		for i, e := range log {
			if e.Step != tenant.Steps()[i] || e.Status != tenant.StepCompleted || e.Attempt != 1 || e.TenantID != out.Tenant.ID || e.ID == uuid.Nil {
				t.Errorf("%+v", e)
			}
		}
		if log[4].Result["contractId"] != out.Tenant.ContractID {
			t.Errorf("%v", log[4].Result)
		}
	}},
	{"InspectsAndRepairs", func(t *testing.T, w *testServer, all tenantService) {
		out, err := all.Provision(t.Context(), clinic())
		if err != nil {
			t.Fatal(err)
		}
		id := out.Tenant.ID
		inspected := func() inspection.Inspection {
			t.Helper()
			found, err := all.Inspect(t.Context(), []uuid.UUID{uuid.New(), id})
			if err != nil || len(found) != 1 {
				t.Fatalf("%+v, %v", found, err)
			}
			assertSameTenant(t, found[0].Tenant, out.Tenant)
			return found[0]
		}
		if i := inspected(); i.Database != inspection.DatabaseInSync || len(i.DatabaseDrift) != 0 {
			t.Errorf("%+v", i)
		}
		if _, err := w.db.Pool().Exec(t.Context(), `REVOKE DELETE ON `+out.Tenant.SchemaName+`.users FROM `+out.Tenant.DatabaseRole); err != nil {
			t.Fatal(err)
		}
		i := inspected()
		if i.Database != inspection.DatabaseDrifted || len(i.DatabaseDrift) != 1 || !strings.Contains(i.DatabaseDrift[0], "on its table users instead of DELETE, INSERT") {
			t.Errorf("%+v", i)
		}
		t1, faults, err := all.Repair(t.Context(), id)
		if err != nil || !reflect.DeepEqual(faults, i.DatabaseDrift) {
			t.Errorf("%v, %v", faults, err)
		}
		assertSameTenant(t, t1, out.Tenant)
		if i := inspected(); i.Database != inspection.DatabaseInSync {
			t.Errorf("%+v", i)
		}
		if none, err := all.Inspect(t.Context(), nil); err != nil || len(none) != 0 {
			t.Errorf("%v, %v", none, err)
		}
		_, err = all.Inspect(t.Context(), make([]uuid.UUID, inspection.MaxInspect+1))
		wantKind(t, err, errs.KindInvalid)
		if _, err := all.Archive(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		_, _, err = all.Repair(t.Context(), id)
		wantKind(t, err, errs.KindConflict)
	}},
	{"OpensLogins", func(t *testing.T, _ *testServer, all tenantService) {
		out, err := all.Provision(t.Context(), clinic())
		if err != nil {
			t.Fatal(err)
		}
		id := out.Tenant.ID
		c, err := all.OpenCredential(t.Context(), id, credentials.Request{TTL: 10 * time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		// Without the settings of the registry's connections.
		at := url.URL{Scheme: "postgres", User: url.UserPassword(c.Username, c.Password.Reveal()), Host: net.JoinHostPort(c.Host, strconv.Itoa(c.Port)), Path: c.Database}
		conn, err := pgx.Connect(t.Context(), at.String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
		var path string
		if err := conn.QueryRow(t.Context(), `SELECT current_schema() FROM users`).Scan(&path); err != nil || path != c.SchemaName || c.TenantID != id {
			t.Errorf("%s of %+v, %v", path, c, err)
		}
		if left := time.Until(c.ExpiresAt); left < 9*time.Minute || left > 10*time.Minute {
			t.Errorf("it ends in %v", left)
		}
		renewed, err := all.RenewCredential(t.Context(), id, c.ID, 20*time.Minute)
		if err != nil || !renewed.After(c.ExpiresAt.Add(9*time.Minute)) {
			t.Errorf("%v, %v", renewed, err)
		}
		for range 2 {
			if err := all.CloseCredential(t.Context(), id, c.ID); err != nil {
				t.Error(err)
			}
		}
		_, err = all.RenewCredential(t.Context(), id, c.ID, 0)
		wantKind(t, err, errs.KindNotFound)
		if err := conn.Ping(t.Context()); err == nil {
			t.Error("the session goes on")
		}
	}},
	{"RejectsInvalidLogins", func(t *testing.T, _ *testServer, all tenantService) {
		out, err := all.Provision(t.Context(), clinic())
		if err != nil {
			t.Fatal(err)
		}
		for _, ttl := range []time.Duration{time.Second, 25 * time.Hour} {
			_, err := all.OpenCredential(t.Context(), out.Tenant.ID, credentials.Request{TTL: ttl})
			wantKind(t, err, errs.KindInvalid)
			if want := fmt.Sprintf("ttlSeconds is %v; a login is valid for at least a minute", ttl); !strings.Contains(errs.SafeMessage(err), want) {
				t.Errorf("%v, want %q", err, want)
			}
		}
		_, err = all.OpenCredential(t.Context(), uuid.New(), credentials.Request{})
		wantKind(t, err, errs.KindNotFound)
		if _, err := all.Archive(t.Context(), out.Tenant.ID); err != nil {
			t.Fatal(err)
		}
		_, err = all.OpenCredential(t.Context(), out.Tenant.ID, credentials.Request{})
		wantKind(t, err, errs.KindConflict)
	}},
	{"ReturnsNotFoundForUnknownTenant", func(t *testing.T, _ *testServer, all tenantService) {
		id := uuid.New()
		_, err := all.Get(t.Context(), id)
		wantKind(t, err, errs.KindNotFound)
		if got, want := errs.SafeMessage(err), "there is no tenant "+id.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		_, err = all.FindByName(t.Context(), "Nobody")
		wantKind(t, err, errs.KindNotFound)
		_, err = all.FindByExternalID(t.Context(), "nothing")
		wantKind(t, err, errs.KindNotFound)
		_, err = all.Archive(t.Context(), id)
		wantKind(t, err, errs.KindNotFound)
		_, err = all.Retry(t.Context(), id)
		wantKind(t, err, errs.KindNotFound)
	}},
}

// assertSameTenant compares all fields of a tenant.
func assertSameTenant(t *testing.T, got, want tenant.Tenant) {
	t.Helper()
	for _, at := range []*tenant.Tenant{&got, &want} {
		at.CreatedAt, at.UpdatedAt = at.CreatedAt.UTC(), at.UpdatedAt.UTC()
		at.ActivatedAt, at.ArchivedAt, at.PurgedAt = at.ActivatedAt.UTC(), at.ArchivedAt.UTC(), at.PurgedAt.UTC()
		i := &at.Invitation
		i.SentAt, i.ExpiresAt, i.AcceptedAt = i.SentAt.UTC(), i.ExpiresAt.UTC(), i.AcceptedAt.UTC()
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

var _ tenantService = (*apiclient.Client)(nil)
