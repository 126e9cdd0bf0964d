package api

import (
	"context"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/rs/cors"
	"golang.org/x/sync/singleflight"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/auth"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/limits"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/onboarding"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/openapi"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/rejections"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/monitoring"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/telemetry"
)

// Server is the API as an http.Handler. NewServer wraps it in an http.Server with the
// limits that a network needs.
type Server struct {
	opts                     Options
	timeouts                 timeouts
	mux                      *http.ServeMux
	api                      huma.API
	console                  http.Handler // Nil: there is none.
	auth                     *auth.Authenticator
	callerLimiter            *limits.RateLimiter
	recorder                 *rejections.Recorder
	invitationAddressLimiter *limits.RateLimiter
	invitationTokenLimiter   *limits.RateLimiter
	crossOrigin              *cors.Cors      // Nil: no pages of other origins.
	invitedPaths             map[string]bool // Of the operations that such pages may call.
	metrics                  *telemetry.API
	requestSlots             chan struct{}  // One slot per request, without those of health and documents.
	provisionPlaces          *limits.Places // One per run inside a request.
	eventStreamPlaces        *limits.Places
	trialSlot                chan struct{}               // Of the only trial of a blueprint.
	checkSlot                chan struct{}               // Of the only check of the whole registry.
	runs                     sync.WaitGroup              // Runs inside requests.
	overviews                singleflight.Group          // As readiness.
	readiness                singleflight.Group          // Concurrent callers share the checks.
	checked                  map[string]monitoring.Check // By name; only runChecks uses it.

	drainCtx context.Context
	drain    context.CancelFunc
}

// New creates a server. KindInvalid for invalid options. Close stops it.
func New(o Options) (*Server, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	s := &Server{
		opts: o, timeouts: defaultTimeouts,
		callerLimiter:            limits.NewRateLimiter(o.RateLimit, o.Clock),
		invitationAddressLimiter: limits.NewRateLimiter(invitationAddressLimit, o.Clock),
		invitationTokenLimiter:   limits.NewRateLimiter(invitationTokenLimit, o.Clock),
		auth: auth.New(auth.Options{
			Keys: o.Keys, Sessions: o.Sessions, OIDC: o.OIDC, MaxRejections: o.AuthFailureLimit, Clock: o.Clock, Logger: o.Logger,
		}),
		recorder:     rejections.NewRecorder(o.Service.Record, o.Logger),
		crossOrigin:  newCrossOrigin(o.CORSOrigins),
		requestSlots: make(chan struct{}, o.maxRequests()), trialSlot: make(chan struct{}, 1), checkSlot: make(chan struct{}, 1),
		checked: map[string]monitoring.Check{},
		provisionPlaces: limits.NewPlaces("provisionings inside requests", "queue the tenant with POST /admin/tenants",
			o.MaxProvisionStreams, provisionShare),
		eventStreamPlaces: limits.NewPlaces("event streams", "poll the provisioning status", o.MaxEventStreams, eventStreamShare),
	}
	var err error
	if s.metrics, err = newMetrics(o.Metrics, s.recorder.Lost); err != nil {
		return nil, errs.Wrap(err, errs.KindInvalid, "set up API", "Metrics already has metrics with these names; give each server a separate registry")
	}
	s.drainCtx, s.drain = context.WithCancel(context.Background())
	s.buildRoutes()
	go s.recorder.Run()
	return s, nil
}

// timeouts are the intervals and limits of the server.
type timeouts struct {
	pollInterval       time.Duration // For changes without a notification.
	eventKeepAlive     time.Duration // Between two keep-alives of an event stream.
	provisionKeepAlive time.Duration // Between two keep-alives of a run.
	read               time.Duration // To receive a request.
	write              time.Duration // To write a response or an event.
	work               time.Duration // For ordinary requests, including their queries.
	check              time.Duration // For a readiness check.
}

var defaultTimeouts = timeouts{
	pollInterval: 2 * time.Second, eventKeepAlive: 15 * time.Second, provisionKeepAlive: 3 * time.Second,
	read: 10 * time.Second, write: 10 * time.Second, work: 15 * time.Second, check: 2 * time.Second,
}

