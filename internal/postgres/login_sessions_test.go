//go:build unix

package postgres_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// sessionStates are what a session can be in when its login ends. {{role}} is the tenant's
// role. A statement that this version of PostgreSQL refuses changes nothing.
var sessionStates = map[string][]string{
	"Idle":           nil,
	"OtherRole":      {`SET ROLE {{role}}`},
	"TemporaryTable": {`CREATE TEMPORARY TABLE own (id int)`},
	"Transaction":    {`BEGIN`, `SELECT * FROM users FOR UPDATE`},
	"RoleInTransaction": {`BEGIN`, `SET LOCAL ROLE {{role}}`,
		`INSERT INTO roles (name) VALUES ('x')`},
	"Cursor":      {`BEGIN`, `DECLARE c CURSOR FOR SELECT * FROM users`, `FETCH 1 FROM c`},
	"HeldCursor":  {`DECLARE c CURSOR WITH HOLD FOR SELECT * FROM users`},
	"LargeObject": {`SELECT lo_create(0)`},
	"OthersLargeObject": {`SET ROLE {{role}}`, `SELECT lo_create(0)`,
		`RESET ROLE`},
	"Failed": {`BEGIN`, `SELECT 1/0`},
}

// TestDB_Logins_EndSessions: however a login ends, whatever its sessions do, they are over,
// and its role is dropped.
func TestDB_Logins_EndSessions(t *testing.T) {
	t.Parallel()
	for way, end := range map[string]func(fixture, tenant.Tenant, credentials.Credential) error{
		"Close": func(b fixture, t tenant.Tenant, c credentials.Credential) error {
			return b.CloseCredential(b.T.Context(), t.ID, c.ID)
		},
		"Expire": func(b fixture, _ tenant.Tenant, c credentials.Credential) error {
			b.Exec(`UPDATE tenant_credentials SET expires_at = now() - interval '1 second' WHERE id = $1`, c.ID)
			_, err := b.DropExpiredLogins(b.T.Context(), 10)
			return err
		},
		"OpenAnother": func(b fixture, t tenant.Tenant, c credentials.Credential) error {
			b.Exec(`UPDATE tenant_credentials SET expires_at = now() - interval '1 second' WHERE id = $1`, c.ID)
			_, err := b.OpenCredential(b.T.Context(), t.ID, credentials.Request{TTL: time.Hour})
			return err
		},
		"Suspend": func(b fixture, t tenant.Tenant, _ credentials.Credential) error {
			_, _, err := b.Suspend(b.T.Context(), t.ID)
			return err
		},
		"Archive": func(b fixture, t tenant.Tenant, _ credentials.Credential) error {
			_, err := b.Archive(b.T.Context(), t.ID)
			return err
		},
	} {
		t.Run(way, func(t *testing.T) {
			b := setup(t)
			own, other := b.ActiveTenant(postgrestest.Inputs("Mine")), b.ActiveTenant(postgrestest.Inputs("Other"))
			_, neighbour := b.openCredential(other.ID)
			c, first := b.openCredential(own.ID)
			sessions := map[string]*pgx.Conn{"": first}
			for state, statements := range sessionStates {
				conn, err := connectAs(t, c)
				b.Must(err)
				for _, statement := range statements {
					_ = b.try(conn, own, statement)
				}
				sessions[state] = conn
			}
			b.Must(end(b, own, c))
			for state, conn := range sessions {
				if _, err := conn.Exec(t.Context(), `SELECT 1`); !sessionEnded(err) {
					t.Errorf("%s: the session goes on: %v", state, err)
				}
			}
			if _, err := connectAs(t, c); err == nil {
				t.Error("the login still connects")
			}
			if b.loginCount(c) != 0 {
				t.Error("the login's role still exists")
			}
			if n := value[int](b, `SELECT count(*) FROM pg_largeobject_metadata`); n != 0 {
				t.Errorf("%d large objects are left", n)
			}
			if err := neighbour.Ping(t.Context()); err != nil {
				t.Errorf("another tenant's session ended: %v", err)
			}
			for _, id := range []uuid.UUID{own.ID, other.ID} {
				if drift := b.verify(id); len(drift) != 0 {
					t.Errorf("%+v", drift)
				}
			}
		})
	}
}

// try runs a statement of a tenant's login, which PostgreSQL may refuse.
func (b fixture) try(conn *pgx.Conn, t tenant.Tenant, statement string) error {
	b.T.Helper()
	_, err := conn.Exec(b.T.Context(), b.names(t, tenant.Tenant{}).Replace(statement))
	var refused *pgconn.PgError
	if err != nil && !errors.As(err, &refused) {
		b.T.Fatalf("%s: %v", statement, err)
	}
	return err
}

// sessionEnded reports whether an error says that the server ended the session.
func sessionEnded(err error) bool {
	var pgErr *pgconn.PgError
	return err != nil && (!errors.As(err, &pgErr) || pgErr.Code == "57P01")
}

