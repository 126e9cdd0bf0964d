package provider_test

import (
	"net/url"
	"testing"

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
