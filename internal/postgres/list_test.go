package postgres_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantschema"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// listNames reads all pages of a query and returns the names.
func (b fixture) listNames(q tenant.ListQuery) (names []string, total int64) {
	b.T.Helper()
	for {
		page, err := b.List(b.T.Context(), q)
		if err != nil {
			b.T.Fatal(err)
		}
		if len(page.Tenants) > q.Limit {
			b.T.Fatalf("a page of %d tenants", len(page.Tenants))
		}
		for _, item := range page.Tenants {
			names = append(names, item.Name)
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
		run := b.ClaimNew(postgrestest.Inputs(fmt.Sprintf("Clinic %d", i)))
		if i%2 == 1 {
			b.FailTenant(run)
		}
	}
	special := postgrestest.Inputs(`100%_Søn\Clinic`)
	special.AdminEmail = "Grace@Other.example"
	b.ActiveTenant(special)
	b.Exec(`UPDATE tenants SET blueprint = 'clinic' WHERE name IN ('Clinic 1', 'Clinic 2')`)
	b.Exec(`UPDATE tenants SET metadata = '{"zone": "a", "x": "y"}' WHERE name = 'Clinic 1'`)
	b.Exec(`UPDATE tenants SET metadata = '{"zone": "a", "tier": "1"}' WHERE name = 'Clinic 3'`)
	b.Exec(`UPDATE tenants SET managed_by = 'ops' WHERE name IN ('Clinic 2', 'Clinic 4')`)
	b.Exec(`UPDATE tenants SET hold_reason = 'Case 7', hold_by = 'test', hold_since = now(), activated_at = now() WHERE name IN ('Clinic 2', 'Clinic 3')`)
	b.Exec(`UPDATE tenants SET created_at = '2026-01-01Z'`) // Then the ID decides the order, and no tenant appears twice.

	for _, limit := range []int{1, 2, 3, 100} {
		names, total := b.listNames(tenant.ListQuery{Limit: limit})
		if want := `100%_Søn\Clinic,Clinic 4,Clinic 3,Clinic 2,Clinic 1,Clinic 0`; strings.Join(names, ",") != want || total != 6 {
			t.Errorf("limit %d: %v of %d", limit, names, total)
		}
	}
	b.Exec(`UPDATE tenants SET created_at = '2025-12-31Z' WHERE name = 'Clinic 0'`)
	day := func(n int) time.Time { return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC) }
	for _, c := range []struct {
		q    tenant.ListQuery
		want string
	}{
		{tenant.ListQuery{Status: tenant.StatusFailed}, "Clinic 3,Clinic 1"},
		{tenant.ListQuery{Status: tenant.StatusProvisioning}, "Clinic 4,Clinic 2,Clinic 0"},
		{tenant.ListQuery{Status: tenant.StatusArchived}, ""},
		{tenant.ListQuery{Text: "SØN"}, `100%_Søn\Clinic`},
		{tenant.ListQuery{Text: "%_s"}, `100%_Søn\Clinic`},
		{tenant.ListQuery{Text: `n\c`}, `100%_Søn\Clinic`},
		{tenant.ListQuery{Text: "%"}, `100%_Søn\Clinic`},
		{tenant.ListQuery{Text: "grace@other"}, `100%_Søn\Clinic`},
		{tenant.ListQuery{Text: "clinic 1", Status: tenant.StatusFailed}, "Clinic 1"},
		{tenant.ListQuery{Text: "clinic 1", Status: tenant.StatusActive}, ""},
		{tenant.ListQuery{Text: "clinic _"}, ""},
		{tenant.ListQuery{Text: "'; DROP TABLE tenants; --"}, ""},
		{tenant.ListQuery{Text: "clinic", Status: tenant.StatusProvisioning}, "Clinic 4,Clinic 2,Clinic 0"},
		{tenant.ListQuery{Blueprint: "clinic"}, "Clinic 2,Clinic 1"},
		{tenant.ListQuery{Blueprint: "standard"}, `100%_Søn\Clinic,Clinic 4,Clinic 3,Clinic 0`},
		{tenant.ListQuery{Blueprint: "other"}, ""},
		{tenant.ListQuery{Blueprint: "clinic", Status: tenant.StatusFailed}, "Clinic 1"},
		{tenant.ListQuery{Blueprint: "clinic", Text: "clinic 2"}, "Clinic 2"},
		{tenant.ListQuery{Blueprint: "clinic", Text: "søn"}, ""},
		{tenant.ListQuery{Visible: tenant.MetadataFilter{"zone": "a"}}, "Clinic 3,Clinic 1"},
		{tenant.ListQuery{Metadata: tenant.MetadataFilter{"zone": "a"}}, "Clinic 3,Clinic 1"},
		{tenant.ListQuery{Metadata: tenant.MetadataFilter{"tier": "1"}, Visible: tenant.MetadataFilter{"zone": "a"}}, "Clinic 3"},
		{tenant.ListQuery{Metadata: tenant.MetadataFilter{"zone": "b"}, Visible: tenant.MetadataFilter{"zone": "a"}}, ""},
		{tenant.ListQuery{Metadata: tenant.MetadataFilter{"zone": "a"}, Status: tenant.StatusFailed, Text: "3"}, "Clinic 3"},
		{tenant.ListQuery{ManagedBy: "ops"}, "Clinic 4,Clinic 2"},
		{tenant.ListQuery{ManagedBy: "op"}, ""},
		{tenant.ListQuery{Held: new(true)}, "Clinic 3,Clinic 2"},
		{tenant.ListQuery{Held: new(true), Status: tenant.StatusFailed}, "Clinic 3"},
		{tenant.ListQuery{Held: new(false), Text: "clinic"}, "100%_Søn\\Clinic,Clinic 4,Clinic 1,Clinic 0"},
		{tenant.ListQuery{CreatedAfter: day(1)}, ""},
		{tenant.ListQuery{CreatedBefore: day(1)}, "Clinic 0"},
		{tenant.ListQuery{CreatedAfter: day(1).Add(-time.Microsecond), CreatedBefore: day(1).Add(time.Microsecond), ManagedBy: "ops"}, "Clinic 4,Clinic 2"},
		{tenant.ListQuery{Visible: tenant.MetadataFilter{"zone": "a", "tier": "1"}}, "Clinic 3"},
		{tenant.ListQuery{Visible: tenant.MetadataFilter{"zone": "a"}, Text: "1"}, "Clinic 1"},
		{tenant.ListQuery{Visible: tenant.MetadataFilter{"zone": ""}}, ""},
	} {
		c.q.Limit = 2
		names, total := b.listNames(c.q)
		if strings.Join(names, ",") != c.want || int(total) != len(names) {
			t.Errorf("%+v: %v of %d", c.q, names, total)
		}
	}
}

