package stats_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/monitoring"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

const day = 24 * time.Hour

// TestRegistryStats changes the registry in one way each time, and compares what changes.
func TestRegistryStats(t *testing.T) {
	t.Parallel()
	minutes := func(n int) time.Duration { return time.Duration(n) * time.Minute }
	for name, c := range map[string]struct {
		change string
		want   func(*monitoring.Registry)
	}{
		"Unchanged": {`SELECT 1`, func(*monitoring.Registry) {}},
		"Failed": {`UPDATE tenants SET activated_at = NULL, status = 'FAILED'`, func(r *monitoring.Registry) {
			r.Tenants[tenant.StatusActive], r.Tenants[tenant.StatusFailed] = 0, 1
		}},
		"InvitationExpired": {`UPDATE tenants SET invitation_expires_at = now() - interval '1 hour'`, func(r *monitoring.Registry) {
			r.InvitationsPending, r.InvitationsExpired = 0, 1
		}},
		"InvitationAccepted": {`UPDATE tenants SET invitation_accepted_at = now()`, func(r *monitoring.Registry) { r.InvitationsPending = 0 }},
		"Stuck": {`UPDATE tenants SET activated_at = NULL, status = 'PROVISIONING', updated_at = now() - interval '11 minutes'`, func(r *monitoring.Registry) {
			r.Tenants[tenant.StatusActive], r.Tenants[tenant.StatusProvisioning], r.Stuck = 0, 1, 1
		}},
		"Running": {`UPDATE tenants SET activated_at = NULL, status = 'PROVISIONING', updated_at = now() - interval '11 minutes', run_expires_at = now() + interval '1 minute', run_lease = '1 minute'`,
			func(r *monitoring.Registry) {
				r.Tenants[tenant.StatusActive], r.Tenants[tenant.StatusProvisioning] = 0, 1
			}},
		"WelcomeMailDue": {`UPDATE tenants SET welcome_email = 'PENDING', welcome_email_due_at = now() - interval '7 minutes'`, func(r *monitoring.Registry) {
			r.Mails[monitoring.MailWelcome] = monitoring.Backlog{Count: 1, Oldest: minutes(7)}
		}},
		"WelcomeMailClaimed": {`UPDATE tenants SET welcome_email = 'PENDING', welcome_email_due_at = now() + interval '7 minutes'`, func(*monitoring.Registry) {}},
		"ReminderDue": {`UPDATE tenants SET invitation_sent_at = now() - interval '2 days', invitation_expires_at = now() + interval '23 hours 50 minutes'`, func(r *monitoring.Registry) {
			r.Mails[monitoring.MailReminder] = monitoring.Backlog{Count: 1, Oldest: minutes(10)}
		}},
		"FailureMailDue": {`UPDATE tenants SET activated_at = NULL, status = 'FAILED', failure_email_due_at = now() - interval '3 minutes'`, func(r *monitoring.Registry) {
			r.Tenants[tenant.StatusActive], r.Tenants[tenant.StatusFailed] = 0, 1
			r.Mails[monitoring.MailFailure] = monitoring.Backlog{Count: 1, Oldest: minutes(3)}
		}},
		"Logins": {`INSERT INTO tenant_credentials (id, tenant_id, username, expires_at, closed_at, ended_at) SELECT gen_random_uuid(), id, l.name, now() + l.ends, now() + l.closed, now() + l.ended FROM tenants,
			(VALUES ('open', interval '1 hour', NULL::interval, NULL::interval), ('expired', '-5 minutes', NULL, NULL), ('closed', '1 hour', '-9 minutes', NULL), ('ended', '-1 hour', NULL, '-1 minute')) AS l (name, ends, closed, ended)`,
			func(r *monitoring.Registry) {
				r.LoginsOpen, r.LoginsOverdue = 1, monitoring.Backlog{Count: 2, Oldest: minutes(9)}
			}},
		"Unnumbered": {`UPDATE audit_events SET position = NULL, at = now() - interval '4 minutes' WHERE seq = 1`, func(r *monitoring.Registry) {
			r.Unnumbered = monitoring.Backlog{Count: 1, Oldest: minutes(4)}
		}},
		"Restored": {`UPDATE registry SET restore_evidence = 'anchors are ahead'`, func(r *monitoring.Registry) { r.Restored = true }},
	} {
		t.Run(name, func(t *testing.T) {
			b := postgrestest.Setup(t)
			b.ActiveTenant(postgrestest.Inputs("Clinic"))
			b.Exec(`UPDATE tenants SET invitation_sent_at = now()`)
			b.Exec(`SELECT audit_number(1000)`)
			want, err := b.RegistryStats(t.Context(), day)
			b.Must(err)
			b.Exec(c.change)
			c.want(&want)
			got, err := b.RegistryStats(t.Context(), day)
			b.Must(err)
			roundBacklogs(&got)
			if !equal(got, want) {
				t.Errorf("%+v\nwant %+v", got, want)
			}
		})
	}
}

