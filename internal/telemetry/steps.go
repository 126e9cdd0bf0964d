package telemetry

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Steps counts the steps of provisioning and how long they take.
type Steps struct {
	durations *prometheus.HistogramVec
	retries   *prometheus.CounterVec
}

// NewSteps creates the metrics and registers them:
//
//	healthcare_step_duration_seconds{step, status}  steps that ended
//	healthcare_step_retries_total{step}             failed and repeated attempts of a step
func NewSteps(r prometheus.Registerer) *Steps {
	s := &Steps{
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "healthcare_step_duration_seconds", Help: "Duration of provisioning steps that ended.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"step", "status"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "healthcare_step_retries_total", Help: "Failed and repeated step attempts.",
		}, []string{"step"}),
	}
	r.MustRegister(s.durations, s.retries)
	return s
}

// Observe is an observer for pipelines. It ignores events without a duration: no step
// ended, for example when a failure mail could not be sent after a rollback.
func (s *Steps) Observe(_ context.Context, e provisioning.Event) {
	switch e.Status {
	case tenant.StepCompleted, tenant.StepFailed:
		if e.Duration > 0 {
			s.durations.WithLabelValues(string(e.Step), string(e.Status)).Observe(e.Duration.Seconds())
		}
	case tenant.StepInProgress:
		if e.Cause != nil {
			s.retries.WithLabelValues(string(e.Step)).Inc()
		}
	case tenant.StepPending, tenant.StepRolledBack:
	}
}
