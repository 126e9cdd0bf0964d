package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/function"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// slugFunction computes the prefix of a tenant's schema name.
type slugFunction struct{}

func newSlugFunction() function.Function { return slugFunction{} }

func (slugFunction) Metadata(_ context.Context, _ function.MetadataRequest, resp *function.MetadataResponse) {
	resp.Name = "slug"
}

func (slugFunction) Definition(_ context.Context, _ function.DefinitionRequest, resp *function.DefinitionResponse) {
	resp.Definition = function.Definition{
		Summary: "Readable part of a tenant's schema name",
		MarkdownDescription: "Derives the prefix of a tenant's PostgreSQL schema name from the tenant's name: lower case ASCII letters, digits and underscores, " +
			"at most 40 bytes. The schema name itself is chosen once, when the tenant is created, and ends in `_` and a number.",
		Parameters: []function.Parameter{function.StringParameter{
			Name: "name", MarkdownDescription: "Name of the organisation, as `healthcare_tenant` takes it.",
		}},
		Return: function.StringReturn{},
	}
}

func (slugFunction) Run(ctx context.Context, req function.RunRequest, resp *function.RunResponse) {
	var name string
	if resp.Error = req.Arguments.Get(ctx, &name); resp.Error != nil {
		return
	}
	if err := tenant.CheckName(name); err != nil {
		resp.Error = function.NewArgumentFuncError(0, "name "+err.Error())
		return
	}
	resp.Error = resp.Result.Set(ctx, tenant.Slug(tenant.NormalizeName(name)))
}
