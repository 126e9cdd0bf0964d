package stellarstore_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
)

func TestDB_RecordContracts(t *testing.T) {
	t.Parallel()

	t.Run("KeepsAll", func(t *testing.T) {
		b := setup(t)
		b.registerContracts(2)
		items := b.claimContracts(contracts.ClaimQuery{})
		r := inspected(items[0])
		r.State, r.Status, r.ConsecutiveFailures, r.LastError = contracts.StateExpiring, contracts.ContractStatusSuspended, 3, "no money "+strings.Repeat("x", 600)
		r.Anchor, r.AnchoredAt = contracts.Anchor{Seq: 2, Root: [32]byte{1, 2, 3}, Ledger: 99}, r.CheckedAt.Add(-time.Minute)
		b.recordContracts(r)
		got := b.contractRecord(r.TenantID)
		r.LastError = r.LastError[:500]
		got.DueAt, got.CheckedAt, got.AnchoredAt = got.DueAt.UTC(), got.CheckedAt.UTC(), got.AnchoredAt.UTC()
		if got != r {
			t.Errorf("%+v, want %+v", got, r)
		}
		if other := b.contractRecord(items[1].Tenant.ID); other.State != "" || other.ConsecutiveFailures != 0 {
			t.Errorf("the other contract: %+v", other)
		}
		r.Snapshot = contracts.Snapshot{TenantID: r.TenantID, State: contracts.StateMissing}
		r.ConsecutiveFailures, r.LastError, r.AnchoredAt = 0, "", time.Time{}
		b.recordContracts(r)
		if got := b.contractRecord(r.TenantID); got.Anchor != (contracts.Anchor{}) || got.LastError != "" || got.LiveUntil != 0 || got.Status != "" || got.State != contracts.StateMissing {
			t.Errorf("%+v", got)
		}
	})

	t.Run("KeepsNewDueTime", func(t *testing.T) {
		b := setup(t)
		all := b.registerContracts(2)
		items := b.claimContracts(contracts.ClaimQuery{})
		_, err := b.Archive(t.Context(), all[0])
		b.Must(err)
		b.recordContracts(inspected(items[0]), inspected(items[1]))
		if got := tenantIDs(b.claimContracts(contracts.ClaimQuery{})); !slices.Equal(got, all[:1]) {
			t.Errorf("%v is due, want the archived tenant %v", got, all[:1])
		}
	})

	// An inspection that began before the plan must not remove it.
	t.Run("KeepsPlannedUpgrade", func(t *testing.T) {
		b := setup(t)
		all := b.registerContracts(1)
		items := b.claimContracts(contracts.ClaimQuery{})
		if n, err := b.PlanUpgrade(t.Context(), newWasmHash, all); n != 1 || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
		b.recordContracts(inspected(items[0]))
		if got := b.contractRecord(all[0]); got.UpgradeTo != newWasmHash {
			t.Errorf("%+v", got)
		}
		again := b.claimContracts(contracts.ClaimQuery{})
		if len(again) != 1 {
			t.Fatal("the contract is not due")
		}
		r := inspected(again[0])
		r.WasmHash = newWasmHash
		b.recordContracts(r)
		if got := b.contractRecord(all[0]); got.UpgradeTo != "" || got.WasmHash != newWasmHash {
			t.Errorf("%+v", got)
		}
	})
}

// TestTenants_StatusChangeMakesContractDue: after a tenant is archived or
// restored, by any path, its contract is due; otherwise it is not.
func TestTenants_StatusChangeMakesContractDue(t *testing.T) {
	b := setup(t)
	id := b.ActiveTenant(postgrestest.Inputs("Clinic")).ID
	claimDue := func() bool {
		got := b.claimContracts(contracts.ClaimQuery{})
		if len(got) == 1 {
			r := inspected(got[0])
			r.ConsecutiveFailures, r.LastError = 4, "failed"
			b.recordContracts(r)
		}
		return len(got) == 1
	}
	if claimDue() {
		t.Error("an unregistered contract is due")
	}
	for what, change := range map[string]func(){
		"archived":  func() { _, err := b.Archive(t.Context(), id); b.Must(err) },
		"restored":  func() { _, err := b.Unarchive(t.Context(), id); b.Must(err) },
		"suspended": func() { _, _, err := b.Suspend(t.Context(), id); b.Must(err) },
		"resumed":   func() { _, err := b.Resume(t.Context(), id); b.Must(err) },
		"by hand":   func() { b.Exec(`UPDATE tenants SET status = 'ARCHIVED', archived_at = now()`) },
	} {
		b.Exec(`UPDATE tenants SET status = CASE $1 WHEN 'restored' THEN 'ARCHIVED' WHEN 'resumed' THEN 'SUSPENDED' ELSE 'ACTIVE' END,
			archived_at = CASE $1 WHEN 'restored' THEN now() END, suspended_at = CASE $1 WHEN 'resumed' THEN now() END`, what)
		claimDue()
		change()
		if b.contractRecord(id).ConsecutiveFailures != 0 {
			t.Errorf("%s: the next attempt is delayed as after a failure", what)
		}
		if !claimDue() {
			t.Errorf("%s: the contract is not due", what)
		}
	}
	b.Exec(`UPDATE tenants SET status = 'ACTIVE', archived_at = NULL, suspended_at = NULL`)
	claimDue()
	_, err := b.Update(t.Context(), id, postgrestest.Inputs("Klinik"), 0)
	b.Must(err)
	if claimDue() {
		t.Error("the contract is due after a change that does not affect it")
	}
	// A tenant without a contract has nothing to reconcile.
	failed := b.ClaimNew(postgrestest.Inputs("Failed"))
	b.FailTenant(failed)
	b.Exec(`UPDATE tenants SET status = 'ARCHIVED', archived_at = now() WHERE id = $1`, failed.Tenant.ID)
	if claimDue() {
		t.Error("a tenant without a contract is due")
	}
}
