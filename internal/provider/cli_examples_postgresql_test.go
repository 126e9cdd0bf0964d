package provider_test

import (
	"context"
	"net/url"
	"testing"

	"github.com/jackc/pgx/v5"

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

// runPlatform moves a platform to another server with a dump, and mends it there.
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
	w.env["DATABASE_URL"], w.env["SUPERUSER_URL"] = from.OwnerURL("platform"), to.URL("platform")
	w.write("main.tf", header+clinic)
	w.mustApply()
	w.copyExample("guides/postgresql/restore.sh", "restore.sh",
		"postgres://platform:change-me@new.example:5432/platform?sslmode=verify-full", to.OwnerURL("platform"))
	w.mustShell("-eu", "restore.sh").wantText(t, "repairing what could not be restored", "repaired: role_missing", "repaired: connect_role_missing", "0 findings")
	w.env["DATABASE_URL"] = to.OwnerURL("platform")
	w.assertNoChanges()

	conn := testenv.Connect(t, to.URL("platform"))
	connect := pgx.Identifier{registrytest.Open(t, to.URL("platform")).ConnectRole()}.Sanitize()
	for _, statement := range []string{`ALTER ROLE platform NOCREATEROLE`, `ALTER ROLE ` + connect + ` SUPERUSER`, `GRANT CONNECT ON DATABASE platform TO PUBLIC`} {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	w.run("plan", "-no-color").wantText(t, "Provider configuration cannot work", "has no CREATEROLE", "tenant-api platform check")
	w.copyExample("guides/postgresql/check.sh", "check.sh")
	w.mustShell("-eu", "check.sh").wantText(t, "-- Run this as a superuser in the database platform", "repaired: database_open", "0 findings")
	w.assertNoChanges()
	w.destroyAll()
}
