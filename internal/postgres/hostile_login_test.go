package postgres_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
)

// What a tenant's login can do to others with what PostgreSQL lets every login do: send and
// receive notifications, and take advisory locks.

// hostileLogin is a connection with the login of a new tenant.
func (b fixture) hostileLogin() *pgx.Conn {
	b.T.Helper()
	_, conn := b.openCredential(b.ActiveTenant(postgrestest.Inputs("Hostile")).ID)
	return conn
}

func (b fixture) execAs(conn *pgx.Conn, statement string, args ...any) {
	b.T.Helper()
	if _, err := conn.Exec(b.T.Context(), statement, args...); err != nil {
		b.T.Fatalf("%s: %v", statement, err)
	}
}

// lookCounter counts the statements that look for changed tenants.
type lookCounter struct{ looks atomic.Int64 }

func (c *lookCounter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	if strings.Contains(q.SQL, "max(l.change_seq)") {
		c.looks.Add(1)
	}
	return ctx
}

func (*lookCounter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func TestNotifier_HostileLogin(t *testing.T) {
	t.Parallel()
	t.Run("FloodCostsFewStatements", func(t *testing.T) {
		t.Parallel()
		counter := &lookCounter{}
		b := fixture{postgrestest.Open(t, pgdb.Options{Tracer: counter})}
		hostile, f := b.hostileLogin(), b.notifier()
		run, other := b.ClaimNew(postgrestest.Inputs("Clinic")), b.ClaimNew(postgrestest.Inputs("Other"))
		changes, stop := f.Watch(run.Tenant.ID)
		defer stop()
		others, stopOthers := f.Watch(other.Tenant.ID)
		defer stopOthers()
		before, began := counter.looks.Load(), time.Now()
		for range 200 {
			b.execAs(hostile, `SELECT pg_notify('healthcare_tenants', n::text || repeat('x', 1000)) FROM generate_series(1, 50) n`)
			b.execAs(hostile, `SELECT pg_notify('healthcare_tenants', $1)`, run.Tenant.ID.String())
		}
		awaitChange(t, changes, "the first look")
		awaitChange(t, others, "the first look")
		b.Must(b.PrepareSchema(t.Context(), run, b.Seed()))
		b.execAs(hostile, `SELECT pg_notify('healthcare_tenants', '')`)
		awaitChange(t, changes, "a change during the flood")
		looks, elapsed := counter.looks.Load()-before, time.Since(began)
		if most := int64(elapsed/(20*time.Millisecond)) + 2; looks > most || looks == 0 {
			t.Errorf("10,000 notifications caused %d looks in %v, want at most %d", looks, elapsed, most)
		}
		select {
		case <-others:
			t.Error("the subscriber of a tenant that did not change was notified")
		default:
		}
	})
	t.Run("LearnsNoTenant", func(t *testing.T) {
		b := setup(t)
		hostile, f := b.hostileLogin(), b.notifier()
		b.execAs(hostile, `LISTEN healthcare_tenants`)
		for range 3 {
			f.NotifyChanged(uuid.New())
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		n, err := hostile.WaitForNotification(ctx)
		if err != nil || n.Payload != "" {
			t.Errorf("%+v, %v", n, err)
		}
	})
}
