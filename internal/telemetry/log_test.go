package telemetry_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/telemetry"
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
