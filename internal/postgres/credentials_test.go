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

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/pgserver/pgtest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// connect logs in as whoever has the credential would.
func connect(t *testing.T, c provisioning.Credential) (*pgx.Conn, error) {
	t.Helper()
	u := url.URL{Scheme: "postgres", User: url.UserPassword(c.Username, c.Password.Reveal()), Host: c.Host + ":" + strconv.Itoa(c.Port), Path: "/" + c.Database}
	conn, err := pgx.Connect(t.Context(), u.String())
	if err == nil {
		t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	}
	return conn, err
}

func (b bundle) open(tenant uuid.UUID) (provisioning.Credential, *pgx.Conn) {
	b.t.Helper()
	c, err := b.OpenCredential(b.t.Context(), tenant, time.Hour)
	if err != nil {
		b.t.Fatal(err)
	}
	conn, err := connect(b.t, c)
	if err != nil {
		b.t.Fatal(err)
	}
	return c, conn
}

func (b bundle) logins(c provisioning.Credential) int {
	b.t.Helper()
	return value[int](b, `SELECT count(*) FROM pg_roles WHERE rolname = $1`, c.Username)
}

func TestDB_OpenCredential(t *testing.T) {
	t.Parallel()

	t.Run("LogsInAndReachesItsSchemaAlone", func(t *testing.T) {
		b := setup(t)
		mine, other := b.live(inputs("Mine")), b.live(inputs("Other"))
		c, conn := b.open(mine.ID)
		for statement, allowed := range map[string]bool{
			`SELECT count(*) FROM users`: true, // Of its own schema, by search_path.
			`INSERT INTO ` + mine.SchemaName + `.audit_logs (action, entity_type) VALUES ('login', 'user')`: true,
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
		if left := time.Until(c.ExpiresAt); left < 59*time.Minute || left > time.Hour {
			t.Errorf("it ends in %v", left)
		}
		if !value[bool](b, `SELECT rolvaliduntil = $2 AND NOT rolsuper AND NOT rolcreaterole FROM pg_roles WHERE rolname = $1`, c.Username, c.ExpiresAt) {
			t.Error("the role does not end, or may more")
		}
		if findings, err := b.Verify(t.Context(), mine.ID); err != nil || len(findings) != 0 {
			t.Errorf("%v, %v", findings, err)
		}
		for _, table := range []string{"tenant_credentials", "audit_events"} {
			if n := value[int](b, `SELECT count(*) FROM `+table+` x WHERE strpos(x::text, $1) > 0`, c.Password.Reveal()); n != 0 {
				t.Errorf("the password is in %s", table)
			}
		}
	})

	t.Run("OnlyForALiveTenant", func(t *testing.T) {
		b := setup(t)
		archived := b.archived(inputs("Clinic"))
		_, err := b.OpenCredential(t.Context(), archived.ID, time.Hour)
		wantKind(t, err, provisioning.KindConflict)
		_, err = b.OpenCredential(t.Context(), uuid.New(), time.Hour)
		wantKind(t, err, provisioning.KindNotFound)
		if n := value[int](b, `SELECT count(*) FROM tenant_credentials`); n != 0 {
			t.Errorf("%d rows", n)
		}
	})

	t.Run("ClearsEndedOnesAway", func(t *testing.T) {
		b := setup(t)
		live := b.live(inputs("Clinic"))
		first, _ := b.open(live.ID)
		b.exec(`UPDATE tenant_credentials SET expires_at = now() - interval '1 second'`)
		second, _ := b.open(live.ID)
		if b.logins(first) != 0 || b.logins(second) != 1 {
			t.Error("the first is still there, or the second is not")
		}
	})

	t.Run("BesideOneThatCannotBeDropped", func(t *testing.T) {
		b := setup(t)
		live := b.live(inputs("Clinic"))
		stuck, _ := b.open(live.ID)
		elsewhere, err := pgx.ParseConfig(pgtest.Database(t))
		if err != nil {
			t.Fatal(err)
		}
		b.exec(`ALTER DATABASE ` + pgx.Identifier{elsewhere.Database}.Sanitize() + ` OWNER TO ` + stuck.Username) // What this database cannot take from it.
		b.exec(`UPDATE tenant_credentials SET expires_at = now() - interval '1 second'`)
		next, _ := b.open(live.ID)
		if b.logins(next) != 1 || b.logins(stuck) != 1 {
			t.Error("the next one is not there, or the first was dropped")
		}
		if _, err := connect(t, stuck); err == nil {
			t.Error("the ended one still logs in")
		}
		b.exec(`UPDATE tenant_credentials SET retry_at = now() - interval '1 second'`) // As it is a minute later.
		if _, err := b.SweepCredentials(t.Context(), 10); err == nil {
			t.Error("nobody is told")
		}
	})

	t.Run("AsAnOrdinaryOwner", func(t *testing.T) {
		database := pgtest.Empty(t)
		b := as(t, database, role(t, "CREATEROLE NOSUPERUSER", database), nil)
		live := b.live(inputs("Clinic"))
		c, conn := b.open(live.ID)
		if _, err := conn.Exec(t.Context(), `CREATE TEMP TABLE own (id int); SELECT * FROM users`); err != nil {
			t.Fatal(err)
		}
		if err := b.CloseCredential(t.Context(), live.ID, c.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), `SELECT * FROM users`); err == nil {
			t.Error("the session still reads")
		}
		if b.logins(c) != 0 {
			t.Error("the login is still there")
		}
	})
}

