package provider

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/action/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// tenantAction is a Terraform action on one tenant.
type tenantAction struct {
	baseResource
	typeSuffix      string // After the provider's name: "tenant_retry".
	description     string
	operation       string // For diagnostics: "retry".
	extraAttributes map[string]schema.Attribute
	run             func(ctx context.Context, call actionCall) error
}

// actionCall is one invocation.
type actionCall struct {
	*backend
	service  tenantService
	id       uuid.UUID
	inputs   actionInputs
	progress func(format string, args ...any) // Shows progress in the CLI.
	diags    *diag.Diagnostics
}

// actionInputs are the extra attributes of actions.
type actionInputs struct {
	confirm  string
	skipUndo []string // Own steps whose undo is skipped.
	reason   string   // Of skipUndo.
}

// readInputs reads the extra attributes that the action has.
func (a *tenantAction) readInputs(ctx context.Context, req action.InvokeRequest, diags *diag.Diagnostics) (in actionInputs) {
	var confirm, reason types.String
	for name, target := range map[string]any{"confirm": &confirm, "skip_undo": &in.skipUndo, "reason": &reason} {
		if _, has := a.extraAttributes[name]; has {
			diags.Append(req.Config.GetAttribute(ctx, path.Root(name), target)...)
		}
	}
	in.confirm, in.reason = confirm.ValueString(), reason.ValueString()
	if in.reason != "" && len(in.skipUndo) == 0 {
		diags.AddAttributeError(path.Root("reason"), "Invalid reason", "It is set without skip_undo. Name the own steps whose undo is to be skipped, or remove it. Nothing was changed.")
	}
	return in
}

func (a *tenantAction) Metadata(_ context.Context, req action.MetadataRequest, resp *action.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_" + a.typeSuffix
}

func (a *tenantAction) Schema(_ context.Context, _ action.SchemaRequest, resp *action.SchemaResponse) {
	attributes := map[string]schema.Attribute{
		"tenant_id": schema.StringAttribute{Required: true, Validators: []validator.String{fieldValidator{"tenant_id", checkUUID}}, MarkdownDescription: "The tenant's `id`."},
	}
	for name, attribute := range a.extraAttributes {
		attributes[name] = attribute
	}
	resp.Schema = schema.Schema{MarkdownDescription: a.description, Attributes: attributes}
}

func (a *tenantAction) Configure(_ context.Context, req action.ConfigureRequest, resp *action.ConfigureResponse) {
	a.setBackend(req.ProviderData, &resp.Diagnostics)
}

func (a *tenantAction) Invoke(ctx context.Context, req action.InvokeRequest, resp *action.InvokeResponse) {
	ctx = a.withLogMask(ctx)
	var id types.String
	resp.Diagnostics.Append(req.Config.GetAttribute(ctx, path.Root("tenant_id"), &id)...)
	in := a.readInputs(ctx, req, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := withTimeout(ctx, a.operation, updateTimeout)
	defer cancel()
	progress := func(format string, args ...any) {
		resp.SendProgress(action.InvokeProgressEvent{Message: fmt.Sprintf(format, args...)})
	}
	if err := a.invoke(withProgress(ctx, progress), id.ValueString(), in, progress, &resp.Diagnostics); err != nil {
		diagnostic{operation: a.operation, name: id.ValueString(), state: "The tenant stays as it is.", remedy: actionRemedy(err)}.add(ctx, &resp.Diagnostics, err)
	}
}

func (a *tenantAction) invoke(ctx context.Context, tenantID string, in actionInputs, progress func(string, ...any), diags *diag.Diagnostics) error {
	id, err := uuid.Parse(tenantID)
	if err != nil {
		return errs.Errorf(errs.KindInvalid, a.operation+" tenant", "tenant_id is not a UUID")
	}
	service, err := a.open(ctx)
	if err != nil {
		return err
	}
	if len(in.skipUndo) > 0 {
		if err := service.SkipUndo(ctx, id, in.skipUndo, in.reason); err != nil {
			return err
		}
	}
	return a.run(ctx, actionCall{backend: a.backend, service: service, id: id, inputs: in, progress: progress, diags: diags})
}

// actionRemedy returns what the user can do after an action failed.
func actionRemedy(err error) string {
	switch errs.KindOf(err) {
	case errs.KindConflict, errs.KindNotFound, errs.KindInvalid:
		return "Read the tenant with the data source healthcare_tenant, and correct the action."
	default:
		return "Once the cause is gone, invoke the action again. TF_LOG_PROVIDER=DEBUG shows the cause in detail."
	}
}

type progressKey struct{}

// withProgress returns a context with which reportStep sends the steps of a run to progress.
func withProgress(ctx context.Context, progress func(format string, args ...any)) context.Context {
	return context.WithValue(ctx, progressKey{}, progress)
}

// reportStep sends a step to the progress function of the context, if there is one.
func reportStep(ctx context.Context, e provisioning.Event) {
	progress, ok := ctx.Value(progressKey{}).(func(string, ...any))
	if !ok {
		return
	}
	if e.Message != "" {
		progress("step %s: %s", e.Step, e.Message)
		return
	}
	progress("step %s is %s", e.Step, e.Status)
}
