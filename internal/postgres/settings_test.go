package postgres_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/queue"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// lifeCycle creates, changes, archives, unarchives, verifies and purges a tenant, and
// submits another one.
func lifeCycle(t *testing.T, o pgdb.Options) {
	t.Helper()
	b := postgrestest.Open(t, o)
	jobs, err := queue.Open(t.Context(), queue.Options{URL: o.URL, Role: o.Role})
	b.Must(err)
	t.Cleanup(jobs.Close)
	b.Must(b.Migrate(t.Context()))
	b.Must(jobs.Migrate(t.Context()))
	b.UseQueue(jobs)
	service := newService(t, b.DB)

	in := postgrestest.Inputs("Clínica Ñandú – 診療所")
	created, err := service.Provision(t.Context(), in)
	b.Must(err)
	id := created.Tenant.ID
	changed := in
	changed.AdminFirstName = "Zoë\\'s"
	_, err = service.Update(t.Context(), id, changed, 0)
	b.Must(err)
	verify := func() {
		t.Helper()
		for _, of := range []uuid.UUID{id, uuid.Nil} {
			findings, err := b.Verify(t.Context(), of)
			b.Must(err)
			for _, f := range findings {
				t.Errorf("verify: %s: %s", f.Subject, f.Message)
			}
		}
	}
	verify()
	for range 2 {
		_, err = service.Archive(t.Context(), id)
		b.Must(err)
	}
	_, err = service.Unarchive(t.Context(), id)
	b.Must(err)
	verify()
	got, err := b.Get(t.Context(), id)
	b.Must(err)
	if got.Name != in.Name || got.AdminFirstName != changed.AdminFirstName {
		t.Errorf("name %q, first name %q", got.Name, got.AdminFirstName)
	}
	submitted, err := service.Submit(t.Context(), postgrestest.Inputs("Later"), nil)
	b.Must(err)
	if _, err := jobs.Job(t.Context(), submitted.JobID); err != nil {
		t.Error(err)
	}
	_, err = service.Archive(t.Context(), id)
	b.Must(err)
	_, err = b.Purge(t.Context(), id, 0)
	b.Must(err)
	verify()
	if page, err := b.List(t.Context(), tenant.ListQuery{Limit: 1}); err != nil || page.Total != 2 {
		t.Errorf("%d tenants, %v", page.Total, err)
	}
}

// TestDB_IgnoresSettings: what a user or database has as default of a setting does not
// change what the programs do.
func TestDB_IgnoresSettings(t *testing.T) {
	t.Parallel()
	version := pgdb.ServerVersion(testenv.Connect(t, testenv.PostgreSQL(t).URL("postgres")))
	for name, c := range map[string]struct {
		value string
		since int
	}{
		"client_encoding":                     {"LATIN1", 0},
		"default_transaction_isolation":       {"serializable", 0},
		"default_transaction_deferrable":      {"on", 0},
		"statement_timeout":                   {"500ms", 0},
		"lock_timeout":                        {"1ms", 0},
		"idle_in_transaction_session_timeout": {"1ms", 0},
		"idle_session_timeout":                {"500ms", 14},
		"transaction_timeout":                 {"500ms", 17},
		"search_path":                         {"elsewhere", 0},
		"timezone":                            {"Pacific/Chatham", 0},
		"datestyle":                           {"SQL, DMY", 0},
		"intervalstyle":                       {"sql_standard", 0},
		"standard_conforming_strings":         {"off", 0},
		"bytea_output":                        {"escape", 0},
		"array_nulls":                         {"off", 0},
		"transform_null_equals":               {"on", 0},
		"quote_all_identifiers":               {"on", 0},
		"extra_float_digits":                  {"-15", 0},
		"xmloption":                           {"document", 0},
		"row_security":                        {"off", 0},
		"check_function_bodies":               {"off", 0},
		"synchronous_commit":                  {"off", 0},
		"plan_cache_mode":                     {"force_custom_plan", 0},
		"createrole_self_grant":               {"set, inherit", 16},
	} {
		if version < c.since {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			database := testenv.EmptyDatabase(t)
			user := createLoginRole(t, "CREATEROLE", database)
			admin := testenv.Connect(t, testenv.SuperuserURL(t, database))
			for _, object := range []string{"ROLE " + user, "DATABASE " + admin.Config().Database} {
				if _, err := admin.Exec(t.Context(), "ALTER "+object+" SET "+name+" = "+c.value); err != nil && name != "search_path" {
					// A list must not be quoted; other values can be.
					if _, err := admin.Exec(t.Context(), "ALTER "+object+" SET "+name+" = '"+c.value+"'"); err != nil {
						t.Fatal(err)
					}
				}
			}
			b := openAs(t, database, user, nil)
			connection := b.Pool().Config().ConnString()
			direct := testenv.Connect(t, connection)
			var hostile string
			if err := direct.QueryRow(t.Context(), `SELECT current_setting($1)`, pgx.QueryExecModeSimpleProtocol, name).Scan(&hostile); err == nil && hostile == value[string](b, `SELECT current_setting($1)`, name) {
				t.Errorf("the pool has %s", hostile)
			}
			lifeCycle(t, pgdb.Options{URL: connection})
		})
	}
}