func TestDB_CloseCredential(t *testing.T) {
	t.Parallel()

	t.Run("EndsSessionsAndLeavesNothing", func(t *testing.T) {
		b := setup(t)
		live := b.live(inputs("Clinic"))
		c, conn := b.open(live.ID)
		kept, keptConn := b.open(live.ID)
		if _, err := conn.Exec(t.Context(), `CREATE TEMP TABLE own (id int)`); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := b.CloseCredential(t.Context(), live.ID, c.ID); err != nil {
				t.Fatal(err)
			}
		}
		if err := conn.Ping(t.Context()); err == nil {
			t.Error("the session goes on")
		}
		if _, err := connect(t, c); err == nil {
			t.Error("it can still log in")
		}
		if b.logins(c) != 0 || value[int](b, `SELECT count(*) FROM tenant_credentials`) != 1 {
			t.Error("something is left")
		}
		if err := keptConn.Ping(t.Context()); err != nil || b.logins(kept) != 1 {
			t.Errorf("another login went with it: %v", err)
		}
		if n := value[int](b, `SELECT count(*) FROM audit_events WHERE action = 'credential.close'`); n != 1 {
			t.Errorf("%d events", n)
		}
	})

	t.Run("OfAnotherTenantDoesNothing", func(t *testing.T) {
		b := setup(t)
		live, other := b.live(inputs("Clinic")), b.live(inputs("Other"))
		c, conn := b.open(live.ID)
		if err := b.CloseCredential(t.Context(), other.ID, c.ID); err != nil {
			t.Fatal(err)
		}
		_, err := b.RenewCredential(t.Context(), other.ID, c.ID, time.Hour)
		wantKind(t, err, provisioning.KindNotFound)
		if err := conn.Ping(t.Context()); err != nil || b.logins(c) != 1 {
			t.Errorf("it was closed: %v", err)
		}
	})

	t.Run("OfARoleThatSomebodyDropped", func(t *testing.T) {
		b := setup(t)
		live := b.live(inputs("Clinic"))
		c, err := b.OpenCredential(t.Context(), live.ID, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		b.exec(`DROP ROLE ` + c.Username)
		if err := b.CloseCredential(t.Context(), live.ID, c.ID); err != nil {
			t.Fatal(err)
		}
		if n := value[int](b, `SELECT count(*) FROM tenant_credentials`); n != 0 {
			t.Errorf("%d rows", n)
		}
	})

	t.Run("HappensWithTheArchiving", func(t *testing.T) {
		b := setup(t)
		live, other := b.live(inputs("Clinic")), b.live(inputs("Other"))
		c, conn := b.open(live.ID)
		kept, _ := b.open(other.ID)
		if _, err := b.Archive(t.Context(), live.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), `SELECT count(*) FROM users`); err == nil || b.logins(c) != 0 {
			t.Error("the archived tenant is still reached")
		}
		if b.logins(kept) != 1 {
			t.Error("another tenant's login is gone")
		}
		if findings, err := b.Verify(t.Context(), live.ID); err != nil || len(findings) != 0 {
			t.Errorf("%v, %v", findings, err)
		}
	})
}

