package postgres_test

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// connectAs logs in with a credential.
func connectAs(t *testing.T, c credentials.Credential) (*pgx.Conn, error) {
	t.Helper()
	u := url.URL{Scheme: "postgres", User: url.UserPassword(c.Username, c.Password.Reveal()), Host: c.Host + ":" + strconv.Itoa(c.Port), Path: "/" + c.Database}
	conn, err := pgx.Connect(t.Context(), u.String())
	if err == nil {
		t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	}
	return conn, err
}

func (b fixture) openCredential(tenantID uuid.UUID) (credentials.Credential, *pgx.Conn) {
	b.T.Helper()
	c, err := b.OpenCredential(b.T.Context(), tenantID, credentials.Request{TTL: time.Hour})
	if err != nil {
		b.T.Fatal(err)
	}
	conn, err := connectAs(b.T, c)
	if err != nil {
		b.T.Fatal(err)
	}
	return c, conn
}

func (b fixture) loginCount(c credentials.Credential) int {
	b.T.Helper()
	return value[int](b, `SELECT count(*) FROM pg_roles WHERE rolname = $1`, c.Username)
}

func TestDB_OpenCredential(t *testing.T) {
	t.Parallel()

	t.Run("LoginReachesOnlyItsSchema", func(t *testing.T) {
		b := setup(t)
		own, other := b.ActiveTenant(postgrestest.Inputs("Mine")), b.ActiveTenant(postgrestest.Inputs("Other"))
		c, conn := b.openCredential(own.ID)
		for statement, allowed := range map[string]bool{
			`SELECT count(*) FROM users`: true, // The tenant's own schema, through search_path.
			`INSERT INTO ` + own.SchemaName + `.audit_logs (action, entity_type) VALUES ('login', 'user')`: true,
			`DELETE FROM audit_logs`:                              false,
			`SELECT count(*) FROM ` + other.SchemaName + `.users`: false,
			`SELECT count(*) FROM public.tenants`:                 false,
			`SELECT count(*) FROM public.tenant_credentials`:      false,
			`CREATE TABLE mischief (id int)`:                      false,
			`CREATE ROLE mischief`:                                false,
		} {
			if _, err := conn.Exec(t.Context(), statement); (err == nil) != allowed {
				t.Errorf("%s: allowed %v, want %v: %v", statement, err == nil, allowed, err)
			}
		}
		if remaining := time.Until(c.ExpiresAt); remaining < 59*time.Minute || remaining > time.Hour {
			t.Errorf("it expires in %v", remaining)
		}
		if !value[bool](b, `SELECT rolvaliduntil = $2 AND NOT rolsuper AND NOT rolcreaterole FROM pg_roles WHERE rolname = $1`, c.Username, c.ExpiresAt) {
			t.Error("the role has no expiry or has extra privileges")
		}
		if drift, err := b.Verify(t.Context(), own.ID); err != nil || len(drift) != 0 {
			t.Errorf("%v, %v", drift, err)
		}
		for _, table := range []string{"tenant_credentials", "audit_events"} {
			if n := value[int](b, `SELECT count(*) FROM `+table+` x WHERE strpos(x::text, $1) > 0`, c.Password.Reveal()); n != 0 {
				t.Errorf("the password is in %s", table)
			}
		}
	})

	t.Run("RejectsTenantThatIsNotLive", func(t *testing.T) {
		b := setup(t)
		archived := b.archivedTenant(postgrestest.Inputs("Clinic"))
		_, err := b.OpenCredential(t.Context(), archived.ID, credentials.Request{TTL: time.Hour})
		postgrestest.WantKind(t, err, errs.KindConflict)
		_, err = b.OpenCredential(t.Context(), uuid.New(), credentials.Request{TTL: time.Hour})
		postgrestest.WantKind(t, err, errs.KindNotFound)
		if n := value[int](b, `SELECT count(*) FROM tenant_credentials`); n != 0 {
			t.Errorf("%d rows", n)
		}
	})

	t.Run("DropsExpiredLogins", func(t *testing.T) {
		b := setup(t)
		active := b.ActiveTenant(postgrestest.Inputs("Clinic"))
		first, _ := b.openCredential(active.ID)
		b.Exec(`UPDATE tenant_credentials SET expires_at = now() - interval '1 second'`)
		second, _ := b.openCredential(active.ID)
		if b.loginCount(first) != 0 || b.loginCount(second) != 1 {
			t.Error("the first login still exists, or the second is missing")
		}
	})

	t.Run("OpensDespiteUndroppableLogin", func(t *testing.T) {
		b := setup(t)
		active := b.ActiveTenant(postgrestest.Inputs("Clinic"))
		undroppable, _ := b.openCredential(active.ID)
		b.undroppable(undroppable)
		b.Exec(`UPDATE tenant_credentials SET expires_at = now() - interval '1 second'`)
		next, _ := b.openCredential(active.ID)
		if b.loginCount(next) != 1 || b.loginCount(undroppable) != 1 {
			t.Error("the second login is missing, or the first was dropped")
		}
		if _, err := connectAs(t, undroppable); err == nil {
			t.Error("the expired login still works")
		}
		b.Exec(`UPDATE tenant_credentials SET retry_at = now() - interval '1 second'`) // As a minute later.
		if _, err := b.DropExpiredLogins(t.Context(), 10); err == nil {
			t.Error("the error is not reported")
		}
	})

	t.Run("WorksWithoutSuperuser", func(t *testing.T) {
		database := testenv.EmptyDatabase(t)
		b := openAs(t, database, createLoginRole(t, "CREATEROLE NOSUPERUSER", database), nil)
		active := b.ActiveTenant(postgrestest.Inputs("Clinic"))
		c, conn := b.openCredential(active.ID)
		if _, err := conn.Exec(t.Context(), `SELECT * FROM users`); err != nil {
			t.Fatal(err)
		}
		if err := b.CloseCredential(t.Context(), active.ID, c.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), `SELECT * FROM users`); err == nil {
			t.Error("the session still reads")
		}
		if b.loginCount(c) != 0 {
			t.Error("the login still exists")
		}
	})
}

