package architecture_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The packages that own tables. Tests of others use registrytest and queuetest.
const (
	registryOwner = "internal/postgres"
	queueOwner    = "internal/queue"
)

// TestTables: the tests of a package name only the tables that this package owns.
func TestTables(t *testing.T) {
	t.Parallel()
	named := tablePattern(t)
	literals := 0
	walkGo(t, func(path string) {
		name, err := filepath.Rel(root, path)
		if err != nil {
			t.Fatal(err)
		}
		name = filepath.ToSlash(name)
		if !strings.HasSuffix(name, "_test.go") {
			return
		}
		for position, text := range stringLiterals(t, path) {
			literals++
			for _, m := range named.FindAllStringSubmatch(text, -1) {
				if !mayName(name, m[1]) {
					t.Errorf("%s: a test outside of %s names the table %s", position, owner(m[1]), m[1])
				}
			}
		}
	})
	if literals < 5000 {
		t.Errorf("only %d literals were checked", literals)
	}
}

// TestTablePattern checks what counts as the name of a table, and who may write it.
func TestTablePattern(t *testing.T) {
	t.Parallel()
	named := tablePattern(t)
	for before, want := range map[string]bool{
		"SELECT 1 FROM ": true, "SELECT 1 FROM ONLY ": true, "DELETE\nFROM\n\t": true, "SELECT 1 FROM public.": true, `UPDATE "`: true,
		"INSERT INTO ": true, "SELECT 1 FROM x JOIN ": true, "select 1 from ": true, "LOCK TABLE ": true,
		"SELECT 1 FROM x.": false, "CREATE TABLE ": false, "/admin/": false, "": false,
	} {
		for _, table := range []string{"tenants", "tenant_contracts", "audit_events", "healthcare_migrations", "river_job"} {
			if got := named.MatchString(before + table); got != want {
				t.Errorf("%q: %t", before+table, got)
			}
			if named.MatchString(before+table+"_of_others") != (want && owner(table) == queueOwner) { // All of river_* is River's.
				t.Errorf("%q is no table", before+table+"_of_others")
			}
		}
	}
	for _, c := range []struct {
		file, table string
		want        bool
	}{
		{"internal/postgres/runs_test.go", "tenants", true},
		{"internal/postgres/runs/runs_test.go", "tenants", true},
		{"internal/postgrestools/x_test.go", "tenants", false},
		{"internal/queue/job_test.go", "tenants", false},
		{"internal/queue/job_test.go", "river_job", true},
		{"internal/provisioning/x_test.go", "river_job", false},
	} {
		if mayName(c.file, c.table) != c.want {
			t.Errorf("%s, %s: want %t", c.file, c.table, c.want)
		}
	}
}

// tablePattern matches the name of a table of the registry or the queue in a statement. The
// registry's are those that its migrations create.
func tablePattern(t *testing.T) *regexp.Regexp {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, registryOwner, "pgdb/migrations/*.sql"))
	if err != nil {
		t.Fatal(err)
	}
	created := regexp.MustCompile(`(?m)^CREATE TABLE (\w+)`)
	tables := []string{"healthcare_migrations", "healthcare_migration_lock", `river_\w+`} // Goose and River create these.
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range created.FindAllStringSubmatch(string(text), -1) {
			tables = append(tables, m[1])
		}
	}
	if len(tables) < 15 {
		t.Fatalf("only %d tables: %q", len(tables), tables)
	}
	return regexp.MustCompile(`(?i)\b(?:FROM|INTO|UPDATE|JOIN|LOCK TABLE)\s+(?:ONLY\s+)?(?:public\.)?"?(` + strings.Join(tables, "|") + `)\b`)
}

// mayName reports whether a file of tests may name a table. The queue's are also the
// registry's, which has a job for each queued tenant.
func mayName(file, table string) bool {
	return within(file, registryOwner) || within(file, owner(table))
}

func owner(table string) string {
	if strings.HasPrefix(strings.ToLower(table), "river_") {
		return queueOwner
	}
	return registryOwner
}

func within(file, dir string) bool { return strings.HasPrefix(file, dir+"/") }

// stringLiterals are the string literals of a file by position.
func stringLiterals(t *testing.T, path string) map[token.Position]string {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	all := map[token.Position]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			if all[set.Position(literal.Pos())], err = strconv.Unquote(literal.Value); err != nil {
				t.Fatal(err)
			}
		}
		return true
	})
	return all
}
