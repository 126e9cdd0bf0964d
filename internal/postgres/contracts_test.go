package postgres_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

const newCode = "c0de"

// book makes tenants that are live and in the book, each due.
func (b bundle) book(n int) (ids []uuid.UUID) {
	b.t.Helper()
	for i := range n {
		ids = append(ids, b.live(inputs(fmt.Sprintf("Clinic %d", i))).ID)
	}
	if made, err := b.AdoptContracts(b.t.Context()); err != nil || made != n {
		b.t.Fatalf("%d adopted, %v", made, err)
	}
	return ids
}

func (b bundle) take(q provisioning.ContractQuery) []provisioning.ContractDuty {
	b.t.Helper()
	if q.PutOff == 0 {
		q.PutOff = time.Hour
	}
	if q.Limit == 0 {
		q.Limit = 100
	}
	duties, err := b.TakeContracts(b.t.Context(), q)
	b.must(err)
	return duties
}

func (b bundle) record(records ...provisioning.ContractRecord) {
	b.t.Helper()
	b.must(b.RecordContracts(b.t.Context(), records))
}

// known is what the book has of a tenant's contract.
func (b bundle) known(id uuid.UUID) provisioning.ContractRecord {
	b.t.Helper()
	var after uuid.UUID
	for {
		page, err := b.ContractsAfter(b.t.Context(), after, 2)
		b.must(err)
		if len(page) == 0 {
			b.t.Fatalf("the book has nothing of %s", id)
		}
		for _, d := range page {
			if after = d.Tenant.ID; after == id {
				return d.Known
			}
		}
	}
}

func ids(duties []provisioning.ContractDuty) []uuid.UUID {
	all := make([]uuid.UUID, len(duties))
	for i, d := range duties {
		all[i] = d.Tenant.ID
	}
	return all
}

// looked is a record of a contract that is in order and due in an hour.
func looked(d provisioning.ContractDuty) provisioning.ContractRecord {
	r := d.Known
	r.Ledger, r.Life, r.LiveUntil, r.WasmHash = 100, provisioning.ContractLive, 2_000_000, "01d"
	r.CheckedAt = time.Now().UTC().Truncate(time.Microsecond)
	r.DueAt = r.CheckedAt.Add(time.Hour)
	return r
}

func TestDB_AdoptContracts(t *testing.T) {
	b := setup(t)
	all := b.book(3)
	if n, err := b.AdoptContracts(t.Context()); n != 0 || err != nil {
		t.Errorf("%d adopted again, %v", n, err)
	}
	running := b.begin(inputs("Running"))
	b.must(b.PrepareSchema(t.Context(), running, b.seed()))
	b.exec(`UPDATE tenants SET soroban_contract_id = $2 WHERE id = $1`, running.Tenant.ID, contractID)
	one, two := b.live(inputs("One")).ID, b.live(inputs("Two")).ID
	if n, err := b.AdoptContracts(t.Context(), two); n != 1 || err != nil { // The named alone.
		t.Errorf("%d adopted, %v", n, err)
	}
	if n, err := b.AdoptContracts(t.Context()); n != 1 || err != nil {
		t.Errorf("%d adopted, %v", n, err)
	}
	got := b.take(provisioning.ContractQuery{})
	if want := append(all, one, two); len(got) != len(want) {
		t.Fatalf("%d contracts are due, want %d", len(got), len(want))
	}
	first, err := b.Get(t.Context(), all[0])
	b.must(err)
	i := slices.IndexFunc(got, func(d provisioning.ContractDuty) bool { return d.Tenant.ID == all[0] })
	if d := got[i]; d.Tenant.Name != first.Name || d.Tenant.Status != provisioning.StatusActive || d.Tenant.ContractID != contractID ||
		!d.Tenant.CreatedAt.Equal(first.CreatedAt) || d.Head.Seq != 2 || d.Head.Root == [32]byte{} || d.Known.ContractID != contractID ||
		!d.Known.CheckedAt.IsZero() || d.Known.Life != "" || d.Known.Anchor.Seq != 0 {
		t.Errorf("%+v", d)
	}
}

