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
	"maps"
	"slices"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
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
	ctx, span := tracer.Start(ctx, name, trace.WithSpanKind(kind), trace.WithAttributes(attributes...))
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

// Continue is Start in the trace that a traceparent names (W3C Trace Context), as a child of its span.
// If ctx has a span of another trace, the new span has a link to it. A traceparent that is empty or
// invalid is ignored.
func Continue(ctx context.Context, traceparent string, kind Kind, name string, attributes ...Attribute) (context.Context, Span) {
	options := []trace.SpanStartOption{trace.WithSpanKind(kind), trace.WithAttributes(attributes...)}
	parent, here := parse(traceparent), trace.SpanContextFromContext(ctx)
	if parent.IsValid() && parent.TraceID() != here.TraceID() {
		if here.IsValid() {
			options = append(options, trace.WithLinks(trace.Link{SpanContext: here}))
		}
		ctx = trace.ContextWithRemoteSpanContext(ctx, parent)
	}
	ctx, span := tracer.Start(ctx, name, options...)
	return ctx, Span{span}
}

// StartLinked begins a new trace whose first span has a link to the span that a traceparent names: for
// callers who are not trusted to name the trace.
func StartLinked(ctx context.Context, traceparent string, kind Kind, name string, attributes ...Attribute) (context.Context, Span) {
	options := []trace.SpanStartOption{trace.WithSpanKind(kind), trace.WithAttributes(attributes...), trace.WithNewRoot()}
	if other := parse(traceparent); other.IsValid() {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: other}))
	}
	ctx, span := tracer.Start(ctx, name, options...)
	return ctx, Span{span}
}

// Record adds a span of work that has ended, such as a step that the database measured.
func Record(ctx context.Context, name string, started time.Time, took time.Duration, attributes ...Attribute) {
	if Recording(ctx) {
		_, span := tracer.Start(ctx, name, trace.WithTimestamp(started), trace.WithAttributes(attributes...))
		span.End(trace.WithTimestamp(started.Add(took)))
	}
}

// Without returns a context of no trace, for frequent work beside that of the trace.
func Without(ctx context.Context) context.Context {
	return trace.ContextWithSpanContext(ctx, trace.SpanContext{})
}

// SetName replaces the name, for what is known only later.
func (s Span) SetName(name string) {
	if s.span != nil {
		s.span.SetName(name)
	}
}

// Set adds attributes.
func (s Span) Set(attributes ...Attribute) {
	if s.span != nil {
		s.span.SetAttributes(attributes...)
	}
}

// End ends the span. An error other than a stop on request makes it a failed one, with the kind and the
// safe message of the error.
func (s Span) End(err error) {
	if s.span == nil {
		return
	}
	if err != nil && s.span.IsRecording() {
		kind := errs.KindOf(err)
		s.span.SetAttributes(attribute.String("error.type", string(kind)))
		if kind != errs.KindCancelled && !errors.Is(err, context.Canceled) {
			s.span.SetStatus(codes.Error, errs.SafeMessage(err))
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

// Recording reports whether ctx has a span that will be exported.
func Recording(ctx context.Context) bool { return trace.SpanFromContext(ctx).IsRecording() }

// TraceID returns the id of the trace of ctx, as 32 hexadecimal digits; "" if it has none.
func TraceID(ctx context.Context) string {
	if c := trace.SpanContextFromContext(ctx); c.HasTraceID() {
		return c.TraceID().String()
	}
	return ""
}

// SpanID returns the id of the span of ctx, as 16 hexadecimal digits; "" if it has none.
func SpanID(ctx context.Context) string {
	if c := trace.SpanContextFromContext(ctx); c.HasSpanID() {
		return c.SpanID().String()
	}
	return ""
}

// Header is the name of the HTTP header, of the environment variable in upper case, and of the attribute
// of a CloudEvent that has a traceparent.
const Header = "traceparent"

// Traceparent returns the trace and the span of ctx for another process, as W3C Trace Context has it; ""
// if it has none.
func Traceparent(ctx context.Context) string {
	headers := headerMap{}
	propagation.TraceContext{}.Inject(ctx, headers)
	return headers[Header]
}

// TraceIDOf returns the trace id of a traceparent; "" if it is not valid.
func TraceIDOf(traceparent string) string {
	if c := parse(traceparent); c.IsValid() {
		return c.TraceID().String()
	}
	return ""
}

// Join returns a context whose spans are of the trace that a traceparent names; ctx if that is not valid.
func Join(ctx context.Context, traceparent string) context.Context {
	if parent := parse(traceparent); parent.IsValid() {
		return trace.ContextWithRemoteSpanContext(ctx, parent)
	}
	return ctx
}

func parse(traceparent string) trace.SpanContext {
	if traceparent == "" {
		return trace.SpanContext{}
	}
	return trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), headerMap{Header: traceparent}))
}

// headerMap holds the headers of W3C Trace Context for package propagation.
type headerMap map[string]string

// Get returns a header.
func (h headerMap) Get(name string) string { return h[name] }

// Set sets a header.
func (h headerMap) Set(name, value string) { h[name] = value }

// Keys lists the names of the headers.
func (h headerMap) Keys() []string { return slices.Collect(maps.Keys(h)) }