// buildRoutes registers the routes. It reads only the version, so that OpenAPI works
// without a complete server.
func (s *Server) buildRoutes() {
	s.mux, s.invitedPaths = http.NewServeMux(), map[string]bool{}
	s.api = huma.NewAPI(openapi.Config(s.opts.Version, s.transformResponse), humago.NewAdapter(s.mux, ""))
	s.registerTenantRoutes()
	s.registerLifecycleRoutes()
	s.registerSuspensionRoutes()
	s.registerInvitationRoutes()
	s.registerCredentialRoutes()
	s.registerTenantHealthRoutes()
	s.registerBlueprintRoutes()
	s.registerAuditRoutes()
	s.registerRegistryRoutes()
	s.registerOverviewRoutes()
	s.registerStellarRoutes()
	s.registerAPIKeyRoutes()
	s.registerMaintenanceRoutes()
	s.registerFeedRoutes()
	s.registerJobRoutes()
	s.registerHealthRoutes()
	for _, property := range []string{"legalHold", "tenants", "queue", "ledger", "anchor"} {
		openapi.AllowNull(s.api, property)
	}
	s.mux.HandleFunc("GET "+openAPIPath, openapi.Serve(s.api))
	s.mux.HandleFunc("GET "+docsPath, openapi.Docs.Serve)
	if own := s.opts.InvitationURL; own != "" {
		// Links of mails from before the platform had its page. A browser keeps the fragment.
		s.mux.Handle("GET "+invitationPath, http.RedirectHandler(own, http.StatusFound))
	} else {
		s.mux.HandleFunc("GET "+invitationPath, onboarding.Invitation.Serve)
	}
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, r := s.newRequestContext(w, r)
	defer s.finishRequest(c, r)
	if s.isConsole(r) && !fromConsole(r.Context()) {
		s.serveConsole(c, r)
		return
	}
	if s.handleCrossOrigin(c, r) {
		return
	}
	if p := s.rejectUnknownRoute(r); p != nil {
		s.writeProblem(c, p)
		return
	}
	leave, p := s.admit(r)
	if p != nil {
		s.writeProblem(c, p)
		return
	}
	defer leave()
	s.mux.ServeHTTP(c.response, r)
}

// admit takes a slot for a request and holds its connection until leave is called. Without
// a free slot it refuses at once. The operations of health need no slot, so they are
// answered while all slots are taken, and neither do documents, whose connections are not
// held: a client without a key that does not read them takes nothing from others.
func (s *Server) admit(r *http.Request) (leave func(), refused *problem.Problem) {
	if fromConsole(r.Context()) {
		return func() {}, nil
	}
	if slices.Contains(healthPaths, r.URL.Path) {
		return limits.Hold(r.Context()), nil
	}
	switch r.URL.Path {
	case openAPIPath, docsPath, invitationPath:
		return func() {}, nil
	}
	select {
	case s.requestSlots <- struct{}{}:
	default:
		return nil, problem.New(http.StatusServiceUnavailable,
			fmt.Sprintf("this server has %d requests in progress, its limit; try again", cap(s.requestSlots)))
	}
	release := limits.Hold(r.Context())
	return func() { release(); <-s.requestSlots }, nil
}

// healthPaths are those of the operations of health.
var healthPaths = []string{"/health", "/livez", "/readyz"}

// The documents of the API.
const (
	openAPIPath = "/openapi.json"
	docsPath    = "/docs"
	// The page that the link of an invitation leads to.
	invitationPath = "/invitation"
)

// rejectUnknownRoute returns a problem where the mux would answer with plain text or
// redirect to a cleaned path.
func (s *Server) rejectUnknownRoute(r *http.Request) *problem.Problem {
	var allowed []string
	if path.Clean(r.URL.Path) == r.URL.Path {
		if s.hasRoute(r) {
			return nil
		}
		allowed = s.methodsOf(r)
	}
	switch {
	case len(allowed) == 0:
		return problem.New(http.StatusNotFound, "the operation does not exist; GET /openapi.json describes all operations")
	case !slices.Contains(allowed, r.Method):
		return problem.New(http.StatusMethodNotAllowed, "this path does not support the method; the Allow header lists the methods that it supports").
			WithHeader("Allow", strings.Join(allowed, ", "))
	}
	return nil
}

// hasRoute reports whether the mux has the request's method and path. A route without
// parameters, such as /admin/tenants/health, hides the methods of /admin/tenants/{id}.
func (s *Server) hasRoute(r *http.Request) bool {
	_, pattern := s.mux.Handler(r)
	_, route, found := strings.Cut(pattern, " ")
	return found && (route == r.URL.Path || s.api.OpenAPI().Paths[r.URL.Path] == nil)
}

// methodsOf lists the methods for which the path of a request has a route.
func (s *Server) methodsOf(r *http.Request) (methods []string) {
	for _, method := range []string{http.MethodDelete, http.MethodGet, http.MethodHead, http.MethodPatch, http.MethodPost, http.MethodPut} {
		if s.hasRoute(&http.Request{Method: method, URL: r.URL, Host: r.Host}) {
			methods = append(methods, method)
		}
	}
	return methods
}

// Authenticator identifies the server's callers. The console signs people in with it, so that both
// have the same limits.
func (s *Server) Authenticator() *auth.Authenticator { return s.auth }

// RecordRejection records a rejection in the audit log, as the server does with those of requests.
func (s *Server) RecordRejection(e audit.Event) { s.recorder.Record(e) }

// Drain ends all streams: event streams close, and each run inside a request releases its
// tenant and reports that. The server is not ready afterwards. NewServer calls Drain at
// shutdown.
func (s *Server) Drain() { s.drain() }

// Close drains the server and returns when all runs inside requests have ended, or ctx has, and
// all queued audit events are written. No request may arrive afterwards.
func (s *Server) Close(ctx context.Context) {
	s.drain()
	ended := make(chan struct{})
	go func() { defer close(ended); s.runs.Wait() }()
	select {
	case <-ended:
	case <-ctx.Done():
	}
	s.recorder.Close()
}
