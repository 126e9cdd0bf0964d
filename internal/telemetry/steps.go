package telemetry

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Steps counts the steps of provisioning and how long they take.
type Steps struct {
	durations    *prometheus.HistogramVec
	retries      *prometheus.CounterVec
	durationsOld *prometheus.HistogramVec
}

// NewSteps creates the metrics and registers them:
//
//	healthcare_step_duration_seconds{step, status}  steps that ended
//	healthcare_step_retries_total{step}             failed and repeated attempts of a step
//	provisioning_duration_seconds{step}             completed steps, as in the replaced system
//
// The own steps of blueprints share the step OWN_STEP: their names are the platform's.
func NewSteps(r prometheus.Registerer) *Steps {
	s := &Steps{
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "healthcare_step_duration_seconds", Help: "Duration of provisioning steps that ended.",
			Buckets: stepBuckets,
		}, []string{"step", "status"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "healthcare_step_retries_total", Help: "Failed and repeated step attempts.",
		}, []string{"step"}),
	}
	s.durationsOld = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "provisioning_duration_seconds", Help: "Duration of completed provisioning steps. Same as healthcare_step_duration_seconds{status=\"COMPLETED\"}.", Buckets: stepBuckets,
	}, []string{"step"})
	r.MustRegister(s.durations, s.retries, s.durationsOld)
	for _, step := range tenant.Steps() {
		s.retries.WithLabelValues(string(step))
	}
	s.retries.WithLabelValues(ownStep)
	return s
}

// stepBuckets are in seconds: steps in the database take milliseconds, a deployment some ledgers of
// five seconds, and an own step up to minutes.
var stepBuckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900}

// ownStep is the label of all own steps of blueprints.
const ownStep = "OWN_STEP"

func stepLabel(step tenant.Step) string {
	if step.Index() < 0 {
		return ownStep
	}
	return string(step)
}

// Observe is an observer for pipelines. It ignores events without a duration: no step
// ended, for example when a failure mail could not be sent after a rollback.
func (s *Steps) Observe(_ context.Context, e provisioning.Event) {
	switch e.Status {
	case tenant.StepCompleted, tenant.StepFailed:
		if e.Duration > 0 {
			s.durations.WithLabelValues(stepLabel(e.Step), string(e.Status)).Observe(e.Duration.Seconds())
			if e.Status == tenant.StepCompleted {
				s.durationsOld.WithLabelValues(stepLabel(e.Step)).Observe(e.Duration.Seconds())
			}
		}
	case tenant.StepInProgress:
		if e.Cause != nil {
			s.retries.WithLabelValues(stepLabel(e.Step)).Inc()
		}
	case tenant.StepPending, tenant.StepRolledBack, tenant.StepSkipped:
	}
}
