package tenantschema_test

import (
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantschema"
)

func TestTenantMigrationFiles(t *testing.T) {
	t.Parallel()

	t.Run("BaselineMatchesMigrations", func(t *testing.T) {
		b := setup(t)
		b.ExecScript(tenantschema.BaselineScript("made", "made_role"))
		names := strings.NewReplacer("{{schema}}", "replayed", "{{role}}", "replayed_role")
		dir := tenantschema.Migrations()
		files, err := fs.Glob(dir, "0*.sql")
		if err != nil || len(files) != tenantschema.Version {
			t.Fatalf("%v, %v", files, err)
		}
		for _, file := range files {
			text, err := fs.ReadFile(dir, file)
			if err != nil {
				t.Fatal(err)
			}
			b.ExecScript(names.Replace(string(text)))
		}
		baselineCatalog, migratedCatalog := b.catalog("made", "made_role"), b.catalog("replayed", "replayed_role")
		for _, line := range slices.Sorted(maps.Keys(baselineCatalog)) {
			if !migratedCatalog[line] {
				t.Errorf("only the baseline has: %s", line)
			}
		}
		for _, line := range slices.Sorted(maps.Keys(migratedCatalog)) {
			if !baselineCatalog[line] {
				t.Errorf("only the files have: %s", line)
			}
		}
		if len(baselineCatalog) < 50 {
			t.Errorf("the catalog has only %d lines", len(baselineCatalog))
		}
		b.Exec(`DROP SCHEMA made CASCADE`)
		b.Exec(`DROP SCHEMA replayed CASCADE`)
		b.Exec(`DROP ROLE made_role, replayed_role`)
	})
	t.Run("NewestFileListsBaseline", func(t *testing.T) {
		t.Parallel()
		if !slices.Contains(tenantschema.NewestBaselines(), tenantschema.BaselineChecksum()) {
			t.Errorf("the baseline has changed: put the change into a new file in migrations and add this line to it\n-- baseline: %s", tenantschema.BaselineChecksum())
		}
	})
	t.Run("OnlyStatementsCount", func(t *testing.T) {
		t.Parallel()
		checksumOf := func(text string) string {
			t.Helper()
			sums, err := tenantschema.ParseVersions(fstest.MapFS{"00001_x.sql": {Data: []byte(text)}})
			if err != nil {
				t.Fatal(err)
			}
			return sums[0]
		}
		first := checksumOf("-- A comment.\nSELECT 1;\n")
		if again := checksumOf("-- Another.\n\n-- baseline: abc\nSELECT 1; \r\n\n"); again != first {
			t.Error("a comment changes the checksum")
		}
		if other := checksumOf("SELECT 2;\n"); other == first {
			t.Error("a statement does not change the checksum")
		}
	})
	for name, c := range map[string]struct{ files, word string }{
		"AGap":         {"00001_a.sql 00003_c.sql", `"00003_c.sql" should have the number 00002`},
		"NoFirst":      {"00002_b.sql", `should have the number 00001`},
		"Twice":        {"00001_a.sql 00001_b.sql", `should have the number 00002`},
		"AnotherName":  {"00001_a.sql 2_b.sql", `"2_b.sql" has no name like`},
		"Nothing":      {"baseline.sql", "no tenant migrations"},
		"ALeftoverBak": {"00001_a.sql 00001_a.sql~", `has no name like`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := fstest.MapFS{}
			for file := range strings.FieldsSeq(c.files) {
				dir[file] = &fstest.MapFile{Data: []byte("SELECT 1;")}
			}
			if _, err := tenantschema.ParseVersions(dir); err == nil || !strings.Contains(err.Error(), c.word) {
				t.Errorf("%v", err)
			}
		})
	}
}

// execScript runs a script of several statements.
// catalog returns the catalog entries of a schema and its role, one per line,
// without their names.
func (b fixture) catalog(schema, role string) map[string]bool {
	b.T.Helper()
	rows, err := b.Pool().Query(b.T.Context(), `
		WITH s AS (SELECT oid, nspname, nspacl, nspowner FROM pg_namespace WHERE nspname = $1)
		SELECT concat_ws(' ', 'schema', nspowner::regrole, acl::text) FROM s LEFT JOIN LATERAL aclexplode(nspacl) acl ON true
		UNION ALL SELECT concat_ws(' ', 'role', rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls, rolconnlimit, rolvaliduntil, rolconfig)
			FROM pg_roles WHERE rolname = $2
		UNION ALL SELECT concat_ws(' ', 'relation', relname, relkind, relpersistence, relrowsecurity, reloptions, relowner::regrole, acl.privilege_type, acl.is_grantable, acl.grantee::regrole)
			FROM s JOIN pg_class c ON c.relnamespace = s.oid LEFT JOIN LATERAL aclexplode(relacl) acl ON true
		UNION ALL SELECT concat_ws(' ', 'column', relname, attname, format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated, attcollation::regcollation, attacl, pg_get_expr(adbin, adrelid))
			FROM s JOIN pg_class c ON c.relnamespace = s.oid AND c.relkind = 'r' JOIN pg_attribute a ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped
			LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
		UNION ALL SELECT concat_ws(' ', 'constraint', conrelid::regclass, conname, contype, convalidated, condeferrable, pg_get_constraintdef(k.oid))
			FROM s JOIN pg_constraint k ON connamespace = s.oid
		UNION ALL SELECT concat_ws(' ', 'index', pg_get_indexdef(indexrelid), indisunique, indisprimary, indisvalid)
			FROM s JOIN pg_class c ON c.relnamespace = s.oid JOIN pg_index ON indrelid = c.oid
		UNION ALL SELECT concat_ws(' ', 'trigger', pg_get_triggerdef(t.oid), tgenabled)
			FROM s JOIN pg_class c ON c.relnamespace = s.oid JOIN pg_trigger t ON tgrelid = c.oid AND NOT tgisinternal
		UNION ALL SELECT concat_ws(' ', 'function', pg_get_functiondef(p.oid)) FROM s JOIN pg_proc p ON pronamespace = s.oid
		UNION ALL SELECT concat_ws(' ', 'type', typname, typtype) FROM s JOIN pg_type ON typnamespace = s.oid`, schema, role)
	if err != nil {
		b.T.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		b.T.Fatal(err)
	}
	oid := value[string](b, `SELECT oid::text FROM pg_roles WHERE rolname = $1`, role)
	names := strings.NewReplacer(role, "ROLE", oid, "ROLE", schema, "SCHEMA")
	entries := map[string]bool{}
	for _, line := range lines {
		entries[names.Replace(line)] = true
	}
	return entries
}