// TestDB_List_Behind: tenants are compared with the active revision of their blueprint, or with the
// newest version of the blueprint standard.
func TestDB_List_Behind(t *testing.T) {
	b := setup(t)
	for _, name := range []string{"Standard", "Old standard", "Clinic 1", "Clinic 2", "Purged", "Never live"} {
		b.ActiveTenant(postgrestest.Inputs(name))
	}
	b.Exec(`INSERT INTO blueprints (name) VALUES ('clinic'), ('empty')`)
	b.Exec(`INSERT INTO blueprint_revisions (blueprint, revision, sha256, schema_version, files, objects, report, published_by) SELECT 'clinic', n, n, n, '', '{}', '{}', 'test' FROM generate_series(1, 2) n`)
	b.Exec(`UPDATE blueprints SET active_revision = 2 WHERE name = 'clinic'`)
	b.Exec(`UPDATE tenants SET schema_version = 0 WHERE name IN ('Old standard', 'Purged', 'Never live')`)
	b.Exec(`UPDATE tenants SET blueprint = 'clinic', blueprint_revision = right(name, 1)::integer, schema_version = 0 WHERE name LIKE 'Clinic%'`)
	b.Exec(`UPDATE tenants SET status = 'ARCHIVED', archived_at = now(), purged_at = now() WHERE name = 'Purged'`)
	b.Exec(`UPDATE tenants SET status = 'FAILED', activated_at = NULL WHERE name = 'Never live'`)
	for want, q := range map[string]tenant.ListQuery{
		"Clinic 1,Old standard":               {Behind: new(true)},
		"Never live,Purged,Clinic 2,Standard": {Behind: new(false)},
		"Clinic 1":                            {Behind: new(true), Blueprint: "clinic"},
		"Clinic 2":                            {Behind: new(false), Text: "clinic 2"},
		"Old standard":                        {Behind: new(true), Status: tenant.StatusActive, Blueprint: "standard"},
		"":                                    {Behind: new(true), Status: tenant.StatusFailed},
	} {
		q.Limit = 2
		if names, total := b.listNames(q); strings.Join(names, ",") != want || int(total) != len(names) {
			t.Errorf("%+v: %v of %d, want %s", q, names, total, want)
		}
	}
	b.Exec(`UPDATE blueprints SET active_revision = 1 WHERE name = 'clinic'`) // An older one is active again.
	if names, _ := b.listNames(tenant.ListQuery{Behind: new(true), Blueprint: "clinic", Limit: 10}); len(names) != 0 {
		t.Errorf("%v", names)
	}
	found, err := b.Behind(t.Context(), tenantschema.Version)
	if err != nil || len(found) != 1 || found[0].Count != 1 || found[0].Tenants[0].Name != "Old standard" {
		t.Errorf("the overview has %+v, %v", found, err)
	}
}

