package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/openapi"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// queuedMoveDoc says in the descriptions of moves when they are queued.
const queuedMoveDoc = " A server without a worker queues it (202): follow the job, for which the key needs tenants:read. A failure is in the audit log."

// withoutWorkerDetail is the detail of a 501.
const withoutWorkerDetail = "this server runs without a worker (tenant-api serve --worker=false), so it may have no privileges for this operation; "

// queueMove queues a move, for a server without a worker.
func (s *Server) queueMove(ctx context.Context, id uuid.UUID, r provisioning.MoveRequest) (*huma.StreamResponse, error) {
	submission, err := s.opts.Service.SubmitMove(ctx, id, r)
	if err != nil {
		return nil, err
	}
	return s.queuedResponse(submission, "The job to "+string(r.Move)+" "+submission.Tenant.Name+" has been queued"), nil
}

// okJSON is a 200 of an operation that has another success status as well.
func (s *Server) okJSON(body any) *huma.StreamResponse {
	return s.jsonResponse(http.StatusOK, body, func(func(name, value string)) {})
}

// refuseWithoutWorker returns the 501 of an operation that only works where a worker runs.
func (s *Server) refuseWithoutWorker(e *endpoint) *problem.Problem {
	if !s.opts.WithoutWorker || e.workerRemedy == "" {
		return nil
	}
	return problem.New(http.StatusNotImplemented, withoutWorkerDetail+e.workerRemedy)
}

// moveResponses are those of a move that is done in the request or, without a worker, queued.
func moveResponses[T any](description string, headers ...string) func(huma.Registry) map[string]*huma.Response {
	return func(r huma.Registry) map[string]*huma.Response {
		done := openapi.JSONResponse(description, openapi.SchemaRef[T](r))
		for _, name := range headers {
			if done.Headers == nil {
				done.Headers = map[string]*huma.Param{}
			}
			done.Headers[name] = &huma.Param{Description: "The tenant's version, for If-Match and If-None-Match.", Schema: &huma.Schema{Type: huma.TypeString}}
		}
		queued := queuedResponses(r)
		queued["202"].Description = "Queued for a worker: this server runs without one."
		queued["200"] = done
		return queued
	}
}
