package telemetry_test

import (
	"context"
	"errors"
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
		{Step: tenant.StepCreateSchema, Status: tenant.StepRolledBack},
		{Step: tenant.StepSendWelcomeEmail, Status: tenant.StepFailed, Cause: errors.New("no failure mail")}, // No step ended.
	} {
		s.Observe(t.Context(), e)
	}
	if err := testutil.GatherAndCompare(r, strings.NewReader(`
# HELP healthcare_step_retries_total Failed and repeated step attempts.
# TYPE healthcare_step_retries_total counter
healthcare_step_retries_total{step="CREATE_SCHEMA"} 1
`), "healthcare_step_retries_total"); err != nil {
		t.Error(err)
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	series := 0
	for _, f := range families {
		if f.GetName() == "healthcare_step_duration_seconds" {
			for _, m := range f.GetMetric() {
				if series++; m.GetHistogram().GetSampleCount() != 1 {
					t.Errorf("%v", m)
				}
			}
		}
	}
	if series != 2 {
		t.Errorf("%d series", series)
	}
}

func TestTenants(t *testing.T) {
	t.Parallel()
	r := prometheus.NewRegistry()
	down := false
	telemetry.NewTenants(r, func(_ context.Context, q tenant.ListQuery) (tenant.Page, error) {
		if down {
			return tenant.Page{}, errors.New("down")
		}
		return tenant.Page{Total: int64(len(q.Status) + len(q.Invitation)*100)}, nil
	})
	if err := testutil.GatherAndCompare(r, strings.NewReader(`
# HELP healthcare_tenant_invitations Tenants whose newest invitation is open: PENDING can be accepted, EXPIRED was not accepted in time.
# TYPE healthcare_tenant_invitations gauge
healthcare_tenant_invitations{status="EXPIRED"} 700
healthcare_tenant_invitations{status="PENDING"} 700
# HELP healthcare_tenants Tenants in the registry.
# TYPE healthcare_tenants gauge
healthcare_tenants{status="ACTIVE"} 6
healthcare_tenants{status="ARCHIVED"} 8
healthcare_tenants{status="FAILED"} 6
healthcare_tenants{status="PENDING"} 7
healthcare_tenants{status="PROVISIONING"} 12
healthcare_tenants{status="SUSPENDED"} 9
`)); err != nil {
		t.Error(err)
	}
	down = true
	if n := testutil.CollectAndCount(r); n != 0 {
		t.Errorf("%d series of a registry that is down", n)
	}
}
