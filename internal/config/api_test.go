package config_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
)

func TestReadAPI(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in      map[string]string
		address string
		fault   string
	}{
		"Defaults":         {address: "127.0.0.1:3000"},
		"IPv6":             {in: map[string]string{"APP_HOST": "[::1]", "APP_PORT": "0"}, address: "[::1]:0"},
		"HostWithPort":     {in: map[string]string{"APP_HOST": "localhost:80"}, fault: `APP_HOST is "localhost:80"; give a host name or an address without a port`},
		"BadPort":          {in: map[string]string{"APP_PORT": "http"}, fault: "APP_PORT"},
		"BadMetrics":       {in: map[string]string{"METRICS_ADDR": "9464"}, fault: "METRICS_ADDR is \"9464\"; give it as host:port"},
		"Issuer":           {in: map[string]string{"AUTH_OIDC_ISSUER": "https://id.example", "AUTH_OIDC_AUDIENCE": "api"}, address: "127.0.0.1:3000"},
		"IssuerWithoutTLS": {in: map[string]string{"AUTH_OIDC_ISSUER": "http://id.example", "AUTH_OIDC_AUDIENCE": "api"}, fault: "AUTH_OIDC_ISSUER is not an https URL"},
		"IssuerLoopback":   {in: map[string]string{"AUTH_OIDC_ISSUER": "http://127.0.0.1:9", "AUTH_OIDC_AUDIENCE": "api"}, address: "127.0.0.1:3000"},
		"NoAudience":       {in: map[string]string{"AUTH_OIDC_ISSUER": "https://id.example"}, fault: "AUTH_OIDC_AUDIENCE is not set"},
		"NoIssuer":         {in: map[string]string{"AUTH_OIDC_AUDIENCE": "api"}, fault: "AUTH_OIDC_ISSUER is not set"},
		"NoRequests":       {in: map[string]string{"RATE_LIMIT": "0"}, fault: "RATE_LIMIT"},
		"BadRetention":     {in: map[string]string{"PURGE_RETENTION": "30 days"}, fault: `PURGE_RETENTION is "30 days"; give hours and minutes, such as 72h or 90m`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := config.ReadAPI(sourceOf(c.in))
			wantError(t, err, c.fault)
			if c.fault == "" && (got.Address() != c.address || got.RateLimit != 100 || got.Retention != 720*time.Hour || got.Workers != 0) {
				t.Errorf("%s, %+v", got.Address(), got)
			}
		})
	}
}

func TestAPI_WorkersFor(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		workers        string
		channels, want int
	}{
		"WithoutChannels":  {channels: 0, want: 8},
		"WithFewChannels":  {channels: 3, want: 8},
		"UsesAllChannels":  {channels: 50, want: 50},
		"LimitedToMaximum": {channels: 1000, want: 256},
		"ConfiguredNumber": {workers: "2", channels: 50, want: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := config.ReadAPI(sourceOf(map[string]string{"WORKERS": c.workers}))
			wantError(t, err, "")
			if n := got.WorkersFor(c.channels); n != c.want {
				t.Errorf("%d workers for %d channels, want %d", n, c.channels, c.want)
			}
		})
	}
	for _, bad := range []string{"0", "257", "many"} {
		_, err := config.ReadAPI(sourceOf(map[string]string{"WORKERS": bad}))
		wantError(t, err, `WORKERS is "`+bad+`"; give a whole number from 1 to 256`)
	}
}

func TestReadLog(t *testing.T) {
	t.Parallel()
	got, err := config.ReadLog(sourceOf(map[string]string{"LOG_LEVEL": "Debug", "LOG_FORMAT": "json"}))
	if err != nil || got.Level != slog.LevelDebug || got.Format != config.LogJSON {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = config.ReadLog(sourceOf(map[string]string{"LOG_LEVEL": "loud"}))
	wantError(t, err, `LOG_LEVEL is "loud"; choose one of debug, info, warn, error`)
	_, err = config.ReadLog(sourceOf(map[string]string{"LOG_FORMAT": "xml"}))
	wantError(t, err, `LOG_FORMAT is "xml"; choose one of text, json`)
}
