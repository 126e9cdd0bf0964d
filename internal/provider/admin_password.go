package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// The password is write-only: it is in the configuration that comes with an apply,
// and neither in a plan nor in the state. The version beside it is in both, and
// tells that there is another password to set.
var passwordPath = path.Root("admin_password_wo")

func passwordAttribute() schema.StringAttribute {
	return schema.StringAttribute{
		Optional: true, WriteOnly: true, Sensitive: true,
		Validators: []validator.String{passwordValidator{}, stringvalidator.AlsoRequires(path.MatchRoot("admin_password_wo_version"))},
		MarkdownDescription: "Password of the administrator, 12 to 256 characters, without the administrator's address in it. " +
			"It is in no state and in no plan, and an argon2id hash is all that is stored of it. " +
			"It is set when the tenant is created, and again when `admin_password_wo_version` changes, which ends invitations that nobody has accepted. " +
			"Without it, the invitation in the welcome mail lets the administrator choose a password.",
	}
}

func passwordVersionAttribute() schema.Int64Attribute {
	return schema.Int64Attribute{
		Optional:   true,
		Validators: []validator.Int64{int64validator.AlsoRequires(path.MatchRoot("admin_password_wo"))},
		MarkdownDescription: "Any number. Another one sets `admin_password_wo` again, in place. " +
			"Taking both out of the configuration leaves the tenant as it is. After an import it is not known, so the next apply sets the password.",
	}
}

// passwordFromConfig reads the password from the configuration of an apply, "" if there is
// none, and keeps it out of everything that is logged with the context.
func passwordFromConfig(ctx context.Context, config tfsdk.Config) (context.Context, tenant.Password, diag.Diagnostics) {
	var value types.String
	diags := config.GetAttribute(ctx, passwordPath, &value)
	password := value.ValueString()
	if password == "" {
		return ctx, "", diags
	}
	return tflog.MaskLogStrings(ctx, password), tenant.Password(password), diags
}

// passwordValidator is the rule of package provisioning, held against the address as
// far as that is known.
type passwordValidator struct{}

func (passwordValidator) Description(context.Context) string             { return "follows the rule for passwords" }
func (r passwordValidator) MarkdownDescription(c context.Context) string { return r.Description(c) }

func (passwordValidator) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	var email types.String
	resp.Diagnostics.Append(req.Config.GetAttribute(ctx, path.Root("admin_email"), &email)...)
	if err := tenant.CheckPassword(req.ConfigValue.ValueString(), email.ValueString()); err != nil {
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid admin_password_wo", "The admin_password_wo "+err.Error()+".")
	}
}
