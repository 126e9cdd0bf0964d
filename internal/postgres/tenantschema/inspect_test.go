package tenantschema_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantschema"
)

// TestInspection_ReadsIndexes: the cost of one inspection does not grow with the number of
// tenants. Where an index can be used, this plan uses it.
func TestInspection_ReadsIndexes(t *testing.T) {
	b := setup(t)
	err := pgx.BeginFunc(t.Context(), b.Pool(), func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), `SET LOCAL enable_seqscan = off`); err != nil {
			return err
		}
		rows, _ := tx.Query(t.Context(), `EXPLAIN SELECT `+tenantschema.RoleInspectionSQL+` FROM tenants WHERE id = '`+uuid.NewString()+`'`)
		plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
		for _, line := range plan {
			if strings.Contains(line, "Seq Scan on ten") {
				t.Errorf("a table of all tenants is read: %s", line)
			}
		}
		if len(plan) < 20 {
			t.Errorf("plan %q", plan)
		}
		return err
	})
	b.Must(err)
}
