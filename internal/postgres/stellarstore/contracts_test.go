package stellarstore_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

const newWasmHash = "c0de"

// registerContracts creates live tenants with registered contracts, all due.
func (b fixture) registerContracts(n int) (ids []uuid.UUID) {
	b.T.Helper()
	for i := range n {
		ids = append(ids, b.ActiveTenant(postgrestest.Inputs(fmt.Sprintf("Clinic %d", i))).ID)
	}
	if registered, err := b.RegisterContracts(b.T.Context()); err != nil || registered != n {
		b.T.Fatalf("%d registered, %v", registered, err)
	}
	return ids
}

func (b fixture) claimContracts(q contracts.ClaimQuery) []contracts.WorkItem {
	b.T.Helper()
	if q.ClaimFor == 0 {
		q.ClaimFor = time.Hour
	}
	if q.Limit == 0 {
		q.Limit = 100
	}
	items, err := b.ClaimDueContracts(b.T.Context(), q)
	b.Must(err)
	return items
}

func (b fixture) recordContracts(records ...contracts.Record) {
	b.T.Helper()
	b.Must(b.RecordContracts(b.T.Context(), records))
}

// contractRecord is the stored row of a tenant's contract.
func (b fixture) contractRecord(id uuid.UUID) contracts.Record {
	b.T.Helper()
	var after uuid.UUID
	for {
		page, err := b.ListContracts(b.T.Context(), after, 2)
		b.Must(err)
		if len(page) == 0 {
			b.T.Fatalf("no contract of %s is registered", id)
		}
		for _, d := range page {
			if after = d.Tenant.ID; after == id {
				return d.Record
			}
		}
	}
}

func tenantIDs(items []contracts.WorkItem) []uuid.UUID {
	all := make([]uuid.UUID, len(items))
	for i, d := range items {
		all[i] = d.Tenant.ID
	}
	return all
}

// inspected returns a record without drift that is due in an hour.
func inspected(item contracts.WorkItem) contracts.Record {
	r := item.Record
	r.Ledger, r.State, r.LiveUntil, r.WasmHash = 100, contracts.StateLive, 2_000_000, "01d"
	r.CheckedAt = time.Now().UTC().Truncate(time.Microsecond)
	r.DueAt = r.CheckedAt.Add(time.Hour)
	return r
}

func TestDB_RegisterContracts(t *testing.T) {
	b := setup(t)
	all := b.registerContracts(3)
	if n, err := b.RegisterContracts(t.Context()); n != 0 || err != nil {
		t.Errorf("%d registered again, %v", n, err)
	}
	running := b.ClaimNew(postgrestest.Inputs("Running"))
	b.Must(b.PrepareSchema(t.Context(), running, b.Seed()))
	b.Exec(`UPDATE tenants SET soroban_contract_id = $2 WHERE id = $1`, running.Tenant.ID, postgrestest.ContractID)
	one, two := b.ActiveTenant(postgrestest.Inputs("One")).ID, b.ActiveTenant(postgrestest.Inputs("Two")).ID
	if n, err := b.RegisterContracts(t.Context(), two); n != 1 || err != nil { // Only the named tenants.
		t.Errorf("%d adopted, %v", n, err)
	}
	if n, err := b.RegisterContracts(t.Context()); n != 1 || err != nil {
		t.Errorf("%d adopted, %v", n, err)
	}
	got := b.claimContracts(contracts.ClaimQuery{})
	if want := append(all, one, two); len(got) != len(want) {
		t.Fatalf("%d contracts are due, want %d", len(got), len(want))
	}
	first, err := b.Get(t.Context(), all[0])
	b.Must(err)
	i := slices.IndexFunc(got, func(d contracts.WorkItem) bool { return d.Tenant.ID == all[0] })
	if d := got[i]; d.Tenant.Name != first.Name || d.Tenant.Status != tenant.StatusActive || d.Tenant.ContractID != postgrestest.ContractID ||
		!d.Tenant.CreatedAt.Equal(first.CreatedAt) || d.Head.Seq != 2 || d.Head.Root == [32]byte{} || d.Record.ContractID != postgrestest.ContractID ||
		!d.Record.CheckedAt.IsZero() || d.Record.State != "" || d.Record.Anchor.Seq != 0 {
		t.Errorf("%+v", d)
	}
}