// TestDB_IgnoresSettingsOfURL: the connection string cannot change them either.
func TestDB_IgnoresSettingsOfURL(t *testing.T) {
	t.Parallel()
	for name, query := range map[string]string{
		"Parameters": "&statement_timeout=1&search_path=elsewhere&synchronous_commit=off&TimeZone=Asia/Tokyo&lock_timeout=1",
		"Describe":   "&default_query_exec_mode=cache_describe",
		"Exec":       "&default_query_exec_mode=describe_exec",
		"Options":    "&options=" + strings.NewReplacer(" ", "%20", "=", "%3D").Replace("-c statement_timeout=500 -c search_path=elsewhere -c default_transaction_isolation=serializable"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lifeCycle(t, pgdb.Options{URL: testenv.EmptyDatabase(t) + query})
		})
	}
}

func TestOpen_Refuses(t *testing.T) {
	t.Parallel()
	use := func(t *testing.T, connection string) error {
		t.Helper()
		db, err := postgres.Open(t.Context(), pgdb.Options{URL: connection})
		if err == nil {
			t.Cleanup(db.Close)
			_, err = db.List(t.Context(), tenant.ListQuery{Limit: 1})
		}
		return err
	}
	want := func(t *testing.T, err error, kind errs.Kind, parts ...string) {
		t.Helper()
		postgrestest.WantKind(t, err, kind)
		if m := errs.SafeMessage(err); slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(m, part) }) {
			t.Errorf("message %q, want %q", m, parts)
		}
	}
	for _, mode := range []string{"exec", "simple_protocol"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			want(t, use(t, testenv.Database(t)+"&default_query_exec_mode="+mode), errs.KindInvalid, "default_query_exec_mode", "remove it")
		})
	}
	t.Run("OtherEncoding", func(t *testing.T) {
		t.Parallel()
		admin := testenv.Connect(t, testenv.PostgreSQL(t).URL("postgres"))
		name := "latin_" + strings.ReplaceAll(uuid.NewString(), "-", "")
		if _, err := admin.Exec(t.Context(), `CREATE DATABASE `+name+` ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'`); err != nil {
			t.Fatal(err)
		}
		want(t, use(t, testenv.PostgreSQL(t).URL(name)), errs.KindPermanent, "encoding of the database is LATIN1", "ENCODING 'UTF8'")
		// Where a role is dropped from another database, its encoding does not matter.
		b := postgrestest.Open(t, pgdb.Options{URL: testenv.SuperuserURL(t, testenv.Database(t))})
		config := b.Pool().Config().ConnConfig
		config.Database = name
		conn, err := pgx.ConnectConfig(t.Context(), config)
		b.Must(err)
		b.Must(conn.Close(t.Context()))
	})
	t.Run("DisabledTriggers", func(t *testing.T) {
		t.Parallel()
		database := testenv.Database(t)
		user := createLoginRole(t, "CREATEROLE", database)
		b := openAs(t, database, user, nil)
		admin := testenv.Connect(t, testenv.SuperuserURL(t, database))
		if _, err := admin.Exec(t.Context(), `ALTER ROLE `+user+` SET session_replication_role = replica`); err != nil {
			t.Fatal(err)
		}
		want(t, use(t, b.Pool().Config().ConnString()), errs.KindPermanent, "session_replication_role is replica", "RESET")
	})
}
