package provider

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// handoverWait is how long tenants that take the names of other ones wait without anything else
// going on: Terraform runs at most so many operations at once as -parallelism says, and in any order.
// It is over once for a whole apply: an apply of many tenants whose names stay taken does not wait for
// each of them.
const handoverWait = 15 * time.Second

// handoverPoll is the pause between two attempts.
const handoverPoll = 250 * time.Millisecond

// handoverRemedy is for a name that a tenant of the same configuration is to give up.
const handoverRemedy = "If this configuration renames or archives the tenant that has the name, make this resource depend on that one (depends_on), " +
	"or apply again: this one waited, and the other one did not end in time."

// handovers are the operations of one apply, for names that one tenant gives up and another one
// takes. Terraform does not tell a provider what is still to come, so an operation waits for the
// tenant that has its name as long as that one is being changed, or may be next.
type handovers struct {
	mu      sync.Mutex
	running map[string][]*operation // By the id of their tenant, "" for new ones.
	last    time.Time               // When one of them last began, or ended that did not only wait.
	over    bool                    // The wait is over: one has waited in vain.
	taken   map[string]claim        // By the id of a tenant that one resource creates and another one deletes.
}

// operation is one change of a tenant, from its begin to its end.
type operation struct {
	handovers *handovers
	id        string
	holder    string // Id of the tenant whose name it waits for; "": it does not wait.
}

// claim is which operation has a tenant that a create found live. Both look at the registry before
// they act, so the first one decides.
type claim int

const (
	unclaimed claim = iota
	adopted         // By a create.
	archived        // By a delete, or about to be.
)

// adopt records that a create adopts a tenant. It reports false if a delete archives it.
func (h *handovers) adopt(id string) bool { return h.claim(id, adopted) }

// archive records that a delete archives a tenant. It reports false if a create has adopted it.
func (h *handovers) archive(id string) bool { return h.claim(id, archived) }

func (h *handovers) claim(id string, by claim) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.taken == nil {
		h.taken = map[string]claim{}
	}
	if h.taken[id] == unclaimed {
		h.taken[id] = by
	}
	return h.taken[id] == by
}

// keep takes back that a tenant is archived.
func (h *handovers) keep(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.taken, id)
}

// begin records an operation on a tenant, "" for a new one, until it ends.
func (h *handovers) begin(id string) *operation {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.running == nil {
		h.running = map[string][]*operation{}
	}
	o := &operation{handovers: h, id: id}
	h.running[id] = append(h.running[id], o)
	h.last = time.Now()
	return o
}

// end ends an operation. One that has waited in vain set no name free, so others do not wait longer for it.
func (o *operation) end() {
	h := o.handovers
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running[o.id] = slices.DeleteFunc(h.running[o.id], func(other *operation) bool { return other == o })
	if len(h.running[o.id]) == 0 {
		delete(h.running, o.id)
	}
	if o.holder == "" {
		h.last = time.Now()
	}
}

// waits records that an operation waits for the name of a tenant, and reports whether that one may
// still give it up.
func (o *operation) waits(holder string) bool {
	h := o.handovers
	h.mu.Lock()
	defer h.mu.Unlock()
	o.holder = holder
	if h.works(holder, map[string]bool{}) {
		return true
	}
	if time.Since(h.last) >= handoverWait {
		h.over = true
	}
	return !h.over || h.anyWorks() && time.Since(h.last) < handoverWait
}

// goesOn records that an operation does not wait any more.
func (o *operation) goesOn() {
	o.handovers.mu.Lock()
	defer o.handovers.mu.Unlock()
	o.holder = ""
}

// works reports whether a tenant is being changed, also if that waits for a name itself: it ends with its
// own wait. In a circle, no tenant is.
func (h *handovers) works(id string, seen map[string]bool) bool {
	if seen[id] {
		return false
	}
	seen[id] = true
	for _, o := range h.running[id] {
		if o.holder == "" || len(h.running[o.holder]) == 0 || h.works(o.holder, seen) {
			return true
		}
	}
	return false
}

// anyWorks reports whether some operation does more than wait.
func (h *handovers) anyWorks() bool {
	for _, all := range h.running {
		if slices.ContainsFunc(all, func(o *operation) bool { return o.holder == "" }) {
			return true
		}
	}
	return false
}

// nameWait decides whether an operation that gives a tenant a name is tried again, because another
// tenant has the name and may give it up in this apply.
type nameWait struct {
	r           *tenantResource
	operation   *operation
	service     tenantService
	name, ownID string // The id is that of the tenant, "" for a new one.
	oldName     string // Of a tenant that is renamed.
	foundFree   bool   // At the last conflict, nobody had the name any more.
}

// provision creates a tenant, or finds the one to continue or to adopt. It tries again while another
// tenant of this apply has the name and may give it up.
func (w *nameWait) provision(ctx context.Context, inputs tenant.Inputs) (out provisioning.Outcome, err error) {
	for again := true; again; again = w.again(ctx, err) {
		out, err = w.service.Provision(ctx, inputs)
		if err == nil && out.Adopted && !w.r.handovers.adopt(out.Tenant.ID.String()) {
			holder := out.Tenant
			out, err = provisioning.Outcome{ConflictingTenant: &holder}, provisioning.ErrTenantExists(holder, inputs)
		}
	}
	if err == nil {
		w.operation.goesOn()
	}
	return out, err
}

// again reports after a try whether there is another one, and waits before it.
func (w *nameWait) again(ctx context.Context, err error) bool {
	if !isNameConflict(err) || w.oldName != "" && w.r.names.circle(w.oldName) != nil {
		return false
	}
	t, findErr := w.service.FindByName(ctx, w.name)
	switch {
	case findErr != nil && errs.KindOf(findErr) != errs.KindNotFound:
		return false
	case findErr != nil || !t.Status.OccupiesName():
		before := w.foundFree
		w.foundFree = true
		w.operation.goesOn()
		return !before // The name is refused for another reason, if it is again.
	case t.ID.String() == w.ownID, t.ManagedBy != w.r.settings.managedBy, !w.operation.waits(t.ID.String()):
		return false
	}
	w.foundFree = false
	select {
	case <-ctx.Done():
		return false
	case <-time.After(handoverPoll):
		return true
	}
}

// isNameConflict reports an error because another tenant has the name.
func isNameConflict(err error) bool {
	fields := errs.FieldsOf(err)
	return errs.KindOf(err) == errs.KindConflict && len(fields) > 0 && fields[0].Field == "name"
}
