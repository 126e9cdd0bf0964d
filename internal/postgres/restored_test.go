package postgres_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// TestDB_Restored: where a contract has anchored more than the registry has, no run begins until the
// restore is accepted; then anchors from before it are no fault, and later ones are.
func TestDB_Restored(t *testing.T) {
	b := setup(t)
	live := b.ActiveTenant(postgrestest.Inputs("Clinic"))
	pending := b.ClaimNew(postgrestest.Inputs("Pending"))
	b.Must(b.Release(t.Context(), pending))
	before, err := b.RegistryIdentity(t.Context())
	if err != nil || before.ID == uuid.Nil || before.Timeline != 1 {
		t.Fatalf("%+v, %v", before, err)
	}
	anchored := func(seq int64, ledger uint32) []contracts.Snapshot {
		return []contracts.Snapshot{{TenantID: live.ID, State: contracts.StateLive, Ledger: 1000, Anchor: contracts.Anchor{Seq: seq, Root: [32]byte{1}, Ledger: ledger}}}
	}
	wantMismatch := func(seq int64, ledger uint32, text string) {
		t.Helper()
		found, err := b.AnchorMismatches(t.Context(), anchored(seq, ledger))
		if err != nil || !strings.Contains(found[live.ID], text) || (text == "") != (len(found) == 0) {
			t.Errorf("%v, %v", found, err)
		}
	}
	wantMismatch(1, 900, "differs from what the contract anchored") // Tampered with, not restored.
	b.ClaimNew(postgrestest.Inputs("Not stopped"))
	wantMismatch(99, 900, "is shorter than what the contract anchored: event 99 is missing")

	// A server that lied, and is honest again, has stopped nobody.
	if _, err := b.AnchorMismatches(t.Context(), []contracts.Snapshot{{TenantID: live.ID, State: contracts.StateLive, Ledger: 1000}}); err != nil {
		t.Error(err)
	}
	b.ClaimNew(postgrestest.Inputs("Not stopped any more"))
	wantMismatch(99, 900, "event 99 is missing")
	if _, err := b.AnchorMismatches(t.Context(), []contracts.Snapshot{{TenantID: pending.Tenant.ID, State: contracts.StateLive, Ledger: 1000}}); err != nil { // Another one's contract says nothing.
		t.Error(err)
	}

	refused := func(what string, err error) {
		t.Helper()
		if errs.KindOf(err) != errs.KindPermanent || !strings.Contains(errs.SafeMessage(err), "event 99 of the audit chain of "+live.ID.String()) || !strings.Contains(errs.SafeMessage(err), "platform accept-restore --reason") {
			t.Errorf("%s: %v", what, err)
		}
	}
	lease := postgrestest.LeaseRequest("other", time.Minute)
	_, err = b.Create(t.Context(), b.Draft(postgrestest.Inputs("New")), lease)
	refused("create", err)
	_, err = b.Claim(t.Context(), pending.Tenant.ID, provisioning.ClaimResume, lease)
	refused("claim", err)
	if _, err := b.Archive(t.Context(), live.ID); err != nil { // What begins no run goes on.
		t.Error(err)
	}
	if found, err := b.Verify(t.Context(), uuid.Nil); err != nil || len(found) != 1 || !strings.Contains(found[0].Message, "the registry was restored from a backup") {
		t.Errorf("%+v, %v", found, err)
	}

	session := b.createSession(ofPerson("ada"))
	accepted, err := b.AcceptRestore(t.Context(), "Restored by a test")
	if err != nil || accepted.ID != before.ID || accepted.Timeline != 2 {
		t.Fatalf("%+v, %v", accepted, err)
	}
	b.wantSession(session, false) // It may have ended after the backup.
	b.wantRegistryVerified()
	if _, err := b.Claim(t.Context(), pending.Tenant.ID, provisioning.ClaimResume, lease); err != nil {
		t.Error(err)
	}
	wantMismatch(99, 1000, "")
	if found, err := b.VerifyAnchor(t.Context(), live.ID, anchored(99, 1000)[0].Anchor); err != nil || len(found) > 0 {
		t.Errorf("%+v, %v", found, err)
	}
	wantMismatch(99, 1001, "event 99 is missing") // The restore does not explain this one.
	if found, err := b.VerifyAnchor(t.Context(), live.ID, anchored(99, 1001)[0].Anchor); err != nil || len(found) != 1 {
		t.Errorf("%+v, %v", found, err)
	}
	b.Exec(`UPDATE registry SET restore_evidence = NULL, timeline = 3`)
	if found, err := b.Verify(context.WithoutCancel(t.Context()), uuid.Nil); err != nil || len(found) != 1 || !strings.Contains(found[0].Message, "timeline is 3, and 1 events record an accepted restore") {
		t.Errorf("%+v, %v", found, err)
	}
}

// wantRegistryVerified checks that nothing is wrong with the registry.
func (b fixture) wantRegistryVerified() {
	b.T.Helper()
	if found, err := b.Verify(b.T.Context(), uuid.Nil); err != nil || len(found) > 0 {
		b.T.Errorf("%+v, %v", found, err)
	}
}
