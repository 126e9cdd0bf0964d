package telemetry_test

import (
	"context"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/monitoring"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/telemetry"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

const (
	runbook    = "../../docs/guides/alerts.md"
	runbookURL = "https://github.com/healthcare-platform/terraform-provider-healthcare/blob/main/docs/guides/alerts.md#"
)

var (
	metricPattern = regexp.MustCompile(`\b(?:healthcare|tenant_api|provisioning|active|failed)_[a-z_]+\b`)
	labelPattern  = regexp.MustCompile(`\b([a-z_]+)(?:=~?|!=)"([^"]+)"`)
	byPattern     = regexp.MustCompile(`\b(?:by|on|ignoring|without) \(([a-z_, ]+)\)`)
	notInAnchor   = regexp.MustCompile(`[^a-z0-9 -]`)
)

func readFile(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// alert is a rule.
type alert struct {
	Name        string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

func readAlerts(t *testing.T) (all []alert) {
	t.Helper()
	for _, file := range ruleFiles(t) {
		var rules struct {
			Groups []struct {
				Name  string
				Rules []alert
			}
		}
		if err := yaml.UnmarshalWithOptions([]byte(readFile(t, file)), &rules, yaml.Strict()); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, group := range rules.Groups {
			all = append(all, group.Rules...)
		}
	}
	return all
}

// TestAlertRules checks that each alert has a section in the guide, that each section has
// an alert, and that alerts use only metrics, labels and label values that exist.
func TestAlertRules(t *testing.T) {
	t.Parallel()
	sections := map[string]bool{}
	for i, section := range strings.Split(readFile(t, runbook), "\n### ") {
		heading, body, _ := strings.Cut(section, "\n")
		if i == 0 {
			continue
		}
		sections[strings.ReplaceAll(notInAnchor.ReplaceAllString(strings.ToLower(heading), ""), " ", "-")] = false
		for _, part := range []string{"\n**Means:** ", "\n**Check:** ", "\n**Do:** "} {
			if strings.Count(body, strings.TrimSpace(part)) != 1 {
				t.Errorf("the section %q needs exactly one %s", heading, part)
			}
		}
	}
	e := exposedMetrics(t)
	alerts := readAlerts(t)
	if len(alerts) < 50 {
		t.Fatalf("%d alerts", len(alerts))
	}
	names := map[string]bool{}
	for _, a := range alerts {
		if names[a.Name] {
			t.Errorf("two alerts are named %s", a.Name)
		}
		names[a.Name] = true
		if a.For == "" || a.Annotations["summary"] == "" || len(a.Annotations) != 2 || len(a.Labels) != 1 || !slices.Contains([]string{"warning", "critical"}, a.Labels["severity"]) {
			t.Errorf("%s: want a duration, a severity of warning or critical, a summary and a runbook_url: %+v", a.Name, a)
		}
		anchor, ok := strings.CutPrefix(a.Annotations["runbook_url"], runbookURL)
		if _, exists := sections[anchor]; !ok || !exists {
			t.Errorf("%s: the guide has no section %q", a.Name, anchor)
		}
		sections[anchor] = true
		e.checkExpression(t, a.Name, a.Expr)
	}
	for section, used := range sections {
		if !used {
			t.Errorf("no alert links to the section %q", section)
		}
	}
}

// exposed are the names of all metrics and labels, and the values of labels.
type exposed struct{ names, labels, values map[string]bool }

// checkExpression fails the test for metrics, labels and values of labels in an expression that do not
// exist.
func (e exposed) checkExpression(t *testing.T, where, expression string) {
	t.Helper()
	for _, metric := range metricPattern.FindAllString(expression, -1) {
		if !e.names[metric] && !e.labels[metric] {
			t.Errorf("%s: there is no metric %s", where, metric)
		}
	}
	for _, match := range labelPattern.FindAllStringSubmatch(expression, -1) {
		if !e.labels[match[1]] {
			t.Errorf("%s: no metric has the label %s", where, match[1])
		}
		if strings.HasPrefix(match[2], "$") { // A variable of a dashboard.
			continue
		}
		for _, value := range strings.Split(match[2], "|") {
			if !e.values[value] {
				t.Errorf("%s: no %s is %q", where, match[1], value)
			}
		}
	}
	for _, match := range byPattern.FindAllStringSubmatch(expression, -1) {
		for label := range strings.SplitSeq(match[1], ",") {
			if !e.labels[strings.TrimSpace(label)] {
				t.Errorf("%s: no metric has the label %s", where, label)
			}
		}
	}
}

// registerAll registers all metrics, each with at least one series.
func registerAll(t *testing.T, r prometheus.Registerer) {
	t.Helper()
	telemetry.RegisterStellar(r, 1, discard, func(context.Context) (contracts.StellarStats, error) {
		return contracts.StellarStats{
			Protocol:        contracts.Protocol{Network: 28, Known: 28},
			DeployerBalance: 1, Channels: []txlog.Channel{{}},
			Transactions: map[txlog.Purpose]int64{txlog.PurposeCreate: 1},
			Stroops:      map[txlog.Purpose]int64{txlog.PurposeCreate: 1},
			Contracts: map[contracts.State]int64{
				contracts.StateLive: 1, contracts.StateExpiring: 1, contracts.StateExpired: 1, contracts.StateMissing: 1, contracts.StateMismatch: 1,
			},
		}, nil
	})
	steps := telemetry.NewSteps(r)
	step := provisioning.Event{Step: tenant.StepDeploySorobanContract, Status: tenant.StepFailed, Duration: time.Second}
	steps.Observe(t.Context(), step)
	step.Status = tenant.StepCompleted
	steps.Observe(t.Context(), step)
	var s sources
	telemetry.RegisterRegistry(r, s.registry())
	telemetry.NewRuns(r, []string{monitoring.KindProvision, "purge"})
	telemetry.RegisterBuildInfo(r, "1.2.3")
	telemetry.RegisterParts(r, func() []monitoring.Check {
		return []monitoring.Check{{Name: "queue"}, {Name: "rpc"}, {Name: "mail"}}
	})
	api, err := telemetry.NewAPI(r, func() int64 { return 0 })
	if err != nil {
		t.Fatal(err)
	}
	for _, status := range []int{200, 400, 500} {
		api.ObserveRequest("list-events", status, time.Second)
	}
	for _, kind := range []string{"events", "feed", "run"} {
		api.TrackStream(kind)()
	}
}

// exposedMetrics returns what a process exports.
func exposedMetrics(t *testing.T) exposed {
	t.Helper()
	r := prometheus.NewRegistry()
	registerAll(t, r)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	// Prometheus adds the first ones, and "le" is that of a histogram.
	e := exposed{names: map[string]bool{}, labels: map[string]bool{"job": true, "instance": true, "le": true}, values: map[string]bool{}}
	for _, f := range families {
		e.names[f.GetName()] = true
		for _, m := range f.GetMetric() {
			for _, pair := range m.GetLabel() {
				e.labels[pair.GetName()], e.values[pair.GetValue()] = true, true
			}
			if m.GetHistogram() != nil {
				e.names[f.GetName()+"_count"], e.names[f.GetName()+"_bucket"], e.names[f.GetName()+"_sum"] = true, true, true
			}
		}
	}
	return e
}
