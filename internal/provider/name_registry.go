package provider

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// nameRegistry collects, during one plan, the names of all tenants in the configuration,
// to find duplicates. Terraform plans each resource separately and sends no resource
// address to providers, so existing tenants are identified by their ids.
type nameRegistry struct {
	mu      sync.Mutex
	names   map[string]*nameUsage   // By name key.
	looks   map[string][]*nameUsage // By skeleton, what was planned.
	inState map[string]struct{}     // Ids of the tenants in this state.
}

type nameUsage struct {
	name      string // One of its spellings.
	look      tenant.NameLook
	allowed   bool                // It may look like others.
	existing  map[string]struct{} // Ids of tenants that exist already.
	planned   int                 // Tenants to create.
	toDestroy bool                // A tenant of that name will be archived.
}

// reset clears the registry at the start of a plan.
func (n *nameRegistry) reset() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.names, n.looks, n.inState = nil, nil, nil
}

// addExisting records that a tenant is in this state.
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

// reserve records the planned name of a tenant; a new tenant has no id yet. duplicate
// reports that another tenant is planned with this name, recreated that a new tenant
// takes the name of one that will be archived.
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

// checkLook records how a reserved name looks. It returns a planned name that looks like it through
// letters of another script, unless one of the two may.
func (n *nameRegistry) checkLook(name string, allowed bool) (other string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	u := n.usage(name)
	u.allowed = allowed
	skeleton := string(u.look.Skeleton)
	for _, o := range n.looks[skeleton] {
		if o != u && u.look.ConfusableWith(o.look) && !o.allowed && !allowed {
			other = o.name
		}
	}
	if n.looks == nil {
		n.looks = map[string][]*nameUsage{}
	}
	if !slices.Contains(n.looks[skeleton], u) {
		n.looks[skeleton] = append(n.looks[skeleton], u)
	}
	return other
}

// release records that a tenant of that name will be archived. It reports whether a new
// tenant takes the name.
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
	key := tenant.NameKey(name)
	if n.names[key] == nil {
		n.names[key] = &nameUsage{existing: map[string]struct{}{}, name: tenant.NormalizeName(name), look: tenant.LookOf(name)}
	}
	return n.names[key]
}

// replacedTenantKey is the private-data key for the id of the planned tenant. Terraform
// plans a replacement twice, as a change and then as a new resource, and passes private
// data on: so the second plan does not count as another tenant of the same name.
const replacedTenantKey = "tenant_id"

// checkNameAvailable reports at plan that another tenant has the name or is planned with it.
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
		diags.AddAttributeError(path.Root("name"), "Name is used twice", fmt.Sprintf("Tenant %q: another healthcare_tenant of this configuration has this name, too. "+
			"Names of live tenants differ in more than case and what cannot be seen.\n\nNothing was changed. Change one of the names. "+
			"If both are meant to be the same tenant, one resource is enough; if its address changed, add a moved block.", name))
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
	r.checkNameNotInUse(ctx, plan, ownID, state == nil, diags)
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
		"If it is intended, archive the old tenant in a separate apply first: in one apply, the new one is refused while the old one is live.", name))
}

// checkNameNotInUse reports a live tenant outside this state that has the name. A tenant
// of this state is ignored: the same plan may rename or replace it.
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
	case err != nil, !t.Status.OccupiesName(), t.ID.String() == ownID, r.names.isInState(t.ID.String()):
		return
	case create && (!t.WasLive() || r.settings.managedBy != "" && t.ManagedBy == r.settings.managedBy):
		return // Create continues or adopts it.
	}
	diagn := r.conflictDiagnostic(plan, provisioning.Outcome{ConflictingTenant: &t})
	if !create {
		diagn = diagnostic{operation: "rename", name: plan.Name.ValueString(), remedy: "Choose another name."}
	}
	diagn.remedy += " If this same configuration renames or archives that tenant, make this one depend on it (depends_on)."
	var found diag.Diagnostics
	diagn.add(ctx, &found, provisioning.ErrTenantExists(t, tenant.Inputs{}))
	if create && plan.ExternalID.ValueString() != t.ExternalID {
		// It may be the apply of a replacement with create_before_destroy: an error at
		// plan would leave the old object deposed. After an error of Create, Terraform
		// restores it.
		found = asWarnings(found)
	}
	diags.Append(found...)
}

// asWarnings converts diagnostics to warnings on the name.
func asWarnings(found diag.Diagnostics) (warnings diag.Diagnostics) {
	for _, d := range found {
		warnings.AddAttributeWarning(path.Root("name"), d.Summary(), d.Detail())
	}
	return warnings
}
