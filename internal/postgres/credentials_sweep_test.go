package postgres_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// expired opens a login that has expired. Logins opened before it expired earlier.
func (b fixture) expired(tenant tenant.Tenant) credentials.Credential {
	b.T.Helper()
	c, err := b.OpenCredential(b.T.Context(), tenant.ID, credentials.Request{TTL: time.Hour})
	if err != nil {
		b.T.Fatal(err)
	}
	return c
}

// undroppable makes a login own an object in another database, which DROP OWNED
// does not reach.
func (b fixture) undroppable(c credentials.Credential) {
	b.T.Helper()
	elsewhere, err := pgx.ParseConfig(testenv.Database(b.T))
	if err != nil {
		b.T.Fatal(err)
	}
	b.AsSuperuser(`ALTER DATABASE ` + pgx.Identifier{elsewhere.Database}.Sanitize() + ` OWNER TO ` + c.Username)
}

func TestDB_SweepCredentials_Undroppable(t *testing.T) {
	t.Parallel()

	t.Run("DoesNotBlockOtherLogins", func(t *testing.T) {
		b := setup(t)
		live := b.ActiveTenant(postgrestest.Inputs("Clinic"))
		var stuck, others []credentials.Credential
		for range 2 {
			stuck = append(stuck, b.expired(live))
		}
		for range 5 {
			others = append(others, b.expired(live))
		}
		for i, c := range append(stuck, others...) {
			b.Exec(`UPDATE tenant_credentials SET expires_at = now() - interval '1 hour' + $2 * interval '1 second' WHERE id = $1`, c.ID, i)
		}
		for _, c := range stuck {
			b.undroppable(c)
		}
		if n, err := b.DropExpiredLogins(t.Context(), 2); n != 5 || err == nil {
			t.Errorf("%d were dropped, %v", n, err)
		}
		for _, c := range others {
			if b.loginCount(c) != 0 {
				t.Error("a login that can be dropped is still there")
			}
		}
		for _, c := range stuck {
			if _, err := connectAs(t, c); err == nil {
				t.Error("an expired login still works")
			}
		}
	})

	t.Run("OpeningALoginDropsFew", func(t *testing.T) {
		b := setup(t)
		live := b.ActiveTenant(postgrestest.Inputs("Clinic"))
		for range 12 {
			b.expired(live)
		}
		b.Exec(`UPDATE tenant_credentials SET expires_at = now() - interval '1 second'`)
		b.expired(live)
		if n := value[int](b, `SELECT count(*) FROM tenant_credentials`); n != 12-5+1 {
			t.Errorf("%d logins are left", n)
		}
	})

	t.Run("RetriesLater", func(t *testing.T) {
		b := setup(t)
		stuck := b.expired(b.ActiveTenant(postgrestest.Inputs("Clinic")))
		b.undroppable(stuck)
		b.Exec(`UPDATE tenant_credentials SET expires_at = now() - interval '1 second'`)
		var pauses []time.Duration
		for range 3 {
			if n, err := b.DropExpiredLogins(t.Context(), 10); n != 0 || err == nil {
				t.Errorf("%d were dropped, %v", n, err)
			}
			if n, err := b.DropExpiredLogins(t.Context(), 10); n != 0 || err != nil {
				t.Errorf("the drop was retried immediately: %d were dropped, %v", n, err)
			}
			pauses = append(pauses, value[time.Duration](b, `SELECT retry_at - clock_timestamp() FROM tenant_credentials`))
			b.Exec(`UPDATE tenant_credentials SET retry_at = now() - interval '1 second'`)
		}
		if pauses[0] <= 0 || pauses[1] <= pauses[0] || pauses[2] <= pauses[1] {
			t.Errorf("pauses %v", pauses)
		}
		b.AsSuperuser(`REASSIGN OWNED BY ` + stuck.Username + ` TO CURRENT_USER`)
		if n, err := b.DropExpiredLogins(t.Context(), 10); n != 1 || err != nil || b.loginCount(stuck) != 0 {
			t.Errorf("%d were dropped, %v", n, err)
		}
	})
}

func TestDB_Archive_Failed(t *testing.T) {
	b := setup(t)
	live := b.ActiveTenant(postgrestest.Inputs("Clinic"))
	c, conn := b.openCredential(live.ID)
	// Every statement of the archive succeeds; the commit fails.
	b.Exec(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not now' USING ERRCODE = '40001'; END $$`)
	b.Exec(`CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE OF status ON tenants DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()`)
	_, err := b.Archive(t.Context(), live.ID)
	postgrestest.WantKind(t, err, errs.KindTransient)
	if _, err := conn.Exec(t.Context(), `SELECT count(*) FROM users`); err != nil {
		t.Errorf("the session was ended: %v", err)
	}
	b.Exec(`DROP TRIGGER refuse ON tenants`)
	if _, err := b.Archive(t.Context(), live.ID); err != nil {
		t.Fatal(err)
	}
	if err := conn.Ping(t.Context()); err == nil || b.loginCount(c) != 0 {
		t.Error("the archived tenant's session is still open, or its login exists")
	}
}