func TestDB_TakeContracts(t *testing.T) {
	t.Parallel()

	t.Run("NobodyGetsThemTwice", func(t *testing.T) {
		one, two := pair(t)
		one.book(25)
		var (
			all  sync.WaitGroup
			mu   sync.Mutex
			seen = map[uuid.UUID]int{}
		)
		for i := range 8 {
			taker := []bundle{one, two}[i%2]
			all.Go(func() {
				for {
					duties, err := taker.TakeContracts(t.Context(), provisioning.ContractQuery{PutOff: time.Hour, Limit: 3})
					if err != nil {
						t.Error(err)
					}
					if len(duties) > 3 {
						t.Errorf("%d were given", len(duties))
					}
					if len(duties) == 0 {
						return
					}
					mu.Lock()
					for _, d := range duties {
						seen[d.Tenant.ID]++
					}
					mu.Unlock()
				}
			})
		}
		all.Wait()
		if len(seen) != 25 {
			t.Errorf("%d of 25 were taken", len(seen))
		}
		for id, n := range seen {
			if n != 1 {
				t.Errorf("%s was taken %d times", id, n)
			}
		}
	})

	t.Run("PassesOverWhatSomebodyIsAt", func(t *testing.T) { // And does not wait for it.
		b := setup(t)
		all := b.book(3)
		tx, err := b.Pool().Begin(t.Context())
		b.must(err)
		_, err = tx.Exec(t.Context(), `SELECT FROM tenant_contracts WHERE tenant_id = $1 FOR UPDATE`, all[1])
		b.must(err)
		got := ids(b.take(provisioning.ContractQuery{}))
		b.must(tx.Rollback(t.Context()))
		if len(got) != 2 || slices.Contains(got, all[1]) {
			t.Errorf("%v of %v", got, all)
		}
	})

	t.Run("TheLongestDueFirst", func(t *testing.T) {
		b := setup(t)
		all := b.book(3)
		b.exec(`UPDATE tenant_contracts SET due_at = now() - interval '1 hour' WHERE tenant_id = $1`, all[2])
		b.exec(`UPDATE tenant_contracts SET due_at = now() + interval '1 second' WHERE tenant_id = $1`, all[0])
		if got := ids(b.take(provisioning.ContractQuery{Limit: 1})); !slices.Equal(got, all[2:]) {
			t.Errorf("%v", got)
		}
		if got := ids(b.take(provisioning.ContractQuery{})); !slices.Equal(got, all[1:2]) {
			t.Errorf("%v", got)
		}
	})

	t.Run("PutsThemOff", func(t *testing.T) {
		b := setup(t)
		all := b.book(2)
		b.take(provisioning.ContractQuery{PutOff: time.Hour})
		if got := b.take(provisioning.ContractQuery{}); len(got) != 0 {
			t.Errorf("%v are due", ids(got))
		}
		for _, id := range all {
			if in := time.Until(b.known(id).DueAt); in < 55*time.Minute || in > time.Hour {
				t.Errorf("due in %v", in)
			}
		}
	})

	t.Run("TheNamedDueOrNot", func(t *testing.T) {
		b := setup(t)
		all := b.book(3)
		b.take(provisioning.ContractQuery{})
		if got := ids(b.take(provisioning.ContractQuery{Tenants: []uuid.UUID{all[2], all[0], uuid.New()}})); !slices.Equal(got, []uuid.UUID{all[0], all[2]}) {
			t.Errorf("%v of %v", got, all)
		}
	})

	t.Run("NoneOfPurgedTenants", func(t *testing.T) {
		b := setup(t)
		all := b.book(2)
		_, err := b.Archive(t.Context(), all[0])
		b.must(err)
		_, err = b.Purge(t.Context(), all[0], 0)
		b.must(err)
		if got := ids(b.take(provisioning.ContractQuery{})); !slices.Equal(got, all[1:]) {
			t.Errorf("%v", got)
		}
		if got := b.take(provisioning.ContractQuery{Tenants: all[:1]}); len(got) != 0 {
			t.Errorf("%v", ids(got))
		}
		if page, err := b.ContractsAfter(t.Context(), uuid.Nil, 10); err != nil || !slices.Equal(ids(page), all[1:]) {
			t.Errorf("%v, %v", ids(page), err)
		}
		if n, err := b.PlanUpgrade(t.Context(), newCode, all); n != 1 || err != nil {
			t.Errorf("%d upgrades, %v", n, err)
		}
	})
}