// roundBacklogs rounds ages to minutes: the test itself takes some time.
func roundBacklogs(r *monitoring.Registry) {
	round := func(b *monitoring.Backlog) { b.Oldest = b.Oldest.Round(time.Minute) }
	for kind, b := range r.Mails {
		round(&b)
		r.Mails[kind] = b
	}
	round(&r.LoginsOverdue)
	round(&r.Unnumbered)
}

func equal(a, b monitoring.Registry) bool {
	for _, status := range tenant.Statuses() {
		if a.Tenants[status] != b.Tenants[status] {
			return false
		}
	}
	for _, kind := range monitoring.MailKinds() {
		if a.Mails[kind] != b.Mails[kind] {
			return false
		}
	}
	return a.InvitationsPending == b.InvitationsPending && a.InvitationsExpired == b.InvitationsExpired && a.Stuck == b.Stuck && a.LoginsOpen == b.LoginsOpen &&
		a.LoginsOverdue == b.LoginsOverdue && a.Unnumbered == b.Unnumbered && a.Restored == b.Restored
}

// statements counts statements.
type statements struct{ n int }

func (s *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	s.n++
	return ctx
}
func (s *statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TestStats_Statements: each read is one statement, on a reserved connection, so that it works while
// all others are in use.
func TestStats_Statements(t *testing.T) {
	t.Parallel()
	var counted statements
	b := postgrestest.Open(t, pgdb.Options{MaxConnections: 1, Tracer: &counted})
	b.ActiveTenant(postgrestest.Inputs("Clinic"))
	_, err := b.DatabaseStats(t.Context()) // Connects.
	b.Must(err)
	held, err := b.Pool().Acquire(t.Context())
	b.Must(err)
	defer held.Release()
	for name, read := range map[string]func() error{
		"Registry":   func() error { _, err := b.RegistryStats(t.Context(), day); return err },
		"Database":   func() error { _, err := b.DatabaseStats(t.Context()); return err },
		"Blueprints": func() error { _, err := b.BlueprintStats(t.Context(), 1); return err },
	} {
		counted.n = 0
		if err := read(); err != nil || counted.n != 1 {
			t.Errorf("%s: %d statements, %v", name, counted.n, err)
		}
	}
}

func TestStats_Waits(t *testing.T) {
	b := postgrestest.Setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.RegistryStats(ctx, day); errs.KindOf(err) != errs.KindCancelled {
		t.Errorf("%v", err)
	}
	b.Exec(`ALTER TABLE tenant_counts RENAME TO lost`)
	if _, err := b.RegistryStats(t.Context(), day); errs.KindOf(err) != errs.KindPermanent {
		t.Errorf("statistics of a registry without its counters: %v", err)
	}
}

func TestDatabaseStats(t *testing.T) {
	b := postgrestest.Setup(t)
	b.ActiveTenant(postgrestest.Inputs("Clinic"))
	open, err := b.Pool().Begin(t.Context())
	b.Must(err)
	defer func() { _ = open.Rollback(context.WithoutCancel(t.Context())) }()
	_, err = open.Exec(t.Context(), `SELECT pg_sleep(0.02)`)
	b.Must(err)
	d, err := b.DatabaseStats(t.Context())
	if err != nil || !d.Writable || d.Connections < 2 || d.MaxConnections < d.Connections || d.OldestTransaction < 20*time.Millisecond || d.OldestTransaction > time.Minute || d.TransactionIDAge <= 0 {
		t.Errorf("%+v, %v", d, err)
	}
}

func TestBlueprintStats(t *testing.T) {
	b := postgrestest.Setup(t)
	b.ActiveTenant(postgrestest.Inputs("Clinic"))
	for version, behind := range map[int]int64{1: 0, 2: 1} {
		all, err := b.BlueprintStats(t.Context(), version)
		if err != nil || len(all) != 1 || all[0] != (monitoring.BlueprintTenants{Blueprint: "standard", Behind: behind}) {
			t.Errorf("version %d: %+v, %v", version, all, err)
		}
	}
	b.Exec(`INSERT INTO blueprints (name) VALUES ('clinic')`)
	if all, err := b.BlueprintStats(t.Context(), 1); err != nil || len(all) != 2 || all[0].Blueprint != "clinic" || all[0].Behind != 0 {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestPoolStats(t *testing.T) {
	b := postgrestest.Setup(t)
	b.ActiveTenant(postgrestest.Inputs("Clinic"))
	held, err := b.Pool().Acquire(t.Context())
	b.Must(err)
	defer held.Release()
	pools := b.PoolStats()
	if p := pools[0]; p.Name != "registry" || p.Acquired != 1 || p.Max != pgdb.DefaultMaxConnections || p.Acquires < 2 || p.Waits < 1 || p.Waited <= 0 {
		t.Errorf("%+v", p)
	}
	if pools[1].Name != "reserved" || pools[1].Max != 3 {
		t.Errorf("%+v", pools[1])
	}
}
