package api

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/auth"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/proxies"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/events"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/monitoring"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// The defaults of Options.
const (
	DefaultRateLimit           = 100
	DefaultAuthFailureLimit    = 60
	DefaultMaxBody             = 64 << 10
	DefaultMaxProvisionStreams = 64
	DefaultMaxEventStreams     = 256
	DefaultMaxConnections      = 1024
)

// Parts of the limits.
const (
	reservedShare    = 16 // One of so many connections is not for requests, but for probes.
	eventStreamShare = 4  // One key may have one of so many event streams,
	provisionShare   = 2  // and one of so many provisionings inside requests.
)

// NoRetention lets tenants be purged as soon as they are archived.
const NoRetention = provisioning.SkipRetention

// Options are the settings of a Server.
type Options struct {
	Service  Service               // Required.
	Jobs     provisioning.Jobs     // Required.
	Notifier events.ChangeNotifier // Required.
	Keys     auth.KeyStore         // Required.
	Sessions auth.SessionStore     // Of the console. Nil: there is no console.
	OIDC     auth.OIDC             // Tokens of an issuer, in addition to keys. Default: not accepted.

	Blueprints  Blueprints  // Required.
	Maintenance Maintenance // Required.
	APIKeys     APIKeys     // Nil: operations on API keys are 501.
	Stellar     Stellar     // Nil: operations on channel accounts, and on contracts as the ledger has them, are 501.
	Overview    Overviews   // Nil: GET /admin/overview is 501.

	AppURL        string // Base address of the platform's application, without a trailing slash. Default: none.
	InvitationURL string // The platform's own page for invitations, to which /invitation leads. Empty: this server serves one.

	CORSOrigins    []string        // Origins whose pages may call the operations for invitations, as browsers send them. Default: none.
	TrustedProxies proxies.Trusted // Proxies whose X-Forwarded-For has the addresses of clients. Default: none.

	RateLimit           int   // Requests per minute and caller. 0: DefaultRateLimit.
	AuthFailureLimit    int   // Rejected callers per minute and address. 0: DefaultAuthFailureLimit.
	MaxBody             int64 // Size of a request body, in bytes. 0: DefaultMaxBody.
	MaxProvisionStreams int   // Concurrent provisionings inside requests; one key may have half. 0: DefaultMaxProvisionStreams.
	MaxEventStreams     int   // Concurrent event streams; one key may have a quarter. 0: DefaultMaxEventStreams.
	// MaxConnections limits concurrent connections. 0: DefaultMaxConnections. Requests, without
	// probes, may use all but a sixteenth of them, at least one, at the same time. That must
	// exceed MaxProvisionStreams plus MaxEventStreams.
	MaxConnections int

	// Retention is the minimum time between archiving and purging a tenant. NoRetention:
	// none. 0: provisioning.DefaultRetention.
	Retention time.Duration
	// AllowEarlyPurge permits purges that skip the retention period.
	AllowEarlyPurge bool
	// WithoutWorker is for a server whose registry user may have no privileges of the owner:
	// moves that need them are queued for a worker elsewhere (202), and operations that
	// cannot be queued are refused (501).
	WithoutWorker bool

	// RequestContext makes the context in which a request calls Service. Default: unchanged.
	RequestContext func(context.Context) context.Context

	// Background returns the newest results of checks of parts without which the server serves:
	// GET /readyz shows them, as ok or degraded. Nil: there are none.
	Background func() []monitoring.Check

	Version string                // Program version, for the OpenAPI document. Default "dev".
	Logger  *slog.Logger          // Default slog.Default().
	Checks  []Check               // What the server cannot serve without. Default: none.
	Metrics prometheus.Registerer // Nil: no metrics.
	Clock   clock.Clock           // Default clock.System.
}

// Check is a readiness check of one dependency.
type Check struct {
	Name string // Public: shown by GET /readyz.
	Run  func(ctx context.Context) error
}

func (o Options) withDefaults() Options {
	o.RateLimit = cmp.Or(o.RateLimit, DefaultRateLimit)
	o.AuthFailureLimit = cmp.Or(o.AuthFailureLimit, DefaultAuthFailureLimit)
	o.MaxProvisionStreams = cmp.Or(o.MaxProvisionStreams, DefaultMaxProvisionStreams)
	o.MaxEventStreams = cmp.Or(o.MaxEventStreams, DefaultMaxEventStreams)
	o.MaxConnections = cmp.Or(o.MaxConnections, DefaultMaxConnections)
	o.MaxBody = cmp.Or(o.MaxBody, DefaultMaxBody)
	o.Retention = cmp.Or(o.Retention, provisioning.DefaultRetention)
	if o.Retention == NoRetention {
		o.Retention = 0
	}
	if o.RequestContext == nil {
		o.RequestContext = func(ctx context.Context) context.Context { return ctx }
	}
	o.Version = cmp.Or(o.Version, "dev")
	o.Logger = cmp.Or(o.Logger, slog.Default())
	o.Clock = cmp.Or[clock.Clock](o.Clock, clock.System{})
	return o
}

// maxRequests is the number of requests, without probes, that are processed at once.
func (o Options) maxRequests() int { return o.MaxConnections - max(1, o.MaxConnections/reservedShare) }

func (o Options) validate() error {
	fail := func(format string, args ...any) error {
		return errs.Errorf(errs.KindInvalid, "set up API", format, args...)
	}
	switch {
	case o.Service == nil:
		return fail("Service is missing")
	case o.Jobs == nil:
		return fail("Jobs is missing")
	case o.Notifier == nil:
		return fail("Notifier is missing")
	case o.Keys == nil:
		return fail("Keys is missing; give a key store, without which no caller can be authenticated")
	case o.Blueprints == nil:
		return fail("Blueprints is missing")
	case o.Maintenance == nil:
		return fail("Maintenance is missing")
	case o.RateLimit < 0 || o.AuthFailureLimit < 0 || o.MaxBody < 0 || o.MaxProvisionStreams < 0 || o.MaxEventStreams < 0 || o.MaxConnections < 0 || o.Retention < 0:
		return fail("a limit is negative; use 0 for the default")
	case o.maxRequests() <= o.MaxProvisionStreams+o.MaxEventStreams:
		return fail("MaxConnections is %d, which allows %d requests at once, and MaxProvisionStreams (%d) and MaxEventStreams (%d) can use them up; raise it",
			o.MaxConnections, o.maxRequests(), o.MaxProvisionStreams, o.MaxEventStreams)
	}
	return o.OIDC.Validate()
}
