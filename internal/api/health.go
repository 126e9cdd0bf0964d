package api

import (
	"context"
	"net/http"
	"slices"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/openapi"
)

// registerHealthRoutes registers the operations that report the health of the server.
func (s *Server) registerHealthRoutes() {
	registerEndpoint(s, &endpoint{id: "get-health", method: http.MethodGet, path: "/health", tag: "health", summary: "Report that the server runs", description: "It asks no other system."}, s.getHealth)
	registerEndpoint(s, &endpoint{
		id: "get-livez", method: http.MethodGet, path: "/livez", tag: "health", summary: "Report that the server runs, at the path that Kubernetes uses", description: "Same as get-health.",
	}, s.getHealth)
	registerEndpoint(s, &endpoint{
		id: "get-readyz", method: http.MethodGet, path: "/readyz", tag: "health",
		summary: "Report whether the server can process requests", description: "503 names the checks that fail.", responses: readinessResponses,
	}, s.getReadiness)
}

type healthView struct {
	Status string `json:"status" enum:"ok"`
}

func (s *Server) getHealth(context.Context, *struct{}) (*bodyOutput[healthView], error) {
	return newBodyOutput(healthView{"ok"}), nil
}

type checkView struct {
	Name   string `json:"name" example:"database"`
	Status string `json:"status" enum:"ok,unavailable"`
}

type notReadyView struct {
	Status string      `json:"status" enum:"unavailable"`
	Checks []checkView `json:"checks" nullable:"false"`
}

func readinessResponses(r huma.Registry) map[string]*huma.Response {
	return map[string]*huma.Response{
		"200": openapi.JSONResponse("Ready.", openapi.SchemaRef[healthView](r)),
		"503": openapi.JSONResponse("Not ready.", openapi.SchemaRef[notReadyView](r)),
	}
}

// getReadiness returns the results of all checks. Concurrent callers share them, so that
// however many ask, each check runs once at a time.
func (s *Server) getReadiness(context.Context, *struct{}) (*huma.StreamResponse, error) {
	shared, _, _ := s.readiness.Do("", func() (any, error) { return s.runChecks(), nil })
	results, ok := shared.([]checkView)
	if !ok { // Cannot happen: it is what runChecks returned.
		panic("no results of checks")
	}
	ready := !slices.ContainsFunc(results, func(c checkView) bool { return c.Status != "ok" })
	noHeaders := func(func(name, value string)) {}
	if ready {
		return s.jsonResponse(http.StatusOK, healthView{"ok"}, noHeaders), nil
	}
	return s.jsonResponse(http.StatusServiceUnavailable, notReadyView{"unavailable", results}, noHeaders), nil
}

// runChecks runs all checks concurrently, with a timeout that no caller's context shortens.
// The error of a check is only logged.
func (s *Server) runChecks() []checkView {
	ctx, cancel := context.WithTimeout(context.Background(), s.timeouts.check)
	defer cancel()
	var wg sync.WaitGroup
	draining := Check{"server", func(context.Context) error { return s.drainCtx.Err() }}
	checks := append([]Check{draining}, s.opts.Checks...)
	results := make([]checkView, len(checks))
	for i, check := range checks {
		wg.Go(func() { results[i] = s.runCheck(ctx, check) })
	}
	wg.Wait()
	return results
}
