package blueprint_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
)

// whole makes a blueprint of one migration, whose text is the whole file.
func whole(text string) fstest.MapFS {
	return folder(map[string]string{"migrations/0001_a.sql": text})
}

func TestParse_Annotations(t *testing.T) {
	t.Parallel()
	const up = "-- +goose Up\n"
	for text, want := range map[string]string{
		"":                                         `0001_a.sql: has no line "-- +goose Up"; put it before the first statement`,
		"SELECT 1;\n":                              `0001_a.sql: has no line "-- +goose Up"`,
		"-- x +goose Up\nSELECT 1;":                `0001_a.sql: has no line "-- +goose Up"`,
		"SELECT 1;\n" + up:                         `:1: stands before "-- +goose Up"`,
		" -- +goose Up\n" + up + "SELECT 1;":       `:1: "-- +goose Up" must stand at the start of a line of its own`,
		up + "SELECT 1; -- +goose Down\n":          `:2: "-- +goose Down" must stand at the start of a line of its own`,
		up + up + "SELECT 1;":                      `:2: "-- +goose Up" is in the file twice`,
		"-- +goose Down\n" + up:                    `:1: "-- +goose Down" must stand behind "-- +goose Up"`,
		up + "-- +goose StatementBegin\nSELECT 1;": `:2: "-- +goose StatementBegin" has no "-- +goose StatementEnd"`,
		up + "-- +goose StatementBegin\nSELECT 1;\n-- +goose Down":                        `:2: "-- +goose StatementBegin" has no "-- +goose StatementEnd"`,
		"-- +goose StatementBegin\n" + up + "-- +goose StatementEnd":                      `:1: "-- +goose StatementBegin" must stand behind "-- +goose Up"`,
		up + "-- +goose StatementBegin\n-- +goose StatementBegin\n-- +goose StatementEnd": `:3: "-- +goose StatementBegin" must stand`,
		up + "SELECT 1;\n-- +goose StatementEnd\n":                                        `:3: "-- +goose StatementEnd" has no "-- +goose StatementBegin"`,
		up + "-- +goose StatementBegin\nSELECT (1\n-- +goose StatementEnd\n":              ":3: the parenthesis ( that begins here",
		up + "-- +goose ENVSUB ON\nSELECT 1;":                                             ":2: variables of the environment are not put into SQL; use",
		up + "-- +goose Sideways\n":                                                       `:2: "-- +goose Sideways" is no annotation of goose; known are`,
		up + "-- +goose\n":                                                                `:2: "-- +goose" is no annotation of goose`,
		up + "SELECT 1":                                                                   ":2: the statement that begins here does not end with a semicolon",
		up + "SELECT\n1\n-- +goose Down":                                                  ":2: the statement that begins here does not end with a semicolon",
		up + "SELECT 1\n-- +blueprint seed\n;":                                            `:3: "-- +blueprint seed" stands inside a statement, which begins at line 2`,
		up + "SELECT 1\n-- +goose NO TRANSACTION\n;":                                      `:3: "-- +goose NO TRANSACTION" stands inside a statement`,
		up + "SELECT 'a":                                                                  ":2: the string that begins here",
		up + "\n/* SELECT 1;":                                                             ":3: the comment /* that begins here",
		up + "SELECT (1;":                                                                 ":2: the parenthesis ( that begins here",
		up + "SELECT 1);":                                                                 ":2: the parenthesis )",
		up + "SELECT 1;\n\nSELECT \x00;":                                                  ":4: has a NUL character",
		up + "SELECT 'M\xfcller';":                                                        ":2: is not valid UTF-8 (byte 0xfc)",
		up + "-- +goose Down\n\xff":                                                       ":3: is not valid UTF-8",
		"-- +blueprint seed\n" + up:                                                       `:1: "-- +blueprint seed" stands before "-- +goose Up"`,
		up + "-- +blueprint seed\n-- +blueprint SEED\n":                                   `:3: "-- +blueprint SEED" is in the file twice`,
		up + "-- +blueprint sed\n":                                                        `:2: "-- +blueprint sed" is unknown; known are`,
		up + "-- +blueprint allow: rewrite\n":                                             `:2: "rewrite" is no class; known are locks, scans and rewrites`,
		up + "-- +blueprint allow:\n":                                                     `:2: "" is no class`,
		up + "-- +blueprint allow: online\n":                                              ":2: the class online needs no permission",
	} {
		t.Run(shortName(text), func(t *testing.T) {
			t.Parallel()
			wantProblem(t, whole(text), "migrations/0001_a.sql", want)
		})
	}
}

