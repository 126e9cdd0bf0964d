package blueprint_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

func TestParse_Names(t *testing.T) {
	t.Parallel()
	const up = "-- +goose Up\n"
	first := map[string]string{"migrations/0001_a.sql": up}
	with := func(more map[string]string) fstest.MapFS {
		files := folder(first)
		for name, file := range folder(more) {
			files[name] = file
		}
		return files
	}
	for name, want := range map[string]string{
		"notes.txt":                 "belongs to no blueprint, which has",
		"blueprint.yml":             "is not read; rename it to blueprint.yaml",
		"sql/0001_a.sql":            "sql: is no folder of a blueprint",
		"migrations/old/0001_a.sql": "migrations/old: is no folder of a blueprint",
		"migrations/1_a.sql":        "is no migration; name it like",
		"migrations/000001_a.sql":   "is no migration",
		"migrations/0002_a.SQL":     "is no migration",
		"migrations/0002_.sql":      "is no migration",
		"migrations/V2__a.sql":      "is no migration",
		"migrations/0002_a b.sql":   "is no migration",
		"migrations/0002_a.go":      "is no migration",
		"migrations/0002_" + strings.Repeat("a", 81) + ".sql": "is no migration",
		"samples/a.sql":            "is no sample; name it like",
		"mail/hello.txt":           "is no mail; known are",
		"mail/welcome.md":          "is no mail",
		"mail/welcome.deutsch.txt": "is no mail",
		"mail/welcome.de_AT.txt":   "is no mail",
		"mail/welcome.txt.txt":     "is no mail",
		"mail/logo.svg":            "is no mail",
		"bad\nname":                `"bad\nname": belongs to no blueprint`,
		"migrations/0001_b.sql":    "migrations/0001_b.sql: has the number 1, as migrations/0001_a.sql",
		"migrations/00001_a.sql":   "has the number 1",
		"migrations/0003_a.sql":    "has the number 3, and no file has 2; numbers begin with 1",
		"migrations/0000_a.sql":    "has the number 0, and no file has 1",
	} {
		t.Run(shortName(name), func(t *testing.T) {
			t.Parallel()
			content := ""
			if strings.HasPrefix(name, "migrations/") {
				content = up
			}
			got := problems(t, with(map[string]string{name: content}))
			if len(got) == 0 || !strings.Contains(strings.Join(got, "\n"), want) {
				t.Errorf("problems %q, want %q", got, want)
			}
		})
	}
	for _, name := range []string{"README.md", "readme", "migrations/README", ".git/config", ".DS_Store", "mail/.hidden", "migrations/00002_a-b.c_D.sql"} {
		wantNone(t, with(map[string]string{name: up}))
	}
	for _, name := range []string{"mail/reminder", "mail/failure.pt-BR", "mail/welcome.zh-Hant-TW"} {
		wantNone(t, with(map[string]string{name + ".txt": mailText, name + ".html": mailHTML}))
	}
	wantProblem(t, with(map[string]string{"mail/welcome.de.txt": mailText, "mail/welcome.DE.txt": mailText, "mail/welcome.de.html": mailHTML}), "mail/welcome.de.txt: is for the same locale as mail/welcome.DE.txt")
	wantProblem(t, fstest.MapFS{"migrations/0001_a.sql": {Data: []byte(up)}}, "blueprint.yaml: is missing; write it")
	wantProblem(t, fstest.MapFS{}, "blueprint.yaml: is missing")
}

func TestParse_Links(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string]string{"blueprint.yaml": head, "target": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("target", filepath.Join(dir, "migrations")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "target"), filepath.Join(dir, "README")); err != nil {
		t.Fatal(err)
	}
	wantProblem(t, os.DirFS(dir), "migrations: is a link or another special file")
}

func TestParse_Limits(t *testing.T) {
	t.Parallel()
	const up = "-- +goose Up\n"
	pad := func(n int) string { return up + strings.Repeat(" ", n-len(up)) }
	wantNone(t, folder(map[string]string{"migrations/0001_a.sql": pad(blueprint.MaxFileBytes)}))
	wantProblem(t, folder(map[string]string{"migrations/0001_a.sql": pad(blueprint.MaxFileBytes + 1)}), "migrations/0001_a.sql: has more than 4 MiB")

	whole := map[string]string{"migrations/0001_a.sql": pad(blueprint.MaxFileBytes), "migrations/0002_a.sql": pad(blueprint.MaxFileBytes - len(head))}
	wantNone(t, folder(whole))
	whole["migrations/0002_a.sql"] += " "
	wantProblem(t, folder(whole), "migrations/0002_a.sql: makes the blueprint larger than 8 MiB")

	many := map[string]string{}
	for i := range blueprint.MaxMigrations {
		many[fmt.Sprintf("migrations/%04d_a.sql", i+1)] = up
	}
	wantNone(t, folder(many))
	for i := range blueprint.MaxFiles - blueprint.MaxMigrations - 1 {
		many[fmt.Sprintf("samples/0001_%04d.sql", i)] = ""
	}
	wantNone(t, folder(many))
	many["samples/0001_z.sql"] = ""
	wantProblem(t, folder(many), "samples/0001_z.sql: is one file too many; a blueprint has at most 2000")
	delete(many, "samples/0001_z.sql")
	delete(many, "samples/0001_0000.sql")
	many["migrations/1001_a.sql"] = up
	wantProblem(t, folder(many), "migrations: has 1001 files; at most 1000")

	ignored := folder(nil)
	for i := range 10001 {
		ignored[fmt.Sprintf(".x%d", i)] = &fstest.MapFile{}
	}
	if got := strings.Join(problems(t, ignored), "\n"); !strings.Contains(got, "has more than 10000 files and folders") {
		t.Errorf("problems %q", got)
	}
}

