// Package tracing starts the spans of traces, and carries a trace from one process to another, and
// from a request to the later runs of a tenant. It is the one place that knows the API of
// OpenTelemetry; package export sets up where spans go. Without that, each function is cheap and
// does nothing, except that a caller's trace id is passed on.
//
// A tenant has one trace: the traceparent of the request that created it is in the registry, and each
// later run of its provisioning continues that trace. Spans have no personal data and no secrets:
// neither SQL nor texts of other servers, names instead.
package tracing

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// tracer is that of the provider which package export sets later.
var tracer = otel.Tracer("github.com/healthcare-platform/terraform-provider-healthcare")

// Attribute is a named value of a span.
type Attribute = attribute.KeyValue

// The attributes that other packages set. The names are those of OpenTelemetry's semantic
// conventions, and tenant.id.
var (
	TenantID   = attribute.Key("tenant.id").String
	JobAttempt = attribute.Key("job.attempt").Int
	Attempt    = attribute.Key("tenant.attempt").Int
	Step       = attribute.Key("tenant.step").String
	Outcome    = attribute.Key("run.outcome").String
	JobID      = attribute.Key("messaging.message.id").String
	Queue      = attribute.Key("messaging.destination.name").String
	RequestID  = attribute.Key("http.request.id").String
	CallerKind = attribute.Key("caller.kind").String
	Method     = attribute.Key("http.request.method").String
	Route      = attribute.Key("http.route").String
	StatusCode = attribute.Key("http.response.status_code").Int
	RPCMethod  = attribute.Key("rpc.method").String
	Server     = attribute.Key("server.address").String
	DBSystem   = attribute.Key("db.system.name").String
	SQLState   = attribute.Key("db.response.status_code").String
	Statements = attribute.Key("db.operation.batch.size").Int
)

// Kind says on which side of a call a span is.
type Kind = trace.SpanKind

// The kinds of spans.
const (
	Internal = trace.SpanKindInternal // Work of this process.
	Inbound  = trace.SpanKindServer   // A request that came in.
	Outbound = trace.SpanKindClient   // A call to another server.
	Job      = trace.SpanKindConsumer // A job from the queue.
)

// Span is one piece of work in a trace. The zero value does nothing.
type Span struct{ span trace.Span }

// Start begins a span in the trace of ctx, or of a new trace if ctx has none. End it.
func Start(ctx context.Context, kind Kind, name string, attributes ...Attribute) (context.Context, Span) {
	return start(ctx, name, trace.WithSpanKind(kind), trace.WithAttributes(attributes...))
}

func start(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, Span) {
	ctx, span := tracer.Start(ctx, name, options...)
	if !span.SpanContext().IsValid() {
		ctx = withIDs(ctx)
	}
	return ctx, Span{span}
}

// StartChild is Start if ctx has a span that is recorded; otherwise it returns ctx and a span that does
// nothing. It is for what is too frequent or too small to be a trace of its own.
func StartChild(ctx context.Context, kind Kind, name string, attributes ...Attribute) (context.Context, Span) {
	if !Recording(ctx) {
		return ctx, Span{}
	}
	return Start(ctx, kind, name, attributes...)
}

// Continue is Start in the trace that a caller's traceparent names (W3C Trace Context), as a child of its
// span. If ctx has a span of another trace, the new span has a link to it. A traceparent that is empty or
// invalid is ignored.
func Continue(ctx context.Context, traceparent string, kind Kind, name string, attributes ...Attribute) (context.Context, Span) {
	return continueIn(ctx, parse(traceparent), name, trace.WithSpanKind(kind), trace.WithAttributes(attributes...))
}

// ContinueStored is Continue for what Stored returned. A trace whose creator recorded nothing, because it had
// no collector, is not decided: whether it is recorded from here on is this process's choice.
func ContinueStored(ctx context.Context, traceparent string, kind Kind, name string, attributes ...Attribute) (context.Context, Span) {
	parent := parse(traceparent)
	if parent.IsValid() && !parent.IsSampled() {
		if mode.Load() != modeExports {
			return start(withStored(ctx, parent), name)
		}
		ctx = context.WithValue(ctx, undecidedKey{}, true)
	}
	return continueIn(ctx, parent, name, trace.WithSpanKind(kind), trace.WithAttributes(attributes...))
}

func continueIn(ctx context.Context, parent trace.SpanContext, name string, options ...trace.SpanStartOption) (context.Context, Span) {
	here := trace.SpanContextFromContext(ctx)
	if parent.IsValid() && parent.TraceID() != here.TraceID() {
		if here.IsValid() {
			options = append(options, trace.WithLinks(trace.Link{SpanContext: here}))
		}
		ctx = trace.ContextWithRemoteSpanContext(ctx, parent)
	}
	return start(ctx, name, options...)
}

// StartLinked begins a new trace whose first span has a link to the span that a traceparent names: for
// callers who are not trusted to name the trace.
func StartLinked(ctx context.Context, traceparent string, kind Kind, name string, attributes ...Attribute) (context.Context, Span) {
	options := []trace.SpanStartOption{trace.WithSpanKind(kind), trace.WithAttributes(attributes...), trace.WithNewRoot()}
	if other := parse(traceparent); other.IsValid() {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: other}))
	}
	return start(ctx, name, options...)
}

// Record adds a span of work that has ended, such as a step that the database measured.
func Record(ctx context.Context, name string, started time.Time, took time.Duration, attributes ...Attribute) {
	if Recording(ctx) {
		_, span := tracer.Start(ctx, name, trace.WithTimestamp(started), trace.WithAttributes(attributes...))
		span.End(trace.WithTimestamp(started.Add(took)))
	}
}

// Set adds attributes.
func (s Span) Set(attributes ...Attribute) {
	if s.span != nil {
		s.span.SetAttributes(attributes...)
	}
}

// End ends the span. An error other than a stop on request makes it a failed one, with its kind and what was
// tried: messages, of other servers and for people, can have names. The provisioning log has them.
func (s Span) End(err error) {
	if s.span == nil {
		return
	}
	if err != nil && s.span.IsRecording() {
		kind := errs.KindOf(err)
		s.span.SetAttributes(attribute.String("error.type", string(kind)))
		if kind != errs.KindCancelled && !errors.Is(err, context.Canceled) {
			s.span.SetStatus(codes.Error, errs.OpOf(err))
		}
	}
	s.span.End()
}

// Fail marks the span as failed, with a text without secrets, and ends it.
func (s Span) Fail(text string) {
	if s.span != nil {
		s.span.SetStatus(codes.Error, text)
		s.span.End()
	}
}