// TestDB_Logins_EndDespiteLock: a login ends while another process works on its tenant; what
// waits for the tenant is done later.
func TestDB_Logins_EndDespiteLock(t *testing.T) {
	b := setup(t)
	own := b.ActiveTenant(postgrestest.Inputs("Mine"))
	c, session := b.openCredential(own.ID)
	b.Exec(`UPDATE tenant_credentials SET expires_at = now() - interval '1 second'`)
	working, err := b.Pool().Begin(t.Context())
	b.Must(err)
	defer func() { _ = working.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := working.Exec(t.Context(), `SELECT FROM tenants WHERE id = $1 FOR UPDATE`, own.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := b.DropExpiredLogins(t.Context(), 10); err == nil {
		t.Error("the login was dropped without the tenant's lock")
	}
	if err := session.Ping(t.Context()); !sessionEnded(err) {
		t.Errorf("the session goes on: %v", err)
	}
	b.Must(working.Rollback(t.Context()))
	b.Exec(`UPDATE tenant_credentials SET retry_at = now() - interval '1 second'`)
	if n, err := b.DropExpiredLogins(t.Context(), 10); n != 1 || err != nil || b.loginCount(c) != 0 {
		t.Errorf("%d were dropped, %v", n, err)
	}
	if n := value[int](b, `SELECT count(*) FROM audit_events WHERE action = 'credential.close'`); n != 1 {
		t.Errorf("%d events", n)
	}
}

// TestDB_Logins_EndsAllFirst: a login that cannot be ended delays no other one.
func TestDB_Logins_EndsAllFirst(t *testing.T) {
	b := setup(t)
	own := b.ActiveTenant(postgrestest.Inputs("Mine"))
	stuck, _ := b.openCredential(own.ID)
	c, session := b.openCredential(own.ID)
	b.Exec(`UPDATE tenant_credentials SET expires_at = now() - CASE WHEN id = $1 THEN interval '2 seconds' ELSE interval '1 second' END`, stuck.ID)
	locking := testenv.Connect(t, testenv.SuperuserURL(t, b.Pool().Config().ConnString())) // So that the role cannot be changed.
	if _, err := locking.PgConn().Exec(t.Context(), `BEGIN; ALTER ROLE `+stuck.Username+` CONNECTION LIMIT 3`).ReadAll(); err != nil {
		t.Fatal(err)
	}
	if n, err := b.DropExpiredLogins(t.Context(), 10); n != 1 || err == nil || b.loginCount(c) != 0 {
		t.Errorf("%d were dropped, %v", n, err)
	}
	if err := session.Ping(t.Context()); !sessionEnded(err) {
		t.Errorf("the session goes on: %v", err)
	}
	if !value[bool](b, `SELECT failures = 1 AND retry_at > opened_at AND ended_at IS NULL FROM tenant_credentials`) {
		t.Error("no other try is planned")
	}
	if _, err := locking.Exec(t.Context(), `ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	b.Exec(`UPDATE tenant_credentials SET retry_at = now() - interval '1 second'`)
	if n, err := b.DropExpiredLogins(t.Context(), 10); n != 1 || err != nil || b.loginCount(stuck) != 0 {
		t.Errorf("%d were dropped, %v", n, err)
	}
}

// TestDB_Logins_UnresponsiveSession: a session that does not end delays no other one.
func TestDB_Logins_UnresponsiveSession(t *testing.T) {
	b := setup(t)
	own := b.ActiveTenant(postgrestest.Inputs("Mine"))
	stuck, stopped := b.openCredential(own.ID)
	_, session := b.openCredential(own.ID)
	pid := int(stopped.PgConn().PID())
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	resume := func() { _ = syscall.Kill(pid, syscall.SIGCONT) }
	defer resume()
	b.Exec(`UPDATE tenant_credentials SET expires_at = now() - CASE WHEN id = $1 THEN interval '2 seconds' ELSE interval '1 second' END`, stuck.ID)
	returned := make(chan error, 1)
	go func() {
		_, err := b.DropExpiredLogins(context.WithoutCancel(t.Context()), 10)
		returned <- err
	}()
	for session.Ping(t.Context()) == nil {
		runtime.Gosched()
	}
	select {
	case err := <-returned:
		t.Errorf("the other session was ended after the one that does not end was waited for: %v", err)
	default:
		if err := <-returned; err == nil || !strings.Contains(err.Error(), "1 sessions have not ended") {
			t.Error(err)
		}
	}
	resume()
	b.Exec(`UPDATE tenant_credentials SET retry_at = now() - interval '1 second' WHERE retry_at IS NOT NULL`)
	if _, err := b.DropExpiredLogins(t.Context(), 10); err != nil || b.loginCount(stuck) != 0 {
		t.Error(err)
	}
}

func TestDB_NextExpiry(t *testing.T) {
	b := setup(t)
	own := b.ActiveTenant(postgrestest.Inputs("Mine"))
	if next, err := b.NextExpiry(t.Context(), time.Minute); err != nil || next != time.Minute {
		t.Errorf("without logins: %v, %v", next, err)
	}
	b.openCredential(own.ID)
	if next, err := b.NextExpiry(t.Context(), 2*time.Hour); err != nil || next <= 59*time.Minute || next > time.Hour {
		t.Errorf("one for an hour: %v, %v", next, err)
	}
	b.Exec(`UPDATE tenant_credentials SET expires_at = now() - interval '1 second'`)
	if next, err := b.NextExpiry(t.Context(), time.Hour); err != nil || next != 0 {
		t.Errorf("one that expired: %v, %v", next, err)
	}
}