func TestDB_CloseCredential(t *testing.T) {
	t.Parallel()

	t.Run("EndsSessionsAndDropsLogin", func(t *testing.T) {
		b := setup(t)
		active := b.ActiveTenant(postgrestest.Inputs("Clinic"))
		c, conn := b.openCredential(active.ID)
		otherCredential, otherConn := b.openCredential(active.ID)
		for range 2 {
			if err := b.CloseCredential(t.Context(), active.ID, c.ID); err != nil {
				t.Fatal(err)
			}
		}
		if err := conn.Ping(t.Context()); err == nil {
			t.Error("the session is still open")
		}
		if _, err := connectAs(t, c); err == nil {
			t.Error("it can still log in")
		}
		if b.loginCount(c) != 0 || value[int](b, `SELECT count(*) FROM tenant_credentials`) != 1 {
			t.Error("objects remain")
		}
		if err := otherConn.Ping(t.Context()); err != nil || b.loginCount(otherCredential) != 1 {
			t.Errorf("another login was closed, too: %v", err)
		}
		if n := value[int](b, `SELECT count(*) FROM audit_events WHERE action = 'credential.close'`); n != 1 {
			t.Errorf("%d events", n)
		}
	})

	t.Run("IgnoresLoginOfOtherTenant", func(t *testing.T) {
		b := setup(t)
		active, other := b.ActiveTenant(postgrestest.Inputs("Clinic")), b.ActiveTenant(postgrestest.Inputs("Other"))
		c, conn := b.openCredential(active.ID)
		if err := b.CloseCredential(t.Context(), other.ID, c.ID); err != nil {
			t.Fatal(err)
		}
		_, err := b.RenewCredential(t.Context(), other.ID, c.ID, time.Hour)
		postgrestest.WantKind(t, err, errs.KindNotFound)
		if err := conn.Ping(t.Context()); err != nil || b.loginCount(c) != 1 {
			t.Errorf("the login was closed: %v", err)
		}
	})

	t.Run("IgnoresDroppedRole", func(t *testing.T) {
		b := setup(t)
		active := b.ActiveTenant(postgrestest.Inputs("Clinic"))
		c, err := b.OpenCredential(t.Context(), active.ID, credentials.Request{TTL: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		b.Exec(`DROP ROLE ` + c.Username)
		if err := b.CloseCredential(t.Context(), active.ID, c.ID); err != nil {
			t.Fatal(err)
		}
		if n := value[int](b, `SELECT count(*) FROM tenant_credentials`); n != 0 {
			t.Errorf("%d rows", n)
		}
	})

	t.Run("ArchiveClosesLogins", func(t *testing.T) {
		b := setup(t)
		active, other := b.ActiveTenant(postgrestest.Inputs("Clinic")), b.ActiveTenant(postgrestest.Inputs("Other"))
		c, conn := b.openCredential(active.ID)
		otherCredential, _ := b.openCredential(other.ID)
		if _, err := b.Archive(t.Context(), active.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), `SELECT count(*) FROM users`); err == nil || b.loginCount(c) != 0 {
			t.Error("the archived tenant is still reachable")
		}
		if b.loginCount(otherCredential) != 1 {
			t.Error("another tenant's login is missing")
		}
		if drift, err := b.Verify(t.Context(), active.ID); err != nil || len(drift) != 0 {
			t.Errorf("%v, %v", drift, err)
		}
	})
}

func TestDB_RenewCredential(t *testing.T) {
	b := setup(t)
	active := b.ActiveTenant(postgrestest.Inputs("Clinic"))
	c, _ := b.openCredential(active.ID)
	expiresAt, err := b.RenewCredential(t.Context(), active.ID, c.ID, 2*time.Hour)
	if err != nil || !expiresAt.After(c.ExpiresAt.Add(59*time.Minute)) {
		t.Errorf("it expires %v, %v", expiresAt, err)
	}
	if !value[bool](b, `SELECT rolvaliduntil = $2 FROM pg_roles WHERE rolname = $1`, c.Username, expiresAt) {
		t.Error("the role expires at another time")
	}
	b.Exec(`UPDATE tenant_credentials SET expires_at = now() - interval '1 second'`)
	_, err = b.RenewCredential(t.Context(), active.ID, c.ID, time.Hour)
	postgrestest.WantKind(t, err, errs.KindNotFound)
}

func TestDB_DropExpiredLogins(t *testing.T) {
	b := setup(t)
	active := b.ActiveTenant(postgrestest.Inputs("Clinic"))
	c, conn := b.openCredential(active.ID)
	if n, err := b.DropExpiredLogins(t.Context(), 10); n != 0 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	// As after expiry: VALID UNTIL does not end an open session.
	b.Exec(`UPDATE tenant_credentials SET expires_at = now() - interval '1 second'`)
	two, err := postgres.Open(t.Context(), pgdb.Options{URL: b.Pool().Config().ConnString()})
	if err != nil {
		t.Fatal(err)
	}
	defer two.Close()
	done := make(chan error, 2)
	for _, db := range []*postgres.DB{b.DB, two} {
		go func() { _, err := db.DropExpiredLogins(t.Context(), 10); done <- err }()
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if err := conn.Ping(t.Context()); err == nil || b.loginCount(c) != 0 || value[int](b, `SELECT count(*) FROM tenant_credentials`) != 0 {
		t.Error("objects remain")
	}
}

func TestDB_Verify_ReportsUnknownLogins(t *testing.T) {
	b := setup(t)
	active := b.ActiveTenant(postgrestest.Inputs("Clinic"))
	c, _ := b.openCredential(active.ID)
	b.Exec(`DELETE FROM tenant_credentials`)
	drift, err := b.Verify(t.Context(), active.ID)
	if err != nil || len(drift) != 1 || !strings.Contains(drift[0].Message, "the login "+c.Username+" is a member of the role "+active.DatabaseRole) {
		t.Errorf("%v, %v", drift, err)
	}
	b.Exec(`DROP ROLE ` + c.Username)
}

// TestDB_Credentials_Concurrent opens and closes many logins of the same tenants concurrently.
func TestDB_Credentials_Concurrent(t *testing.T) {
	b := setup(t)
	tenants := []tenant.Tenant{b.ActiveTenant(postgrestest.Inputs("One")), b.ActiveTenant(postgrestest.Inputs("Two")), b.ActiveTenant(postgrestest.Inputs("Three"))}
	var wg sync.WaitGroup
	for i := range 48 {
		wg.Go(func() {
			target := tenants[i%len(tenants)].ID
			c, err := b.OpenCredential(t.Context(), target, credentials.Request{TTL: time.Hour})
			if err != nil {
				t.Errorf("open: %v", err)
				return
			}
			if _, err := b.RenewCredential(t.Context(), target, c.ID, time.Hour); err != nil {
				t.Errorf("renew: %v", err)
			}
			if err := b.CloseCredential(t.Context(), target, c.ID); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
	wg.Wait()
	if n := value[int](b, `SELECT count(*) FROM tenant_credentials`); n != 0 {
		t.Errorf("%d logins remain", n)
	}
	for _, target := range tenants {
		if drift := b.verify(target.ID); len(drift) != 0 {
			t.Errorf("%v", drift)
		}
	}
}
