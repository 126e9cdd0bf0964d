package provider

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// attributePaths maps the field names of errors to attributes of the resource.
var attributePaths = map[string]path.Path{
	"name": path.Root("name"), "adminEmail": path.Root("admin_email"),
	"adminFirstName": path.Root("admin_first_name"), "adminLastName": path.Root("admin_last_name"),
	"adminPassword": passwordPath,
	"externalId":    path.Root("external_id"), "metadata": path.Root("metadata"),
	"blueprint": path.Root("blueprint"), "variables": path.Root("variables"), "locale": path.Root("locale"),
	"allowConfusableName": path.Root("allow_confusable_name"),
}

// attributePath returns the attribute of a field, for "variables.region" the key of the map.
func attributePath(field string) (path.Path, bool) {
	name, key, isKey := strings.Cut(field, ".")
	at, ok := attributePaths[name]
	if isKey {
		at = at.AtMapKey(key)
	}
	return at, ok
}

// diagnostic holds the parts of one diagnostic: the operation, the tenant or other object, the
// state after the error, and what to do next.
type diagnostic struct {
	operation string // "create", as in "Could not create tenant".
	object    string // Empty: "tenant".
	name      string // Of the object.
	state     string // What is true now; empty: nothing was changed.
	remedy    string // What to do; empty: what the error's kind suggests.

	attributes map[string]path.Path // Of errors' field names, if it is not about healthcare_tenant.
}

// add appends an error as a diagnostic, on the attribute that caused it if there is one.
// It logs the full error, because the diagnostic has only its safe message.
func (d diagnostic) add(ctx context.Context, diags *diag.Diagnostics, err error) {
	object := cmp.Or(d.object, "tenant")
	tflog.Debug(ctx, "cause of the diagnostic", map[string]any{object + "_name": d.name, "error": err.Error()})
	summary, prefix := "Could not "+d.operation+" "+object, fmt.Sprintf("%s%s %q: ", strings.ToUpper(object[:1]), object[1:], d.name)
	if d.name == "" { // It is about all objects.
		summary, prefix = summary+"s", ""
	}
	var timeout timeoutError
	kind := errs.KindOf(err)
	timedOut := errors.As(context.Cause(ctx), &timeout) && (kind == errs.KindTransient || kind == errs.KindCancelled)
	if timedOut {
		err = errs.Wrap(err, kind, d.operation+" "+object, "%s", timeout.in(errs.SafeMessage(err)))
	}
	state, remedy := d.state, d.remedy
	if errors.Is(err, errOtherRegistry) {
		remedy = registryRemedy
	}
	if state == "" {
		state = "Nothing was changed."
	}
	if remedy == "" {
		remedy = remedyFor(errs.KindOf(err))
	}
	detail := fmt.Sprintf("%s%s.\n\n%s\n\n%s", prefix, d.withAttributes(errs.SafeMessage(err)), state, remedy)
	fields := errs.FieldsOf(err)
	for _, f := range fields {
		if at, ok := d.attributeOf(f.Field); ok {
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

// attributeOf returns the attribute of an error's field.
func (d diagnostic) attributeOf(field string) (path.Path, bool) {
	if d.attributes != nil {
		at, ok := d.attributes[field]
		return at, ok
	}
	return attributePath(field)
}

// camelCase matches names of fields of several words, as errors have them.
var camelCase = regexp.MustCompile(`\b[a-z]+(?:[A-Z][a-z]+)+\b`)

// withAttributes names attributes in place of fields.
func (d diagnostic) withAttributes(text string) string {
	return camelCase.ReplaceAllStringFunc(text, func(field string) string {
		if at, ok := d.attributeOf(field); ok {
			return at.String()
		}
		return field
	})
}

// addInvalidID reports a state whose id is no UUID, as after an edit by hand: only the name is left
// to find the tenant by.
func (d diagnostic) addInvalidID(ctx context.Context, diags *diag.Diagnostics, state tenantModel) {
	d.remedy = fmt.Sprintf("Remove the resource from the state and import the tenant by its name; ADDRESS is the resource's, such as healthcare_tenant.example:\n\n"+
		"  terraform state rm ADDRESS\n  terraform import ADDRESS %s\n\n"+
		"To destroy it afterwards, repeat the command.", shellQuote("name:"+state.Name.ValueString()))
	d.add(ctx, diags, errs.Errorf(errs.KindInvalid, d.operation+" tenant", "the id in the state, %s, is not a UUID", fmt.Sprintf("%.80q", state.ID.ValueString())))
}

// shellQuote quotes an argument for a POSIX shell.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// remedyFor returns what the user can do about an error of a kind.
func remedyFor(kind errs.Kind) string {
	switch kind {
	case errs.KindTransient:
		return "Once the cause is gone, run terraform apply again. TF_LOG_PROVIDER=DEBUG shows the cause in detail."
	case errs.KindConflict:
		return "Run terraform plan to see the current state, and apply again."
	case errs.KindCancelled:
		return "Run terraform apply again to continue."
	case errs.KindFenced:
		return "Wait for the other run to end, then run terraform plan."
	case errs.KindNotFound:
		return "Run terraform plan; it will show what is missing."
	case errs.KindInvalid:
		return "Correct the configuration and apply again."
	default:
		return "Correct the cause and run terraform apply again. TF_LOG_PROVIDER=DEBUG shows the cause in detail."
	}
}

// addWarnings adds a warning for a live tenant whose welcome mail was not sent, or is not
// confirmed.
func addWarnings(diags *diag.Diagnostics, out provisioning.Outcome) {
	for _, warning := range out.Warnings {
		diags.AddAttributeWarning(path.Root("welcome_email_status"), "Welcome mail not confirmed",
			fmt.Sprintf("Tenant %q is live, but there is no confirmation that the welcome mail to its administrator %s was sent: %s.\n\n"+
				"terraform plan shows what became of the mail. Unless it was sent, correct the cause and run terraform apply again: it sends the mail again and changes nothing else.",
				out.Tenant.Name, out.Tenant.AdminEmail, warning))
	}
}
