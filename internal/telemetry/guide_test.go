package telemetry_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// TestMonitoringGuide: the guide has each metric with its labels, and no other.
func TestMonitoringGuide(t *testing.T) {
	t.Parallel()
	documented := map[string][]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+_[a-z_]+)` \\| ([a-z_, ]*) \\|").FindAllStringSubmatch(readFile(t, "../../docs/guides/monitoring.md"), -1) {
		labels := strings.FieldsFunc(row[2], func(r rune) bool { return r == ',' || r == ' ' })
		slices.Sort(labels)
		documented[row[1]] = labels
	}
	r := prometheus.NewRegistry()
	registerAll(t, r)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	exported := map[string]bool{}
	for _, f := range families {
		exported[f.GetName()] = true
		var labels []string
		for _, pair := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, pair.GetName())
		}
		slices.Sort(labels)
		if got, ok := documented[f.GetName()]; !ok || !slices.Equal(got, labels) {
			t.Errorf("the guide has %s with the labels %q, and the program with %q", f.GetName(), got, labels)
		}
	}
	for name := range documented {
		if !exported[name] {
			t.Errorf("the guide has %s, which the program does not export", name)
		}
	}
}
