package provider_test

import (
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// TestCLIProvider_Traces: an apply is in the trace that TRACEPARENT names, down to the steps of a tenant, in
// database mode and through tenant-api.
func TestCLIProvider_Traces(t *testing.T) {
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	for mode, request := range map[mode]string{databaseMode: "", apiMode: "  POST /admin/tenants/provision\n"} {
		t.Run(string(mode), func(t *testing.T) {
			w := setup(t, mode, clinic)
			traces := testenv.Traces(t)
			w.env["OTEL_EXPORTER_OTLP_ENDPOINT"], w.env["TRACEPARENT"] = traces.URL, "00-"+trace+"-00f067aa0ba902b7-01"
			w.mustApply()
			if mode == apiMode {
				w.server.stop(t) // It exports what is left.
			}
			tree := traces.Tree(trace)
			rest := tree
			for _, part := range []string{"apply healthcare_tenant\n", request, "provision\n", "CREATE_SCHEMA\n", "DEPLOY_SOROBAN_CONTRACT\n", "sendTransaction\n", "SEND_WELCOME_EMAIL\n", "send welcome mail\n"} {
				_, after, found := strings.Cut(rest, part)
				if !found {
					t.Fatalf("no %q in the rest of the trace:\n%s\nAll of it:\n%s", part, rest, tree)
				}
				rest = after
			}
			services := map[string]bool{}
			for _, s := range traces.Spans() {
				services[s.Service] = true
			}
			if !services["terraform-provider-healthcare"] || services["tenant-api"] != (mode == apiMode) {
				t.Errorf("spans of %v", services)
			}
		})
	}
}

// TestCLIProvider_TracesWithFault: an error in the settings of traces stops no apply.
func TestCLIProvider_TracesWithFault(t *testing.T) {
	w := setup(t, databaseMode, clinic)
	w.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = "collector:4318"
	w.mustApply()
	w.assertOneTenant()
}
