package provider

import (
	"context"
	"fmt"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// nameRegistry knows, while one plan is made, which tenants of the configuration are
// to have which name. Terraform plans each resource by itself and tells no provider
// its address; a tenant that is there already is known by its id.
type nameRegistry struct {
	mu      sync.Mutex
	names   map[string]*nameUsage // :: name key → who wants it
	inState map[string]struct{}   // Ids of tenants that are in this state.
}

type nameUsage struct {
	existing  map[string]struct{} // Ids of tenants that are there already.
	planned   int                 // New ones.
	toDestroy bool                // A tenant of that name is to be archived.
}

// reset is for the beginning of another plan.
func (n *nameRegistry) reset() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.names, n.inState = nil, nil
}

// addExisting remembers that a tenant is in this state.
func (n *nameRegistry) addExisting(id string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.inState == nil {
		n.inState = map[string]struct{}{}
	}
	n.inState[id] = struct{}{}
}

func (n *nameRegistry) isInState(id string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, found := n.inState[id]
	return found
}

// reserve notes that a tenant is to have a name; an empty id is a new one. It reports
// whether another one is to have it, too, and whether the new one takes that of a
// tenant which is to be archived.
func (n *nameRegistry) reserve(name, id string) (duplicate, recreated bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	u := n.usage(name)
	if id == "" {
		u.planned++
	} else {
		u.existing[id] = struct{}{}
	}
	return len(u.existing)+u.planned > 1, id == "" && u.toDestroy
}

// release notes that a tenant of that name is to be archived. It reports whether a new
// one is to take the name.
func (n *nameRegistry) release(name string) (recreated bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	u := n.usage(name)
	u.toDestroy = true
	return u.planned > 0
}

func (n *nameRegistry) usage(name string) *nameUsage {
	if n.names == nil {
		n.names = map[string]*nameUsage{}
	}
	key := tenant.NameKey(tenant.NormalizeName(name))
	if n.names[key] == nil {
		n.names[key] = &nameUsage{existing: map[string]struct{}{}}
	}
	return n.names[key]
}

// replacedTenantKey is where a plan notes which tenant it is about. Terraform plans a
// replacement twice, as a change and then as something new, and hands this on: so the
// second is known not to be one more tenant of the same name.
const replacedTenantKey = "tenant_id"

// checkNameAvailable tells at plan that another tenant has the name, or is to have it.
func (r *tenantResource) checkNameAvailable(ctx context.Context, req resource.ModifyPlanRequest, plan tenantModel, state *tenantModel, diags *diag.Diagnostics) {
	if r.backend == nil || plan.Name.IsUnknown() {
		return
	}
	ownID := ""
	if state != nil {
		ownID = state.ID.ValueString()
	} else if stored, _ := req.Private.GetKey(ctx, replacedTenantKey); len(stored) > 2 {
		ownID = string(stored[1 : len(stored)-1])
	}
	name := plan.Name.ValueString()
	duplicate, recreated := r.names.reserve(name, ownID)
	if recreated {
		warnRecreated(name, diags)
	}
	if duplicate {
		diags.AddAttributeError(path.Root("name"), "Name is used twice", fmt.Sprintf("Tenant %q: another healthcare_tenant of this configuration is to have this name, too. "+
			"Names of live tenants differ in more than case and white space.\n\nNothing was changed. Give one of them another name. "+
			"If both are meant to be the same tenant, one resource is enough; if its address changed, add a moved block.", name))
		return
	}
	if state != nil && tenant.NameKey(state.Name.ValueString()) == tenant.NameKey(tenant.NormalizeName(name)) {
		return
	}
	r.checkNameNotInUse(ctx, plan, ownID, state == nil, diags)
}

// planArchive notes at plan that a tenant is to be archived, and warns of a new one
// that is to take its name.
func (r *tenantResource) planArchive(state tenantModel, diags *diag.Diagnostics) {
	if r.backend != nil && r.names.release(state.Name.ValueString()) {
		warnRecreated(state.Name.ValueString(), diags)
	}
}

// warnRecreated is for what a resource with another address looks like. It is no
// error, because it can be meant, and because what an apply has left behind that was
// to replace a tenant (a deposed object) looks the same.
func warnRecreated(name string, diags *diag.Diagnostics) {
	diags.AddAttributeWarning(path.Root("name"), "Tenant is archived and recreated", fmt.Sprintf("Tenant %q: this plan archives it, and makes another one of that name, which is empty.\n\n"+
		"If its resource only got another address in the configuration, do not apply this: add a moved block, and the tenant stays as it is. "+
		"If it is meant, archive it in an apply of its own: done at once, the new one is refused while the old one is live.", name))
}

// checkNameNotInUse looks whether a live tenant that is not in this state has the name.
// One that is may be about to be renamed or replaced.
func (r *tenantResource) checkNameNotInUse(ctx context.Context, plan tenantModel, ownID string, create bool, diags *diag.Diagnostics) {
	if !r.isConfigKnown() {
		return
	}
	ctx, cancel := context.WithTimeout(r.withLogMask(ctx), readTimeout)
	defer cancel()
	service, err := r.open(ctx)
	if err != nil {
		return // Apply will say what there is to say.
	}
	t, err := service.FindByName(ctx, plan.Name.ValueString())
	switch {
	case err != nil, !t.Status.OccupiesName(), t.ID.String() == ownID, r.names.isInState(t.ID.String()):
		return
	case create && (!t.WasLive() || r.settings.managedBy != "" && t.ManagedBy == r.settings.managedBy):
		return // Create continues it, or may take it over.
	}
	diagn := r.conflictDiagnostic(plan, provisioning.Outcome{ConflictingTenant: &t})
	if !create {
		diagn = diagnostic{operation: "rename", name: plan.Name.ValueString(), remedy: "Choose another name."}
	}
	diagn.remedy += " If this same configuration renames or archives that tenant, have this one depend on it (depends_on)."
	var found diag.Diagnostics
	diagn.add(ctx, &found, provisioning.ErrTenantExists(t, ""))
	if create && plan.ExternalID.ValueString() != t.ExternalID {
		// It may be the apply of a replacement by create_before_destroy: an error here
		// would leave Terraform with a resource that it has put aside and does not put
		// back. Create's own error has it put back.
		found = asWarnings(found)
	}
	diags.Append(found...)
}

// asWarnings says as warnings what was found.
func asWarnings(found diag.Diagnostics) (warnings diag.Diagnostics) {
	for _, d := range found {
		warnings.AddAttributeWarning(path.Root("name"), d.Summary(), d.Detail())
	}
	return warnings
}
