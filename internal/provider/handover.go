package provider

import (
	"context"
	"sync"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// handoverWait is how long a tenant that takes the name of another one waits without anything else
// going on: Terraform runs at most so many operations at once as -parallelism says, and in any order.
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
	running map[string]int   // Operations by the id of their tenant.
	last    time.Time        // When one of them last began or ended.
	taken   map[string]claim // By the id of a tenant that one resource creates and another one deletes.
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

// begin records an operation on a tenant, "" for a new one, until end is called.
func (h *handovers) begin(id string) (end func()) {
	h.count(id, 1)
	return func() { h.count(id, -1) }
}

func (h *handovers) count(id string, change int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.running == nil {
		h.running = map[string]int{}
	}
	h.running[id] += change
	h.last = time.Now()
}

// expected reports whether the holder of a name may still give it up.
func (h *handovers) expected(holder string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.running[holder] > 0 || time.Since(h.last) < handoverWait
}

// nameWait decides whether an operation that gives a tenant a name is tried again, because another
// tenant has the name and may give it up in this apply.
type nameWait struct {
	r           *tenantResource
	service     tenantService
	name, ownID string // The id is that of the tenant, "" for a new one.
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
	return out, err
}

// again reports after a try whether there is another one, and waits before it.
func (w *nameWait) again(ctx context.Context, err error) bool {
	if !isNameConflict(err) {
		return false
	}
	t, findErr := w.service.FindByName(ctx, w.name)
	switch {
	case findErr != nil && errs.KindOf(findErr) != errs.KindNotFound:
		return false
	case findErr != nil || !t.Status.OccupiesName():
		before := w.foundFree
		w.foundFree = true
		return !before // The name is refused for another reason, if it is again.
	case t.ID.String() == w.ownID, t.ManagedBy != w.r.settings.managedBy, !w.r.handovers.expected(t.ID.String()):
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
