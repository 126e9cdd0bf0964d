package provider

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// attributePaths are the places of the core's fields in the resource.
var attributePaths = map[string]path.Path{
	"name": path.Root("name"), "adminEmail": path.Root("admin_email"),
	"adminFirstName": path.Root("admin_first_name"), "adminLastName": path.Root("admin_last_name"),
	"adminPassword": passwordPath,
	"externalId":    path.Root("external_id"), "metadata": path.Root("metadata"),
}

// diagnostic is one diagnostic in the making: what was tried, on which tenant, what
// is true now, what to do next.
type diagnostic struct {
	operation string // "create", as in "Could not create tenant".
	name      string // Of the tenant.
	state     string // What is true now; empty: nothing was changed.
	remedy    string // What to do; empty: what the error's kind suggests.
}

// add turns an error into a diagnostic, on the attribute at fault if there is
// one, and writes what people are not shown of it into the log.
func (d diagnostic) add(ctx context.Context, diags *diag.Diagnostics, err error) {
	tflog.Debug(ctx, "cause of the diagnostic", map[string]any{"tenant_name": d.name, "error": err.Error()})
	summary, prefix := "Could not "+d.operation+" tenant", fmt.Sprintf("Tenant %q: ", d.name)
	if d.name == "" { // It is about no single one.
		summary, prefix = summary+"s", ""
	}
	var timeout timeoutError
	timedOut := errors.As(context.Cause(ctx), &timeout) && errs.KindOf(err) == errs.KindTransient
	if timedOut {
		err = errs.Wrap(err, errs.KindTransient, d.operation+" tenant", "%s", timeout)
	}
	state, remedy := d.state, d.remedy
	if state == "" {
		state = "Nothing was changed."
	}
	if remedy == "" {
		remedy = remedyFor(errs.KindOf(err))
	}
	detail := fmt.Sprintf("%s%s.\n\n%s\n\n%s", prefix, errs.SafeMessage(err), state, remedy)
	fields := errs.FieldsOf(err)
	for _, f := range fields {
		if at, ok := attributePaths[f.Field]; ok {
			diags.AddAttributeError(at, summary, detail)
			return
		}
	}
	if timedOut {
		diags.AddAttributeError(path.Root("timeouts"), summary, detail)
		return
	}
	diags.AddError(summary, detail)
}

// remedyFor is the one table from kinds of errors to what a person can do.
func remedyFor(kind errs.Kind) string {
	switch kind {
	case errs.KindTransient:
		return "Once the cause is gone, run terraform apply again. TF_LOG_PROVIDER=DEBUG shows what lies behind it."
	case errs.KindConflict:
		return "Look at the tenant's present state with terraform plan, and apply again."
	case errs.KindCancelled:
		return "Run terraform apply again to continue."
	case errs.KindFenced:
		return "Wait for the other run to end, then run terraform plan."
	case errs.KindNotFound:
		return "Run terraform plan; it will show what is missing."
	case errs.KindInvalid:
		return "Correct the configuration and apply again."
	default:
		return "Correct the cause and run terraform apply again. TF_LOG_PROVIDER=DEBUG shows what lies behind it."
	}
}

// addWarnings says that the tenant is live and its welcome mail is not sent.
func addWarnings(diags *diag.Diagnostics, out provisioning.Outcome) {
	for _, warning := range out.Warnings {
		diags.AddAttributeWarning(path.Root("welcome_email_status"), "Welcome mail not sent",
			fmt.Sprintf("Tenant %q is live, but its administrator %s got no invitation: %s.\n\n"+
				"Correct the cause and run terraform apply again: it sends the mail again and changes nothing else.",
				out.Tenant.Name, out.Tenant.AdminEmail, warning))
	}
}
