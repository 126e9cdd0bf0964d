package deploytest_test

import (
	"os"
	"strings"
	"testing"
	"text/template"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"sigs.k8s.io/prometheus-adapter/pkg/config"
	"sigs.k8s.io/yaml"

	"github.com/healthcare-platform/terraform-provider-healthcare/tools/deploytest/chart"
)

// operations reads a file that the guide for operations includes.
func operations(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(deploy("../examples/guides/operations", name))
	must(t, err)
	return text
}

// TestOperationsGuide_Adapter: the guide's rule is one of prometheus-adapter, offers the metric that
// the chart's autoscaler reads, and asks Prometheus for it in the namespace of the chart.
func TestOperationsGuide_Adapter(t *testing.T) {
	t.Parallel()
	var rules config.MetricsDiscoveryConfig
	must(t, yaml.UnmarshalStrict(operations(t, "adapter.yaml"), &rules))
	if len(rules.Rules) != 0 || len(rules.ExternalRules) != 1 {
		t.Fatalf("%+v", rules)
	}
	rule := rules.ExternalRules[0]
	scaled := map[string]any{}
	must(t, yaml.UnmarshalStrict(operations(t, "autoscaling.yaml"), &scaled))
	v := values(t)
	merge(v, scaled)
	hpa, ok := render(t, v)["HorizontalPodAutoscaler/"+chart.Release+"-worker"].(*autoscalingv2.HorizontalPodAutoscaler)
	if !ok || hpa.Spec.Metrics[0].External == nil {
		t.Fatal("the values make no autoscaler of workers by an external metric")
	}
	metric := hpa.Spec.Metrics[0].External.Metric.Name
	if rule.SeriesQuery != `{__name__="`+metric+`",namespace!=""}` || rule.Resources.Overrides["namespace"].Resource != "namespace" || rule.Name.As != "" {
		t.Errorf("the rule offers %+v, and the autoscaler reads %s", rule, metric)
	}
	query, err := template.New("query").Delims("<<", ">>").Option("missingkey=error").Parse(rule.MetricsQuery)
	must(t, err)
	var text strings.Builder
	must(t, query.Execute(&text, map[string]string{"Series": metric, "LabelMatchers": `namespace="tenant-api"`, "GroupBy": ""}))
	if want := metric + `{namespace="tenant-api"}`; text.String() != "max("+want+")" {
		t.Errorf("query %s, want the largest of %s", &text, want)
	}
}
