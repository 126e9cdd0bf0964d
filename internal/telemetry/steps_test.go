package telemetry_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/telemetry"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

func TestSteps(t *testing.T) {
	t.Parallel()
	r := prometheus.NewRegistry()
	s := telemetry.NewSteps(r)
	for _, e := range []provisioning.Event{
		{Step: tenant.StepCreateSchema, Status: tenant.StepInProgress},
		{Step: tenant.StepCreateSchema, Status: tenant.StepInProgress, Cause: errors.New("busy")},
		{Step: tenant.StepCreateSchema, Status: tenant.StepCompleted, Duration: 30 * time.Millisecond},
		{Step: tenant.StepDeploySorobanContract, Status: tenant.StepFailed, Duration: 2 * time.Second, Cause: errors.New("no funds")},
		{Step: "REGISTER_IN_DIRECTORY", Status: tenant.StepCompleted, Duration: time.Minute},
		{Step: "OPEN_ACCOUNT", Status: tenant.StepFailed, Duration: time.Minute},
		{Step: tenant.StepCreateSchema, Status: tenant.StepRolledBack},
		{Step: tenant.StepSendWelcomeEmail, Status: tenant.StepFailed, Cause: errors.New("no failure mail")}, // No step ended.
	} {
		s.Observe(t.Context(), e)
	}
	if err := testutil.GatherAndCompare(r, strings.NewReader(`
# HELP healthcare_step_retries_total Failed and repeated step attempts.
# TYPE healthcare_step_retries_total counter
healthcare_step_retries_total{step="CREATE_SCHEMA"} 1
healthcare_step_retries_total{step="CREATE_TENANT_RECORD"} 0
healthcare_step_retries_total{step="DEPLOY_SOROBAN_CONTRACT"} 0
healthcare_step_retries_total{step="OWN_STEP"} 0
healthcare_step_retries_total{step="RUN_MIGRATIONS"} 0
healthcare_step_retries_total{step="SEED_ROLES_AND_USER"} 0
healthcare_step_retries_total{step="SEND_WELCOME_EMAIL"} 0
healthcare_step_retries_total{step="STORE_CONTRACT_ADDRESS"} 0
`), "healthcare_step_retries_total"); err != nil {
		t.Error(err)
	}
	want := map[string][]string{
		"healthcare_step_duration_seconds": {"CREATE_SCHEMA COMPLETED", "DEPLOY_SOROBAN_CONTRACT FAILED", "OWN_STEP COMPLETED", "OWN_STEP FAILED"},
		"provisioning_duration_seconds":    {"CREATE_SCHEMA", "OWN_STEP"},
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if series, ok := want[f.GetName()]; ok {
			var got []string
			for _, m := range f.GetMetric() {
				var values []string
				for _, label := range m.GetLabel() { // By name: status, step.
					values = append([]string{label.GetValue()}, values...)
				}
				got = append(got, strings.Join(values, " "))
				if m.GetHistogram().GetSampleCount() != 1 {
					t.Errorf("%v", m)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, series) {
				t.Errorf("%s: %q, want %q", f.GetName(), got, series)
			}
		}
	}
}