func TestDB_ClaimDueContracts(t *testing.T) {
	t.Parallel()

	t.Run("ClaimsEachContractOnce", func(t *testing.T) {
		one, two := twoProcesses(t)
		one.registerContracts(25)
		var (
			all  sync.WaitGroup
			mu   sync.Mutex
			seen = map[uuid.UUID]int{}
		)
		for i := range 8 {
			claimer := []fixture{one, two}[i%2]
			all.Go(func() {
				for {
					items, err := claimer.ClaimDueContracts(t.Context(), contracts.ClaimQuery{ClaimFor: time.Hour, Limit: 3})
					if err != nil {
						t.Error(err)
					}
					if len(items) > 3 {
						t.Errorf("%d were claimed", len(items))
					}
					if len(items) == 0 {
						return
					}
					mu.Lock()
					for _, d := range items {
						seen[d.Tenant.ID]++
					}
					mu.Unlock()
				}
			})
		}
		all.Wait()
		if len(seen) != 25 {
			t.Errorf("%d of 25 were claimed", len(seen))
		}
		for id, n := range seen {
			if n != 1 {
				t.Errorf("%s was claimed %d times", id, n)
			}
		}
	})

	t.Run("SkipsLockedContracts", func(t *testing.T) { // It does not wait for the lock.
		b := setup(t)
		all := b.registerContracts(3)
		tx, err := b.Pool().Begin(t.Context())
		b.Must(err)
		_, err = tx.Exec(t.Context(), `SELECT FROM tenant_contracts WHERE tenant_id = $1 FOR UPDATE`, all[1])
		b.Must(err)
		got := tenantIDs(b.claimContracts(contracts.ClaimQuery{}))
		b.Must(tx.Rollback(t.Context()))
		if len(got) != 2 || slices.Contains(got, all[1]) {
			t.Errorf("%v of %v", got, all)
		}
	})

	t.Run("ClaimsOldestDueFirst", func(t *testing.T) {
		b := setup(t)
		all := b.registerContracts(3)
		b.Exec(`UPDATE tenant_contracts SET due_at = now() - interval '1 hour' WHERE tenant_id = $1`, all[2])
		b.Exec(`UPDATE tenant_contracts SET due_at = now() + interval '1 second' WHERE tenant_id = $1`, all[0])
		if got := tenantIDs(b.claimContracts(contracts.ClaimQuery{Limit: 1})); !slices.Equal(got, all[2:]) {
			t.Errorf("%v", got)
		}
		if got := tenantIDs(b.claimContracts(contracts.ClaimQuery{})); !slices.Equal(got, all[1:2]) {
			t.Errorf("%v", got)
		}
	})

	t.Run("SetsNextDueTime", func(t *testing.T) {
		b := setup(t)
		all := b.registerContracts(2)
		b.claimContracts(contracts.ClaimQuery{ClaimFor: time.Hour})
		if got := b.claimContracts(contracts.ClaimQuery{}); len(got) != 0 {
			t.Errorf("%v are due", tenantIDs(got))
		}
		for _, id := range all {
			if in := time.Until(b.contractRecord(id).DueAt); in < 55*time.Minute || in > time.Hour {
				t.Errorf("due in %v", in)
			}
		}
	})

	t.Run("ClaimsNamedContracts", func(t *testing.T) {
		b := setup(t)
		all := b.registerContracts(3)
		b.claimContracts(contracts.ClaimQuery{})
		if got := tenantIDs(b.claimContracts(contracts.ClaimQuery{Tenants: []uuid.UUID{all[2], all[0], uuid.New()}})); !slices.Equal(got, []uuid.UUID{all[0], all[2]}) {
			t.Errorf("%v of %v", got, all)
		}
	})

	t.Run("SkipsPurgedTenants", func(t *testing.T) {
		b := setup(t)
		all := b.registerContracts(2)
		_, err := b.Archive(t.Context(), all[0])
		b.Must(err)
		_, err = b.Purge(t.Context(), all[0], 0)
		b.Must(err)
		if got := tenantIDs(b.claimContracts(contracts.ClaimQuery{})); !slices.Equal(got, all[1:]) {
			t.Errorf("%v", got)
		}
		if got := b.claimContracts(contracts.ClaimQuery{Tenants: all[:1]}); len(got) != 0 {
			t.Errorf("%v", tenantIDs(got))
		}
		if page, err := b.ListContracts(t.Context(), uuid.Nil, 10); err != nil || !slices.Equal(tenantIDs(page), all[1:]) {
			t.Errorf("%v, %v", tenantIDs(page), err)
		}
		if n, err := b.PlanUpgrade(t.Context(), newWasmHash, all); n != 1 || err != nil {
			t.Errorf("%d upgrades, %v", n, err)
		}
	})
}
