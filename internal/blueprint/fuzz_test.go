package blueprint_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// FuzzMigration: a migration that is accepted has statements that stay the same when they are
// written one after the other, and that have no CONCURRENTLY where nobody uses the schema.
func FuzzMigration(f *testing.F) {
	for _, seed := range []string{
		"-- +goose Up\nSELECT 1; SELECT 'a;b' -- x\n;", "-- +goose Up\n-- +goose StatementBegin\nDO $$BEGIN NULL; END$$\n-- +goose StatementEnd\n-- +goose Down\nx",
		"-- +goose NO TRANSACTION\n-- +goose Up\nCREATE INDEX CONCURRENTLY i ON t (a);\nREINDEX (VERBOSE, CONCURRENTLY) TABLE t;", "-- +goose Up\n-- +blueprint seed\n-- +blueprint allow: scans",
		"-- +goose Up\nCREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = a AS $$SELECT set_config('role', 'a', true)$$;",
		"-- +goose Up\nDO $a$BEGIN EXECUTE $b$DO $c$BEGIN RESET ROLE; END$c$$b$; END$a$;", "-- +goose Up\nCOPY t FROM STDIN;\na\n\\.\n", "-- +goose Up\n\\x\nCREATE TEMP TABLE t (); ALTER TABLE a OWNER TO b;",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		b, err := blueprint.Parse(whole(text))
		if err != nil {
			return
		}
		m := b.Migrations[0]
		var again strings.Builder
		again.WriteString("-- +goose Up\n")
		if m.NoTransaction {
			again.WriteString("-- +goose NO TRANSACTION\n")
		}
		for _, s := range m.Up {
			again.WriteString(s.SQL + "\n;\n")
		}
		second, err := blueprint.Parse(whole(again.String()))
		if err != nil {
			t.Fatalf("%q is accepted, and its statements are not: %v", text, err)
		}
		if len(second.Migrations[0].Up) != len(m.Up) || m.Seed > len(m.Up) {
			t.Fatalf("%q has the statements %+v, then %+v", text, m.Up, second.Migrations[0].Up)
		}
		for i, s := range second.Migrations[0].Up {
			if s.SQL != m.Up[i].SQL || s.Command != m.Up[i].Command || s.Concurrently != m.Up[i].Concurrently {
				t.Fatalf("%q has the statement %+v, then %+v", text, m.Up[i], s)
			}
			if !s.Concurrently {
				continue
			}
			plain, err := blueprint.Parse(migration(s.WithoutConcurrently() + "\n;"))
			if err != nil || len(plain.Migrations[0].Up) != 1 {
				t.Fatalf("%q without CONCURRENTLY is %q: %v", s.SQL, s.WithoutConcurrently(), err)
			}
		}
	})
}

// FuzzConfig: a blueprint.yaml is read in bounded time, and what is accepted keeps the limits.
func FuzzConfig(f *testing.F) {
	example, err := os.ReadFile("testdata/clinic/blueprint.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range acceptedConfigs(string(example)) {
		f.Add(text)
	}
	for _, c := range configCases {
		if len(c.yaml) < 1000 {
			f.Add(c.yaml)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		start := time.Now()
		b, err := blueprint.Parse(folder(map[string]string{"blueprint.yaml": text}))
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%d bytes took %s", len(text), took)
		}
		if err != nil {
			return
		}
		if b.Name == "" || b.Name == blueprint.StandardName || b.Extends == blueprint.BaseStandard && len(b.Roles) == 0 || b.Extends == blueprint.BaseNone && b.Roles != nil {
			t.Errorf("%q is %+v", text, b)
		}
		for _, v := range b.Variables {
			if v.Name == "" || v.Default != nil && len(*v.Default) > tenant.MaxVariableBytes {
				t.Errorf("%q has the variable %+v", text, v)
			}
		}
		for _, s := range b.Steps {
			if s.Name == "" || s.Webhook.URL == "" || !strings.HasPrefix(s.Webhook.Secret, "BLUEPRINT_SECRET_") || s.Webhook.Timeout < time.Second || s.Undo != nil && (s.Undo.URL == "" || s.Undo.Secret == "") {
				t.Errorf("%q has the step %+v", text, s)
			}
		}
	})
}

// FuzzReadTar: what is read is within the limits, has names inside of the folder, and can be
// packed again.
func FuzzReadTar(f *testing.F) {
	for _, headers := range [][]tar.Header{
		{{Name: "blueprint.yaml", Size: 10}, {Name: "mail/welcome.txt"}}, {{Name: "clinic/", Typeflag: tar.TypeDir}, {Name: "clinic/blueprint.yaml"}},
		{{Name: "../x"}, {Name: "a", Typeflag: tar.TypeSymlink, Linkname: "/"}}, {{Name: strings.Repeat("long/", 50) + "x"}}, {},
	} {
		packed := tarOf(f, headers...).Bytes()
		var compressed bytes.Buffer
		z := gzip.NewWriter(&compressed)
		if _, err := z.Write(packed); err != nil {
			f.Fatal(err)
		}
		if err := z.Close(); err != nil {
			f.Fatal(err)
		}
		f.Add(packed)
		f.Add(compressed.Bytes())
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		files, err := blueprint.ReadTar(bytes.NewReader(content))
		if err != nil {
			if files != nil || errs.KindOf(err) != errs.KindInvalid {
				t.Errorf("%v", err)
			}
			return
		}
		total := 0
		for _, name := range names(t, files) {
			text, err := fs.ReadFile(files, name)
			if err != nil || !fs.ValidPath(name) || len(text) > blueprint.MaxFileBytes {
				t.Errorf("%q has %d bytes, %v", name, len(text), err)
			}
			total += len(text)
		}
		if total > blueprint.MaxBytes {
			t.Errorf("%d bytes", total)
		}
		var packed bytes.Buffer
		if blueprint.WriteTar(files, &packed) != nil {
			return
		}
		if _, err := blueprint.ReadTar(&packed); err != nil {
			t.Errorf("packed again: %v", err)
		}
	})
}
