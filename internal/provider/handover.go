package provider

import (
	"context"
	"sync"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
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
	running map[string]int      // Operations by the id of their tenant.
	last    time.Time           // When one of them last began or ended.
	adopted map[string]struct{} // Ids of the tenants that a create adopted.
}

// adopt records that a create adopted a tenant.
func (h *handovers) adopt(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.adopted == nil {
		h.adopted = map[string]struct{}{}
	}
	h.adopted[id] = struct{}{}
}

// wasAdopted reports whether a create of this apply adopted a tenant.
func (h *handovers) wasAdopted(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, adopted := h.adopted[id]
	return adopted
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
