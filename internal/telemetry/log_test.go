package telemetry_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/telemetry"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tracing"
)

func TestWithUnits(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{ReplaceAttr: telemetry.WithUnits}))
	logger.With(slog.Duration("interval", time.Minute)).Info("done", telemetry.Took(1234567*time.Nanosecond), "pause", 1500*time.Microsecond, slog.Int("workers", 3))
	for _, field := range []string{`"interval_ms":60000,`, `"took_ms":1.234,`, `"pause_ms":1.5,`, `"workers":3`, `"msg":"done"`} {
		if !strings.Contains(log.String(), field) {
			t.Errorf("%s is not in %s", field, log.String())
		}
	}
}

// TestWithTrace: lines of a context with a trace have its id, and others have none.
func TestWithTrace(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	logger := slog.New(telemetry.WithTrace(slog.NewJSONHandler(&log, nil))).With("a", 1)
	ctx, span := tracing.Continue(t.Context(), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", tracing.Internal, "test")
	defer span.End(nil)
	logger.InfoContext(ctx, "inside")
	logger.InfoContext(t.Context(), "outside")
	inside, outside, _ := strings.Cut(log.String(), "\n")
	if !strings.Contains(inside, `"a":1,"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7"`) || strings.Contains(outside, "trace_id") {
		t.Error(log.String())
	}
}
