package tracing_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tracing"
)

const (
	traceA  = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	traceB  = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	parentA = "00-" + traceA + "-1111111111111111-01"
)

// record makes spans of the test go to memory: all tests of this package are parts of one.
func record(t *testing.T) func() tracetest.SpanStub {
	t.Helper()
	memory := tracetest.NewInMemoryExporter()
	provider := sdk.NewTracerProvider(sdk.WithSyncer(memory))
	otel.SetTracerProvider(provider)
	tracing.SetExporting()
	t.Cleanup(func() { _ = provider.Shutdown(context.WithoutCancel(t.Context())) }) // Memory takes everything.
	return func() tracetest.SpanStub {
		t.Helper()
		spans := memory.GetSpans()
		memory.Reset()
		if len(spans) != 1 {
			t.Fatalf("%d spans have ended", len(spans))
		}
		return spans[0]
	}
}

// remote is a span of the trace B in another process.
func remote(t *testing.T) trace.SpanContext {
	t.Helper()
	traceID, err := trace.TraceIDFromHex(traceB)
	if err != nil {
		t.Fatal(err)
	}
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: traceID, SpanID: trace.SpanID{1}, TraceFlags: trace.FlagsSampled})
}

// withoutProvider tests a process that exports nothing: it hands on the trace of a caller unchanged, makes ids
// for logs and rows, and gives them to no other program.
func withoutProvider(t *testing.T) {
	t.Helper()
	callers, span := tracing.Continue(t.Context(), parentA, tracing.Inbound, "request")
	span.End(nil)
	if tracing.Traceparent(callers) != parentA || tracing.Stored(callers) != parentA {
		t.Errorf("the caller's trace became %q, stored %q", tracing.Traceparent(callers), tracing.Stored(callers))
	}
	tracing.SetIDsOnly()
	callers, _ = tracing.Continue(t.Context(), parentA, tracing.Inbound, "request")
	if tracing.Traceparent(callers) != parentA || tracing.TraceID(callers) != traceA {
		t.Errorf("the caller's trace became %q", tracing.Traceparent(callers))
	}
	own, _ := tracing.Start(t.Context(), tracing.Internal, "request")
	inner, _ := tracing.Start(own, tracing.Internal, "step")
	if id := tracing.TraceID(own); len(id) != 32 || tracing.TraceID(inner) != id || tracing.SpanID(inner) == tracing.SpanID(own) || tracing.Traceparent(inner) != "" || tracing.TraceID(tracing.Without(inner)) != "" {
		t.Errorf("ids %q, %q, other programs get %q", id, tracing.TraceID(inner), tracing.Traceparent(inner))
	}
	stored := tracing.Stored(own)
	later, _ := tracing.ContinueStored(t.Context(), stored, tracing.Job, "job")
	if tracing.TraceID(later) != tracing.TraceID(own) || tracing.Traceparent(later) != "" || tracing.Recorded(stored) != "" {
		t.Errorf("%q was continued as %q, other programs get %q", stored, tracing.Stored(later), tracing.Traceparent(later))
	}
	if tracing.Recorded(parentA) != parentA || tracing.Undecided(later) {
		t.Error("a recorded trace is none")
	}
}

