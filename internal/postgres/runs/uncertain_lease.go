package runs

import (
	"maps"
	"sync"
	"time"

	"github.com/google/uuid"
)

// uncertainFor is how long a run is kept that is not renewed any more. By then its leases
// have expired: they last for seconds without a renewal.
const uncertainFor = time.Minute

// UncertainLeases are the runs that may hold an unknown lease, because an answer of the
// database was lost. A run is kept for as long as it is renewed.
type UncertainLeases struct {
	now func() time.Time

	mu   sync.Mutex
	runs map[uuid.UUID]uncertainRun // By tenant.
}

type uncertainRun struct {
	epoch   int64
	expires time.Time
}

// NewUncertainLeases returns an empty set. now is time.Now outside tests.
func NewUncertainLeases(now func() time.Time) *UncertainLeases {
	return &UncertainLeases{now: now, runs: map[uuid.UUID]uncertainRun{}}
}

// Len is the number of runs in the set.
func (u *UncertainLeases) Len() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.runs)
}

// Add adds a run, and removes those that are not renewed any more.
func (u *UncertainLeases) Add(tenant uuid.UUID, epoch int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := u.now()
	maps.DeleteFunc(u.runs, func(_ uuid.UUID, r uncertainRun) bool { return r.expires.Before(now) })
	u.runs[tenant] = uncertainRun{epoch, now.Add(uncertainFor)}
}

// renew keeps a run whose lease was renewed.
func (u *UncertainLeases) renew(tenant uuid.UUID, epoch int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if r, ok := u.runs[tenant]; ok && r.epoch == epoch {
		u.runs[tenant] = uncertainRun{epoch, u.now().Add(uncertainFor)}
	}
}

// Take reports whether a run is in the set, and removes it.
func (u *UncertainLeases) Take(tenant uuid.UUID, epoch int64) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	r, ok := u.runs[tenant]
	delete(u.runs, tenant)
	return ok && r.epoch == epoch
}
