package telemetry_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// dashboard is what the tests read of a Grafana dashboard.
type dashboard struct {
	UID, Title, Description string
	Panels                  []panel
	Templating              struct {
		List []struct{ Name, Query string }
	}
}

type panel struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ H, W, X, Y int }
	FieldConfig              struct{ Defaults struct{ Unit string } }
	Targets                  []struct {
		RefID, Expr, LegendFormat string
		Instant                   bool
	}
}

// readDashboards returns the dashboards by the name of their file.
func readDashboards(t *testing.T) map[string]dashboard {
	t.Helper()
	files, err := filepath.Glob("../../deploy/grafana/*.json")
	if err != nil || len(files) < 4 {
		t.Fatalf("%q, %v", files, err)
	}
	all := map[string]dashboard{}
	for _, file := range files {
		var d dashboard
		if err := json.Unmarshal([]byte(readFile(t, file)), &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".json")] = d
	}
	return all
}

// query is the expression of a panel with values for the variables of Grafana.
func query(expression string) string {
	return strings.NewReplacer("$__rate_interval", "5m", "$job", ".+").Replace(expression)
}

// TestDashboards checks that panels have what a reader needs, lie side by side, and use only metrics,
// labels and values that exist.
func TestDashboards(t *testing.T) {
	t.Parallel()
	e := exposedMetrics(t)
	uids := map[string]bool{}
	for name, d := range readDashboards(t) {
		if d.UID != "healthcare-"+name || uids[d.UID] || d.Title == "" || d.Description == "" {
			t.Errorf("%s: want the uid healthcare-%s, a title and a description: %q, %q, %q", name, name, d.UID, d.Title, d.Description)
		}
		uids[d.UID] = true
		if v := d.Templating.List; len(v) != 2 || v[0].Name != "datasource" || v[1].Name != "job" {
			t.Errorf("%s: variables %+v", name, v)
		}
		ids, cells := map[int]bool{}, map[[2]int]string{}
		titles := map[string]bool{}
		for _, p := range d.Panels {
			where := name + ", panel " + p.Title
			if ids[p.ID] || p.ID <= 0 {
				t.Errorf("%s: the id %d is another panel's", where, p.ID)
			}
			ids[p.ID] = true
			for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
				for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
					if other := cells[[2]int{x, y}]; other != "" || x >= 24 {
						t.Fatalf("%s lies on the panel %s, or beside the page", where, other)
					}
					cells[[2]int{x, y}] = p.Title
				}
			}
			if p.Type == "row" {
				continue
			}
			if p.Title == "" || p.Description == "" || p.FieldConfig.Defaults.Unit == "" || len(p.Targets) == 0 {
				t.Errorf("%s: want a title, a description, a unit and a query: %+v", where, p)
			}
			if titles[p.Title+p.Type] {
				t.Errorf("%s: another panel of that type has the title", where)
			}
			titles[p.Title+p.Type] = true
			for _, target := range p.Targets {
				e.checkExpression(t, where, target.Expr)
				if !strings.Contains(target.Expr, `job=~"$job"`) {
					t.Errorf("%s: the query %s ignores the chosen job", where, target.Expr)
				}
				if p.Type != "stat" && target.LegendFormat == "" {
					t.Errorf("%s: the query %s has no legend", where, target.Expr)
				}
			}
		}
	}
}

// TestDashboards_Parse: each query is one that Prometheus can read.
func TestDashboards_Parse(t *testing.T) {
	t.Parallel()
	type rule struct {
		Record string `yaml:"record"`
		Expr   string `yaml:"expr"`
	}
	type group struct {
		Name  string `yaml:"name"`
		Rules []rule `yaml:"rules"`
	}
	groups := []group{}
	for name, d := range readDashboards(t) {
		g := group{Name: name}
		for _, p := range d.Panels {
			for _, target := range p.Targets {
				g.Rules = append(g.Rules, rule{fmt.Sprintf("panel:p%d:%s", p.ID, strings.ToLower(target.RefID)), query(target.Expr)})
			}
		}
		groups = append(groups, g)
	}
	text, err := yaml.Marshal(map[string]any{"groups": groups})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "panels.yml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := promtool(t, "check", "rules", file); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
