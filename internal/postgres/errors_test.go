package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// openAs opens the registry of a database as another user.
func openAs(t *testing.T, connection, user string, modify func(u *url.URL)) fixture {
	t.Helper()
	u, err := url.Parse(connection)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(user, "s3cret")
	if modify != nil {
		modify(u)
	}
	db, err := postgres.Open(t.Context(), pgdb.Options{URL: u.String()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return fixture{postgrestest.Fixture{DB: db, T: t}}
}

// createLoginRole creates a login for the lifetime of the server, with databases that it owns.
func createLoginRole(t *testing.T, options string, databases ...string) string {
	t.Helper()
	name := "r" + strings.ReplaceAll(uuid.NewString(), "-", "")
	run := func(conn *pgx.Conn, statement string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	server := testenv.Connect(t, testenv.PostgreSQL(t).URL("postgres"))
	run(server, "CREATE ROLE "+name+" LOGIN PASSWORD 's3cret' "+options)
	run(server, "ALTER ROLE "+name+" SET search_path = elsewhere") // The registry must not depend on it.
	for _, connection := range databases {
		database := testenv.Connect(t, testenv.SuperuserURL(t, connection))
		run(database, "ALTER DATABASE "+database.Config().Database+" OWNER TO "+name)
		if pgdb.ServerVersion(database) < 15 { // Later, the schema belongs to the database's owner.
			run(database, "ALTER SCHEMA public OWNER TO "+name)
		}
	}
	return name
}

// TestDB_WorksWithoutSuperuser works as a role that is not a superuser: it owns the
// database and has CREATEROLE, as the documentation requires. A second registry on
// the same server has another owner.
func TestDB_WorksWithoutSuperuser(t *testing.T) {
	t.Parallel()
	for range 2 {
		database := testenv.EmptyDatabase(t)
		b := openAs(t, database, createLoginRole(t, "CREATEROLE NOSUPERUSER", database), nil)
		active := b.ActiveTenant(postgrestest.Inputs("Clinic"))
		if n := value[int](b, `SELECT count(*) FROM `+active.SchemaName+`.users`); n != 1 {
			t.Errorf("%d admins", n)
		}
		if value[bool](b, `SELECT has_database_privilege($1, current_database(), 'CONNECT')`, active.DatabaseRole) {
			t.Error("the tenant's role may connect")
		}
		run := b.ClaimNew(postgrestest.Inputs("Other"))
		if err := b.PrepareSchema(t.Context(), run, b.Seed()); err != nil {
			t.Fatal(err)
		}
		if failed := b.FailTenant(run); value[int](b, `SELECT count(*) FROM pg_roles WHERE rolname = $1`, failed.DatabaseRole) != 0 {
			t.Error("the role still exists")
		}
	}
}

func TestDB_ErrorMessages(t *testing.T) {
	t.Parallel()
	ownedDatabase := testenv.EmptyDatabase(t)
	for name, c := range map[string]struct {
		bundle  fixture
		kind    errs.Kind
		message string
	}{
		"WrongPassword": {openAs(t, ownedDatabase, createLoginRole(t, "", ownedDatabase), func(u *url.URL) { u.User = url.UserPassword(u.User.Username(), "wr0ng") }),
			errs.KindPermanent, "refused the login"},
		"NoDatabase": {openAs(t, ownedDatabase, createLoginRole(t, ""), func(u *url.URL) { u.Path = "/n0where" }),
			errs.KindPermanent, "database of that name does not exist"},
		"TooManyConnections": {openAs(t, ownedDatabase, createLoginRole(t, "CONNECTION LIMIT 0"), nil),
			errs.KindTransient, "out of connections"},
		"NotTheOwner": {openAs(t, ownedDatabase, createLoginRole(t, "CREATEROLE"), nil),
			errs.KindPermanent, "permission denied for schema public|have its owner or a superuser run: ALTER DATABASE"}, // Which is missed first depends on PostgreSQL's version.
		"ReadOnly": {openAs(t, testenv.Database(t), createLoginRole(t, "SUPERUSER"), func(u *url.URL) { u.RawQuery += "&default_transaction_read_only=on" }),
			errs.KindTransient, "read-only: it is a standby"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := c.bundle.Create(t.Context(), c.bundle.Draft(postgrestest.Inputs("Clinic")), postgrestest.LeaseRequest("x", time.Minute))
			postgrestest.WantKind(t, err, c.kind)
			m := errs.SafeMessage(err)
			if !slices.ContainsFunc(strings.Split(c.message, "|"), func(text string) bool { return strings.Contains(m, text) }) {
				t.Errorf("message %q, want %q", m, c.message)
			}
			for _, internal := range []string{"s3cret", "wr0ng", "n0where", "127.0.0.1", "INSERT", "CREATE TABLE"} {
				if strings.Contains(m, internal) {
					t.Errorf("message %q contains %s", m, internal)
				}
			}
		})
	}
}

// TestDB_ClosedPool: a stop must not look like a fault of a tenant, which a run rolls back.
func TestDB_ClosedPool(t *testing.T) {
	b := setup(t)
	run := b.ClaimNew(postgrestest.Inputs("Clinic"))
	b.Close()
	_, err := b.Get(t.Context(), run.Tenant.ID)
	postgrestest.WantKind(t, err, errs.KindCancelled)
	_, err = b.DB.PrepareSchema(t.Context(), run, b.Seed())
	postgrestest.WantKind(t, err, errs.KindCancelled)
}

func TestClassify_SQLStates(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]errs.Kind{
		"40001": errs.KindTransient, "40P01": errs.KindTransient, "55P03": errs.KindTransient,
		"25P03": errs.KindTransient, "25P04": errs.KindTransient, "40003": errs.KindTransient,
		"57014": errs.KindTransient, "57P01": errs.KindTransient, "08006": errs.KindTransient,
		"53100": errs.KindTransient, "58030": errs.KindTransient, "HT001": errs.KindFenced,
		"23505": errs.KindConflict, "42601": errs.KindPermanent, "XX000": errs.KindPermanent,
		"XX000 tuple concurrently updated": errs.KindTransient,
	} {
		code, message, _ := strings.Cut(state, " ")
		err := pgdb.Classify(fmt.Errorf("around: %w", &pgconn.PgError{Code: code, Message: message + " INSERT INTO s3cret"}), "test")
		postgrestest.WantKind(t, err, want)
		if m := errs.SafeMessage(err); m == "" || strings.Contains(m, "s3cret") {
			t.Errorf("%s: message %q", state, m)
		}
	}
	postgrestest.WantKind(t, pgdb.Classify(context.Canceled, "test"), errs.KindCancelled)
	// What was refused, and why, is the server's to say: a message must not name a privilege
	// that the user has.
	refused := &pgconn.PgError{Code: "42501", Message: `permission denied to grant role "r"`, Detail: `Only roles with the ADMIN option on role "r" may grant this role.`}
	if m, want := errs.SafeMessage(pgdb.Classify(refused, "open login")), `the database did not permit "open login": permission denied to grant role "r" (Only roles with the ADMIN option on role "r" may grant this role); run tenant-api platform check, which names the object and the statement that repairs it`; m != want {
		t.Errorf("message %q, want %q", m, want)
	}
	missing := &pgconn.PgError{Code: "42704", Message: `role "r" does not exist`}
	if m := errs.SafeMessage(pgdb.Classify(missing, "open login")); !strings.Contains(m, `"open login" needs: role "r" does not exist; run tenant-api platform check`) {
		t.Errorf("message %q", m)
	}
	postgrestest.WantKind(t, pgdb.Classify(io.ErrUnexpectedEOF, "test"), errs.KindTransient)
	postgrestest.WantKind(t, pgdb.Classify(errors.New("what"), "test"), errs.KindPermanent)
	postgrestest.WantKind(t, pgdb.Classify(nil, "test"), "")
}

// TestDB_KeepsForeignSchemaAndRole: an existing schema or role with the tenant's
// name was created by another program, or the registry was restored from an older backup.
func TestDB_KeepsForeignSchemaAndRole(t *testing.T) {
	t.Parallel()
	for kind, statement := range map[string]string{"schema": `CREATE SCHEMA %[1]s`, "role": `CREATE ROLE %[2]s`} {
		t.Run(kind, func(t *testing.T) {
			b := setup(t)
			run := b.ClaimNew(postgrestest.Inputs("Clinic"))
			b.Exec(fmt.Sprintf(statement, run.Tenant.SchemaName, run.Tenant.DatabaseRole))
			err := b.PrepareSchema(t.Context(), run, b.Seed())
			postgrestest.WantKind(t, err, errs.KindPermanent)
			if m := errs.SafeMessage(err); !strings.Contains(m, "exists already and does not belong to this registry") {
				t.Errorf("message %q", m)
			}
			if got := b.FailTenant(run); got.Status != tenant.StatusFailed {
				t.Errorf("%+v", got)
			}
			if n := value[int](b, `SELECT (SELECT count(*) FROM pg_namespace WHERE nspname = $1) + (SELECT count(*) FROM pg_roles WHERE rolname = $2)`,
				run.Tenant.SchemaName, run.Tenant.DatabaseRole); n != 1 {
				t.Error("the object was dropped")
			}
			b.Exec(`DROP SCHEMA IF EXISTS ` + run.Tenant.SchemaName)
			b.Exec(`DROP ROLE IF EXISTS ` + run.Tenant.DatabaseRole)
		})
	}
}

func TestDB_PrepareSchema_Repeated(t *testing.T) {
	t.Parallel()

	t.Run("RepeatsAfterLostResponse", func(t *testing.T) {
		b := setup(t)
		run, seed := b.ClaimNew(postgrestest.Inputs("Clinic")), b.Seed()
		for range 2 {
			if err := b.PrepareSchema(t.Context(), run, seed); err != nil {
				t.Fatal(err)
			}
		}
		postgrestest.WantKind(t, b.PrepareSchema(t.Context(), run, b.Seed()), errs.KindFenced)
		if n := value[int](b, `SELECT count(*) FROM tenant_invitations`); n != 1 {
			t.Errorf("%d invitations", n)
		}
	})

	t.Run("ConcurrentRepeat", func(t *testing.T) {
		b := setup(t)
		run, seed := b.ClaimNew(postgrestest.Inputs("Clinic")), b.Seed()
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if err := b.PrepareSchema(t.Context(), run, seed); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := value[int](b, `SELECT count(*) FROM `+run.Tenant.SchemaName+`.users`); n != 1 {
			t.Errorf("%d admins", n)
		}
	})

	t.Run("FencedAfterRollbackBegins", func(t *testing.T) {
		b := setup(t)
		run, seed := b.ClaimNew(postgrestest.Inputs("Clinic")), b.Seed()
		if err := b.PrepareSchema(t.Context(), run, seed); err != nil {
			t.Fatal(err)
		}
		failed := tenant.StepRecord{Step: tenant.StepDeploySorobanContract, Status: tenant.StepFailed, Error: "no"}
		for range 2 { // The response of the rollback may be lost, too.
			if err := b.BeginRollback(t.Context(), run, provisioning.RollbackToFailed, failed); err != nil {
				t.Fatal(err)
			}
		}
		postgrestest.WantKind(t, b.PrepareSchema(t.Context(), run, seed), errs.KindFenced)
		_, err := b.Advance(t.Context(), run, postgrestest.Activation())
		postgrestest.WantKind(t, err, errs.KindFenced)
		postgrestest.WantKind(t, b.AddInvitation(t.Context(), run, invitation.NewInvitation(time.Now().Add(invitation.DefaultTTL))), errs.KindFenced)
		_, err = b.TransactionLog(run).Account(t.Context(), "ab", "GA")
		postgrestest.WantKind(t, err, errs.KindFenced)
	})

	t.Run("UsesAdminOfRegistry", func(t *testing.T) {
		b := setup(t)
		run := b.ClaimNew(postgrestest.Inputs("Clinic"))
		in := postgrestest.Inputs("Clinic")
		in.AdminEmail, in.AdminFirstName, in.AdminLastName = "grace@clinic.example", "Grace", "Hopper"
		if _, err := b.Update(t.Context(), run.Tenant.ID, in, 0); err != nil {
			t.Fatal(err)
		}
		b.Exec(`UPDATE tenants SET admin_password_hash = '$argon2id$x'`)
		seed := b.Seed()
		if err := b.PrepareSchema(t.Context(), run, seed); err != nil {
			t.Fatal(err)
		}
		if got := value[string](b, `SELECT concat_ws(' ', id, email, first_name, last_name, password_hash) FROM `+run.Tenant.SchemaName+`.users`); got != seed.AdminUser.String()+" grace@clinic.example Grace Hopper $argon2id$x" {
			t.Errorf("admin %q", got)
		}
	})
}

func TestDB_Create_ContinuesRollbackWithNewInputs(t *testing.T) {
	b := setup(t)
	run := b.ClaimNew(postgrestest.Inputs("Clinic"))
	if err := b.PrepareSchema(t.Context(), run, b.Seed()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Abort(t.Context(), run.Tenant.ID, postgrestest.LeaseRequest("dead", -time.Second)); err != nil {
		t.Fatal(err)
	}
	b.Exec(`DROP SCHEMA ` + run.Tenant.SchemaName + ` CASCADE`) // Partly removed by hand.
	in := postgrestest.Inputs("Clinic")
	in.AdminEmail = "grace@clinic.example"
	c, err := b.Create(t.Context(), b.Draft(in), postgrestest.LeaseRequest("x", time.Minute))
	if err != nil || c.Run == nil || c.Run.Rollback != provisioning.RollbackToArchived || c.Run.Tenant.AdminEmail != in.AdminEmail {
		t.Fatalf("%+v, %v", c, err)
	}
	if _, err := b.RollBack(t.Context(), *c.Run); err != nil {
		t.Error(err)
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	for connection, want := range map[string][]string{
		"postgres://u:p%2Fw%C3%A4@h/d":        {"p/wä", "p%2Fw%C3%A4"},
		"host=h user=u password=plain":        {"plain"},
		"host=h user=u password='with blank'": {"with blank", "with%20blank"},
		"postgres://u@h/d":                    nil,
		"postgres://u:p@h:port/d":             nil,
	} {
		if got := pgdb.Secrets(connection); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", connection, got, want)
		}
	}
}

// TestDB_ReplacesConnectionAfterManyTenants: each tenant created on a connection slows
// the next one, so the connection is replaced.
func TestDB_ReplacesConnectionAfterManyTenants(t *testing.T) {
	t.Parallel()
	db, err := postgres.Open(t.Context(), pgdb.Options{URL: testenv.Database(t), MaxConnections: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	b := fixture{postgrestest.Fixture{DB: db, T: t}}
	b.ActiveTenant(postgrestest.Inputs("Clinic"))
	pid := value[int](b, `SELECT pg_backend_pid()`)
	conn, err := db.Pool().Acquire(t.Context())
	b.Must(err)
	for range pgdb.MaxTenantsPerConnection - 3 { // The test creates three more.
		pgdb.CountCreatedTenant(conn.Conn())
	}
	conn.Release()
	b.ActiveTenant(postgrestest.Inputs("Last but one"))
	if got := value[int](b, `SELECT pg_backend_pid()`); got != pid {
		t.Error("the connection was replaced too early")
	}
	b.ActiveTenant(postgrestest.Inputs("Last"))
	if got := value[int](b, `SELECT pg_backend_pid()`); got == pid {
		t.Error("the connection was not replaced")
	}
}
