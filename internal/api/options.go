package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// The defaults of Options.
const (
	DefaultRateLimit      = 100
	DefaultRefusalLimit   = 60
	DefaultMaxBody        = 64 << 10
	DefaultMaxRuns        = 64
	DefaultMaxWatchers    = 256
	DefaultMaxConnections = 1024
)

// NoRetention lets tenants be purged as soon as they are archived.
const NoRetention time.Duration = -1

// Options are the settings of a Server.
type Options struct {
	Service Service              // Needed.
	Jobs    provisioning.Jobs    // Needed.
	Watcher provisioning.Watcher // Needed.
	Keys    access.Store         // Needed.
	OIDC    OIDC                 // Tokens of an issuer, beside keys. Default: none are accepted.

	RateLimit    int   // Requests per minute and caller. 0: DefaultRateLimit.
	RefusalLimit int   // Refused callers per minute and address. 0: DefaultRefusalLimit.
	MaxBody      int64 // Of a request, in bytes. 0: DefaultMaxBody.
	MaxRuns      int   // Provisionings that run inside requests at once. 0: DefaultMaxRuns.
	MaxWatchers  int   // Followers of events at once. 0: DefaultMaxWatchers.
	// MaxConnections is how many there are at once. 0: DefaultMaxConnections. It has to
	// leave room beside runs and watchers.
	MaxConnections int

	// Retention is how long an archived tenant is kept at least; NoRetention: not at
	// all. 0: provisioning.DefaultRetention.
	Retention time.Duration
	Version   string                // Of the program, for the OpenAPI document. Default "dev".
	Logger    *slog.Logger          // Default slog.Default().
	Checks    []Check               // What has to work for the server to be ready. Default: nothing.
	Metrics   prometheus.Registerer // Nil: nothing is measured.
	Clock     provisioning.Clock    // Default provisioning.SystemClock.
}

// OIDC says whose tokens are accepted. Issuer and Audience go together: without
// an audience, tokens that were made for others would do.
type OIDC struct {
	Issuer   string
	Audience string
	Client   *http.Client // Fetches the issuer's keys. Default: one with a timeout.
}

// Check is a part that the server cannot do without.
type Check struct {
	Name string // Shown to everybody.
	Run  func(ctx context.Context) error
}

func (o Options) withDefaults() Options {
	number := func(n *int, value int) {
		if *n == 0 {
			*n = value
		}
	}
	number(&o.RateLimit, DefaultRateLimit)
	number(&o.RefusalLimit, DefaultRefusalLimit)
	number(&o.MaxRuns, DefaultMaxRuns)
	number(&o.MaxWatchers, DefaultMaxWatchers)
	number(&o.MaxConnections, DefaultMaxConnections)
	if o.MaxBody == 0 {
		o.MaxBody = DefaultMaxBody
	}
	if o.Retention == 0 {
		o.Retention = provisioning.DefaultRetention
	}
	if o.Retention == NoRetention {
		o.Retention = 0
	}
	if o.Version == "" {
		o.Version = "dev"
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Clock == nil {
		o.Clock = provisioning.SystemClock{}
	}
	return o
}

func (o Options) validate() error {
	refuse := func(format string, args ...any) error {
		return provisioning.Errorf(provisioning.KindInvalid, "set up API", format, args...)
	}
	switch {
	case o.Service == nil:
		return refuse("Service is missing")
	case o.Jobs == nil:
		return refuse("Jobs is missing")
	case o.Watcher == nil:
		return refuse("Watcher is missing")
	case o.Keys == nil:
		return refuse("Keys is missing; without a store of keys nobody could be told from anybody else")
	case (o.OIDC.Issuer == "") != (o.OIDC.Audience == ""):
		return refuse("OIDC has an issuer or an audience only; give both or none")
	case o.RateLimit < 0 || o.RefusalLimit < 0 || o.MaxBody < 0 || o.MaxRuns < 0 || o.MaxWatchers < 0 || o.MaxConnections < 0 || o.Retention < 0:
		return refuse("a limit is negative; leave it out for the default")
	case o.MaxConnections <= o.MaxRuns+o.MaxWatchers:
		return refuse("MaxConnections is %d, which MaxRuns (%d) and MaxWatchers (%d) could use up; give more", o.MaxConnections, o.MaxRuns, o.MaxWatchers)
	}
	return nil
}
