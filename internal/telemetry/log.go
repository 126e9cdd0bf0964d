package telemetry

import (
	"context"
	"log/slog"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tracing"
)

// WithTrace adds trace_id and span_id to the lines of a context that has them.
func WithTrace(h slog.Handler) slog.Handler { return traceHandler{h} }

type traceHandler struct{ slog.Handler }

// Handle implements slog.Handler.
func (h traceHandler) Handle(ctx context.Context, r slog.Record) error {
	if id := tracing.TraceID(ctx); id != "" {
		r.AddAttrs(slog.String("trace_id", id), slog.String("span_id", tracing.SpanID(ctx)))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h traceHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return traceHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h traceHandler) WithGroup(name string) slog.Handler {
	return traceHandler{h.Handler.WithGroup(name)}
}

// Took is the field of a log line for how long something took: took_ms.
func Took(d time.Duration) slog.Attr { return milliseconds("took", d) }

func milliseconds(name string, d time.Duration) slog.Attr {
	return slog.Float64(name+"_ms", float64(d.Microseconds())/1000)
}

// WithUnits is a slog.HandlerOptions.ReplaceAttr that gives durations in milliseconds, and their names
// the unit: text and JSON handlers write them differently, and a reader of the log cannot tell
// seconds from nanoseconds. Lines of libraries have such fields.
func WithUnits(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		return milliseconds(a.Key, a.Value.Duration())
	}
	return a
}
