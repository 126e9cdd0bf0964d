package postgres_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// names reads all pages of a query.
func (b bundle) names(q provisioning.ListQuery) (names []string, total int64) {
	b.t.Helper()
	for {
		page, err := b.List(b.t.Context(), q)
		if err != nil {
			b.t.Fatal(err)
		}
		if len(page.Tenants) > q.Limit {
			b.t.Fatalf("a page of %d tenants", len(page.Tenants))
		}
		for _, tenant := range page.Tenants {
			names = append(names, tenant.Name)
		}
		if page.Next == nil {
			return names, page.Total
		}
		q.After = page.Next
	}
}

func TestDB_List(t *testing.T) {
	b := setup(t)
	for i := range 5 {
		run := b.begin(inputs(fmt.Sprintf("Clinic %d", i)))
		if i%2 == 1 {
			fail(b, run)
		}
	}
	odd := inputs(`100%_Søn\Clinic`)
	odd.AdminEmail = "Grace@Other.example"
	b.live(odd)
	b.exec(`UPDATE tenants SET created_at = '2026-01-01'`) // Then the id decides, and no tenant comes twice.

	for _, limit := range []int{1, 2, 3, 100} {
		names, total := b.names(provisioning.ListQuery{Limit: limit})
		if want := `100%_Søn\Clinic,Clinic 4,Clinic 3,Clinic 2,Clinic 1,Clinic 0`; strings.Join(names, ",") != want || total != 6 {
			t.Errorf("limit %d: %v of %d", limit, names, total)
		}
	}
	for q, want := range map[provisioning.ListQuery]string{
		{Status: provisioning.StatusFailed}:       "Clinic 3,Clinic 1",
		{Status: provisioning.StatusProvisioning}: "Clinic 4,Clinic 2,Clinic 0",
		{Status: provisioning.StatusArchived}:     "",
		{Text: "SØN"}:                             `100%_Søn\Clinic`,
		{Text: "%_s"}:                             `100%_Søn\Clinic`,
		{Text: `n\c`}:                             `100%_Søn\Clinic`,
		{Text: "%"}:                               `100%_Søn\Clinic`,
		{Text: "grace@other"}:                     `100%_Søn\Clinic`,
		{Text: "clinic 1", Status: provisioning.StatusFailed}: "Clinic 1",
		{Text: "clinic 1", Status: provisioning.StatusActive}: "",
		{Text: "clinic _"}:                                        "",
		{Text: "'; DROP TABLE tenants; --"}:                       "",
		{Text: "clinic", Status: provisioning.StatusProvisioning}: "Clinic 4,Clinic 2,Clinic 0",
	} {
		q.Limit = 2
		names, total := b.names(q)
		if strings.Join(names, ",") != want || int(total) != len(names) {
			t.Errorf("%+v: %v of %d", q, names, total)
		}
	}
}

// TestDB_List_Counts: the totals are kept and not counted, so they have to be
// right after every move.
func TestDB_List_Counts(t *testing.T) {
	b := setup(t)
	agree := func(after string) {
		t.Helper()
		for _, status := range append(provisioning.Statuses(), "") {
			page, err := b.List(t.Context(), provisioning.ListQuery{Status: status, Limit: 1})
			if err != nil {
				t.Fatal(err)
			}
			if n := value[int64](b, `SELECT count(*) FROM tenants WHERE $1 = '' OR status::text = $1`, string(status)); n != page.Total {
				t.Errorf("after %s: total of %q is %d, and there are %d", after, status, page.Total, n)
			}
		}
	}
	live := b.live(inputs("Live"))
	agree("activation")
	fail(b, b.begin(inputs("Failed")))
	agree("a failure")
	if _, err := b.Archive(t.Context(), live.ID); err != nil {
		t.Fatal(err)
	}
	agree("archiving")
	if _, err := b.Restore(t.Context(), live.ID); err != nil {
		t.Fatal(err)
	}
	agree("restoring")
	tx, err := b.Pool().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `DELETE FROM tenants`); err != nil {
		t.Fatal(err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	agree("a rollback")
	b.exec(`DELETE FROM tenants WHERE status = 'FAILED'`)
	agree("a deletion")
}

// TestDB_List_Plans: a page costs the same at any depth and size, which is a
// matter of how it is read.
func TestDB_List_Plans(t *testing.T) {
	b := setup(t)
	b.exec(`INSERT INTO tenants (id, name, name_key, schema_name, status, admin_email, admin_first_name, admin_last_name, soroban_contract_id, activated_at, created_at)
		SELECT gen_random_uuid(), 'T' || n, 't' || n, 't_' || n, CASE WHEN n % 100 = 0 THEN 'FAILED' ELSE 'ACTIVE' END::tenant_status, 'a@b.example', 'A', 'B',
		       repeat('C', 56), now(), now() - n * interval '1 second' FROM generate_series(1, 20000) n`)
	b.exec(`ANALYZE tenants`)
	for what, where := range map[string]string{
		"everything": "true", "a status": "status = 'FAILED'",
		"a deep page": "true AND (created_at, id) < (now() - interval '15000 seconds', '" + uuid.NewString() + "'::uuid)",
	} {
		rows, err := b.Pool().Query(t.Context(), `EXPLAIN SELECT id FROM tenants WHERE `+where+` ORDER BY created_at DESC, id DESC LIMIT 21`)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		if plan := strings.Join(lines, "\n"); !strings.Contains(plan, "page on tenants") || strings.Contains(plan, "Sort") {
			t.Errorf("%s is read so:\n%s", what, plan)
		}
	}
}
