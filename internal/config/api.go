package config

import (
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// The variables of tenant-api.
const (
	MetricsAddr    = "METRICS_ADDR"
	LogLevel       = "LOG_LEVEL"
	LogFormat      = "LOG_FORMAT"
	OIDCIssuer     = "AUTH_OIDC_ISSUER"
	OIDCAudience   = "AUTH_OIDC_AUDIENCE"
	RateLimit      = "RATE_LIMIT"
	PurgeRetention = "PURGE_RETENTION"
	// AllowEarlyPurge permits purges that skip the retention.
	AllowEarlyPurge = "ALLOW_EARLY_PURGE"
	WorkerCount     = "WORKERS"
)

// The log formats.
const (
	LogText = "text"
	LogJSON = "json"
)

// API has the settings of the server of tenant-api.
type API struct {
	Host         string // A host name or address; 0.0.0.0 and :: mean every interface.
	Port         int
	MetricsAddr  string // host:port; empty: no metrics are served.
	OIDCIssuer   string // Empty: only API keys.
	OIDCAudience string
	RateLimit    int           // Requests per minute and key.
	Retention    time.Duration // Minimum time that an archived tenant is kept.
	EarlyPurge   bool          // Purges may skip it.
	Workers      int           // Tenants provisioned at once; 0: see WorkersFor.

	TrustedProxies []netip.Prefix // Proxies whose X-Forwarded-For is used. IPv4 is never in the form of IPv6.
	CORSOrigins    []string       // Origins whose pages may call the operations for invitations, as browsers send them.

	Console Console
}

// WorkersFor returns how many tenants are provisioned at once with that many channels: the
// configured number, else enough to use all channels.
func (a API) WorkersFor(channels int) int {
	if a.Workers > 0 {
		return a.Workers
	}
	return min(max(defaultWorkers, channels), maxWorkers)
}

const (
	defaultWorkers = 8
	maxWorkers     = 256
)

// Address is the address that HTTP is served on.
func (a API) Address() string { return net.JoinHostPort(a.Host, formatInt(int64(a.Port))) }

// ReadAPI reads the settings of tenant-api.
func ReadAPI(source Source) (API, error) {
	r := &reader{get: source}
	a := API{
		Host:        r.text(AppHost, "127.0.0.1"),
		Port:        int(r.integer(AppPort, 3000, 0, 65535)),
		MetricsAddr: r.text(MetricsAddr, ""), OIDCIssuer: r.text(OIDCIssuer, ""), OIDCAudience: r.text(OIDCAudience, ""),
		RateLimit: int(r.integer(RateLimit, 100, 1, 1_000_000)),
		Retention: r.duration(PurgeRetention, defaultRetention), EarlyPurge: r.oneOf(AllowEarlyPurge, "false", "true", "false") == "true",
		Workers: int(r.integer(WorkerCount, 0, 1, maxWorkers)),

		TrustedProxies: r.trustedProxies(), CORSOrigins: r.corsOrigins(),
	}
	if strings.ContainsAny(a.Host, "/ ") || strings.Contains(a.Host, ":") && net.ParseIP(strings.Trim(a.Host, "[]")) == nil {
		r.addError(AppHost, "is %q; give a host name or an address without a port", a.Host)
	}
	a.Host = strings.Trim(a.Host, "[]")
	if a.MetricsAddr != "" {
		if _, _, err := net.SplitHostPort(a.MetricsAddr); err != nil {
			r.addError(MetricsAddr, "is %q; give it as host:port, such as 127.0.0.1:9464", a.MetricsAddr)
		}
	}
	switch issuer, err := url.Parse(a.OIDCIssuer); {
	case a.OIDCIssuer == "" && a.OIDCAudience != "":
		r.addError(OIDCIssuer, "is not set, but %s is; give both or none", OIDCAudience)
	case a.OIDCIssuer != "" && a.OIDCAudience == "":
		r.addError(OIDCAudience, "is not set, but %s is; without an audience, tokens for other services would be accepted", OIDCIssuer)
	case a.OIDCIssuer != "" && (err != nil || issuer.Host == "" || issuer.Scheme != "https" && (issuer.Scheme != "http" || !Loopback(issuer.Hostname()))):
		r.addError(OIDCIssuer, "is not an https URL; give the issuer as in its tokens' iss claim")
	}
	a.Console = r.console(a.OIDCIssuer)
	return a, r.err()
}

const defaultRetention = 30 * 24 * time.Hour

// ReadRetention reads the minimum time between archiving and purging a tenant.
func ReadRetention(source Source) (time.Duration, error) {
	r := &reader{get: source}
	return r.duration(PurgeRetention, defaultRetention), r.err()
}

// Log has the settings of a program's log.
type Log struct {
	Level  slog.Level
	Format string // LogText or LogJSON.
}

// ReadLog reads the log settings.
func ReadLog(source Source) (Log, error) {
	r := &reader{get: source}
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	l := Log{
		Level:  levels[r.oneOf(LogLevel, "info", "debug", "info", "warn", "error")],
		Format: r.oneOf(LogFormat, LogText, LogText, LogJSON),
	}
	return l, r.err()
}

func (r *reader) duration(variable string, fallback time.Duration) time.Duration {
	text := r.text(variable, "")
	if text == "" {
		return fallback
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		r.addError(variable, "is %q; give hours and minutes, such as 72h or 90m, and not less than 0", text)
		return fallback
	}
	return d
}