func TestDB_RenewCredential(t *testing.T) {
	b := setup(t)
	live := b.live(inputs("Clinic"))
	c, _ := b.open(live.ID)
	end, err := b.RenewCredential(t.Context(), live.ID, c.ID, 2*time.Hour)
	if err != nil || !end.After(c.ExpiresAt.Add(59*time.Minute)) {
		t.Errorf("it ends %v, %v", end, err)
	}
	if !value[bool](b, `SELECT rolvaliduntil = $2 FROM pg_roles WHERE rolname = $1`, c.Username, end) {
		t.Error("the role ends at another time")
	}
	b.exec(`UPDATE tenant_credentials SET expires_at = now() - interval '1 second'`)
	_, err = b.RenewCredential(t.Context(), live.ID, c.ID, time.Hour)
	wantKind(t, err, provisioning.KindNotFound)
}

func TestDB_SweepCredentials(t *testing.T) {
	b := setup(t)
	live := b.live(inputs("Clinic"))
	c, conn := b.open(live.ID)
	if n, err := b.SweepCredentials(t.Context(), 10); n != 0 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	// As it is after the time is over: the session goes on, which VALID UNTIL does not end.
	b.exec(`UPDATE tenant_credentials SET expires_at = now() - interval '1 second'`)
	two, err := postgres.Open(t.Context(), postgres.Options{URL: b.Pool().Config().ConnString()})
	if err != nil {
		t.Fatal(err)
	}
	defer two.Close()
	done := make(chan error, 2)
	for _, db := range []*postgres.DB{b.DB, two} {
		go func() { _, err := db.SweepCredentials(t.Context(), 10); done <- err }()
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if err := conn.Ping(t.Context()); err == nil || b.logins(c) != 0 || value[int](b, `SELECT count(*) FROM tenant_credentials`) != 0 {
		t.Error("something is left")
	}
}

func TestDB_Verify_Logins(t *testing.T) {
	b := setup(t)
	live := b.live(inputs("Clinic"))
	c, _ := b.open(live.ID)
	b.exec(`DELETE FROM tenant_credentials`)
	findings, err := b.Verify(t.Context(), live.ID)
	if err != nil || len(findings) != 1 || !strings.Contains(findings[0].Message, "the login "+c.Username+" is a member of the role "+live.DatabaseRole) {
		t.Errorf("%v, %v", findings, err)
	}
	b.exec(`DROP ROLE ` + c.Username)
}

// TestDB_Credentials_AtOnce opens and closes many logins at once, of the same tenants.
func TestDB_Credentials_AtOnce(t *testing.T) {
	b := setup(t)
	tenants := []provisioning.Tenant{b.live(inputs("One")), b.live(inputs("Two")), b.live(inputs("Three"))}
	var all sync.WaitGroup
	for i := range 48 {
		all.Go(func() {
			tenant := tenants[i%len(tenants)].ID
			c, err := b.OpenCredential(t.Context(), tenant, time.Hour)
			if err != nil {
				t.Errorf("open: %v", err)
				return
			}
			if _, err := b.RenewCredential(t.Context(), tenant, c.ID, time.Hour); err != nil {
				t.Errorf("renew: %v", err)
			}
			if err := b.CloseCredential(t.Context(), tenant, c.ID); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
	all.Wait()
	if n := value[int](b, `SELECT count(*) FROM tenant_credentials`); n != 0 {
		t.Errorf("%d logins are left", n)
	}
	for _, tenant := range tenants {
		if findings := b.verify(tenant.ID); len(findings) != 0 {
			t.Errorf("%v", findings)
		}
	}
}
