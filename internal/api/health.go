package api

import (
	"context"
	"net/http"
	"slices"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/openapi"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/monitoring"
)

// registerHealthRoutes registers the operations that report the health of the server.
func (s *Server) registerHealthRoutes() {
	registerEndpoint(s, &endpoint{id: "get-health", method: http.MethodGet, path: "/health", tag: "health", summary: "Report that the server runs", description: "It asks no other system."}, s.getHealth)
	registerEndpoint(s, &endpoint{
		id: "get-livez", method: http.MethodGet, path: "/livez", tag: "health", summary: "Report that the server runs, at the path that Kubernetes uses", description: "Same as get-health.",
	}, s.getHealth)
	registerEndpoint(s, &endpoint{
		id: "get-readyz", method: http.MethodGet, path: "/readyz", tag: "health",
		summary:     "Report whether the server can process requests, and what of it is degraded",
		description: "200 with the status degraded if only a worker, the RPC server or the mail server is missing: the server takes requests, and what needs it waits. These are checked in the background, so that no request waits for them; a part is missing until it was checked once. 503 if the server cannot serve: without a database that can be written, and while it stops.",
		responses:   readinessResponses,
	}, s.getReadiness)
}

type healthView struct {
	Status string `json:"status" enum:"ok"`
}

func (s *Server) getHealth(context.Context, *struct{}) (*bodyOutput[healthView], error) {
	return newBodyOutput(healthView{"ok"}), nil
}

type readyView struct {
	Status monitoring.CheckStatus `json:"status" enum:"ok,degraded"`
	Checks []dto.Check            `json:"checks" nullable:"false"`
}

type notReadyView struct {
	Status monitoring.CheckStatus `json:"status" enum:"unavailable"`
	Checks []dto.Check            `json:"checks" nullable:"false"`
}

func readinessResponses(r huma.Registry) map[string]*huma.Response {
	return map[string]*huma.Response{
		"200": openapi.JSONResponse("Ready. With degraded, what needs a worker, the RPC server or the mail server waits.", openapi.SchemaRef[readyView](r)),
		"503": openapi.JSONResponse("Not ready.", openapi.SchemaRef[notReadyView](r)),
	}
}

// getReadiness returns the results of all checks. Concurrent callers share them, so that
// however many ask, each check runs once at a time.
func (s *Server) getReadiness(context.Context, *struct{}) (*huma.StreamResponse, error) {
	results := s.sharedChecks()
	worst, views := monitoring.CheckOK, make([]dto.Check, len(results))
	for i, c := range results {
		views[i] = dto.NewCheck(c)
		if c.Status == monitoring.CheckUnavailable || worst == monitoring.CheckOK {
			worst = c.Status
		}
	}
	noHeaders := func(func(name, value string)) {}
	if worst == monitoring.CheckUnavailable {
		return s.jsonResponse(http.StatusServiceUnavailable, notReadyView{worst, views}, noHeaders), nil
	}
	return s.jsonResponse(http.StatusOK, readyView{worst, views}, noHeaders), nil
}

// sharedChecks returns the results of all checks, which callers at the same time share.
func (s *Server) sharedChecks() []monitoring.Check {
	shared, _, _ := s.readiness.Do("", func() (any, error) { return s.runChecks(), nil })
	results, ok := shared.([]monitoring.Check)
	if !ok { // Cannot happen: it is what runChecks returned.
		panic("no results of checks")
	}
	return results
}

// runChecks runs the checks without which the server cannot serve, concurrently, with a timeout that
// no caller's context shortens, and adds the results of those in the background.
func (s *Server) runChecks() []monitoring.Check {
	ctx, cancel := context.WithTimeout(context.Background(), s.timeouts.check)
	defer cancel()
	var wg sync.WaitGroup
	draining := Check{"server", func(context.Context) error { return s.drainCtx.Err() }}
	checks := append([]Check{draining}, s.opts.Checks...)
	results := make([]monitoring.Check, len(checks))
	for i, check := range checks {
		wg.Go(func() { results[i] = s.runCheck(ctx, check) })
	}
	wg.Wait()
	s.noteSince(results)
	if s.opts.Background == nil {
		return results
	}
	return slices.Concat(results, s.opts.Background())
}

// noteSince sets when each status was first seen. One call of runChecks runs at a time.
func (s *Server) noteSince(results []monitoring.Check) {
	for i := range results {
		c := &results[i]
		if before, ok := s.checked[c.Name]; ok && before.Status == c.Status {
			c.Since = before.Since
		}
		s.checked[c.Name] = *c
	}
}
