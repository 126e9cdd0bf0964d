package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// A narrowed key is for the tenants alone whose metadata has some pairs. Others do not exist for
// it. Every operation on one tenant is checked here; of the others, those that are marked as
// filtered answer with such tenants alone, and all the rest are refused, new ones included.

// narrow refuses a request of a narrowed key that is for another tenant, or for all.
func (s *Server) narrow(ctx context.Context, e *endpoint, c *requestContext) *problem.Problem {
	visible := c.identity.OnlyMetadata
	switch {
	case len(visible) == 0 || e.filtered:
		return nil
	case !strings.HasPrefix(e.path, tenantPath):
		return problem.New(http.StatusForbidden, "this key is only for tenants with some metadata, and this call is not about one of them; use a key for all tenants")
	case c.tenantID == uuid.Nil:
		return nil // No tenant has that id; the handler says so.
	}
	t, err := s.opts.Service.Get(ctx, c.tenantID)
	if err != nil && errs.KindOf(err) != errs.KindNotFound {
		return problem.From(err)
	}
	if err != nil || !visible.Matches(t.Metadata) {
		return problem.From(errUnknownTenant(c.tenantID))
	}
	return nil
}

// errUnknownTenant is the same for a tenant that does not exist and for one that the caller does not
// see.
func errUnknownTenant(id uuid.UUID) error {
	return errs.Errorf(errs.KindNotFound, "read tenant", "there is no tenant %s", id)
}

// visibleJob returns a job of a tenant that the caller sees. A narrowed key gets the same error for
// every other job, whether it exists or not.
func (s *Server) visibleJob(ctx context.Context, id string) (provisioning.Job, error) {
	visible := tenant.Visible(ctx)
	job, err := s.opts.Jobs.Job(ctx, id)
	if len(visible) == 0 {
		return job, err
	}
	var t tenant.Tenant
	if err == nil {
		t, err = s.opts.Service.Get(ctx, job.TenantID)
	}
	if errs.KindOf(err) == errs.KindNotFound || err == nil && !visible.Matches(t.Metadata) {
		err = errs.Errorf(errs.KindNotFound, "read job", "there is no job %q of this key's tenants; finished jobs are deleted after some days", id)
	}
	return job, err
}

// checkMetadata returns an error if the caller would not see a tenant with this metadata.
func checkMetadata(ctx context.Context, metadata map[string]string) error {
	visible := tenant.Visible(ctx)
	key := visible.Missing(metadata)
	if key == "" {
		return nil
	}
	return problem.Invalid(problem.FieldError{Field: "metadata." + key, Message: fmt.Sprintf("has to be %q: this key is only for such tenants", visible[key])})
}