// brokenFS is a file system of which one file cannot be opened or read.
type brokenFS struct {
	fs.FS
	name string
	err  error
	read bool
}

type brokenFile struct {
	fs.File
	err error
}

func (f brokenFile) Read([]byte) (int, error) { return 0, f.err }

func (b brokenFS) Open(name string) (fs.File, error) {
	f, err := b.FS.Open(name)
	switch {
	case name != b.name || err != nil:
		return f, err
	case b.read:
		return brokenFile{f, b.err}, nil
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: b.err}
}

func TestParse_BrokenFiles(t *testing.T) {
	t.Parallel()
	files := folder(map[string]string{"migrations/0001_a.sql": "-- +goose Up\n"})
	for name, want := range map[string]string{
		"blueprint.yaml":        "blueprint.yaml: cannot be read: permission denied",
		"migrations/0001_a.sql": "migrations/0001_a.sql: cannot be read: permission denied",
		"migrations":            "migrations: cannot be read: permission denied",
		".":                     ".: cannot be read: permission denied",
	} {
		for _, read := range []bool{false, true} {
			if read && (name == "migrations" || name == ".") {
				continue // A folder is not read so.
			}
			got := problems(t, brokenFS{files, name, fs.ErrPermission, read})
			if len(got) == 0 || !strings.Contains(strings.Join(got, "\n"), strings.TrimSuffix(want, "permission denied")) {
				t.Errorf("%s: problems %q", name, got)
			}
		}
	}
}

func TestReadDir(t *testing.T) {
	t.Parallel()
	files, err := blueprint.ReadDir("testdata/clinic")
	if err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(files, "blueprint.yaml", "migrations/0002_patient_names.sql", "samples/0002_patients.sql", "mail/logo.png"); err != nil {
		t.Error(err)
	}
	if _, err := files.Open("README.md"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("README.md: %v", err)
	}
	if _, err := files.Open("../x"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("../x: %v", err)
	}
	direct, err := blueprint.Parse(os.DirFS("testdata/clinic"))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := blueprint.Parse(files); err != nil || b.SHA256 != direct.SHA256 {
		t.Errorf("SHA-256 %s, %v; want %s", b.SHA256, err, direct.SHA256)
	}
	for dir, want := range map[string]string{"testdata/none": "cannot be read: no such file", "files_test.go": "is no folder", "testdata": "is no folder of a blueprint"} {
		var p blueprint.Problems
		if _, err := blueprint.ReadDir(dir); !errors.As(err, &p) || errs.KindOf(err) != errs.KindInvalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", dir, err, want)
		}
	}
}

// TestTar packs and reads a blueprint: nothing but its files counts.
func TestTar(t *testing.T) {
	t.Parallel()
	source := os.DirFS("testdata/clinic")
	want, err := blueprint.Parse(source)
	if err != nil {
		t.Fatal(err)
	}
	var packed, again, compressed bytes.Buffer
	if err := blueprint.WriteTar(source, &packed); err != nil {
		t.Fatal(err)
	}
	files, err := blueprint.ReadTar(iotest.OneByteReader(bytes.NewReader(packed.Bytes())))
	if err != nil {
		t.Fatal(err)
	}
	if err := blueprint.WriteTar(files, &again); err != nil || !bytes.Equal(packed.Bytes(), again.Bytes()) {
		t.Errorf("packed again, the tar differs (%v)", err)
	}
	if b, err := blueprint.Parse(files); err != nil || b.SHA256 != want.SHA256 {
		t.Errorf("SHA-256 %s, %v; want %s", b.SHA256, err, want.SHA256)
	}
	z := gzip.NewWriter(&compressed)
	if _, err := z.Write(packed.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	unzipped, err := blueprint.ReadTar(&compressed)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := blueprint.Parse(unzipped); err != nil || b.SHA256 != want.SHA256 {
		t.Errorf("compressed, SHA-256 %s, %v; want %s", b.SHA256, err, want.SHA256)
	}
	if err := blueprint.WriteTar(folder(map[string]string{"x": ""}), io.Discard); errs.KindOf(err) != errs.KindInvalid {
		t.Errorf("a folder with other files: %v", err)
	}
	full := errors.New("the disk is full")
	if err := blueprint.WriteTar(source, failingWriter{full}); !errors.Is(err, full) {
		t.Errorf("a writer that fails: %v", err)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

// TestSHA256 depends on names and contents, and on where one ends and the next begins.
func TestSHA256(t *testing.T) {
	t.Parallel()
	sums := map[string]string{}
	for _, files := range []map[string]string{
		{}, {"mail/failure.txt": "a", "mail/failure.html": "b"}, {"mail/failure.txt": "b", "mail/failure.html": "a"}, {"mail/reminder.txt": mailText, "mail/reminder.html": mailHTML},
		{"mail/failure.html": "b17:mail/failure.txt1:a", "mail/failure.txt": "a"}, {"mail/logo.png": picture(t, 1, 1, false)}, {"mail/logo.png": picture(t, 1, 1, false) + "\r\n"},
	} {
		b, err := blueprint.Parse(folder(files))
		if err != nil {
			t.Fatal(err)
		}
		if other, same := sums[b.SHA256]; same {
			t.Errorf("%q has the sum of %s", files, other)
		}
		sums[b.SHA256] = fmt.Sprint(files)
	}
}
