package postgres_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

func actions(events []audit.Event) string {
	names := make([]string, len(events))
	for i, e := range events {
		names[i] = strings.TrimPrefix(string(e.Action), "tenant.")
	}
	return strings.Join(names, " ")
}

func TestDB_AuditEvents(t *testing.T) {
	t.Parallel()
	t.Run("EveryChangeWritesOneEvent", func(t *testing.T) {
		b := setup(t)
		caller := audit.Caller{Kind: audit.CallerAPIKey, ID: "hck_abc", Name: "ci", Address: "192.0.2.1", RequestID: "r1"}
		ctx := audit.WithCaller(t.Context(), caller)
		run := b.ClaimNew(postgrestest.Inputs("Clinic"))
		b.FailTenant(run)
		run, err := b.Claim(ctx, run.Tenant.ID, provisioning.ClaimRetry, postgrestest.LeaseRequest("x", time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		id := run.Tenant.ID
		if err := b.PrepareSchema(ctx, run, b.Seed()); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Advance(ctx, run, postgrestest.Activation()); err != nil {
			t.Fatal(err)
		}
		in := postgrestest.Inputs("Klinik")
		if _, err := b.Update(ctx, id, in, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Update(ctx, id, in, 0); err != nil { // No change, no event.
			t.Fatal(err)
		}
		if _, _, err := b.CreateInvitation(ctx, id, invitation.NewInvitation(time.Now().Add(invitation.DefaultTTL)), time.Minute); err != nil {
			t.Fatal(err)
		}
		for range 2 { // The second time changes nothing.
			if _, err := b.Archive(ctx, id); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := b.Unarchive(ctx, id); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Archive(ctx, id); err != nil {
			t.Fatal(err)
		}
		events := b.VerifiedChain(id)
		if _, err := b.Purge(ctx, id, 0); err != nil {
			t.Fatal(err)
		}
		purged := b.VerifiedChain(id)
		events = append(events, purged[len(purged)-1]) // The purge deleted the callers of the others.
		if got, want := actions(events), "create fail retry activate update invite archive unarchive archive purge"; got != want {
			t.Errorf("events %s, want %s", got, want)
		}
		for _, e := range events {
			if e.Outcome != audit.OutcomeDone || e.TenantID != id || e.At.IsZero() {
				t.Errorf("%+v", e)
			}
			if by := e.Caller; e.Seq > 2 && by != caller || e.Seq <= 2 && by.Kind != audit.CallerProcess {
				t.Errorf("%s by %+v", e.Action, by)
			}
		}
		if got := fmt.Sprint(events[4].Detail); got != "map[changed:map[name:map[from:Clinic to:Klinik]]]" {
			t.Errorf("the update event has %s", got)
		}
		if page, err := b.Events(t.Context(), id, 3, 2); err != nil || actions(page) != "activate update" {
			t.Errorf("%v, %v", page, err)
		}
	})
	t.Run("AbortAndContinuationWithOtherInputs", func(t *testing.T) {
		b := setup(t)
		run := b.ClaimNew(postgrestest.Inputs("Clinic"))
		run, err := b.Abort(t.Context(), run.Tenant.ID, postgrestest.LeaseRequest("x", time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.RollBack(t.Context(), run); err != nil {
			t.Fatal(err)
		}
		in := postgrestest.Inputs("clinic")
		b.ClaimNew(in)
		if got, want := actions(b.VerifiedChain(run.Tenant.ID)), "create abort retry update"; got != want {
			t.Errorf("events %s, want %s", got, want)
		}
	})
	t.Run("RecordsRejectionsInTenantChain", func(t *testing.T) {
		b := setup(t)
		active := b.ActiveTenant(postgrestest.Inputs("Clinic"))
		refusedEvent := func(tenant uuid.UUID) audit.Event {
			return audit.Event{TenantID: tenant, Action: "tenants.delete", Outcome: audit.OutcomeRejected,
				Caller: audit.Caller{Kind: audit.CallerAnonymous, Address: "192.0.2.1"}, Detail: map[string]any{"status": 403}}
		}
		version := active.Version
		if err := b.Record(t.Context(), refusedEvent(active.ID), refusedEvent(uuid.Nil), refusedEvent(uuid.New())); err != nil {
			t.Fatal(err)
		}
		if got := actions(b.VerifiedChain(active.ID)); got != "create activate tenants.delete" {
			t.Errorf("events %s", got)
		}
		if platform := b.VerifiedChain(uuid.Nil); len(platform) != 2 || platform[0].Outcome != audit.OutcomeRejected || platform[0].Caller.Address != "192.0.2.1" {
			t.Errorf("%+v", platform)
		}
		if got, err := b.Get(t.Context(), active.ID); err != nil || got.Version != version {
			t.Errorf("a rejection changed the tenant: %+v, %v", got, err)
		}
	})
	t.Run("ConcurrentEventsFormOneChain", func(t *testing.T) {
		b := setup(t)
		one, two := b.ActiveTenant(postgrestest.Inputs("One")), b.ActiveTenant(postgrestest.Inputs("Two"))
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for j := range 5 {
					events := []audit.Event{{TenantID: one.ID}, {TenantID: uuid.Nil}, {TenantID: two.ID}, {TenantID: uuid.New()}}
					if (i+j)%2 == 0 { // In the other order: concurrent writers must not deadlock.
						events[0], events[2] = events[2], events[0]
					}
					for k := range events {
						events[k].Action, events[k].Outcome = "x", audit.OutcomeRejected
					}
					if err := b.Record(t.Context(), events...); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if n := len(b.VerifiedChain(one.ID)) + len(b.VerifiedChain(two.ID)) + len(b.VerifiedChain(uuid.Nil)); n != 4*40+2*2 {
			t.Errorf("%d events", n)
		}
	})
	t.Run("ChangesNothingWithoutAuditEvent", func(t *testing.T) {
		b := setup(t)
		active := b.ActiveTenant(postgrestest.Inputs("Clinic"))
		b.Exec(`ALTER TABLE audit_events ADD CONSTRAINT full_disk CHECK (seq < 3)`)
		if _, err := b.Archive(t.Context(), active.ID); err == nil {
			t.Fatal("the tenant was archived without an audit event")
		}
		if got, err := b.Get(t.Context(), active.ID); err != nil || got.Status != tenant.StatusActive {
			t.Errorf("%+v, %v", got, err)
		}
	})
}
