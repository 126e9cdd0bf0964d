package blueprint_test

import (
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
)

func TestReadMap(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"blueprint.yaml":             "apiVersion: healthcare-platform/v1\nkind: Blueprint\nname: clinic\n",
		"migrations/0001_people.sql": "-- +goose Up\nCREATE TABLE people (id int);\n",
	}
	read, err := blueprint.ReadMap(files)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := blueprint.Parse(read); err != nil || b.Name != "clinic" || b.SchemaVersion() != 1 {
		t.Errorf("%+v, %v", b, err)
	}
	for _, name := range []string{"", ".", "/blueprint.yaml", "../x.sql", "migrations//0002_x.sql", `migrations\0002_x.sql`, "migrations/"} {
		if _, err := blueprint.ReadMap(map[string]string{name: ""}); err == nil || !strings.Contains(err.Error(), "is no path inside of a folder") {
			t.Errorf("%q: %v", name, err)
		}
	}
	files["migrations/0001_people.sql/x"] = ""
	if _, err := blueprint.ReadMap(files); err == nil || !strings.Contains(err.Error(), "is in a folder that") {
		t.Errorf("%v", err)
	}
}

// TestBlueprint_CheckHistory: published migrations stay as they were.
func TestBlueprint_CheckHistory(t *testing.T) {
	t.Parallel()
	parse := func(migrations ...string) blueprint.Blueprint {
		t.Helper()
		files := map[string]string{"blueprint.yaml": "apiVersion: healthcare-platform/v1\nkind: Blueprint\nname: clinic\n"}
		for i, text := range migrations {
			files["migrations/000"+string(rune('1'+i))+"_x.sql"] = "-- +goose Up\n" + text + "\n"
		}
		read, err := blueprint.ReadMap(files)
		if err != nil {
			t.Fatal(err)
		}
		b, err := blueprint.Parse(read)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	const one, two = "CREATE TABLE a (id int);", "CREATE TABLE b (id int);"
	var published []blueprint.MigrationReport
	for _, m := range parse(one, two).Migrations {
		published = append(published, blueprint.MigrationReport{Version: m.Version, File: m.File, Checksum: m.Checksum})
	}
	for name, c := range map[string]struct {
		now  blueprint.Blueprint
		want string // Empty: no error.
	}{
		"Same":    {parse(one, two), ""},
		"More":    {parse(one, two, one), ""},
		"Changed": {parse(one, one), "migrations/0002_x.sql: differs from the published file"},
		"Removed": {parse(one), "migrations/0002_x.sql: was published and is missing"},
	} {
		err := c.now.CheckHistory(published)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
