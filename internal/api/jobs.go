package api

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
)

// registerJobRoutes registers the operation for jobs.
func (s *Server) registerJobRoutes() {
	registerEndpoint(s, &endpoint{
		id: "get-job", method: http.MethodGet, path: "/jobs/{jobId}", tag: "jobs", filtered: true,
		summary: "Show a job", description: "A job is deleted some days after it has finished. The tenant's provisioning status is kept.", scope: access.ScopeRead,
	}, s.getJob)
}

type jobInput struct {
	ID string `path:"jobId" doc:"The jobId that queued the work." example:"4711"`
}

type jobView struct {
	ID          string     `json:"id"`
	TenantID    uuid.UUID  `json:"tenantId" format:"uuid"`
	Move        string     `json:"move" enum:"provision,suspend,resume,archive,unarchive,purge,repair" doc:"What the job does with the tenant."`
	State       string     `json:"state" enum:"queued,running,retrying,completed,failed" doc:"completed: the tenant is ACTIVE, or the operation is done; failed: the tenant is FAILED, its provisioning was aborted, or the operation was not possible."`
	Attempt     int        `json:"attempt" minimum:"0" doc:"Attempts started."`
	MaxAttempts int        `json:"maxAttempts" minimum:"1"`
	Error       *string    `json:"error" doc:"Error of the last failed attempt."`
	CreatedAt   time.Time  `json:"createdAt"`
	ScheduledAt time.Time  `json:"scheduledAt" doc:"When the next attempt is due."`
	FinishedAt  *time.Time `json:"finishedAt"`
}

func (s *Server) getJob(ctx context.Context, in *jobInput) (*bodyOutput[jobView], error) {
	job, err := s.visibleJob(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return newBodyOutput(jobView{
		ID: job.ID, TenantID: job.TenantID, Move: cmp.Or(string(job.Move), "provision"), State: string(job.State), Attempt: job.Attempt, MaxAttempts: job.MaxAttempts,
		Error: dto.Text(job.Error), CreatedAt: job.CreatedAt.UTC(), ScheduledAt: job.ScheduledAt.UTC(), FinishedAt: dto.Time(job.FinishedAt),
	}), nil
}
