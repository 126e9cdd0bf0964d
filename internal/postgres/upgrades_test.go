package postgres_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// upgradeEvents counts the audit events of planned upgrades to a code.
func (b bundle) upgradeEvents(hash string) int {
	b.t.Helper()
	return value[int](b, `SELECT count(*) FROM audit_events WHERE action = 'contract.upgrade' AND detail->>'wasmHash' = $1`, hash)
}

func (b bundle) left() string {
	b.t.Helper()
	waiting, stuck, err := b.UpgradesLeft(b.t.Context(), newCode)
	b.must(err)
	return fmt.Sprintf("%d waiting, %d stuck", waiting, stuck)
}

func TestDB_PlanUpgrade(t *testing.T) {
	t.Parallel()

	t.Run("IsAudited", func(t *testing.T) {
		b := setup(t)
		all := b.book(3)
		caller := provisioning.Caller{Kind: provisioning.CallerCommand, Name: "ops"}
		ctx := provisioning.WithCaller(t.Context(), caller)
		if n, err := b.PlanUpgrade(ctx, newCode, []uuid.UUID{all[2], all[0], uuid.New()}); n != 2 || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
		for _, id := range []uuid.UUID{all[0], all[2]} {
			events := b.chain(id)
			if last := events[len(events)-1]; last.Action != provisioning.AuditUpgrade || last.Caller != caller || last.Detail["wasmHash"] != newCode {
				t.Errorf("%+v", last)
			}
		}
		if events := b.chain(all[1]); events[len(events)-1].Action == provisioning.AuditUpgrade {
			t.Error("the other one has an event")
		}
		// A plan that is there already is no event.
		if n, err := b.PlanUpgrade(ctx, newCode, all); n != 1 || err != nil || b.upgradeEvents(newCode) != 3 {
			t.Errorf("%d planned, %d events, %v", n, b.upgradeEvents(newCode), err)
		}
		if n, err := b.PlanUpgrade(ctx, "0ther", all); n != 3 || err != nil || b.upgradeEvents("0ther") != 3 {
			t.Errorf("%d planned, %d events, %v", n, b.upgradeEvents("0ther"), err)
		}
		if n, err := b.PlanUpgrade(ctx, newCode, nil); n != 0 || err != nil {
			t.Errorf("%d planned of none, %v", n, err)
		}
	})

	t.Run("NoRecordNoPlan", func(t *testing.T) {
		b := setup(t)
		all := b.book(2)
		b.exec(`ALTER TABLE audit_events ADD CONSTRAINT full_disk CHECK (action <> 'contract.upgrade')`)
		if _, err := b.PlanUpgrade(t.Context(), newCode, all); err == nil {
			t.Error("it was planned without a record")
		}
		if got := b.left(); got != "0 waiting, 0 stuck" {
			t.Error(got)
		}
	})

	t.Run("AnyWorkerGoesOnAtOnce", func(t *testing.T) {
		one, two := pair(t)
		all := one.book(4)
		one.take(provisioning.ContractQuery{}) // None is due for an hour.
		if n, err := one.PlanUpgrade(t.Context(), newCode, all[:3]); n != 3 || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
		first := ids(two.take(provisioning.ContractQuery{Limit: 1})) // What is due.
		rest := ids(one.take(provisioning.ContractQuery{Upgrade: newCode}))
		if got := append(first, rest...); len(rest) != 2 || !slices.Contains(got, all[0]) || !slices.Contains(got, all[1]) || !slices.Contains(got, all[2]) {
			t.Errorf("%v and %v of %v", first, rest, all)
		}
		if more := two.take(provisioning.ContractQuery{Upgrade: newCode}); len(more) != 0 {
			t.Errorf("%v are given twice", ids(more))
		}
		if got := one.left(); got != "3 waiting, 0 stuck" {
			t.Error(got)
		}
	})

	// A worker of the earlier release finds the contract in order and does nothing.
	t.Run("AnOlderProgramLeavesItToOthers", func(t *testing.T) {
		b := setup(t)
		id := b.book(1)[0]
		_, err := b.PlanUpgrade(t.Context(), newCode, []uuid.UUID{id})
		b.must(err)
		b.record(looked(b.take(provisioning.ContractQuery{})[0]))
		got := b.known(id)
		if in := time.Until(got.DueAt); got.UpgradeTo != newCode || in > 30*time.Second {
			t.Errorf("due in %v: %+v", in, got)
		}
	})

	t.Run("WhatFailedIsTriedLater", func(t *testing.T) {
		b := setup(t)
		all := b.book(2)
		_, err := b.PlanUpgrade(t.Context(), newCode, all)
		b.must(err)
		duties := b.take(provisioning.ContractQuery{Upgrade: newCode})
		done, failed := looked(duties[0]), looked(duties[1])
		done.WasmHash, done.UpgradeTo = newCode, ""
		failed.Tries, failed.Problem = 1, "the ceiling is too low"
		b.record(done, failed)
		if got := b.left(); got != "1 waiting, 1 stuck" {
			t.Error(got)
		}
		if got := b.take(provisioning.ContractQuery{Upgrade: newCode}); len(got) != 0 {
			t.Errorf("%v", ids(got))
		}
		// Whoever plans it again has changed something: it is tried at once.
		if n, err := b.PlanUpgrade(t.Context(), newCode, all[1:]); n != 1 || err != nil || b.upgradeEvents(newCode) != 2 {
			t.Errorf("%d planned, %d events, %v", n, b.upgradeEvents(newCode), err)
		}
		if got := b.left(); got != "1 waiting, 0 stuck" {
			t.Error(got)
		}
		if got := b.take(provisioning.ContractQuery{Upgrade: newCode}); len(got) != 1 || got[0].Known.Tries != 0 || got[0].Known.UpgradeTo != newCode {
			t.Errorf("%+v", got)
		}
	})

	t.Run("ManyAreNoOneTransaction", func(t *testing.T) { // Which would hold up all their tenants.
		b := setup(t)
		id := b.book(1)[0]
		many := make([]uuid.UUID, 1200)
		for i := range many {
			many[i] = uuid.New()
		}
		many[700] = id
		if n, err := b.PlanUpgrade(t.Context(), newCode, many); n != 1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if in := time.Until(b.known(id).DueAt); in > 0 {
			t.Errorf("due in %v", in)
		}
	})
}
