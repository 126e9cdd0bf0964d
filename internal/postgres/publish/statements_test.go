package publish_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/verification"
)

// statementCounter counts the statements of a database, those of batches included.
type statementCounter struct{ n atomic.Int64 }

func (c *statementCounter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	c.n.Add(1)
	return ctx
}

func (*statementCounter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (*statementCounter) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}

func (c *statementCounter) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {
	c.n.Add(1)
}

func (*statementCounter) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// maxVerifyStatements is how many statements a hundred tenants may cost, beside those of the
// registry itself.
const maxVerifyStatements = 2300

// TestVerify_Statements: the check of a hundred tenants of the example costs a known number of
// statements. The tables of their blueprint do not count.
func TestVerify_Statements(t *testing.T) {
	t.Parallel()
	var counter statementCounter
	b := postgrestest.Open(t, pgdb.Options{Tracer: &counter})
	files, err := blueprint.ReadDir("../../../examples/blueprints/clinic")
	b.Must(err)
	publish(t, b, files)
	v, err := verification.New(verification.Options{Tenants: b, Registry: b})
	b.Must(err)
	verify := func(want int) int64 {
		t.Helper()
		before, checked := counter.n.Load(), 0
		b.Must(v.All(t.Context(), func(id uuid.UUID, findings []verification.Finding, err error) {
			if len(findings) > 0 || err != nil {
				t.Errorf("%s: %+v, %v", id, findings, err)
			}
			if id != uuid.Nil {
				checked++
			}
		}))
		if checked != want {
			t.Errorf("%d tenants were checked, want %d", checked, want)
		}
		return counter.n.Load() - before
	}
	more := func(from, to int) {
		for i := from; i < to; i++ {
			clinicTenant(b, postgrestest.Inputs(fmt.Sprintf("Clinic %d", i)))
		}
	}
	more(0, 10)
	verify(10) // What is read once for each process.
	few := verify(10)
	more(10, 110)
	hundred := verify(110) - few
	t.Logf("%d statements for a hundred tenants, %d for the registry and ten", hundred, few)
	if hundred > maxVerifyStatements {
		t.Errorf("a hundred tenants cost %d statements, want at most %d", hundred, maxVerifyStatements)
	}
}

// statisticsTracer pauses so that PostgreSQL moves a session's counts to the statistics after it
// made a schema, and again after a statement outside of a transaction that reads the counts: it
// does so between two transactions, after a second at the earliest.
type statisticsTracer struct{}

func (statisticsTracer) TraceQueryStart(ctx context.Context, conn *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	if strings.HasPrefix(q.SQL, `CREATE SCHEMA "healthcare_trial_`) || conn.PgConn().TxStatus() == 'I' && strings.Contains(q.SQL, "pg_stat_get_xact_numscans") {
		time.Sleep(1100 * time.Millisecond) // The server measures real time.
	}
	return ctx
}

func (statisticsTracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TestPublish_CountsMoved: what a migration reads and deletes is found when PostgreSQL moves the
// counts of the sample rows just before it.
func TestPublish_CountsMoved(t *testing.T) {
	t.Parallel()
	b := postgrestest.Open(t, pgdb.Options{Tracer: statisticsTracer{}})
	const samples = "samples/0001_rows.sql:\nINSERT INTO patients (name) SELECT 'p' || i FROM generate_series(1, 20) i;\nINSERT INTO dispensations (patient_id) SELECT id FROM patients;\nDELETE FROM dispensations WHERE patient_id > 10;\n"
	publish(t, b, clinic(samples))
	r, err := b.Blueprints.Publish(t.Context(), clinic(samples, "-- +blueprint allow: scans\nWITH d AS (DELETE FROM dispensations WHERE id = 1) UPDATE patients SET email = 'x';"), false)
	if err != nil {
		t.Fatal(err)
	}
	if m := r.Migrations[1]; !slices.Equal(m.Scans, []string{"patients"}) || !slices.Equal(m.DeletesData, []string{"rows of dispensations"}) {
		t.Errorf("%+v", m)
	}
}
