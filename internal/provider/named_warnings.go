package provider

import (
	"context"
	"strconv"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// maxNameInSummary is how much of a tenant's name a summary has, in characters.
const maxNameInSummary = 60

// nameWarnings adds a tenant's name to the summaries of its warnings. Of warnings with one summary,
// Terraform shows the first alone, and each has an import block or a command of its own. values are the
// states of the tenant, of which the first that has a name counts.
func (s *server) nameWarnings(ctx context.Context, typeName string, diags []*tfprotov6.Diagnostic, values ...*tfprotov6.DynamicValue) {
	if len(diags) == 0 || typeName != tenantTypeName || s.tenants.init(ctx) != nil {
		return
	}
	name := ""
	for _, value := range values {
		if name != "" || value == nil {
			continue
		}
		attributes, err := objectOf(value, s.tenants.kind)
		if err != nil || attributes["name"].As(&name) != nil {
			name = ""
		}
	}
	if name == "" {
		return
	}
	for _, d := range diags {
		if d.Severity == tfprotov6.DiagnosticSeverityWarning {
			d.Summary += ": " + strconv.Quote(errs.Truncate(name, maxNameInSummary))
		}
	}
}

// PlanResourceChange plans, with a summary of its own for each warning.
func (s *server) PlanResourceChange(ctx context.Context, req *tfprotov6.PlanResourceChangeRequest) (*tfprotov6.PlanResourceChangeResponse, error) {
	resp, err := s.ProviderServer.PlanResourceChange(ctx, req)
	if resp != nil {
		s.nameWarnings(ctx, req.TypeName, resp.Diagnostics, req.ProposedNewState, req.PriorState)
	}
	return resp, err
}

// ReadResource reads, with a summary of its own for each warning.
func (s *server) ReadResource(ctx context.Context, req *tfprotov6.ReadResourceRequest) (*tfprotov6.ReadResourceResponse, error) {
	resp, err := s.readResource(ctx, req)
	if resp != nil {
		s.nameWarnings(ctx, req.TypeName, resp.Diagnostics, req.CurrentState)
	}
	return resp, err
}
