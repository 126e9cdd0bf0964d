package api

import (
	"context"
	"encoding/hex"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
)

// registerOperationRoutes are the calls that are not about one tenant.
func (s *Server) registerOperationRoutes() {
	registerEndpoint(s, &endpoint{
		id: "get-job", method: http.MethodGet, path: "/jobs/{jobId}", tag: "jobs",
		summary: "Show a job", description: "A job is forgotten some days after its end; the tenant's provisioning status is not.", scope: access.ScopeRead,
	}, s.getJob)
	registerEndpoint(s, &endpoint{id: "get-health", method: http.MethodGet, path: "/health", tag: "health", summary: "Tell that the server runs"}, s.getHealth)
	registerEndpoint(s, &endpoint{
		id: "get-livez", method: http.MethodGet, path: "/livez", tag: "health", summary: "Tell that the server runs, under the name that Kubernetes uses",
	}, s.getHealth)
	registerEndpoint(s, &endpoint{
		id: "get-readyz", method: http.MethodGet, path: "/readyz", tag: "health",
		summary: "Tell whether the server can do its work", description: "503 names the parts that are down.", responses: readinessResponses,
	}, s.getReadiness)
}

type jobInput struct {
	ID string `path:"jobId" doc:"The jobId that queued the work." example:"4711"`
}

type jobView struct {
	ID          string     `json:"id"`
	TenantID    uuid.UUID  `json:"tenantId" format:"uuid"`
	State       string     `json:"state" enum:"queued,running,retrying,completed,failed" doc:"completed: the tenant is ACTIVE; failed: it is FAILED, or was given up."`
	Attempt     int        `json:"attempt" minimum:"0" doc:"Attempts begun."`
	MaxAttempts int        `json:"maxAttempts" minimum:"1"`
	Error       *string    `json:"error" doc:"Of the last attempt that failed; for people."`
	CreatedAt   time.Time  `json:"createdAt"`
	ScheduledAt time.Time  `json:"scheduledAt" doc:"When the next attempt is due."`
	FinishedAt  *time.Time `json:"finishedAt"`
}

func (s *Server) getJob(ctx context.Context, in *jobInput) (*bodyOutput[jobView], error) {
	job, err := s.opts.Jobs.Job(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return newBodyOutput(jobView{
		ID: job.ID, TenantID: job.TenantID, State: string(job.State), Attempt: job.Attempt, MaxAttempts: job.MaxAttempts,
		Error: dto.Text(job.Error), CreatedAt: job.CreatedAt.UTC(), ScheduledAt: job.ScheduledAt.UTC(), FinishedAt: dto.Time(job.FinishedAt),
	}), nil
}

type auditInput struct {
	ByID
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"How many to show at most."`
	Cursor string `query:"cursor" minLength:"1" maxLength:"128" doc:"Where the page before ended: its nextCursor."`
}

type auditView struct {
	Seq     int64          `json:"seq" minimum:"1" doc:"From 1, without gaps."`
	At      time.Time      `json:"at"`
	Action  string         `json:"action" example:"tenant.archive"`
	Outcome string         `json:"outcome" enum:"DONE,REFUSED"`
	Caller  dto.Caller     `json:"caller"`
	Detail  map[string]any `json:"detail" nullable:"false"`
	Hash    string         `json:"hash" pattern:"^[0-9a-f]{64}$" doc:"SHA-256 over the hash before it and this event."`
}

type auditPage struct {
	Events     []auditView `json:"events" nullable:"false" doc:"Oldest first."`
	NextCursor string      `json:"nextCursor,omitempty" doc:"The cursor of the next page; absent on the last one."`
}

func (s *Server) listAuditEvents(ctx context.Context, in *auditInput) (*bodyOutput[auditPage], error) {
	id, err := in.tenantID()
	if err != nil {
		return nil, err
	}
	key, after := dto.ListName("audit", id.String()), int64(0)
	if in.Cursor != "" {
		var ok bool
		if after, ok = dto.OpenSeqCursor(key, in.Cursor); !ok {
			return nil, errInvalidCursor
		}
	}
	events, err := s.opts.Service.Events(ctx, id, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	page := auditPage{Events: []auditView{}}
	for i, e := range events {
		if i == in.Limit {
			page.NextCursor = dto.SeqCursor(key, events[i-1].Seq)
			break
		}
		v := auditView{
			Seq: e.Seq, At: e.At.UTC(), Action: string(e.Action), Outcome: string(e.Outcome),
			Caller: dto.NewCaller(e.Caller), Detail: e.Detail, Hash: hex.EncodeToString(e.Hash),
		}
		if v.Detail == nil {
			v.Detail = map[string]any{}
		}
		page.Events = append(page.Events, v)
	}
	return newBodyOutput(page), nil
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
		"200": {Description: "Ready.", Content: map[string]*huma.MediaType{"application/json": {Schema: schemaRef[healthView](r)}}},
		"503": {Description: "Not ready.", Content: map[string]*huma.MediaType{"application/json": {Schema: schemaRef[notReadyView](r)}}},
	}
}

// getReadiness asks all parts at once. What is wrong with one is in the log only.
func (s *Server) getReadiness(ctx context.Context, _ *struct{}) (*huma.StreamResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeouts.check)
	defer cancel()
	var wg sync.WaitGroup
	draining := Check{"server", func(context.Context) error { return s.drainCtx.Err() }}
	checks := append([]Check{draining}, s.opts.Checks...)
	results := make([]checkView, len(checks))
	for i, check := range checks {
		wg.Go(func() { results[i] = s.runCheck(ctx, check) })
	}
	wg.Wait()
	ready := !slices.ContainsFunc(results, func(c checkView) bool { return c.Status != "ok" })
	noHeaders := func(func(name, value string)) {}
	if ready {
		return s.jsonResponse(http.StatusOK, healthView{"ok"}, noHeaders), nil
	}
	return s.jsonResponse(http.StatusServiceUnavailable, notReadyView{"unavailable", results}, noHeaders), nil
}
