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

// The password is write-only: an apply has it in the configuration, and neither a plan
// nor the state contains it. The version attribute is in both: a changed version means
// that the password must be set again.
var passwordPath = path.Root("admin_password_wo")

func passwordAttribute() schema.StringAttribute {
	return schema.StringAttribute{
		Optional: true, WriteOnly: true, Sensitive: true,
		Validators: []validator.String{passwordValidator{}, stringvalidator.AlsoRequires(path.MatchRoot("admin_password_wo_version"))},
		MarkdownDescription: "Password of the administrator, 12 to 256 characters, without the administrator's address in it. " +
			"Neither state nor plan contains it; only its argon2id hash is stored. " +
			"It is set when the tenant is created, and again when `admin_password_wo_version` changes, which makes open invitations invalid. " +
			"Without it, the invitation in the welcome mail lets the administrator choose a password.",
	}
}

func passwordVersionAttribute() schema.Int64Attribute {
	return schema.Int64Attribute{
		Optional:   true,
		Validators: []validator.Int64{int64validator.AlsoRequires(path.MatchRoot("admin_password_wo"))},
		MarkdownDescription: "Any number. A changed number sets `admin_password_wo` again, in place. " +
			"Removing both from the configuration changes nothing on the tenant. After an import the number is not known, so the next apply sets the password.",
	}
}

// passwordFromConfig reads the password from the configuration of an apply, "" if there is
// none. The returned context masks the password in logs.
func passwordFromConfig(ctx context.Context, config tfsdk.Config) (context.Context, tenant.Password, diag.Diagnostics) {
	var value types.String
	diags := config.GetAttribute(ctx, passwordPath, &value)
	password := value.ValueString()
	if password == "" {
		return ctx, "", diags
	}
	return tflog.MaskLogStrings(ctx, password), tenant.Password(password), diags
}

// passwordValidator applies the password rule of package tenant. The rule also compares
// the password with the administrator's address, once that is known.
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
