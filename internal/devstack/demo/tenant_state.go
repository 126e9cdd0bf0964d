//go:build unix

package demo

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stack"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// tenantState is the tenant's state in the database, read with plain SQL and without the
// provider's code.
type tenantState struct {
	id, name, status, schema, contract, admin string
	steps                                     []stepInfo
	tables                                    []tableInfo
}

type stepInfo struct {
	name, status string
	duration     time.Duration
}

type tableInfo struct {
	name string
	rows int
}

func readTenant(ctx context.Context, s *stack.Stack, id string) (t tenantState, err error) {
	conn, err := pgx.Connect(ctx, s.Postgres.OwnerURL(stack.Database))
	if err != nil {
		return t, fmt.Errorf("connect to the registry: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	err = conn.QueryRow(ctx, `SELECT id::text, name, status::text, schema_name, coalesce(soroban_contract_id, ''),
		admin_first_name || ' ' || admin_last_name || ' <' || admin_email || '>' FROM public.tenants WHERE id = $1`, id).
		Scan(&t.id, &t.name, &t.status, &t.schema, &t.contract, &t.admin)
	if err != nil {
		return t, fmt.Errorf("read tenant %s: %w", id, err)
	}
	if t.steps, err = readSteps(ctx, conn, id); err != nil {
		return t, fmt.Errorf("read the log of tenant %s: %w", id, err)
	}
	if t.tables, err = readTables(ctx, conn, t.schema); err != nil {
		return t, fmt.Errorf("read schema %q: %w", t.schema, err)
	}
	return t, nil
}

func readSteps(ctx context.Context, conn *pgx.Conn, id string) ([]stepInfo, error) {
	rows, err := conn.Query(ctx, `SELECT step, status, coalesce(duration_ms, 0) FROM public.provisioning_logs l
		WHERE tenant_id = $1 AND attempt = (SELECT max(attempt) FROM public.provisioning_logs WHERE tenant_id = l.tenant_id)
		ORDER BY array_position($2::text[], l.step), l.step`, id, tenant.Steps())
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (s stepInfo, err error) {
		var ms float64
		err = row.Scan(&s.name, &s.status, &ms)
		s.duration = time.Duration(ms * float64(time.Millisecond))
		return s, err
	})
}

func readTables(ctx context.Context, conn *pgx.Conn, schema string) ([]tableInfo, error) {
	rows, err := conn.Query(ctx, "SELECT tablename FROM pg_tables WHERE schemaname = $1 ORDER BY tablename", schema)
	if err != nil {
		return nil, err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	var tables []tableInfo
	for _, name := range names {
		t := tableInfo{name: name}
		if err := conn.QueryRow(ctx, "SELECT count(*) FROM "+pgx.Identifier{schema, name}.Sanitize()).Scan(&t.rows); err != nil {
			return nil, err
		}
		tables = append(tables, t)
	}
	return tables, nil
}

// checkStatus compares the state with the expected state of a tenant in that status.
func (t tenantState) checkStatus(status string) error {
	if t.status != status {
		return fmt.Errorf("the tenant is %s, not %s", t.status, status)
	}
	var names []string
	for _, s := range t.steps {
		if s.status != string(tenant.StepCompleted) {
			return fmt.Errorf("step %s is %s", s.name, s.status)
		}
		names = append(names, s.name)
	}
	var want []string
	for _, s := range tenant.Steps() {
		want = append(want, string(s))
	}
	if !slices.Equal(names, want) {
		return fmt.Errorf("the log has the steps %v, not the seven", names)
	}
	if len(t.tables) == 0 {
		return fmt.Errorf("schema %q has no tables", t.schema)
	}
	return nil
}

// checkKept returns an error for what is missing compared to an earlier state.
func (t tenantState) checkKept(before tenantState) error {
	if t.schema != before.schema || t.contract != before.contract {
		return fmt.Errorf("schema and contract were %s and %s, and are %s and %s", before.schema, before.contract, t.schema, t.contract)
	}
	for _, old := range before.tables {
		i := slices.IndexFunc(t.tables, func(current tableInfo) bool { return current.name == old.name })
		if i < 0 || t.tables[i].rows < old.rows {
			return fmt.Errorf("table %q had %d rows and lost some", old.name, old.rows)
		}
	}
	return nil
}
