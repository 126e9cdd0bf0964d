package provisioning

import (
	"context"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tracing"
)

// UnlessPostponed returns the error of a run for its span: nil for one whose next request is not due yet,
// which has not failed.
func UnlessPostponed(err error) error {
	if PostponedFor(err) > 0 {
		return nil
	}
	return err
}

// endRunSpan ends the span of a run. One that a later run continues has not failed.
func endRunSpan(span tracing.Span, outcome RunOutcome, err error) {
	span.Set(tracing.Outcome(string(outcome)))
	span.End(UnlessPostponed(err))
}

// startSpan begins the span of a part of the run: until end, what the run does is inside it.
func (x *execution) startSpan(name string) (end func(error)) {
	around := x.workCtx
	var span tracing.Span
	x.workCtx, span = tracing.StartChild(around, tracing.Internal, name)
	return func(err error) {
		x.workCtx = around
		span.End(UnlessPostponed(err))
	}
}

// traced does a step in a span of its own.
func (x *execution) traced(step tenant.Step, do func() error) error {
	end := x.startSpan(string(step))
	err := do()
	end(err)
	return err
}

// recordSpans adds the spans of steps that one transaction has done, one after the other until now,
// and that the registry measured.
func (x *execution) recordSpans(ctx context.Context, took tenant.Durations, steps ...tenant.Step) {
	at := x.opts.Clock.Now()
	for _, step := range steps {
		at = at.Add(-took[step])
	}
	for _, step := range steps {
		tracing.Record(ctx, string(step), at, took[step])
		at = at.Add(took[step])
	}
}
