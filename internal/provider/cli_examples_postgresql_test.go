package provider_test

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/pgserver"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/registrytest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

func runPostgreSQL(t *testing.T, w *testEnv) {
	w.write("main.tf", header+clinic)
	w.mustApply()
	database := w.env["DATABASE_URL"]
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	w.exec("ALTER ROLE " + u.User.Username() + " IN DATABASE " + w.pg.Config().Database + " SET statement_timeout = '5min'")
	w.copyExample("guides/postgresql/settings.sql", "settings.sql")
	w.exec(w.read("settings.sql"))

	w.copyExample("guides/postgresql/failover.sh", "failover.sh",
		"postgres://platform:change-me@db1.example:5432,db2.example:5432/platform?sslmode=verify-full",
		u.Scheme+"://"+u.User.String()+"@127.0.0.1:1,"+u.Host+u.RequestURI())
	w.mustShell("-eu", "failover.sh").wantText(t, "ACTIVE")

	w.copyExample("guides/postgresql/pooler.sh", "pooler.sh",
		"postgres://platform:change-me@pgbouncer.example:6432/platform?sslmode=verify-full", testenv.PgBouncer(t, database, testenv.TransactionMode),
		"postgres://platform:change-me@db.example:5432/platform?sslmode=verify-full", database)
	w.mustShell("-eu", "pooler.sh").wantText(t, "ACTIVE")
	w.destroyAll()
}

// furtherClinics are with clinic a platform of 20 tenants.
const furtherClinics = `
resource "healthcare_tenant" "further" {
  count            = 19
  name             = "Clinic ${count.index + 1}"
  admin_email      = "ada@clinic${count.index + 1}.example"
  admin_first_name = "Ada"
  admin_last_name  = "Lovelace"
}
`

