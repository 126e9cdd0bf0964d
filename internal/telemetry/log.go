package telemetry

import (
	"log/slog"
	"time"
)

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
