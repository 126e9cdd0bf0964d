package postgres_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

func TestDB_RecordContracts(t *testing.T) {
	t.Parallel()

	t.Run("KeepsAll", func(t *testing.T) {
		b := setup(t)
		b.book(2)
		duties := b.take(provisioning.ContractQuery{})
		r := looked(duties[0])
		r.Life, r.Archived, r.Tries, r.Problem = provisioning.ContractExpiring, true, 3, "no money "+strings.Repeat("x", 600)
		r.Anchor, r.AnchoredAt = provisioning.Anchor{Seq: 2, Root: [32]byte{1, 2, 3}, Ledger: 99}, r.CheckedAt.Add(-time.Minute)
		b.record(r)
		got := b.known(r.TenantID)
		r.Problem = r.Problem[:500]
		got.DueAt, got.CheckedAt, got.AnchoredAt = got.DueAt.UTC(), got.CheckedAt.UTC(), got.AnchoredAt.UTC()
		if got != r {
			t.Errorf("%+v, want %+v", got, r)
		}
		if other := b.known(duties[1].Tenant.ID); other.Life != "" || other.Tries != 0 {
			t.Errorf("the other one: %+v", other)
		}
		r.ContractState = provisioning.ContractState{TenantID: r.TenantID, Life: provisioning.ContractMissing}
		r.Tries, r.Problem, r.AnchoredAt = 0, "", time.Time{}
		b.record(r)
		if got := b.known(r.TenantID); got.Anchor != (provisioning.Anchor{}) || got.Problem != "" || got.LiveUntil != 0 || got.Life != provisioning.ContractMissing {
			t.Errorf("%+v", got)
		}
	})

	t.Run("StaysDueWhatBecameDueMeanwhile", func(t *testing.T) {
		b := setup(t)
		all := b.book(2)
		duties := b.take(provisioning.ContractQuery{})
		_, err := b.Archive(t.Context(), all[0])
		b.must(err)
		b.record(looked(duties[0]), looked(duties[1]))
		if got := ids(b.take(provisioning.ContractQuery{})); !slices.Equal(got, all[:1]) {
			t.Errorf("%v is due, want the archived one %v", got, all[:1])
		}
	})

	// A look that began before the plan knows nothing of it, and does not undo it.
	t.Run("LeavesAPlanAlone", func(t *testing.T) {
		b := setup(t)
		all := b.book(1)
		duties := b.take(provisioning.ContractQuery{})
		if n, err := b.PlanUpgrade(t.Context(), newCode, all); n != 1 || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
		b.record(looked(duties[0]))
		if got := b.known(all[0]); got.UpgradeTo != newCode {
			t.Errorf("%+v", got)
		}
		again := b.take(provisioning.ContractQuery{})
		if len(again) != 1 {
			t.Fatal("it is not due")
		}
		r := looked(again[0])
		r.WasmHash = newCode
		b.record(r)
		if got := b.known(all[0]); got.UpgradeTo != "" || got.WasmHash != newCode {
			t.Errorf("%+v", got)
		}
	})
}

// TestTenants_ContractDue: whoever archives or restores a tenant, its contract is
// looked at next, and only then.
func TestTenants_ContractDue(t *testing.T) {
	b := setup(t)
	id := b.live(inputs("Clinic")).ID
	due := func() bool {
		got := b.take(provisioning.ContractQuery{})
		if len(got) == 1 {
			r := looked(got[0])
			r.Tries, r.Problem = 4, "left undone"
			b.record(r)
		}
		return len(got) == 1
	}
	if due() {
		t.Error("a contract that nobody adopted is due")
	}
	for what, change := range map[string]func(){
		"archived": func() { _, err := b.Archive(t.Context(), id); b.must(err) },
		"restored": func() { _, err := b.Restore(t.Context(), id); b.must(err) },
		"by hand":  func() { b.exec(`UPDATE tenants SET status = 'ARCHIVED', archived_at = now()`) },
	} {
		b.exec(`UPDATE tenants SET status = CASE $1 WHEN 'restored' THEN 'ARCHIVED' ELSE 'ACTIVE' END::tenant_status,
			archived_at = CASE $1 WHEN 'restored' THEN now() END`, what)
		due()
		change()
		if b.known(id).Tries != 0 {
			t.Errorf("%s: the next try is put off as if it had failed", what)
		}
		if !due() {
			t.Errorf("%s: the contract is not due", what)
		}
	}
	b.exec(`UPDATE tenants SET status = 'ACTIVE', archived_at = NULL`)
	due()
	_, err := b.Update(t.Context(), id, inputs("Klinik"), 0)
	b.must(err)
	if due() {
		t.Error("it is due after a change that its contract does not show")
	}
	// A tenant that never had a contract has none to look at.
	failed := b.begin(inputs("Failed"))
	fail(b, failed)
	b.exec(`UPDATE tenants SET status = 'ARCHIVED' WHERE id = $1`, failed.Tenant.ID)
	if due() {
		t.Error("a tenant without a contract is due")
	}
}