// runPlatform moves a platform to another server with a dump, loses the old one, and repairs it there.
func runPlatform(t *testing.T, w *testEnv) {
	from, to := testenv.DumpServers(t)
	for _, server := range []interface {
		CreateDatabase(context.Context, string) error
	}{from, to} {
		if err := server.CreateDatabase(t.Context(), "platform"); err != nil {
			t.Fatal(err)
		}
	}
	w.path = from.Binaries() + ":" + w.path
	w.env["DATABASE_URL"], w.env["DBA_URL"] = from.OwnerURL("platform"), to.URL("platform")
	w.write("main.tf", header+clinic+furtherClinics)
	w.mustApply()
	w.copyExample("guides/postgresql/backup.sh", "backup.sh")
	w.mustShell("-eu", "backup.sh").wantText(t, "Backed up St. Mary's Clinic (", `"schema.dump"`)
	w.copyExample("guides/postgresql/restore-tenant.sh", "restore-tenant.sh")
	w.mustShell("-eu", "restore-tenant.sh").wantText(t, "Restored St. Mary's Clinic (", "its schema; the registry has newer rows, which stay")
	w.assertNoChanges()
	w.copyExample("guides/postgresql/restore.sh", "restore.sh",
		"postgres://platform:change-me@new.example:5432/platform?sslmode=verify-full", to.OwnerURL("platform"))
	w.mustShell("-eu", "restore.sh").wantText(t, "repaired: role_missing", "repaired: connect_role_missing", "0 findings")
	if err := from.Stop(); err != nil {
		t.Fatal(err)
	}
	w.env["DATABASE_URL"] = to.OwnerURL("platform")
	w.assertNoChanges()
	w.mustShell("-c", "tenant-api tenants verify").wantText(t, "20 tenants")

	conn := testenv.Connect(t, to.URL("platform"))
	connect := pgx.Identifier{registrytest.Open(t, to.URL("platform")).ConnectRole()}.Sanitize()
	for _, statement := range []string{`ALTER ROLE platform NOCREATEROLE`, `ALTER ROLE ` + connect + ` SUPERUSER`, `GRANT CONNECT ON DATABASE platform TO PUBLIC`} {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	w.run("plan", "-no-color").wantText(t, "Provider configuration cannot work", "has no CREATEROLE", "tenant-api platform check")
	w.copyExample("guides/postgresql/check.sh", "check.sh")
	w.mustShell("-eu", "check.sh").wantText(t, "database_open [repairable]", "-- Have a DBA run this in the database platform", "repaired: database_open")
	w.copyExample("guides/postgresql/dba.sh", "dba.sh")
	w.mustShell("-eu", "dba.sh").wantText(t, "0 findings")
	w.assertNoChanges()
	w.destroyAll()
}

// runUsers runs the set-ups of users as a DBA who is no superuser, as managed services have it.
func runUsers(t *testing.T, w *testEnv) {
	superuser := testenv.Connect(t, testenv.SuperuserURL(t, w.pg.Config().ConnString()))
	name := "u" + strings.ReplaceAll(uuid.NewString(), "-", "") // Roles and databases are the server's.
	exec := func(conn *pgx.Conn, statement string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	exec(superuser, "CREATE ROLE "+name+"_dba LOGIN CREATEROLE CREATEDB PASSWORD 's3cret'")
	dba := testenv.Connect(t, testenv.WithLogin(t, testenv.PostgreSQL(t).URL("postgres"), name+"_dba", "s3cret"))
	database := func(name string) string {
		u, err := url.Parse(testenv.PostgreSQL(t).URL(name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _, _ = superuser.Exec(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)") })
		if pgdb.ServerVersion(superuser) < 15 {
			exec(testenv.Connect(t, u.String()), "ALTER SCHEMA public OWNER TO "+strings.Replace(name, "_two", "_owner", 1))
		}
		return u.String()
	}
	run := func(conn *pgx.Conn, file, platform string) {
		t.Helper()
		w.copyExample("guides/postgresql/"+file, file, "from-your-secret-store", "s3cret", " platform_", " "+name+"_", " platform", " "+platform)
		for statement := range strings.SplitSeq(w.read(file), ";\n") { // CREATE DATABASE is no part of a transaction.
			exec(conn, statement)
		}
	}
	shell := func(file, login, url string) {
		t.Helper()
		w.copyExample("guides/postgresql/"+file, file, "postgres://platform_2027:change-me@db.example:5432/platform?sslmode=verify-full",
			testenv.WithLogin(t, url, name+"_"+login, "s3cret"), "platform_owner", name+"_owner")
	}

	run(dba, "owner.sql", name+"_one")
	w.env["DATABASE_URL"] = testenv.WithLogin(t, database(name+"_one"), name+"_one", "s3cret")
	w.mustShell("-c", "tenant-api migrate up && tenant-api tenants verify")

	run(dba, "nologin-owner.sql", name+"_two")
	two := database(name + "_two")
	shell("nologin-owner.sh", "2027", two)
	w.mustShell("-eu", "nologin-owner.sh")
	run(dba, "rotate.sql", "")
	shell("nologin-owner.sh", "2028", two)
	w.mustShell("-eu", "nologin-owner.sh")
	run(dba, "retire.sql", "")
	run(dba, "set-role.sql", "")
	w.env["DATABASE_URL"] = testenv.WithLogin(t, two, name+"_2028", "s3cret")
	w.mustShell("-c", "tenant-api migrate up && tenant-api tenants verify && tenant-api apikey create --name ops --scope tenants:read")

	w.copyExample("guides/postgresql/server.sql", "server.sql", "from-your-secret-store", "s3cret", "platform_", name+"_")
	owner := testenv.Connect(t, w.env["DATABASE_URL"])
	if _, err := owner.Exec(t.Context(), w.read("server.sql"), pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	w.copyExample("guides/postgresql/server.sh", "server.sh", "postgres://platform_server:change-me@db.example:5432/platform?sslmode=verify-full",
		testenv.WithLogin(t, two, name+"_server", "s3cret"), "tenant-api serve", "exec tenant-api serve")
	port, err := pgserver.FreePort(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.env["APP_PORT"] = strconv.Itoa(port)
	w.mustShell("-euc", `sh -eu server.sh & server=$!
		for _ in $(seq 300); do
			if tenant-api healthcheck 2>/dev/null; then kill $server; wait $server; exit 0; fi
			kill -0 $server; sleep 0.1
		done; exit 1`).wantText(t, "database ok since")
}
