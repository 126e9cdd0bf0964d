package retiredwords_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/retiredwords"
)

const root = "../.."

func parse(t *testing.T, list string) []retiredwords.Word {
	t.Helper()
	words, err := retiredwords.Parse(strings.NewReader(list))
	if err != nil {
		t.Fatal(err)
	}
	return words
}

func TestRepository_HasNoRetiredWords(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile(filepath.Join(root, "tools/retired-words.txt"))
	if err != nil {
		t.Fatal(err)
	}
	words, err := retiredwords.Parse(bytes.NewReader(list))
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, file := range files(t) {
		content, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		var found []retiredwords.Finding
		if strings.HasSuffix(file, ".go") {
			if found, err = retiredwords.CheckGo(words, file, content); err != nil {
				t.Fatal(err)
			}
		} else {
			found = retiredwords.CheckText(words, file, content)
		}
		checked++
		for _, f := range found {
			t.Error(f)
		}
	}
	if checked < 400 {
		t.Errorf("%d files were checked; the repository has more", checked)
	}
}

// excluded lists files whose wording is fixed.
var excluded = map[string]string{
	"internal/devstack/stellarnet/host/corpus_auth_test.go": "the labels are part of the committed corpus, and native.digest covers it",
	"licences/go.txt":            "licences of others",
	"licences/crates.txt":        "licences of others",
	"internal/licences/rust.txt": "a licence of others",
	"internal/devstack/stellarnet/host/rust/src/test_native.rs": "the crate of the committed host changes only with a rebuild of the host",
}

// files lists what people read: sources, documents, SQL and scripts. The word list
// and this package name retired words, and license texts are not ours.
func files(t *testing.T) (names []string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Fatalf("list the repository's files: %v", err)
	}
	for name := range strings.FieldsSeq(string(out)) {
		base := filepath.Base(name)
		if excluded[name] != "" {
			continue
		}
		switch {
		case strings.HasPrefix(name, "internal/retiredwords/"), name == "tools/retired-words.txt", base == "LICENSE", base == "NOTICE":
			continue
		}
		if _, err := os.Stat(filepath.Join(root, name)); err != nil {
			continue // Deleted, and not committed yet.
		}
		switch filepath.Ext(name) {
		case ".go", ".md", ".tmpl", ".sql", ".sh", ".yml", ".yaml", ".tf", ".hcl", ".html", ".txt", ".js", ".rs", ".toml":
			names = append(names, name)
		}
		if base == "GNUmakefile" || name == ".ci/run" || name == "docs/openapi.json" {
			names = append(names, name)
		}
	}
	return names
}

func TestCheckGo(t *testing.T) {
	t.Parallel()
	words := parse(t, "prose\tput right\trepair\nident\tknock\tsignal\n")
	src := "package p\n\n// f is put\n// right.\nfunc f() {\n\tknockTwice, knockout := \"PUT RIGHT\", 0\n\t_, _ = knockTwice, knockout\n}\n"
	found, err := retiredwords.CheckGo(words, "p.go", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range found {
		got = append(got, f.String())
	}
	want := []string{
		`p.go:3: prose "put right" is retired; write: repair`,
		`p.go:6: ident "knock" is retired; write: signal`,
		`p.go:6: prose "put right" is retired; write: repair`,
		`p.go:7: ident "knock" is retired; write: signal`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestCheckGo_SkipsFieldsOfOtherPackages(t *testing.T) {
	t.Parallel()
	words := parse(t, "ident\tsilence\ttimeout\n")
	src := "package p\n\nvar (\n\t_ = cobra.Command{SilenceErrors: true}\n\t_ = options{SilenceErrors: silence}\n\t_ = cobra.Command{Run: silence}\n)\n"
	found, err := retiredwords.CheckGo(words, "p.go", []byte(src))
	if err != nil || len(found) != 3 || found[0].Line != 5 || found[1].Line != 5 || found[2].Line != 6 {
		t.Errorf("%v, %v", found, err)
	}
}

func TestCheckText_FindsPhrasesInAnyCaseAndNoPartsOfWords(t *testing.T) {
	t.Parallel()
	words := parse(t, "prose\tanew\tagain\n")
	found := retiredwords.CheckText(words, "a.md", []byte("Manew canewood\nbegun ANEW.\n"))
	if len(found) != 1 || found[0].Line != 2 {
		t.Errorf("%v", found)
	}
}

func TestParse_RejectsLinesItCannotRead(t *testing.T) {
	t.Parallel()
	for _, list := range []string{"prose\tword\n", "verse\tword\tother\n", "prose\t\tother\n"} {
		if _, err := retiredwords.Parse(strings.NewReader(list)); err == nil {
			t.Errorf("%q is accepted", list)
		}
	}
}
