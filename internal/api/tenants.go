package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

type createTenantInput struct {
	IdempotencyKey string `header:"Idempotency-Key" minLength:"1" maxLength:"255" pattern:"^[!-~]+$" patternDescription:"visible ASCII characters" doc:"Repeating this request with the same key returns the first response, for 24 hours."`
	Body           createBody
}

func (s *Server) createTenant(ctx context.Context, in *createTenantInput) (*huma.StreamResponse, error) {
	inputs, err := in.Body.inputs()
	if err != nil {
		return nil, err
	}
	if err := checkMetadata(ctx, inputs.Metadata); err != nil {
		return nil, err
	}
	idempotency, err := newIdempotency(requestContextFrom(ctx), in.IdempotencyKey, inputs)
	if err != nil {
		return nil, err
	}
	submission, err := s.opts.Service.Submit(ctx, inputs, idempotency)
	if err != nil {
		return nil, err
	}
	return s.queuedResponse(submission, "Tenant provisioning for "+inputs.Name+" has been queued"), nil
}

type checkTenantInput struct{ Body createBody }

// checkedView says that what was checked would be possible.
type checkedView struct {
	Status string `json:"status" enum:"valid"`
}

func (s *Server) checkTenant(ctx context.Context, in *checkTenantInput) (*bodyOutput[checkedView], error) {
	inputs, err := in.Body.inputs()
	if err == nil {
		err = checkMetadata(ctx, inputs.Metadata)
	}
	if err == nil {
		err = s.opts.Service.CheckInputs(ctx, inputs)
	}
	if err != nil {
		return nil, err
	}
	return newBodyOutput(checkedView{"valid"}), nil
}

// queuedResponse is the response to a request that queued a job.
func (s *Server) queuedResponse(sub provisioning.Submission, message string) *huma.StreamResponse {
	body := submissionView{JobID: sub.JobID, Status: "queued", Message: message, TenantID: sub.Tenant.ID}
	return s.jsonResponse(http.StatusAccepted, body, func(h func(name, value string)) {
		h("Location", "/admin/tenants/"+sub.Tenant.ID.String())
		if sub.Replayed {
			h("Idempotency-Replayed", "true")
		}
	})
}

// jsonResponse is a JSON response whose headers or status huma cannot derive from a type.
func (s *Server) jsonResponse(status int, body any, headers func(func(name, value string))) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		headers(ctx.SetHeader)
		ctx.SetHeader("Content-Type", "application/json")
		ctx.SetStatus(status)
		if err := s.api.Marshal(ctx.BodyWriter(), "application/json", body); err != nil {
			panic(err) // Cannot happen: every view can be marshaled.
		}
	}}
}

type tenantOutput struct {
	Status int
	ETag   string `header:"ETag" doc:"The tenant's version, for If-Match and If-None-Match." example:"\"3\""`
	Body   dto.Tenant
}

func withETag(t tenant.Tenant, err error) (*tenantOutput, error) {
	if err != nil {
		return nil, err
	}
	return &tenantOutput{Status: http.StatusOK, ETag: etag(t.Version), Body: dto.NewTenant(t)}, nil
}

type getTenantInput struct {
	ByID
	IfNoneMatch string `header:"If-None-Match" minLength:"1" pattern:"^(\\*|(W/)?\"[!#-~]*\"( *, *(W/)?\"[!#-~]*\")*)$" patternDescription:"an unchanged ETag" doc:"Returns 304 if the tenant is still at this version."`
}

func (s *Server) getTenant(ctx context.Context, in *getTenantInput) (*tenantOutput, error) {
	condition, err := parseCondition("If-None-Match", in.IfNoneMatch)
	if err != nil {
		return nil, err
	}
	out, err := withETag(s.opts.Service.Get(ctx, in.tenantID))
	if err != nil {
		return nil, err
	}
	out.Body = s.withPermittedOutputs(ctx, out.Body)
	if condition.matches(out.Body.Version) {
		out.Status = http.StatusNotModified
	}
	return out, nil
}

// withPermittedOutputs is a tenant with its outputs, if the caller may see them.
func (*Server) withPermittedOutputs(ctx context.Context, t dto.Tenant) dto.Tenant {
	if access.Permits(requestContextFrom(ctx).identity.Scopes, access.ScopeWrite) {
		return t
	}
	return t.WithoutOutputs()
}

type updateTenantInput struct {
	ByID
	IfMatch string `header:"If-Match" minLength:"1" pattern:"^(\\*|(W/)?\"[!#-~]*\"( *, *(W/)?\"[!#-~]*\")*)$" patternDescription:"an unchanged ETag" doc:"Change only this version of the tenant; see ETag." example:"\"3\""`
	Body    patchBody
}

func (s *Server) updateTenant(ctx context.Context, in *updateTenantInput) (*tenantOutput, error) {
	condition, err := parseCondition("If-Match", in.IfMatch)
	if err != nil {
		return nil, err
	}
	patch, err := in.Body.patch()
	if err != nil {
		return nil, err
	}
	if patch.Metadata != nil {
		if err := checkMetadata(ctx, *patch.Metadata); err != nil {
			return nil, err
		}
	}
	version, err := s.expectedVersion(ctx, in.tenantID, condition)
	if err != nil {
		return nil, err
	}
	return withETag(s.opts.Service.Patch(ctx, in.tenantID, patch, version))
}

type progressInput struct {
	ByID
	Attempts string `query:"attempts" enum:"newest,all" default:"newest" doc:"newest returns the log of the newest attempt, all returns the logs of all attempts."`
}

func (s *Server) getProvisioningStatus(ctx context.Context, in *progressInput) (*bodyOutput[dto.Progress], error) {
	t, err := s.opts.Service.Get(ctx, in.tenantID)
	if err != nil {
		return nil, err
	}
	entries, err := s.opts.Service.Log(ctx, in.tenantID, in.Attempts == "all")
	if err != nil {
		return nil, err
	}
	v := dto.Progress{
		TenantID: t.ID, TenantName: t.Name, OverallStatus: string(t.Status), Logs: dto.NewLog(entries),
		CreatedAt: t.CreatedAt.UTC(), UpdatedAt: t.UpdatedAt.UTC(),
	}
	if t.Status.Terminal() {
		v.CompletedAt = dto.Time(completedAt(t, entries))
	}
	return newBodyOutput(v), nil
}

// completedAt returns the end of the last step of an ended attempt. The tenant's updatedAt
// is not suitable, because later changes move it.
func completedAt(t tenant.Tenant, log []tenant.LogEntry) time.Time {
	last := time.Time{}
	for _, e := range log {
		if stepEnd := e.CreatedAt.Add(e.Duration); stepEnd.After(last) {
			last = stepEnd
		}
	}
	if last.IsZero() {
		return t.UpdatedAt
	}
	return last
}

func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }
