package telemetry_test

import (
	"context"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/telemetry"
)

const (
	rulesFile = "../../deploy/prometheus/stellar.rules.yml"
	runbook   = "../../docs/guides/stellar-alerts.md"
)

var (
	metricName = regexp.MustCompile(`\bhealthcare_[a-z_]+`)
	labelValue = regexp.MustCompile(`\b(state|life|step|status)=~?"([^"]+)"`)
	notAnchor  = regexp.MustCompile(`[^a-z0-9 -]`)
)

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestRules holds the alerts against what there is: each has a section in the
// guide, each section an alert, and each names metrics and labels that exist.
func TestRules(t *testing.T) {
	t.Parallel()
	sections := map[string]bool{}
	for _, line := range strings.Split(read(t, runbook), "\n") {
		if heading, ok := strings.CutPrefix(line, "## "); ok {
			sections[strings.ReplaceAll(notAnchor.ReplaceAllString(strings.ToLower(heading), ""), " ", "-")] = false
		}
	}
	known, values := told(t), labels()
	alerts := strings.Split(read(t, rulesFile), "- alert: ")[1:]
	if len(alerts) < 10 {
		t.Fatalf("%d alerts", len(alerts))
	}
	for _, alert := range alerts {
		name, body, _ := strings.Cut(alert, "\n")
		for _, field := range []string{"expr: ", "for: ", "severity: ", "summary: ", "runbook_url: https://"} {
			if strings.Count(body, field) != 1 {
				t.Errorf("%s: not one %q", name, field)
			}
		}
		_, anchor, _ := strings.Cut(body, "stellar-alerts.md#")
		anchor, _, _ = strings.Cut(anchor, "\n")
		if _, there := sections[anchor]; !there {
			t.Errorf("%s: the guide has no section %q", name, anchor)
		}
		sections[anchor] = true
		for _, metric := range metricName.FindAllString(body, -1) {
			if !known[metric] {
				t.Errorf("%s: there is no metric %s", name, metric)
			}
		}
		for _, found := range labelValue.FindAllStringSubmatch(body, -1) {
			for _, value := range strings.Split(found[2], "|") {
				if !values[value] {
					t.Errorf("%s: no %s is %q", name, found[1], value)
				}
			}
		}
	}
	for section, used := range sections {
		if !used {
			t.Errorf("no alert leads to the section %q", section)
		}
	}
}

// told are the metrics that a platform tells where everything occurs.
func told(t *testing.T) map[string]bool {
	t.Helper()
	r := prometheus.NewRegistry()
	telemetry.NewStellar(r, 1, func(context.Context) (provisioning.StellarFigures, error) {
		return provisioning.StellarFigures{
			Deployer: 1, Channels: []provisioning.Channel{{}},
			Transactions: map[provisioning.TransactionPurpose]int64{provisioning.PurposeCreate: 1},
			Stroops:      map[provisioning.TransactionPurpose]int64{provisioning.PurposeCreate: 1},
			Contracts:    map[provisioning.ContractLife]int64{provisioning.ContractLive: 1},
		}, nil
	})
	steps := telemetry.NewSteps(r)
	step := provisioning.Event{Step: provisioning.StepDeploySorobanContract, Status: provisioning.StepFailed, Duration: time.Second}
	steps.Observe(t.Context(), step)
	step.Status, step.Cause = provisioning.StepInProgress, context.Canceled
	steps.Observe(t.Context(), step)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, f := range families {
		names[f.GetName()] = true
		if f.GetMetric()[0].GetHistogram() != nil {
			names[f.GetName()+"_count"] = true
		}
	}
	return names
}

// labels are the values that the labels of our metrics can have.
func labels() map[string]bool {
	values := map[string]bool{
		string(provisioning.StepDeploySorobanContract): true, string(provisioning.StepFailed): true,
	}
	for _, s := range provisioning.ChannelStates() {
		values[string(s)] = true
	}
	for _, life := range []provisioning.ContractLife{
		provisioning.ContractLive, provisioning.ContractExpiring, provisioning.ContractArchived, provisioning.ContractMissing, provisioning.ContractForeign,
	} {
		values[string(life)] = true
	}
	return values
}
