package architecture_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	namedTest  = regexp.MustCompile("`(Test[A-Za-z0-9_]+)(?:/([A-Za-z0-9]+))?`")
	testedFunc = regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9_]+)\(`)
)

// TestThreatModel_NamesTests: docs/threat-model.md names tests that exist, with their parts.
func TestThreatModel_NamesTests(t *testing.T) {
	t.Parallel()
	const root = "../.."
	document, err := os.ReadFile(filepath.Join(root, "docs/threat-model.md"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard", "*_test.go").Output()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]string{} // The files with a test of that name.
	for name := range strings.FieldsSeq(string(out)) {
		content, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range testedFunc.FindAllStringSubmatch(string(content), -1) {
			files[m[1]] = append(files[m[1]], string(content))
		}
	}
	named := namedTest.FindAllStringSubmatch(string(document), -1)
	for _, m := range named {
		found := files[m[1]] != nil && m[2] == ""
		for _, content := range files[m[1]] {
			found = found || strings.Contains(content, `"`+m[2]+`"`)
		}
		if !found {
			t.Errorf("docs/threat-model.md names %s, which is no test; name the one that shows the same", m[0])
		}
	}
	if len(named) < 40 {
		t.Errorf("%d tests are named", len(named))
	}
}
