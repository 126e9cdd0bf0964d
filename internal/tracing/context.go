package tracing

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"sync/atomic"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// The modes of the process. Package export sets them.
const (
	modeOff     int32 = iota // Callers' traces alone go through.
	modeIDs                  // Traces without spans: their ids are in logs and rows, and no other process gets them.
	modeExports              // Spans are exported.
)

var mode atomic.Int32

// SetExporting says that the process has a provider of spans.
func SetExporting() { mode.Store(modeExports) }

// SetIDsOnly says that the process has no provider of spans, and makes ids of traces for logs and rows.
func SetIDsOnly() { mode.Store(modeIDs) }

type (
	idsKey       struct{} // The value in a context: a trace.SpanContext without a span.
	undecidedKey struct{} // The value in a context: its trace comes from a process that records nothing.
)

// Undecided reports whether ctx is of a stored trace whose creator recorded nothing.
func Undecided(ctx context.Context) bool {
	undecided, _ := ctx.Value(undecidedKey{}).(bool)
	return undecided
}

// withIDs gives ctx ids where nothing is exported: those of its trace, or of a new one.
func withIDs(ctx context.Context) context.Context {
	if mode.Load() != modeIDs {
		return ctx
	}
	ids := trace.SpanContextConfig{TraceID: contextOf(ctx).TraceID()}
	if !ids.TraceID.IsValid() {
		_, _ = rand.Read(ids.TraceID[:]) // It never fails.
	}
	_, _ = rand.Read(ids.SpanID[:])
	return context.WithValue(ctx, idsKey{}, trace.NewSpanContext(ids))
}

// withStored gives ctx the ids of a stored trace that nothing records.
func withStored(ctx context.Context, stored trace.SpanContext) context.Context {
	return context.WithValue(Without(ctx), idsKey{}, stored)
}

// contextOf returns the span of ctx, or ids without one.
func contextOf(ctx context.Context) trace.SpanContext {
	if c := trace.SpanContextFromContext(ctx); c.IsValid() {
		return c
	}
	ids, _ := ctx.Value(idsKey{}).(trace.SpanContext)
	return ids
}

// Without returns a context of no trace, for frequent work beside that of the trace.
func Without(ctx context.Context) context.Context {
	return context.WithValue(trace.ContextWithSpanContext(ctx, trace.SpanContext{}), idsKey{}, trace.SpanContext{})
}

// Recording reports whether ctx has a span that will be exported.
func Recording(ctx context.Context) bool { return trace.SpanFromContext(ctx).IsRecording() }

// TraceID returns the id of the trace of ctx, as 32 hexadecimal digits; "" if it has none.
func TraceID(ctx context.Context) string {
	if c := contextOf(ctx); c.HasTraceID() {
		return c.TraceID().String()
	}
	return ""
}

// SpanID returns the id of the span of ctx, as 16 hexadecimal digits; "" if it has none.
func SpanID(ctx context.Context) string {
	if c := contextOf(ctx); c.HasSpanID() {
		return c.SpanID().String()
	}
	return ""
}

// Header is the name of the HTTP header, of the environment variable in upper case, and of the attribute
// of a CloudEvent that has a traceparent.
const Header = "traceparent"

// Traceparent returns the trace and the span of ctx for another program, as W3C Trace Context has it; "" if
// it has none. A process without a collector hands on a caller's, and makes none: it would tell the other
// program to record nothing.
func Traceparent(ctx context.Context) string { return format(trace.SpanContextFromContext(ctx)) }

// SetHeader sets the header of a request of ctx to another program to Traceparent, if there is one.
func SetHeader(ctx context.Context, header interface{ Set(name, value string) }) {
	if traceparent := Traceparent(ctx); traceparent != "" {
		header.Set(Header, traceparent)
	}
}

// Stored returns the trace and the span of ctx for ContinueStored, also where nothing is exported; "" if
// there is none.
func Stored(ctx context.Context) string { return format(contextOf(ctx)) }

// TraceIDOf returns the trace id of a traceparent; "" if it is not valid.
func TraceIDOf(traceparent string) string {
	if c := parse(traceparent); c.IsValid() {
		return c.TraceID().String()
	}
	return ""
}

// Recorded returns a stored traceparent if its creator recorded the trace, and otherwise "".
func Recorded(traceparent string) string {
	if parse(traceparent).IsSampled() {
		return traceparent
	}
	return ""
}

func parse(traceparent string) trace.SpanContext {
	if traceparent == "" {
		return trace.SpanContext{}
	}
	return trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), headerMap{Header: traceparent}))
}

func format(c trace.SpanContext) string {
	headers := headerMap{}
	propagation.TraceContext{}.Inject(trace.ContextWithSpanContext(context.Background(), c), headers)
	return headers[Header]
}

// headerMap holds the headers of W3C Trace Context for package propagation.
type headerMap map[string]string

// Get returns a header.
func (h headerMap) Get(name string) string { return h[name] }

// Set sets a header.
func (h headerMap) Set(name, value string) { h[name] = value }

// Keys lists the names of the headers.
func (h headerMap) Keys() []string { return slices.Collect(maps.Keys(h)) }