// TestParse_FirstStatement reads one file in many forms.
func TestParse_FirstStatement(t *testing.T) {
	t.Parallel()
	const up = "-- +goose Up\n"
	for text, want := range map[string]blueprint.Statement{
		up + "SELECT 1;":                                                 {SQL: "SELECT 1", Line: 2, Command: "SELECT"},
		"-- +GOOSE up  \nSELECT 1;":                                      {SQL: "SELECT 1", Line: 2, Command: "SELECT"},
		"--+goose Up\nSELECT 1;":                                         {SQL: "SELECT 1", Line: 2, Command: "SELECT"},
		"\ufeff" + up + "SELECT 1;":                                      {SQL: "SELECT 1", Line: 2, Command: "SELECT"},
		"-- x\r\n-- +goose Up\r\nSELECT\r\n1\r\n;\r\n":                   {SQL: "SELECT\n1", Line: 3, Command: "SELECT"},
		up + "-- x\n/* y */ SELECT /* z */ 1 -- a\n + 2 /* b */; -- c\n": {SQL: "SELECT /* z */ 1 -- a\n + 2", Line: 3, Command: "SELECT"},
		up + ";;\n;SELECT 1;;":                                           {SQL: "SELECT 1", Line: 3, Command: "SELECT"},
		up + "-- +goose StatementBegin\nSELECT 1\n-- +goose StatementEnd\n-- +goose Down\nSELECT '": {SQL: "SELECT 1", Line: 3, Command: "SELECT"},
		up + "-- +goose StatementBegin\nDO $$;$$;\n-- +goose StatementEnd\n":                        {SQL: "DO $$;$$", Line: 3, Command: "DO"},
		up + "-- +goose ENVSUB OFF\nSELECT '${HOME}';":                                              {SQL: "SELECT '${HOME}'", Line: 3, Command: "SELECT"},
		up + "SELECT '\n-- +goose Down\n';":                                                         {SQL: "SELECT '\n-- +goose Down\n'", Line: 2, Command: "SELECT"},
		up + "CREATE UNIQUE INDEX i ON t (a);":                                                      {SQL: "CREATE UNIQUE INDEX i ON t (a)", Line: 2, Command: "CREATE INDEX"},
		up + "create or replace\n function f() returns int language sql return 1;":                  {SQL: "create or replace\n function f() returns int language sql return 1", Line: 2, Command: "CREATE FUNCTION"},
		up + "CREATE UNLOGGED TABLE t ();":                                                          {SQL: "CREATE UNLOGGED TABLE t ()", Line: 2, Command: "CREATE TABLE"},
		up + "CREATE RECURSIVE VIEW v (a) AS SELECT 1;":                                             {SQL: "CREATE RECURSIVE VIEW v (a) AS SELECT 1", Line: 2, Command: "CREATE VIEW"},
		up + "ALTER MATERIALIZED VIEW v RENAME TO w;":                                               {SQL: "ALTER MATERIALIZED VIEW v RENAME TO w", Line: 2, Command: "ALTER MATERIALIZED VIEW"},
		up + "CREATE TEXT SEARCH CONFIGURATION c (COPY = simple);":                                  {SQL: "CREATE TEXT SEARCH CONFIGURATION c (COPY = simple)", Line: 2, Command: "CREATE TEXT SEARCH CONFIGURATION"},
		up + "CREATE CONSTRAINT TRIGGER c AFTER INSERT ON t EXECUTE FUNCTION f();":                  {SQL: "CREATE CONSTRAINT TRIGGER c AFTER INSERT ON t EXECUTE FUNCTION f()", Line: 2, Command: "CREATE TRIGGER"},
		up + "CREATE DEFAULT CONVERSION c FOR 'UTF8' TO 'LATIN1' FROM f;":                           {SQL: "CREATE DEFAULT CONVERSION c FOR 'UTF8' TO 'LATIN1' FROM f", Line: 2, Command: "CREATE CONVERSION"},
		up + "COMMENT ON CONSTRAINT c ON t IS NULL;":                                                {SQL: "COMMENT ON CONSTRAINT c ON t IS NULL", Line: 2, Command: "COMMENT ON CONSTRAINT"},
		up + "REFRESH MATERIALIZED VIEW v;":                                                         {SQL: "REFRESH MATERIALIZED VIEW v", Line: 2, Command: "REFRESH MATERIALIZED VIEW"},
		up + "LOCK t;":                                                                              {SQL: "LOCK t", Line: 2, Command: "LOCK TABLE"},
		up + "((SELECT 1));":                                                                        {SQL: "((SELECT 1))", Line: 2, Command: "SELECT"},
	} {
		t.Run(shortName(text), func(t *testing.T) {
			t.Parallel()
			b, err := blueprint.Parse(whole(text))
			if err != nil {
				t.Fatal(err)
			}
			if got := b.Migrations[0].Up; len(got) != 1 || got[0] != want {
				t.Errorf("got %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestParse_NoTransaction(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		"CREATE INDEX CONCURRENTLY i ON t (a);":                                              "",
		"create unique index concurrently if not exists i on only t using gin (lower(a.b));": "",
		"DROP INDEX CONCURRENTLY IF EXISTS i;":                                               "",
		"REINDEX INDEX CONCURRENTLY i;":                                                      "",
		"REINDEX (CONCURRENTLY) TABLE t;":                                                    "",
		"REINDEX (VERBOSE, CONCURRENTLY true) TABLE t;":                                      "",
		"CREATE INDEX i ON t (a);":                                                           "a file with NO TRANSACTION may have",
		"REINDEX (CONCURRENTLY false) TABLE t;":                                              "a file with NO TRANSACTION may have",
		"DROP INDEX i;":                                                                      "a file with NO TRANSACTION may have",
		"CREATE TABLE t ();":                                                                 "a file with NO TRANSACTION may have",
		"REFRESH MATERIALIZED VIEW CONCURRENTLY v;":                                          "a file with NO TRANSACTION may have",
		"ALTER TYPE e ADD VALUE 'x';":                                                        "a file with NO TRANSACTION may have",
		"CREATE INDEX CONCURRENTLY ON t (a);":                                                "needs a name",
		"CREATE UNIQUE INDEX CONCURRENTLY ON ONLY t (a);":                                    "needs a name",
		"CREATE INDEX CONCURRENTLY i ON other.t (a);":                                        "a name with a schema",
		`CREATE INDEX CONCURRENTLY i ON ONLY "other"."t" (a);`:                               "a name with a schema",
		"CREATE INDEX CONCURRENTLY i ON other.t USING btree (a);":                            "a name with a schema",
		"DROP INDEX CONCURRENTLY other.i;":                                                   "a name with a schema",
		"DROP INDEX CONCURRENTLY IF EXISTS other.i;":                                         "a name with a schema",
		"REINDEX TABLE CONCURRENTLY other.t;":                                                "a name with a schema",
		"REINDEX (CONCURRENTLY, VERBOSE) INDEX other.i;":                                     "a name with a schema",
		"REINDEX SCHEMA CONCURRENTLY other;":                                                 "REINDEX SCHEMA is refused",
	} {
		t.Run(shortName(sql), func(t *testing.T) {
			t.Parallel()
			// The line may stand anywhere.
			for _, text := range []string{"-- +goose NO TRANSACTION\n-- +goose Up\n" + sql, "\n-- +goose Up\n" + sql + "\n-- +goose no  transaction\n"} {
				if want == "" {
					wantNone(t, whole(text))
				} else {
					wantProblem(t, whole(text), "migrations/0001_a.sql:3: ", want)
				}
			}
		})
	}
}

func TestStatement_WithoutConcurrently(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		"CREATE INDEX CONCURRENTLY i ON t (a)":                               "CREATE INDEX i ON t (a)",
		"create unique index\nconcurrently /* x */ if not exists i on t (a)": "create unique index\nif not exists i on t (a)",
		"CREATE INDEX CONCURRENTLY i ON t ((concurrently()))":                "CREATE INDEX i ON t ((concurrently()))",
		"DROP INDEX CONCURRENTLY i":                                          "DROP INDEX i",
		"REINDEX TABLE CONCURRENTLY t":                                       "REINDEX TABLE t",
		"REINDEX (VERBOSE) TABLE CONCURRENTLY t":                             "REINDEX (VERBOSE) TABLE t",
		"REINDEX (CONCURRENTLY) TABLE t":                                     "REINDEX TABLE t",
		"REINDEX(CONCURRENTLY)TABLE t":                                       "REINDEX TABLE t",
		"REINDEX (CONCURRENTLY on, VERBOSE) TABLE t":                         "REINDEX (VERBOSE) TABLE t",
		"REINDEX (VERBOSE, CONCURRENTLY) TABLE t":                            "REINDEX (VERBOSE) TABLE t",
		"REINDEX (VERBOSE, CONCURRENTLY 1, TABLESPACE x) TABLE t":            "REINDEX (VERBOSE, TABLESPACE x) TABLE t",
	} {
		b, err := blueprint.Parse(whole("-- +goose NO TRANSACTION\n-- +goose Up\n" + sql + ";"))
		if err != nil {
			t.Errorf("%s: %v", sql, err)
			continue
		}
		s := b.Migrations[0].Up[0]
		if got := s.WithoutConcurrently(); got != want || !s.Concurrently || s.SQL != sql {
			t.Errorf("%q is %q, want %q", s.SQL, got, want)
		}
	}
	plain := blueprint.Statement{SQL: "SELECT 'CONCURRENTLY'"}
	if got := plain.WithoutConcurrently(); got != plain.SQL {
		t.Errorf("another statement is %q", got)
	}
}

func TestParse_Seed(t *testing.T) {
	t.Parallel()
	const up = "-- +goose Up\n"
	for text, want := range map[string]int{
		up + "SELECT 1;\nSELECT 2;":                          -1,
		up + "-- +blueprint seed\nSELECT 1;":                 0,
		up + "SELECT 1;\n-- +blueprint seed\nSELECT 2;":      1,
		up + "SELECT 1; SELECT 2;\n--  +blueprint  Seed":     2,
		up + "SELECT 1;\n-- +goose Down\n-- +blueprint seed": -1,
	} {
		b, err := blueprint.Parse(whole(text))
		if err != nil || b.Migrations[0].Seed != want {
			t.Errorf("%q: %+v, %v; want %d", text, b.Migrations, err, want)
		}
	}
	two := folder(map[string]string{"migrations/0001_a.sql": up + "-- +blueprint seed", "migrations/0002_b.sql": up + "\n-- +blueprint seed"})
	wantProblem(t, two, "migrations/0002_b.sql:3: ", "also in migrations/0001_a.sql")
	wantProblem(t, folder(map[string]string{"blueprint.yaml": head + "extends: none\n", "migrations/0001_a.sql": up + "-- +blueprint seed"}),
		"migrations/0001_a.sql: ", "cannot be with extends: none")
}

func TestParse_Allow(t *testing.T) {
	t.Parallel()
	b, err := blueprint.Parse(whole("-- +blueprint allow: rewrites\n-- +goose Up\n-- +blueprint allow: LOCKS ,rewrites\n-- +goose Down\n-- +blueprint allow: scans"))
	if want := []blueprint.Class{blueprint.ClassLocks, blueprint.ClassRewrites}; err != nil || !reflect.DeepEqual(b.Migrations[0].Allow, want) {
		t.Errorf("permits %v, %v; want %v", b.Migrations, err, want)
	}
}

// TestParse_LineEnds: a file with the line ends of Windows is the same file.
func TestParse_LineEnds(t *testing.T) {
	t.Parallel()
	const text = "-- +goose Up\nCREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$\nSELECT 1\n$$;\n"
	unix, err := blueprint.Parse(whole(text))
	if err != nil {
		t.Fatal(err)
	}
	windows, err := blueprint.Parse(whole(strings.ReplaceAll(text, "\n", "\r\n")))
	if err != nil || !reflect.DeepEqual(unix, windows) {
		t.Errorf("got %+v, %v\nwant %+v", windows, err, unix)
	}
	other, err := blueprint.Parse(whole(text + "\n"))
	if err != nil || other.Migrations[0].Checksum == unix.Migrations[0].Checksum || other.SHA256 == unix.SHA256 {
		t.Errorf("another file has the same sums: %+v, %v", other, err)
	}
}

func TestParse_Samples(t *testing.T) {
	t.Parallel()
	sample := func(sql string) fstest.MapFS {
		return folder(map[string]string{"migrations/0001_a.sql": "-- +goose Up\n", "samples/0001_a.sql": sql})
	}
	wantNone(t, sample("INSERT INTO t VALUES (1);\nUPDATE t SET a = 2; WITH a AS (SELECT 1) SELECT * FROM a; DO $$BEGIN NULL; END$$;"))
	for sql, want := range map[string]string{
		"CREATE TABLE t ();":       "samples/0001_a.sql:1: CREATE TABLE is refused: a sample has rows alone",
		"TRUNCATE t;":              "TRUNCATE is refused: a sample has rows alone",
		"SET ROLE a;":              "SET role is refused",
		"-- +goose Up\nSELECT 1;":  `:1: "-- +goose Up" is for migrations`,
		"INSERT INTO t VALUES (1)": "does not end with a semicolon",
		"\nCOMMIT;":                ":2: COMMIT is refused",
		"REINDEX TABLE t;":         "REINDEX is refused: a sample has rows alone",
	} {
		wantProblem(t, sample(sql), want)
	}
	for name, want := range map[string]string{"samples/0002_b.sql": "has the number 2, which no migration has", "samples/0000_b.sql": "has the number 0"} {
		files := sample("SELECT 1;")
		files[name] = files["samples/0001_a.sql"]
		wantProblem(t, files, name, want)
	}
	files := sample("SELECT 1;")
	files["samples/0001_b.sql"] = files["samples/0001_a.sql"]
	b, err := blueprint.Parse(files)
	if err != nil || len(b.Samples) != 2 || b.Samples[1].File != "samples/0001_b.sql" {
		t.Errorf("samples %+v, %v", b.Samples, err)
	}
}

// TestParse_AllProblems reports everything at once, by file and line.
func TestParse_AllProblems(t *testing.T) {
	t.Parallel()
	got := problems(t, folder(map[string]string{
		"blueprint.yaml":        "apiVersion: v1\nname: Clinic\nrolls: []\n",
		"migrations/0001_a.sql": "-- +goose Up\nCOMMIT;\nSELECT 1;\nSET ROLE a; CREATE ROLE b;\nSELECT '",
		"migrations/0003_b.sql": "SELECT 1;",
		"migrations/x.sql":      "",
		"notes.txt":             "",
	}))
	want := []string{"blueprint.yaml:1: ", "blueprint.yaml:1: ", "blueprint.yaml:2: ", "blueprint.yaml:3: ",
		"migrations/0001_a.sql:2: ", "migrations/0001_a.sql:4: ", "migrations/0001_a.sql:4: ", "migrations/0001_a.sql:5: ",
		"migrations/0003_b.sql: ", "migrations/0003_b.sql: ", "migrations/x.sql: ", "notes.txt: "}
	if !slices.EqualFunc(got, want, strings.HasPrefix) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