func TestTracing(t *testing.T) { //nolint:paralleltest // The provider is of the whole process.
	withoutProvider(t)
	if ctx, span := tracing.Start(t.Context(), tracing.Internal, "nowhere"); tracing.Traceparent(ctx) != "" {
		t.Error("there is a trace without a provider")
	} else {
		span.End(nil)
	}
	ended := record(t)
	within := trace.ContextWithRemoteSpanContext(t.Context(), remote(t))
	for name, test := range map[string]struct {
		ctx         context.Context
		traceparent string
		trace, link string // The trace: "" is a new one.
	}{
		"Root":      {t.Context(), "", "", ""},
		"Invalid":   {t.Context(), "00-xyz", "", ""},
		"Zero":      {t.Context(), "00-00000000000000000000000000000000-1111111111111111-01", "", ""},
		"Continued": {t.Context(), parentA, traceA, ""},
		"Linked":    {within, parentA, traceA, traceB},
		"Same":      {within, "00-" + traceB + "-3333333333333333-01", traceB, ""},
		"Within":    {within, "", traceB, ""},
	} {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // See above.
			ctx, span := tracing.Continue(test.ctx, test.traceparent, tracing.Job, "job", tracing.TenantID("t"))
			span.End(nil)
			s := ended()
			got := s.SpanContext.TraceID().String()
			if got != tracing.TraceID(ctx) || s.SpanContext.SpanID().String() != tracing.SpanID(ctx) || tracing.TraceIDOf(tracing.Traceparent(ctx)) != got {
				t.Errorf("the context has another span than %v", s.SpanContext)
			}
			if test.trace == "" && (got == traceA || got == traceB) || test.trace != "" && got != test.trace {
				t.Errorf("it is in the trace %s", got)
			}
			if (len(s.Links) > 0) != (test.link != "") || test.link != "" && s.Links[0].SpanContext.TraceID().String() != test.link {
				t.Errorf("links: %v", s.Links)
			}
		})
	}
	t.Run("StartLinked", func(t *testing.T) { //nolint:paralleltest // See above.
		_, span := tracing.StartLinked(t.Context(), parentA, tracing.Inbound, "GET")
		span.End(nil)
		if s := ended(); s.SpanContext.TraceID().String() == traceA || len(s.Links) != 1 {
			t.Errorf("%v, %v", s.SpanContext, s.Links)
		}
	})
	t.Run("Undecided", func(t *testing.T) { //nolint:paralleltest // See above.
		ctx, span := tracing.ContinueStored(t.Context(), "00-"+traceA+"-1111111111111111-00", tracing.Job, "job")
		span.End(nil)
		if !tracing.Undecided(ctx) || tracing.TraceID(ctx) != traceA {
			t.Errorf("%v, %s", tracing.Undecided(ctx), tracing.TraceID(ctx))
		}
		if ctx, _ := tracing.ContinueStored(t.Context(), parentA, tracing.Job, "job"); tracing.Undecided(ctx) {
			t.Error("a recorded trace is undecided")
		}
	})
	t.Run("StartChild", func(t *testing.T) { //nolint:paralleltest // See above.
		if ctx, span := tracing.StartChild(t.Context(), tracing.Outbound, "SELECT"); tracing.TraceID(ctx) != "" {
			t.Error("it is a trace of its own")
		} else {
			span.End(errors.New("nothing happens"))
		}
		parent, span := tracing.Start(t.Context(), tracing.Internal, "parent")
		if ctx, _ := tracing.StartChild(tracing.Without(parent), tracing.Outbound, "SELECT"); tracing.TraceID(ctx) != "" {
			t.Error("Without leaves a trace")
		}
		_, child := tracing.StartChild(parent, tracing.Outbound, "SELECT")
		child.End(nil)
		if s := ended(); s.Parent.SpanID().String() != tracing.SpanID(parent) {
			t.Errorf("its parent is %v", s.Parent)
		}
		began := time.Now().Add(-time.Hour)
		tracing.Record(parent, "step", began, time.Minute)
		if s := ended(); s.EndTime.Sub(s.StartTime) != time.Minute || !s.StartTime.Equal(began) {
			t.Errorf("from %v to %v", s.StartTime, s.EndTime)
		}
		span.End(nil)
		ended()
	})
	for name, test := range map[string]struct {
		err    error
		status codes.Code
		text   string
	}{
		"None":      {nil, codes.Unset, ""},
		"Cancelled": {context.Canceled, codes.Unset, ""},
		"Kind":      {errs.Wrap(errors.New("password=s3cret"), errs.KindConflict, "claim tenant", "another run has Ada's Clinic"), codes.Error, "claim tenant"},
		"Unknown":   {errors.New("password=s3cret"), codes.Error, ""},
	} {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // See above.
			_, span := tracing.Start(t.Context(), tracing.Internal, "work")
			span.End(test.err)
			if s := ended(); s.Status.Code != test.status || s.Status.Description != test.text || len(s.Events) > 0 {
				t.Errorf("%v, events %v", s.Status, s.Events)
			}
		})
	}
}
