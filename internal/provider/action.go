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

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// tenantAction is something that is done to one tenant, at somebody's wish.
type tenantAction struct {
	configured
	name        string // Behind the provider's: "tenant_resume".
	description string
	tried       string // For diagnostics: "resume".
	more        map[string]schema.Attribute
	act         func(ctx context.Context, call actionCall) error
}

// actionCall is one invocation.
type actionCall struct {
	*backend
	service tenants
	id      uuid.UUID
	confirm string
	tell    func(format string, args ...any) // Progress, for people.
	diags   *diag.Diagnostics
}

func (a *tenantAction) Metadata(_ context.Context, req action.MetadataRequest, resp *action.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_" + a.name
}

func (a *tenantAction) Schema(_ context.Context, _ action.SchemaRequest, resp *action.SchemaResponse) {
	attributes := map[string]schema.Attribute{
		"tenant_id": schema.StringAttribute{Required: true, Validators: []validator.String{rule{"tenant_id", checkUUID}}, MarkdownDescription: "The tenant's `id`."},
	}
	for name, attribute := range a.more {
		attributes[name] = attribute
	}
	resp.Schema = schema.Schema{MarkdownDescription: a.description, Attributes: attributes}
}

func (a *tenantAction) Configure(_ context.Context, req action.ConfigureRequest, resp *action.ConfigureResponse) {
	a.configure(req.ProviderData, &resp.Diagnostics)
}

func (a *tenantAction) Invoke(ctx context.Context, req action.InvokeRequest, resp *action.InvokeResponse) {
	ctx = a.masked(ctx)
	var id, confirm types.String
	resp.Diagnostics.Append(req.Config.GetAttribute(ctx, path.Root("tenant_id"), &id)...)
	if _, typed := a.more["confirm"]; typed {
		resp.Diagnostics.Append(req.Config.GetAttribute(ctx, path.Root("confirm"), &confirm)...)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := within(ctx, a.tried, updateTimeout)
	defer cancel()
	tell := func(format string, args ...any) {
		resp.SendProgress(action.InvokeProgressEvent{Message: fmt.Sprintf(format, args...)})
	}
	if err := a.invoke(withProgress(ctx, tell), id.ValueString(), confirm.ValueString(), tell, &resp.Diagnostics); err != nil {
		report{tried: a.tried, name: id.ValueString(), survived: "The tenant stays as it is.", next: nextForAction(err)}.add(ctx, &resp.Diagnostics, err)
	}
}

func (a *tenantAction) invoke(ctx context.Context, tenant, confirm string, tell func(string, ...any), diags *diag.Diagnostics) error {
	id, err := uuid.Parse(tenant)
	if err != nil {
		return provisioning.Errorf(provisioning.KindInvalid, a.tried+" tenant", "tenant_id is no UUID")
	}
	service, err := a.open(ctx)
	if err != nil {
		return err
	}
	return a.act(ctx, actionCall{backend: a.backend, service: service, id: id, confirm: confirm, tell: tell, diags: diags})
}

// nextForAction says what to do after an action that was refused.
func nextForAction(err error) string {
	switch provisioning.KindOf(err) {
	case provisioning.KindConflict, provisioning.KindNotFound, provisioning.KindInvalid:
		return "Look at the tenant with the data source healthcare_tenant, and correct the action."
	default:
		return "Once the cause is gone, invoke the action again. TF_LOG_PROVIDER=DEBUG shows what lies behind it."
	}
}

type progressKey struct{}

// withProgress has the steps of a run told while it goes on.
func withProgress(ctx context.Context, tell func(format string, args ...any)) context.Context {
	return context.WithValue(ctx, progressKey{}, tell)
}

// tellStep tells a step to whoever waits for progress.
func tellStep(ctx context.Context, e provisioning.Event) {
	tell, ok := ctx.Value(progressKey{}).(func(string, ...any))
	if !ok {
		return
	}
	if e.Message != "" {
		tell("step %s: %s", e.Step, e.Message)
		return
	}
	tell("step %s is %s", e.Step, e.Status)
}
