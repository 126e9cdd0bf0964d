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
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// Server is the API as an http.Handler. See NewServer for what has to stand
// around it in a network.
type Server struct {
	opts     Options
	pace     pace
	mux      *http.ServeMux
	api      huma.API
	issuer   *issuer // Nil: keys alone.
	callers  *limiter
	refused  *limiter // By address.
	snapshot *access.Snapshot
	recorder *recorder
	metrics  *metrics
	runs     chan struct{} // A place for each run inside a request.
	watchers chan struct{}

	draining context.Context
	drain    context.CancelFunc

	describing sync.Once // Of openapi.
	openapi    []byte
}

// New wires a server. KindInvalid when the options cannot work. Close ends it.
func New(o Options) (*Server, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	s := &Server{
		opts: o, pace: defaultPace,
		callers:  newLimiter(o.RateLimit, o.Clock),
		refused:  newLimiter(o.RefusalLimit, o.Clock),
		snapshot: access.NewSnapshot(o.Keys, o.Clock),
		recorder: newRecorder(o.Service.Record, o.Logger),
		runs:     make(chan struct{}, o.MaxRuns),
		watchers: make(chan struct{}, o.MaxWatchers),
	}
	if o.OIDC.Issuer != "" {
		s.issuer = newIssuer(o.OIDC, o.Clock)
	}
	var err error
	if s.metrics, err = newMetrics(o.Metrics); err != nil {
		return nil, provisioning.Wrap(err, provisioning.KindInvalid, "set up API", "Metrics has metrics of these names already; give each server a registry of its own")
	}
	s.draining, s.drain = context.WithCancel(context.Background())
	s.build()
	go s.recorder.run()
	return s, nil
}

// pace is how long the server waits for what.
type pace struct {
	look    time.Duration // For changes that nobody told of.
	silence time.Duration // Between two signs of life of events.
	sign    time.Duration // Between two signs of life of a run.
	read    time.Duration // For a request to arrive whole.
	write   time.Duration // For an answer, or an event, to be taken in.
	work    time.Duration // For ordinary calls; a database that hangs is not waited for.
	part    time.Duration // For a part to say that it works.
}

var defaultPace = pace{
	look: 2 * time.Second, silence: 15 * time.Second, sign: 3 * time.Second,
	read: 10 * time.Second, write: 10 * time.Second, work: 15 * time.Second, part: 2 * time.Second,
}

// build makes the routes. It needs nothing of the server but its version, so the
// OpenAPI document can be had without the rest.
func (s *Server) build() {
	s.mux = http.NewServeMux()
	s.api = huma.NewAPI(s.config(), humago.NewAdapter(s.mux, ""))
	s.tenantRoutes()
	s.lifeRoutes()
	s.credentialRoutes()
	s.inspectionRoutes()
	s.operationRoutes()
	s.mux.HandleFunc("GET /openapi.json", s.serveOpenAPI)
	s.mux.HandleFunc("GET /docs", s.serveDocs)
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, r := s.begin(w, r)
	defer s.end(c, r)
	if p := s.noSuchCall(r); p != nil {
		s.refuse(c, p)
		return
	}
	s.mux.ServeHTTP(c.out, r)
}

// noSuchCall refuses what the mux would answer in words of its own, or with a
// redirection to a path that it likes better.
func (s *Server) noSuchCall(r *http.Request) *Problem {
	if path.Clean(r.URL.Path) != r.URL.Path {
		return newProblem(http.StatusNotFound, "there is no such call; GET /openapi.json describes those that there are")
	}
	handler, pattern := s.mux.Handler(r)
	if pattern != "" {
		return nil
	}
	refusal := discard{header: http.Header{}}
	handler.ServeHTTP(&refusal, r)
	if refusal.status == http.StatusMethodNotAllowed {
		return newProblem(http.StatusMethodNotAllowed, "this path has no such method; the Allow header names those that it has").
			with("Allow", refusal.header.Get("Allow"))
	}
	return newProblem(http.StatusNotFound, "there is no such call; GET /openapi.json describes those that there are")
}

// discard takes an answer's head and throws its body away.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }

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
