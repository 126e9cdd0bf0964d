package provider

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// statusDataSource reads the progress of a tenant's provisioning.
type statusDataSource struct{ baseResource }

func newStatusDataSource() datasource.DataSource { return &statusDataSource{} }

type statusDataModel struct {
	TenantID   types.String `tfsdk:"tenant_id"`
	TenantName types.String `tfsdk:"tenant_name"`
	Status     types.String `tfsdk:"status"`
	Attempt    types.Int64  `tfsdk:"attempt"`
	Error      types.String `tfsdk:"error"`
	Steps      []stepModel  `tfsdk:"steps"`
}

type stepModel struct {
	Step       types.String  `tfsdk:"step"`
	Status     types.String  `tfsdk:"status"`
	DurationMs types.Float64 `tfsdk:"duration_ms"`
	Error      types.String  `tfsdk:"error"`
	Result     types.String  `tfsdk:"result"`
}

func (d *statusDataSource) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_tenant_provisioning_status"
}

func (d *statusDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	computed := func(text string) schema.StringAttribute {
		return schema.StringAttribute{Computed: true, MarkdownDescription: text}
	}
	resp.Schema = schema.Schema{
		MarkdownDescription: "Progress of a tenant's provisioning: the seven steps of its newest attempt.",
		Attributes: map[string]schema.Attribute{
			"tenant_id":   schema.StringAttribute{Required: true, Validators: []validator.String{fieldValidator{"tenant_id", checkUUID}}, MarkdownDescription: "The tenant's `id`."},
			"tenant_name": computed("Name of the tenant."),
			"status":      computed("Status of the tenant."),
			"attempt":     schema.Int64Attribute{Computed: true, MarkdownDescription: "Number of the newest attempt, from 1."},
			"error":       computed("Why the last attempt failed; null if it did not fail."),
			"steps": schema.ListNestedAttribute{Computed: true, MarkdownDescription: "The steps of the newest attempt that have started, in their order.",
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"step":        computed("`CREATE_TENANT_RECORD`, `CREATE_SCHEMA`, `RUN_MIGRATIONS`, `SEED_ROLES_AND_USER`, `DEPLOY_SOROBAN_CONTRACT`, `STORE_CONTRACT_ADDRESS` or `SEND_WELCOME_EMAIL`."),
					"status":      computed("`PENDING`, `IN_PROGRESS`, `COMPLETED`, `FAILED`, `ROLLED_BACK` or `SKIPPED`."),
					"duration_ms": schema.Float64Attribute{Computed: true, MarkdownDescription: "Duration of the step in whole milliseconds; null until it has ended."},
					"error":       computed("Why the step failed or is retried; null otherwise."),
					"result":      computed("Result of the step as a JSON object; null if there is none."),
				}}},
		},
	}
}

func (d *statusDataSource) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	d.setBackend(req.ProviderData, &resp.Diagnostics)
}

func (d *statusDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	ctx = d.withLogMask(ctx)
	var model statusDataModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &model)...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := withTimeout(ctx, "read", readTimeout)
	defer cancel()
	if err := d.read(ctx, &model); err != nil {
		diagnostic{operation: "read", name: model.TenantID.ValueString(), remedy: notFoundRemedy(err)}.add(ctx, &resp.Diagnostics, err)
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &model)...)
}

func (d *statusDataSource) read(ctx context.Context, m *statusDataModel) error {
	id, err := uuid.Parse(m.TenantID.ValueString())
	if err != nil {
		return errs.Errorf(errs.KindInvalid, "read provisioning status", "tenant_id is not a UUID")
	}
	service, err := d.open(ctx)
	if err != nil {
		return err
	}
	t, err := service.Get(ctx, id)
	if err != nil {
		return err
	}
	entries, err := service.Log(ctx, id, false)
	if err != nil {
		return err
	}
	m.TenantName, m.Status, m.Error = types.StringValue(t.Name), types.StringValue(string(t.Status)), nullableString(t.ProvisioningError)
	m.Attempt = types.Int64Value(int64(t.Attempt))
	m.Steps = make([]stepModel, len(entries))
	for i, e := range entries {
		m.Steps[i] = stepModelOf(e)
	}
	return nil
}

func stepModelOf(e tenant.LogEntry) stepModel {
	s := stepModel{
		Step: types.StringValue(string(e.Step)), Status: types.StringValue(string(e.Status)), Error: nullableString(e.Error),
		DurationMs: types.Float64Null(), Result: types.StringNull(),
	}
	if e.Status != tenant.StepPending && e.Status != tenant.StepInProgress {
		s.DurationMs = types.Float64Value(float64(e.Duration.Round(1_000_000).Milliseconds()))
	}
	if len(e.Result) > 0 {
		if text, err := json.Marshal(e.Result); err == nil {
			s.Result = types.StringValue(string(text))
		}
	}
	return s
}
