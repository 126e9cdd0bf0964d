package blueprint_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
)

// TestGuide_RefusedStatements: what the guide says is refused is refused, and the SQL that it
// says to write instead is not.
func TestGuide_RefusedStatements(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../docs/guides/blueprints.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(guide), "| in a migration | why | write instead |\n|---|---|---|\n")
	if !found {
		t.Fatal("the guide has no such table")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	rows := strings.Split(table, "\n")
	if len(rows) < 15 {
		t.Errorf("%d rows", len(rows))
	}
	statement := regexp.MustCompile("`([^`]*;)`")
	for _, row := range rows {
		columns := strings.Split(row, " | ")
		refused := statement.FindStringSubmatch(columns[0])
		if len(columns) != 3 || refused == nil {
			t.Fatalf("%q", row)
		}
		if err := parseStatement(refused[1]); err == nil {
			t.Errorf("%s is not refused", refused[1])
		}
		for _, instead := range statement.FindAllStringSubmatch(columns[2], -1) {
			if err := parseStatement(instead[1]); err != nil {
				t.Errorf("%s: %v", instead[1], err)
			}
		}
	}
}

// parseStatement parses a blueprint with one statement.
func parseStatement(sql string) error {
	_, err := blueprint.Parse(fstest.MapFS{
		"blueprint.yaml":         {Data: []byte("apiVersion: healthcare-platform/v1\nkind: Blueprint\nname: practice\n")},
		"migrations/0001_it.sql": {Data: []byte("-- +goose Up\n" + sql + "\n")},
	})
	return err
}
