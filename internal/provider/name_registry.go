package provider

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// nameRegistry collects, during one plan, the names of all tenants in the configuration,
// to find duplicates. Terraform plans each resource separately and sends no resource
// address to providers, so existing tenants are identified by their ids.
type nameRegistry struct {
	mu      sync.Mutex
	names   map[string]*nameUsage   // By name key.
	looks   map[string][]*nameUsage // By skeleton, what was planned.
	renames map[string]rename       // By the name key that a tenant gives up.
	inState map[string]storedTenant // The tenants in this state, by id.
	created map[string]struct{}     // Name keys that this apply creates.
	gone    map[string]struct{}     // Ids of those that have left it. Terraform may send a state again.

	lastRead time.Time // When the last one was added to inState.
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
	n.names, n.looks, n.renames, n.inState, n.gone, n.created = nil, nil, nil, nil, nil, nil
}

// storedTenant is what a plan of a tainted resource needs to know of its state, which Terraform does
// not send with it.
type storedTenant struct {
	ID             string `json:"id"`
	Name           string `json:"name"`
	ExternalID     string `json:"external_id"`
	SchemaName     string `json:"schema_name"`
	DeletionPolicy string `json:"deletion_policy"`
	Status         string `json:"status"`
}

// addExisting records that a tenant is in this state.
func (n *nameRegistry) addExisting(t storedTenant) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.inState == nil {
		n.inState = map[string]storedTenant{}
	}
	if _, gone := n.gone[t.ID]; !gone {
		n.inState[t.ID] = t
	}
	n.lastRead = time.Now()
}

// forget records that a tenant has left this state.
func (n *nameRegistry) forget(id string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.inState, id)
	if n.gone == nil {
		n.gone = map[string]struct{}{}
	}
	n.gone[id] = struct{}{}
}

// stored finds the tenant in this state that has the name, or else the external id. Terraform sends
// the state of a tainted resource before its plan.
func (n *nameRegistry) stored(name, externalID string) (found storedTenant, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	key := tenant.NameKey(name)
	for _, t := range n.inState {
		if tenant.NameKey(t.Name) == key {
			return t, true
		}
		if externalID != "" && t.ExternalID == externalID {
			found, ok = t, true
		}
	}
	return found, ok
}

// stateWait is how long a plan waits for another state of this configuration to be read.
const stateWait = time.Second

// comesFromState reports whether a tenant is in this state. Terraform reads states in any order, so
// it waits until none has been read for a while.
func (n *nameRegistry) comesFromState(ctx context.Context, id string) bool {
	for began := time.Now(); ; {
		n.mu.Lock()
		_, found := n.inState[id]
		quiet := time.Since(n.lastRead) > stateWait && time.Since(began) > stateWait
		n.mu.Unlock()
		if found || quiet || ctx.Err() != nil {
			return found
		}
		time.Sleep(stateWait / 20) // Between two looks: Terraform reads the states meanwhile.
	}
}

// rename is a planned change of the name of a tenant.
type rename struct{ from, to string }

// checkRename records a rename. If it completes a circle, in which each tenant takes the name of
// the next one, it returns the names in it.
func (n *nameRegistry) checkRename(from, to string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.renames == nil {
		n.renames = map[string]rename{}
	}
	n.renames[tenant.NameKey(from)] = rename{from, to}
	return n.circleOf(from)
}

// circle returns the names in the circle that a planned rename is part of, if it is.
func (n *nameRegistry) circle(from string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.circleOf(from)
}

func (n *nameRegistry) circleOf(from string) (circle []string) {
	first := tenant.NameKey(from)
	for key := first; ; {
		next, planned := n.renames[key]
		if !planned || len(circle) == len(n.renames) {
			return nil // The rest of the chain is free, or a circle without this tenant.
		}
		circle = append(circle, next.from)
		if key = tenant.NameKey(next.to); key == first {
			return circle
		}
	}
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

// claim records that an apply creates a tenant of that name. It reports false if it creates another one.
func (n *nameRegistry) claim(name string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	key := tenant.NameKey(name)
	if _, taken := n.created[key]; taken {
		return false
	}
	if n.created == nil {
		n.created = map[string]struct{}{}
	}
	n.created[key] = struct{}{}
	return true
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
