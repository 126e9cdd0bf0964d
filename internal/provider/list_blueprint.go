package provider

import (
	"context"
	"math"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/list/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// blueprintListResource lists the blueprints that can be imported.
type blueprintListResource struct{ baseResource }

func newBlueprintListResource() list.ListResource { return &blueprintListResource{} }

func (l *blueprintListResource) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_blueprint"
}

func (l *blueprintListResource) ListResourceConfigSchema(_ context.Context, _ list.ListResourceSchemaRequest, resp *list.ListResourceSchemaResponse) {
	resp.Schema = schema.Schema{MarkdownDescription: "Blueprints that can be imported, by name: all that are published and not retired."}
}

func (l *blueprintListResource) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	l.setBackend(req.ProviderData, &resp.Diagnostics)
}

func (l *blueprintListResource) List(ctx context.Context, req list.ListRequest, stream *list.ListResultsStream) {
	ctx = l.withLogMask(ctx)
	stream.Results = func(push func(list.ListResult) bool) {
		left := req.Limit
		if left <= 0 {
			left = math.MaxInt64
		}
		found, err := l.read(ctx)
		if err != nil {
			// Diagnostics need a result: the framework drops them otherwise.
			var failed diag.Diagnostics
			diagnostic{object: "blueprint", operation: "list"}.add(ctx, &failed, err)
			push(list.ListResult{Diagnostics: failed})
			return
		}
		for _, s := range found {
			if !s.RetiredAt.IsZero() {
				continue
			}
			if !push(l.result(ctx, req, s)) {
				return
			}
			if left--; left == 0 {
				return
			}
		}
	}
}

func (l *blueprintListResource) read(ctx context.Context) ([]blueprint.Status, error) {
	ctx, cancel := withTimeout(ctx, "read", readTimeout)
	defer cancel()
	blueprints, err := l.blueprints(ctx)
	if err != nil {
		return nil, err
	}
	all, err := blueprints.List(ctx)
	if errs.KindOf(err) == errs.KindNotFound { // There is no registry yet.
		return nil, nil
	}
	return all, err
}

// result converts a blueprint; its resource equals that of a refresh after an import.
func (l *blueprintListResource) result(ctx context.Context, req list.ListRequest, s blueprint.Status) list.ListResult {
	r := req.NewListResult(ctx)
	r.DisplayName = s.Name
	r.Diagnostics.Append(r.Identity.Set(ctx, blueprintIdentityModel{types.StringValue(s.Name)})...)
	if !req.IncludeResource {
		return r
	}
	ctx, cancel := withTimeout(ctx, "read", readTimeout)
	defer cancel()
	blueprints, err := l.blueprints(ctx)
	if err == nil {
		s, err = blueprints.Get(ctx, s.Name) // With its revisions.
	}
	if err != nil {
		diagnostic{object: "blueprint", operation: "read", name: s.Name}.add(ctx, &r.Diagnostics, err)
		return r
	}
	model := blueprintModel{Files: types.MapNull(types.StringType), Activate: types.BoolValue(s.ActiveRevision != 0), Timeouts: nullTimeouts()}
	if revision, ok := model.currentRevision(s); ok {
		r.Diagnostics.Append(model.fill(ctx, revision)...)
	}
	r.Diagnostics.Append(r.Resource.Set(ctx, &model)...)
	return r
}