// TestDB_List_TotalsStayExact: the totals are stored and not counted, so they must be
// correct after every transition.
func TestDB_List_TotalsStayExact(t *testing.T) {
	b := setup(t)
	assertTotals := func(after string) {
		t.Helper()
		for _, status := range append(tenant.Statuses(), "") {
			page, err := b.List(t.Context(), tenant.ListQuery{Status: status, Limit: 1})
			if err != nil {
				t.Fatal(err)
			}
			if n := value[int64](b, `SELECT count(*) FROM tenants WHERE $1 = '' OR status::text = $1`, string(status)); n != page.Total {
				t.Errorf("after %s: total of %q is %d, want %d", after, status, page.Total, n)
			}
		}
	}
	active := b.ActiveTenant(postgrestest.Inputs("Live"))
	assertTotals("activation")
	b.FailTenant(b.ClaimNew(postgrestest.Inputs("Failed")))
	assertTotals("a failure")
	if _, err := b.Archive(t.Context(), active.ID); err != nil {
		t.Fatal(err)
	}
	assertTotals("archiving")
	if _, err := b.Unarchive(t.Context(), active.ID); err != nil {
		t.Fatal(err)
	}
	assertTotals("restoring")
	b.Exec(`UPDATE tenants SET status = 'SUSPENDED', suspended_at = now() WHERE status = 'ACTIVE'`)
	assertTotals("suspending")
	b.Exec(`UPDATE tenants SET status = 'ACTIVE', suspended_at = NULL WHERE status = 'SUSPENDED'`)
	assertTotals("resuming")
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
	assertTotals("a rollback")
	b.Exec(`DELETE FROM tenants WHERE status = 'FAILED'`)
	assertTotals("a deletion")
}

// TestDB_List_HostileStatus: a status is a parameter of the statement, not SQL text.
func TestDB_List_HostileStatus(t *testing.T) {
	b := setup(t)
	b.ActiveTenant(postgrestest.Inputs("Clinic"))
	for _, status := range []tenant.Status{"ACTIVE' OR 'a' = 'a", "active + 41", "NONE", "'"} {
		for _, text := range []string{"", "clinic"} {
			page, err := b.List(t.Context(), tenant.ListQuery{Status: status, Text: text, Limit: 10})
			if err == nil || len(page.Tenants) != 0 || page.Total != 0 {
				t.Errorf("status %q returns %d tenants of %d, %v", status, len(page.Tenants), page.Total, err)
			}
		}
	}
}

