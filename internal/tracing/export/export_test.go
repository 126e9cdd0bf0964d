package export

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
)

// TestReporter: one line in a minute says that exports fail, how many errors there were, and not more of a
// text of the collector than fits.
func TestReporter(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	r := &reporter{log: func() *slog.Logger { return slog.New(slog.NewTextHandler(&log, nil)) }, now: func() time.Time { return now }}
	for range 3 {
		r.Handle(errors.New("first " + strings.Repeat("x", 1<<20)))
		now = now.Add(time.Second)
	}
	now = now.Add(time.Minute)
	r.Handle(errors.New("later"))
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "first") || len(lines[0]) > 1000 || !strings.Contains(lines[1], "error=later more_errors=2") {
		t.Errorf("%d lines: %.2000s", len(lines), log.String())
	}
}

// TestOptions_Exporter: each setting has its exporter, and making one connects to nothing.
func TestOptions_Exporter(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		config.Tracing
		want bool
	}{
		{config.Tracing{Exporter: config.TracesNone}, false},
		{config.Tracing{Exporter: config.TracesConsole}, true},
		{config.Tracing{Exporter: config.TracesOTLP, Protocol: config.TracesHTTP, Headers: map[string]config.Secret{"k": "v"}}, true},
		{config.Tracing{Exporter: config.TracesOTLP, Protocol: config.TracesGRPC, Headers: map[string]config.Secret{"k": "v"}}, true},
	} {
		got, err := Options{Tracing: test.Tracing}.exporter(t.Context())
		if err != nil || (got != nil) != test.want {
			t.Errorf("%s, %s: %v, %v", test.Exporter, test.Protocol, got, err)
		}
		if got != nil {
			if err := got.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
}
