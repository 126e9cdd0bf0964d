package telemetry_test

import (
	"context"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/telemetry"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

const (
	rulesFile = "../../deploy/prometheus/stellar.rules.yml"
	runbook   = "../../docs/guides/stellar-alerts.md"
)

var (
	metricPattern = regexp.MustCompile(`\bhealthcare_[a-z_]+`)
	labelPattern  = regexp.MustCompile(`\b([a-z_]+)=~?"([^"]+)"`)
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

// TestAlertRules checks that each alert has a section in the guide, that each section has
// an alert, and that alerts use only metrics, labels and label values that exist.
func TestAlertRules(t *testing.T) {
	t.Parallel()
	sections := map[string]bool{}
	for _, line := range strings.Split(readFile(t, runbook), "\n") {
		if heading, ok := strings.CutPrefix(line, "## "); ok {
			sections[strings.ReplaceAll(notInAnchor.ReplaceAllString(strings.ToLower(heading), ""), " ", "-")] = false
		}
	}
	exposed, labels := exposedMetrics(t)
	values := labelValues()
	alerts := strings.Split(readFile(t, rulesFile), "- alert: ")[1:]
	if len(alerts) < 10 {
		t.Fatalf("%d alerts", len(alerts))
	}
	for _, alert := range alerts {
		name, body, _ := strings.Cut(alert, "\n")
		for _, field := range []string{"expr: ", "for: ", "severity: ", "summary: ", "runbook_url: https://"} {
			if strings.Count(body, field) != 1 {
				t.Errorf("%s: want exactly one %q", name, field)
			}
		}
		_, anchor, _ := strings.Cut(body, "stellar-alerts.md#")
		anchor, _, _ = strings.Cut(anchor, "\n")
		if _, exists := sections[anchor]; !exists {
			t.Errorf("%s: the guide has no section %q", name, anchor)
		}
		sections[anchor] = true
		for _, metric := range metricPattern.FindAllString(body, -1) {
			if !exposed[metric] {
				t.Errorf("%s: there is no metric %s", name, metric)
			}
		}
		for _, match := range labelPattern.FindAllStringSubmatch(body, -1) {
			if !labels[match[1]] {
				t.Errorf("%s: no metric has the label %s", name, match[1])
			}
			for _, value := range strings.Split(match[2], "|") {
				if !values[value] {
					t.Errorf("%s: no %s is %q", name, match[1], value)
				}
			}
		}
	}
	for section, used := range sections {
		if !used {
			t.Errorf("no alert links to the section %q", section)
		}
	}
}

// exposedMetrics returns the names of all metrics and of their labels.
func exposedMetrics(t *testing.T) (names, labels map[string]bool) {
	t.Helper()
	r := prometheus.NewRegistry()
	telemetry.RegisterStellar(r, 1, discard, func(context.Context) (contracts.StellarStats, error) {
		return contracts.StellarStats{
			Protocol:        contracts.Protocol{Network: 28, Known: 28},
			DeployerBalance: 1, Channels: []txlog.Channel{{}},
			Transactions: map[txlog.Purpose]int64{txlog.PurposeCreate: 1},
			Stroops:      map[txlog.Purpose]int64{txlog.PurposeCreate: 1},
			Contracts:    map[contracts.State]int64{contracts.StateLive: 1},
		}, nil
	})
	steps := telemetry.NewSteps(r)
	step := provisioning.Event{Step: tenant.StepDeploySorobanContract, Status: tenant.StepFailed, Duration: time.Second}
	steps.Observe(t.Context(), step)
	step.Status, step.Cause = tenant.StepInProgress, context.Canceled
	steps.Observe(t.Context(), step)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	names, labels = map[string]bool{}, map[string]bool{}
	for _, f := range families {
		names[f.GetName()] = true
		for _, pair := range f.GetMetric()[0].GetLabel() {
			labels[pair.GetName()] = true
		}
		if f.GetMetric()[0].GetHistogram() != nil {
			names[f.GetName()+"_count"] = true
		}
	}
	return names, labels
}

// labelValues returns the possible values of the labels of our metrics.
func labelValues() map[string]bool {
	values := map[string]bool{
		string(tenant.StepDeploySorobanContract): true, string(tenant.StepFailed): true,
	}
	for _, s := range txlog.ChannelStates() {
		values[string(s)] = true
	}
	for _, state := range []contracts.State{
		contracts.StateLive, contracts.StateExpiring, contracts.StateExpired, contracts.StateMissing, contracts.StateMismatch,
	} {
		values[string(state)] = true
	}
	return values
}
