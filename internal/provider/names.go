package provider

import (
	"context"
	"fmt"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// plannedNames knows, while one plan is made, which tenants of the configuration are
// to have which name. Terraform plans each resource by itself and tells no provider
// its address; a tenant that is there already is known by its id.
type plannedNames struct {
	mu     sync.Mutex
	claims map[string]*claims  // :: name key → who wants it
	here   map[string]struct{} // Ids of tenants that are in this state.
}

type claims struct {
	kept   map[string]struct{} // Ids of tenants that are there already.
	fresh  int                 // New ones.
	doomed bool                // A tenant of that name is to be archived.
}

// forget is for the beginning of another plan.
func (n *plannedNames) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.claims, n.here = nil, nil
}

// note remembers that a tenant is in this state.
func (n *plannedNames) note(id string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.here == nil {
		n.here = map[string]struct{}{}
	}
	n.here[id] = struct{}{}
}

func (n *plannedNames) isHere(id string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, here := n.here[id]
	return here
}

// claim notes that a tenant is to have a name; an empty id is a new one. It reports
// whether another one is to have it, too, and whether the new one takes that of a
// tenant which is to be archived.
func (n *plannedNames) claim(name, id string) (twice, anew bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := n.of(name)
	if id == "" {
		c.fresh++
	} else {
		c.kept[id] = struct{}{}
	}
	return len(c.kept)+c.fresh > 1, id == "" && c.doomed
}

// giveUp notes that a tenant of that name is to be archived. It reports whether a new
// one is to take the name.
func (n *plannedNames) giveUp(name string) (anew bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := n.of(name)
	c.doomed = true
	return c.fresh > 0
}

func (n *plannedNames) of(name string) *claims {
	if n.claims == nil {
		n.claims = map[string]*claims{}
	}
	key := provisioning.NameKey(provisioning.NormalizeName(name))
	if n.claims[key] == nil {
		n.claims[key] = &claims{kept: map[string]struct{}{}}
	}
	return n.claims[key]
}

// replacesKey is where a plan notes which tenant it is about. Terraform plans a
// replacement twice, as a change and then as something new, and hands this on: so the
// second is known not to be one more tenant of the same name.
const replacesKey = "tenant_id"

// refuseTakenName tells at plan that another tenant has the name, or is to have it.
func (r *tenantResource) refuseTakenName(ctx context.Context, req resource.ModifyPlanRequest, plan tenantModel, state *tenantModel, diags *diag.Diagnostics) {
	if r.backend == nil || plan.Name.IsUnknown() {
		return
	}
	own := ""
	if state != nil {
		own = state.ID.ValueString()
	} else if before, _ := req.Private.GetKey(ctx, replacesKey); len(before) > 2 {
		own = string(before[1 : len(before)-1])
	}
	name := plan.Name.ValueString()
	twice, anew := r.names.claim(name, own)
	if anew {
		warnOfEmptyTenant(name, diags)
	}
	if twice {
		diags.AddAttributeError(path.Root("name"), "Name is used twice", fmt.Sprintf("Tenant %q: another healthcare_tenant of this configuration is to have this name, too. "+
			"Names of live tenants differ in more than case and white space.\n\nNothing was changed. Give one of them another name. "+
			"If both are meant to be the same tenant, one resource is enough; if its address changed, add a moved block.", name))
		return
	}
	if state != nil && provisioning.NameKey(state.Name.ValueString()) == provisioning.NameKey(provisioning.NormalizeName(name)) {
		return
	}
	r.refuseLiveName(ctx, plan, own, state == nil, diags)
}

// noteArchiving notes at plan that a tenant is to be archived, and warns of a new one
// that is to take its name.
func (r *tenantResource) noteArchiving(state tenantModel, diags *diag.Diagnostics) {
	if r.backend != nil && r.names.giveUp(state.Name.ValueString()) {
		warnOfEmptyTenant(state.Name.ValueString(), diags)
	}
}

// warnOfEmptyTenant is for what a resource with another address looks like. It is no
// error, because it can be meant, and because what an apply has left behind that was
// to replace a tenant (a deposed object) looks the same.
func warnOfEmptyTenant(name string, diags *diag.Diagnostics) {
	diags.AddAttributeWarning(path.Root("name"), "Tenant is archived and made anew", fmt.Sprintf("Tenant %q: this plan archives it, and makes another one of that name, which is empty.\n\n"+
		"If its resource only got another address in the configuration, do not apply this: add a moved block, and the tenant stays as it is. "+
		"If it is meant, archive it in an apply of its own: done at once, the new one is refused while the old one is live.", name))
}

// refuseLiveName looks whether a live tenant that is not in this state has the name.
// One that is may be about to be renamed or replaced.
func (r *tenantResource) refuseLiveName(ctx context.Context, plan tenantModel, own string, create bool, diags *diag.Diagnostics) {
	if !r.known() {
		return
	}
	ctx, cancel := context.WithTimeout(r.masked(ctx), readTimeout)
	defer cancel()
	service, err := r.open(ctx)
	if err != nil {
		return // Apply will say what there is to say.
	}
	t, err := service.FindByName(ctx, plan.Name.ValueString())
	switch {
	case err != nil, !t.Status.Live(), t.ID.String() == own, r.names.isHere(t.ID.String()):
		return
	case create && (!t.WasLive() || r.settings.managedBy != "" && t.ManagedBy == r.settings.managedBy):
		return // Create continues it, or may take it over.
	}
	rep := r.refusal(plan, provisioning.Outcome{Standing: &t})
	if !create {
		rep = report{tried: "rename", name: plan.Name.ValueString(), next: "Choose another name."}
	}
	rep.next += " If this same configuration renames or archives that tenant, have this one depend on it (depends_on)."
	var found diag.Diagnostics
	rep.add(ctx, &found, provisioning.Exists(t, ""))
	if create && plan.ExternalID.ValueString() != t.ExternalID {
		// It may be the apply of a replacement by create_before_destroy: an error here
		// would leave Terraform with a resource that it has put aside and does not put
		// back. Create's own error has it put back.
		found = warnings(found)
	}
	diags.Append(found...)
}

// warnings says as warnings what was found.
func warnings(found diag.Diagnostics) (all diag.Diagnostics) {
	for _, d := range found {
		all.AddAttributeWarning(path.Root("name"), d.Summary(), d.Detail())
	}
	return all
}
