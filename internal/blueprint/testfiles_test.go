package blueprint_test

import (
	"errors"
	"io/fs"
	"maps"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// head is the beginning of a blueprint.yaml, in three lines.
const head = "apiVersion: healthcare-platform/v1\nkind: Blueprint\nname: clinic\n"

// folder makes a blueprint of files by name; blueprint.yaml is there without being named.
func folder(files map[string]string) fstest.MapFS {
	all := map[string]string{"blueprint.yaml": head}
	maps.Copy(all, files)
	m := fstest.MapFS{}
	for name, content := range all {
		m[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return m
}

// migration makes a blueprint of one migration, whose SQL begins in line 2.
func migration(sql string) fstest.MapFS {
	return folder(map[string]string{"migrations/0001_a.sql": "-- +goose Up\n" + sql})
}

// problems returns the problems of a blueprint, as they are printed.
func problems(t *testing.T, files fs.FS) []string {
	t.Helper()
	b, err := blueprint.Parse(files)
	if err == nil {
		return nil
	}
	var p blueprint.Problems
	if !errors.As(err, &p) || len(p) == 0 || errs.KindOf(err) != errs.KindInvalid || errs.SafeMessage(err) == "" || b.Name != "" {
		t.Fatalf("the error is %#v, the blueprint %+v", err, b)
	}
	list := make([]string, len(p))
	for i, problem := range p {
		list[i] = problem.String()
	}
	return list
}

// wantProblem checks that a blueprint has one problem, which has these words.
func wantProblem(t *testing.T, files fs.FS, words ...string) {
	t.Helper()
	got := problems(t, files)
	if len(got) != 1 {
		t.Errorf("problems %q, want one with %q", got, words)
		return
	}
	for _, w := range words {
		if !strings.Contains(got[0], w) {
			t.Errorf("%s\nwant %q", got[0], w)
		}
	}
	if !strings.ContainsAny(got[0], ";,") {
		t.Errorf("%s\nnames no remedy", got[0])
	}
}

// wantNone checks that a blueprint has no problem.
func wantNone(t *testing.T, files fs.FS) {
	t.Helper()
	if got := problems(t, files); got != nil {
		t.Errorf("problems %q", got)
	}
}