// TestDB_List_UsesIndex: a page costs the same at any depth and table size, because
// the plan reads it from an index.
func TestDB_List_UsesIndex(t *testing.T) {
	b := setup(t)
	b.Exec(`INSERT INTO tenants (id, name, name_key, schema_name, status, admin_email, admin_first_name, admin_last_name, soroban_contract_id, activated_at, created_at, blueprint, metadata)
		SELECT gen_random_uuid(), 'T' || n, 't' || n, 't_' || n, CASE WHEN n % 100 = 0 THEN 'FAILED' ELSE 'ACTIVE' END, 'a@b.example', 'A', 'B',
		       repeat('C', 56), now(), now() - n * interval '1 second', CASE WHEN n % 10 = 0 THEN 'clinic' ELSE 'standard' END,
		       jsonb_build_object('reseller', 'r' || n % 1000) FROM generate_series(1, 20000) n`)
	b.Exec(`ANALYZE tenants`)
	traced := &batchTracer{}
	db, err := postgres.Open(t.Context(), pgdb.Options{URL: b.Pool().Config().ConnString(), Tracer: traced})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	deep := &tenant.Position{CreatedAt: time.Now().Add(-15000 * time.Second), ID: uuid.New()}
	for _, c := range []struct {
		query  tenant.ListQuery
		index  string
		sorted bool // The plan may sort; there are few rows.
	}{
		{tenant.ListQuery{}, "tenants_page", false},
		{tenant.ListQuery{After: deep}, "tenants_page", false},
		{tenant.ListQuery{Status: tenant.StatusActive}, "tenants_page", false},
		{tenant.ListQuery{Status: tenant.StatusFailed}, "tenants_status_page", false},
		{tenant.ListQuery{Status: tenant.StatusFailed, After: deep}, "tenants_status_page", false},
		{tenant.ListQuery{Status: tenant.StatusArchived}, "tenants_status_page", false},
		{tenant.ListQuery{Status: tenant.StatusSuspended}, "tenants_status_page", false},
		{tenant.ListQuery{Status: tenant.StatusPending}, "tenants_status_page", false},
		{tenant.ListQuery{Status: tenant.StatusProvisioning}, "tenants_unfinished", true},
		{tenant.ListQuery{Blueprint: "standard"}, "tenants_page", false},
		{tenant.ListQuery{Blueprint: "clinic"}, "tenants_blueprint_page", false},
		{tenant.ListQuery{Blueprint: "clinic", After: deep}, "tenants_blueprint_page", false},
		{tenant.ListQuery{Held: new(true)}, "tenants_held", false},
		{tenant.ListQuery{Suspended: new(true)}, "tenants_suspended", false},
		{tenant.ListQuery{Suspended: new(true), After: deep}, "tenants_suspended", false},
		{tenant.ListQuery{Held: new(true), After: deep}, "tenants_held", false},
		{tenant.ListQuery{CreatedAfter: deep.CreatedAt, CreatedBefore: deep.CreatedAt.Add(time.Minute)}, "tenants_page", false},
		{tenant.ListQuery{Metadata: tenant.MetadataFilter{"reseller": "r7"}}, "tenants_metadata", true},
		{tenant.ListQuery{Visible: tenant.MetadataFilter{"reseller": "r7"}, After: deep}, "tenants_metadata", true},
	} {
		c.query.Limit, traced.customPlans = 20, false
		if _, err := db.List(t.Context(), c.query); err != nil {
			t.Fatal(err)
		}
		mode := "force_generic_plan"
		if traced.customPlans {
			mode = "force_custom_plan"
		}
		plan := b.planOf(mode, traced.last.SQL, traced.last.Args)
		if !strings.Contains(plan, " "+c.index+" ") || strings.Contains(plan, "Seq Scan") || strings.Contains(plan, "Sort") != c.sorted {
			t.Errorf("%+v has the plan:\n%s", c.query, plan)
		}
	}
}

// batchTracer records the last statement of the last batch.
type batchTracer struct {
	last        pgx.TraceBatchQueryData
	customPlans bool // Of the last batch.
}

func (*batchTracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}

func (*batchTracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (*batchTracer) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}

func (t *batchTracer) TraceBatchQuery(_ context.Context, _ *pgx.Conn, data pgx.TraceBatchQueryData) {
	t.last = data
	t.customPlans = t.customPlans || strings.Contains(data.SQL, "'force_custom_plan', true")
}

func (*batchTracer) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// planOf returns the plan of a statement in a mode: for any parameters, as the connections of a DB
// use it, or for these.
func (b fixture) planOf(mode, statement string, args []any) string {
	b.T.Helper()
	conn, err := b.Pool().Acquire(b.T.Context())
	if err != nil {
		b.T.Fatal(err)
	}
	defer conn.Release()
	values := make([]string, len(args))
	for i, arg := range args {
		values[i] = fmt.Sprintf("'%v'", arg)
		if at, ok := arg.(time.Time); ok {
			values[i] = "'" + at.Format(time.RFC3339Nano) + "'"
		}
		if pairs, ok := arg.(tenant.MetadataFilter); ok {
			text, err := json.Marshal(pairs)
			if err != nil {
				b.T.Fatal(err)
			}
			values[i] = "'" + string(text) + "'"
		}
	}
	execute := `EXPLAIN EXECUTE page`
	if len(values) > 0 {
		execute += `(` + strings.Join(values, ", ") + `)`
	}
	for _, s := range []string{`SET plan_cache_mode = ` + mode, `PREPARE page AS ` + statement} {
		if _, err := conn.Exec(b.T.Context(), s); err != nil {
			b.T.Fatal(err)
		}
	}
	defer func() { _, _ = conn.Exec(b.T.Context(), `DEALLOCATE page`) }()
	rows, _ := conn.Query(b.T.Context(), execute, pgx.QueryExecModeSimpleProtocol)
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		b.T.Fatal(err)
	}
	return strings.Join(lines, "\n")
}
