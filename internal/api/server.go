package api

import (
	"context"
	"net/http"
	"path"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// Server is the API as an http.Handler. See NewServer for what has to stand
// around it in a network.
type Server struct {
	opts               Options
	timeouts           timeouts
	mux                *http.ServeMux
	api                huma.API
	issuer             *issuer // Nil: keys alone.
	callerLimiter      *rateLimiter
	authFailureLimiter *rateLimiter // By address.
	snapshot           *access.Snapshot
	recorder           *auditRecorder
	metrics            *metrics
	provisionSlots     chan struct{} // A place for each run inside a request.
	eventStreamSlots   chan struct{}

	drainCtx context.Context
	drain    context.CancelFunc

	openapiOnce sync.Once // Of openapi.
	openapi     []byte
}

// New wires a server. KindInvalid when the options cannot work. Close ends it.
func New(o Options) (*Server, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	s := &Server{
		opts: o, timeouts: defaultTimeouts,
		callerLimiter:      newRateLimiter(o.RateLimit, o.Clock),
		authFailureLimiter: newRateLimiter(o.AuthFailureLimit, o.Clock),
		snapshot:           access.NewSnapshot(o.Keys, o.Clock),
		recorder:           newAuditRecorder(o.Service.Record, o.Logger),
		provisionSlots:     make(chan struct{}, o.MaxProvisionStreams),
		eventStreamSlots:   make(chan struct{}, o.MaxEventStreams),
	}
	if o.OIDC.Issuer != "" {
		s.issuer = newIssuer(o.OIDC, o.Clock)
	}
	var err error
	if s.metrics, err = newMetrics(o.Metrics); err != nil {
		return nil, errs.Wrap(err, errs.KindInvalid, "set up API", "Metrics has metrics of these names already; give each server a registry of its own")
	}
	s.drainCtx, s.drain = context.WithCancel(context.Background())
	s.buildRoutes()
	go s.recorder.run()
	return s, nil
}

// timeouts is how long the server waits for what.
type timeouts struct {
	pollInterval       time.Duration // For changes that nobody told of.
	eventKeepAlive     time.Duration // Between two signs of life of events.
	provisionKeepAlive time.Duration // Between two signs of life of a run.
	read               time.Duration // For a request to arrive whole.
	write              time.Duration // For an answer, or an event, to be taken in.
	work               time.Duration // For ordinary calls; a database that hangs is not waited for.
	check              time.Duration // For a part to say that it works.
}

var defaultTimeouts = timeouts{
	pollInterval: 2 * time.Second, eventKeepAlive: 15 * time.Second, provisionKeepAlive: 3 * time.Second,
	read: 10 * time.Second, write: 10 * time.Second, work: 15 * time.Second, check: 2 * time.Second,
}

// buildRoutes makes the routes. It needs nothing of the server but its version, so the
// OpenAPI document can be had without the rest.
func (s *Server) buildRoutes() {
	s.mux = http.NewServeMux()
	s.api = huma.NewAPI(s.humaConfig(), humago.NewAdapter(s.mux, ""))
	s.registerTenantRoutes()
	s.registerLifecycleRoutes()
	s.registerCredentialRoutes()
	s.registerTenantHealthRoutes()
	s.registerAuditRoutes()
	s.registerJobRoutes()
	s.registerHealthRoutes()
	s.mux.HandleFunc("GET /openapi.json", s.serveOpenAPI)
	s.mux.HandleFunc("GET /docs", s.serveDocs)
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, r := s.newRequestContext(w, r)
	defer s.finishRequest(c, r)
	if p := s.rejectUnknownRoute(r); p != nil {
		s.writeProblem(c, p)
		return
	}
	s.mux.ServeHTTP(c.response, r)
}

// rejectUnknownRoute refuses what the mux would answer in words of its own, or with a
// redirection to a path that it likes better.
func (s *Server) rejectUnknownRoute(r *http.Request) *Problem {
	if path.Clean(r.URL.Path) != r.URL.Path {
		return newProblem(http.StatusNotFound, "there is no such call; GET /openapi.json describes those that there are")
	}
	handler, pattern := s.mux.Handler(r)
	if pattern != "" {
		return nil
	}
	muxResponse := discardWriter{header: http.Header{}}
	handler.ServeHTTP(&muxResponse, r)
	if muxResponse.status == http.StatusMethodNotAllowed {
		return newProblem(http.StatusMethodNotAllowed, "this path has no such method; the Allow header names those that it has").
			withHeader("Allow", muxResponse.header.Get("Allow"))
	}
	return newProblem(http.StatusNotFound, "there is no such call; GET /openapi.json describes those that there are")
}

// discardWriter takes an answer's head and throws its body away.
type discardWriter struct {
	header http.Header
	status int
}

func (d *discardWriter) Header() http.Header         { return d.header }
func (d *discardWriter) WriteHeader(status int)      { d.status = status }
func (d *discardWriter) Write(p []byte) (int, error) { return len(p), nil }

// Drain ends what would not end by itself: followers of events are let go, and
// each run inside a request gives its tenant back and says so. The server is no
// longer ready from then on. NewServer calls it at shutdown.
func (s *Server) Drain() { s.drain() }

// Close drains, and returns when everything that was to be recorded is. No
// request may come any more.
func (s *Server) Close() {
	s.drain()
	s.recorder.close()
}
