package publish_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantschema"
)

// TestPublish_EqualAtOnce: two processes that publish equal files at once, the first of the
// blueprint, get the same revision, and tenants can be made of it.
func TestPublish_EqualAtOnce(t *testing.T) {
	one, two := postgrestest.TwoProcesses(t)
	type result struct {
		revision blueprint.Revision
		err      error
	}
	results := make(chan result, 4)
	for range cap(results) / 2 {
		for _, process := range []postgrestest.Fixture{one, two} {
			go func() {
				r, err := process.Blueprints.Publish(t.Context(), clinic(addPhone), true)
				results <- result{r, err}
			}()
		}
	}
	created := 0
	for range cap(results) {
		r := <-results
		if r.err != nil || r.revision.Number != 1 || !r.revision.Active {
			t.Errorf("%+v, %v", r.revision, r.err)
		}
		if r.revision.Created {
			created++
		}
	}
	if n := postgrestest.Value[int](one, `SELECT count(*) FROM blueprint_revisions`); n != 1 || created != 1 {
		t.Errorf("%d revisions, %d of them made", n, created)
	}
	if n := postgrestest.Value[int](one, `SELECT count(*) FROM pg_namespace WHERE starts_with(nspname, 'healthcare_trial_')`); n != 0 {
		t.Errorf("%d schemas of trials are left", n)
	}
	wantSound(one, clinicTenant(two, postgrestest.Inputs("Clinic")), 1)
}

// TestPublish_RetiredDuringRun: a tenant whose creation began before its blueprint was retired, or
// another revision was activated, is completed.
func TestPublish_RetiredDuringRun(t *testing.T) {
	b := postgrestest.Setup(t)
	publish(t, b, clinic())
	in := postgrestest.Inputs("Clinic")
	in.Blueprint = "clinic"
	run := b.ClaimNew(in)
	publish(t, b, clinic(addPhone))
	b.Must(b.Blueprints.Retire(t.Context(), "clinic"))
	b.Must(b.PrepareSchema(t.Context(), run, b.Seed()))
	made, err := b.Advance(t.Context(), run, postgrestest.Activation())
	b.Must(err)
	wantSound(b, made, 2)
}

// TestPublish_LargestFile: a file as large as one may be is published, reaches a new tenant and one
// that exists.
func TestPublish_LargestFile(t *testing.T) {
	b := postgrestest.Setup(t)
	publish(t, b, clinic())
	old := clinicTenant(b, postgrestest.Inputs("Old"))
	row := "('" + strings.Repeat("x", 88) + "'),\n"
	var sql strings.Builder
	rows := 0
	for sql.Len()+1000*len(row) < blueprint.MaxFileBytes-1000 {
		sql.WriteString("INSERT INTO notes VALUES " + strings.Repeat(row, 999) + strings.TrimSuffix(row, ",\n") + ";\n")
		rows += 1000
	}
	publish(t, b, clinic("CREATE TABLE notes (text text);\n"+sql.String()))
	if report := migrate(b, tenantschema.MigrationOptions{}); report.Migrated != 1 {
		t.Errorf("%+v", report)
	}
	for _, tenant := range []string{old.SchemaName, clinicTenant(b, postgrestest.Inputs("New")).SchemaName} {
		if n := postgrestest.Value[int](b, `SELECT count(*) FROM `+pgx.Identifier{tenant, "notes"}.Sanitize()); n != rows {
			t.Errorf("%s has %d rows of %d", tenant, n, rows)
		}
	}
}

// TestMigrate_LongVariables: values of 10,000 bytes with quotes, backslashes and line breaks reach
// a new tenant, and one that is migrated, as they are.
func TestMigrate_LongVariables(t *testing.T) {
	b := postgrestest.Setup(t)
	yaml := "blueprint.yaml:\n" + clinicYAML + "variables:\n  motto: {default: x}\n"
	publish(t, b, clinic(yaml, `CREATE TABLE mottos (text text); INSERT INTO mottos VALUES (current_setting('tenant.variables.motto'));`))
	in := postgrestest.Inputs("Clinic")
	in.Variables = map[string]string{"motto": strings.Repeat("'\\\"$$\n\r\té;--", 10_000/13)}
	made := clinicTenant(b, in)
	publish(t, b, clinic(yaml, `CREATE TABLE mottos (text text); INSERT INTO mottos VALUES (current_setting('tenant.variables.motto'));`,
		`INSERT INTO mottos VALUES (current_setting('tenant.variables.motto'));`))
	if report := migrate(b, tenantschema.MigrationOptions{}); report.Migrated != 1 {
		t.Errorf("%+v", report)
	}
	if n := postgrestest.Value[int](b, `SELECT count(*) FROM `+pgx.Identifier{made.SchemaName, "mottos"}.Sanitize()+` WHERE text = $1`, in.Variables["motto"]); n != 2 {
		t.Errorf("%d rows have the value", n)
	}
	wantSound(b, made, 2)
}
