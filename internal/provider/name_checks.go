package provider

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// checkNameAvailable reports at plan that another tenant has the name or is planned with it.
func (r *tenantResource) checkNameAvailable(ctx context.Context, req resource.ModifyPlanRequest, plan tenantModel, state *tenantModel, diags *diag.Diagnostics) {
	if r.backend == nil || plan.Name.IsUnknown() {
		return
	}
	ownID := readPlanNote(ctx, req.Private).TenantID // Not counted twice in a replacement.
	if state != nil {
		ownID = state.ID.ValueString()
	}
	name := plan.Name.ValueString()
	duplicate, recreated := r.names.reserve(name, ownID)
	if recreated {
		warnRecreated(name, diags)
	}
	if duplicate {
		addUsedTwice(name, diags)
		return
	}
	if other := r.names.checkLook(name, plan.AllowConfusableName.ValueBool()); other != "" && !plan.AllowConfusableName.IsUnknown() {
		diags.AddAttributeError(path.Root("name"), "Name looks like another", fmt.Sprintf("Tenant %q: its name looks like %q, that of another healthcare_tenant of this configuration, through letters of another script.\n\n"+
			"Nothing was changed. Change one of the names. If both are meant, set allow_confusable_name = true in one of them.", name, other))
		return
	}
	if state != nil && tenant.NameKey(state.Name.ValueString()) == tenant.NameKey(name) {
		return
	}
	if state != nil && plan.ExternalID.Equal(state.ExternalID) { // Not replaced.
		r.checkNotSwapped(state.Name.ValueString(), name, diags)
	}
	r.checkNameNotInUse(ctx, plan, ownID, state == nil, diags)
}

// addUsedTwice adds the error of a name that two resources have.
func addUsedTwice(name string, diags *diag.Diagnostics) {
	diags.AddAttributeError(path.Root("name"), "Name is used twice", fmt.Sprintf("Tenant %q: another healthcare_tenant of this configuration has this name, too. "+
		"Names of live tenants differ in more than case and what cannot be seen.\n\nNothing was changed. Change one of the names. "+
		"If both are meant to be the same tenant, one resource is enough; if its address changed, add a moved block.", name))
}

// planArchive records at plan that a tenant will be archived, and warns if a new tenant
// takes its name.
func (r *tenantResource) planArchive(state tenantModel, diags *diag.Diagnostics) {
	if r.backend != nil && r.names.release(state.Name.ValueString()) {
		warnRecreated(state.Name.ValueString(), diags)
	}
}

// warnRecreated warns that one plan archives a tenant and creates another one of the same
// name, which is what a changed resource address looks like. It is not an error: it can be
// intended, and a deposed object of an earlier replacement looks the same.
func warnRecreated(name string, diags *diag.Diagnostics) {
	diags.AddAttributeWarning(path.Root("name"), "Tenant is archived and recreated", fmt.Sprintf("Tenant %q: this plan archives it, and creates another one with that name, which is empty.\n\n"+
		"If only the resource's address changed in the configuration, do not apply this: add a moved block, and the tenant stays as it is. "+
		"If it is intended, apply it: the new tenant waits until the old one is archived.", name))
}

// checkNotSwapped reports tenants that take each other's names: none of them can be the first.
func (r *tenantResource) checkNotSwapped(from, to string, diags *diag.Diagnostics) {
	if circle := r.names.checkRename(from, to); circle != nil {
		addSwapped(from, circle, diags)
	}
}

// addSwapped adds the error of tenants that take each other's names.
func addSwapped(from string, circle []string, diags *diag.Diagnostics) {
	names := make([]string, len(circle))
	for i, name := range circle {
		names[i] = strconv.Quote(name)
	}
	diags.AddAttributeError(path.Root("name"), "Names are swapped", fmt.Sprintf("Tenant %q: in this plan, the tenants %s take each other's names, so none of them can be changed first.\n\n"+
		"Nothing was changed. Give one of them a third name and apply that. Then give it the name that it should have, and apply again.", from, strings.Join(names, ", ")))
}

// checkNameNotInUse warns of a live tenant outside this state that has the name. A tenant of this
// state is ignored: the same plan renames, archives or replaces it, and the apply waits for it. It is
// no error, which would hold up all other resources: the apply refuses this one.
func (r *tenantResource) checkNameNotInUse(ctx context.Context, plan tenantModel, ownID string, create bool, diags *diag.Diagnostics) {
	if !r.isConfigKnown() {
		return
	}
	ctx, cancel := context.WithTimeout(r.withLogMask(ctx), readTimeout)
	defer cancel()
	service, err := r.open(ctx)
	if err != nil {
		return // Apply reports it.
	}
	t, err := service.FindByName(ctx, plan.Name.ValueString())
	switch {
	case err != nil, t.Status == tenant.StatusArchived, t.ID.String() == ownID:
		return
	case create && !t.WasLive():
		r.warnContinued(ctx, t, diags)
		return // Create continues it.
	case create && r.settings.managedBy != "" && t.ManagedBy == r.settings.managedBy:
		return // Create adopts it, if its inputs are the same.
	case r.names.comesFromState(ctx, t.ID.String()):
		return
	}
	diagn := r.conflictDiagnostic(plan, provisioning.Outcome{ConflictingTenant: &t})
	if !create {
		diagn = diagnostic{operation: "rename", name: plan.Name.ValueString(), remedy: "Choose another name."}
	}
	diagn.remedy += " The apply refuses this resource, and goes on with the others."
	var found diag.Diagnostics
	diagn.add(ctx, &found, provisioning.ErrTenantExists(t, tenant.Inputs{}))
	diags.Append(asWarnings(found)...)
}

// warnContinued warns that the replacement of a tainted resource, whose create ended before its
// tenant was live, is none: Terraform shows every value as new.
func (r *tenantResource) warnContinued(ctx context.Context, t tenant.Tenant, diags *diag.Diagnostics) {
	if !r.names.comesFromState(ctx, t.ID.String()) {
		return
	}
	diags.AddAttributeWarning(path.Root("name"), "Tenant is continued", fmt.Sprintf("Tenant %q (%s) was never live: its last apply ended before that, and it is %s. "+
		"Terraform plans to replace the resource, and the apply continues the same tenant, with the same id, schema name and contract. No data are lost.", t.Name, t.ID, t.Status))
}

// asWarnings converts diagnostics to warnings on their attributes.
func asWarnings(found diag.Diagnostics) (warnings diag.Diagnostics) {
	for _, d := range found {
		at := path.Root("name")
		if placed, ok := d.(diag.DiagnosticWithPath); ok {
			at = placed.Path()
		}
		warnings.AddAttributeWarning(at, d.Summary(), d.Detail())
	}
	return warnings
}
