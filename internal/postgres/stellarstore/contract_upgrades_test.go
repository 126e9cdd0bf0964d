package stellarstore_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
)

// upgradeEvents counts the audit events of upgrades planned to a Wasm hash.
func (b fixture) upgradeEvents(hash string) int {
	b.T.Helper()
	return value[int](b, `SELECT count(*) FROM audit_events WHERE action = 'contract.upgrade' AND detail->>'wasmHash' = $1`, hash)
}

func (b fixture) pendingUpgrades() string {
	b.T.Helper()
	pending, failed, err := b.PendingUpgrades(b.T.Context(), newWasmHash)
	b.Must(err)
	return fmt.Sprintf("%d waiting, %d stuck", pending, failed)
}

func TestDB_PlanUpgrade(t *testing.T) {
	t.Parallel()

	t.Run("IsAudited", func(t *testing.T) {
		b := setup(t)
		all := b.registerContracts(3)
		caller := audit.Caller{Kind: audit.CallerCommand, Name: "ops"}
		ctx := audit.WithCaller(t.Context(), caller)
		if n, err := b.PlanUpgrade(ctx, newWasmHash, []uuid.UUID{all[2], all[0], uuid.New()}); n != 2 || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
		for _, id := range []uuid.UUID{all[0], all[2]} {
			events := b.VerifiedChain(id)
			if last := events[len(events)-1]; last.Action != audit.ActionUpgradeContract || last.Caller != caller || last.Detail["wasmHash"] != newWasmHash {
				t.Errorf("%+v", last)
			}
		}
		if events := b.VerifiedChain(all[1]); events[len(events)-1].Action == audit.ActionUpgradeContract {
			t.Error("the other tenant has an event")
		}
		// Repeating a plan writes no event.
		if n, err := b.PlanUpgrade(ctx, newWasmHash, all); n != 1 || err != nil || b.upgradeEvents(newWasmHash) != 3 {
			t.Errorf("%d planned, %d events, %v", n, b.upgradeEvents(newWasmHash), err)
		}
		if n, err := b.PlanUpgrade(ctx, "0ther", all); n != 3 || err != nil || b.upgradeEvents("0ther") != 3 {
			t.Errorf("%d planned, %d events, %v", n, b.upgradeEvents("0ther"), err)
		}
		if n, err := b.PlanUpgrade(ctx, newWasmHash, nil); n != 0 || err != nil {
			t.Errorf("%d planned of none, %v", n, err)
		}
	})

	t.Run("PlansNothingWithoutAuditEvent", func(t *testing.T) {
		b := setup(t)
		all := b.registerContracts(2)
		b.Exec(`ALTER TABLE audit_events ADD CONSTRAINT full_disk CHECK (action <> 'contract.upgrade')`)
		if _, err := b.PlanUpgrade(t.Context(), newWasmHash, all); err == nil {
			t.Error("the upgrade was planned without an audit event")
		}
		if got := b.pendingUpgrades(); got != "0 waiting, 0 stuck" {
			t.Error(got)
		}
	})

	t.Run("AnyWorkerClaimsPlannedUpgrade", func(t *testing.T) {
		one, two := twoProcesses(t)
		all := one.registerContracts(4)
		one.claimContracts(contracts.ClaimQuery{}) // None is due for an hour.
		if n, err := one.PlanUpgrade(t.Context(), newWasmHash, all[:3]); n != 3 || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
		first := tenantIDs(two.claimContracts(contracts.ClaimQuery{Limit: 1})) // The planned upgrade.
		remaining := tenantIDs(one.claimContracts(contracts.ClaimQuery{PendingUpgrade: newWasmHash}))
		if got := append(first, remaining...); len(remaining) != 2 || !slices.Contains(got, all[0]) || !slices.Contains(got, all[1]) || !slices.Contains(got, all[2]) {
			t.Errorf("%v and %v of %v", first, remaining, all)
		}
		if more := two.claimContracts(contracts.ClaimQuery{PendingUpgrade: newWasmHash}); len(more) != 0 {
			t.Errorf("%v are claimed twice", tenantIDs(more))
		}
		if got := one.pendingUpgrades(); got != "3 waiting, 0 stuck" {
			t.Error(got)
		}
	})

	// A worker of the earlier release finds no drift and does nothing.
	t.Run("OlderReleaseDefersUpgrade", func(t *testing.T) {
		b := setup(t)
		id := b.registerContracts(1)[0]
		_, err := b.PlanUpgrade(t.Context(), newWasmHash, []uuid.UUID{id})
		b.Must(err)
		b.recordContracts(inspected(b.claimContracts(contracts.ClaimQuery{})[0]))
		got := b.contractRecord(id)
		if in := time.Until(got.DueAt); got.UpgradeTo != newWasmHash || in > 30*time.Second {
			t.Errorf("due in %v: %+v", in, got)
		}
	})

	t.Run("RetriesFailedUpgradeLater", func(t *testing.T) {
		b := setup(t)
		all := b.registerContracts(2)
		_, err := b.PlanUpgrade(t.Context(), newWasmHash, all)
		b.Must(err)
		items := b.claimContracts(contracts.ClaimQuery{PendingUpgrade: newWasmHash})
		done, failed := inspected(items[0]), inspected(items[1])
		done.WasmHash, done.UpgradeTo = newWasmHash, ""
		failed.ConsecutiveFailures, failed.LastError = 1, "the ceiling is too low"
		b.recordContracts(done, failed)
		if got := b.pendingUpgrades(); got != "1 waiting, 1 stuck" {
			t.Error(got)
		}
		if got := b.claimContracts(contracts.ClaimQuery{PendingUpgrade: newWasmHash}); len(got) != 0 {
			t.Errorf("%v", tenantIDs(got))
		}
		// A repeated plan makes the contract due immediately.
		if n, err := b.PlanUpgrade(t.Context(), newWasmHash, all[1:]); n != 1 || err != nil || b.upgradeEvents(newWasmHash) != 2 {
			t.Errorf("%d planned, %d events, %v", n, b.upgradeEvents(newWasmHash), err)
		}
		if got := b.pendingUpgrades(); got != "1 waiting, 0 stuck" {
			t.Error(got)
		}
		if got := b.claimContracts(contracts.ClaimQuery{PendingUpgrade: newWasmHash}); len(got) != 1 || got[0].Record.ConsecutiveFailures != 0 || got[0].Record.UpgradeTo != newWasmHash {
			t.Errorf("%+v", got)
		}
	})

	t.Run("PlansInBatches", func(t *testing.T) { // One batch would lock all tenants.
		b := setup(t)
		id := b.registerContracts(1)[0]
		many := make([]uuid.UUID, 1200)
		for i := range many {
			many[i] = uuid.New()
		}
		many[700] = id
		if n, err := b.PlanUpgrade(t.Context(), newWasmHash, many); n != 1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if in := time.Until(b.contractRecord(id).DueAt); in > 0 {
			t.Errorf("due in %v", in)
		}
	})
}
