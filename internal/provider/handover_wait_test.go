package provider

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// namesTaken is a registry with live tenants by name, which nobody adopts.
type namesTaken struct {
	tenantService
	mu   sync.Mutex
	live map[string]tenant.Tenant
}

func (s *namesTaken) add(name string) tenant.Tenant {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := tenant.Tenant{ID: uuid.New(), Name: name, Status: tenant.StatusActive, ManagedBy: "ci"}
	s.live[name] = t
	return t
}

func (s *namesTaken) free(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.live, name)
}

func (s *namesTaken) Provision(_ context.Context, in tenant.Inputs) (provisioning.Outcome, error) {
	s.mu.Lock()
	t, taken := s.live[in.Name]
	s.mu.Unlock()
	if taken {
		return provisioning.Outcome{ConflictingTenant: &t}, provisioning.ErrTenantExists(t, tenant.Inputs{})
	}
	return provisioning.Outcome{Tenant: s.add(in.Name)}, nil
}

func (s *namesTaken) FindByName(_ context.Context, name string) (tenant.Tenant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.live[name], nil // The zero value has no status that holds a name.
}

// handoverApply is an apply with a parallelism of ten on a fake clock.
type handoverApply struct {
	r       *tenantResource
	service *namesTaken
	slots   chan struct{}
	done    sync.WaitGroup
}

func newHandoverApply() *handoverApply {
	return &handoverApply{
		r: &tenantResource{backend: &backend{settings: settings{managedBy: "ci"}}}, service: &namesTaken{live: map[string]tenant.Tenant{}}, slots: make(chan struct{}, 10),
	}
}

// run runs an operation as soon as there is a slot.
func (a *handoverApply) run(id string, do func(o *operation)) {
	a.done.Go(func() {
		a.slots <- struct{}{}
		defer func() { <-a.slots }()
		o := a.r.handovers.begin(id)
		defer o.end()
		do(o)
	})
}

// create creates a tenant and reports its error.
func (a *handoverApply) create(ctx context.Context, o *operation, name string) error {
	_, err := (&nameWait{r: a.r, operation: o, service: a.service, name: name}).provision(ctx, tenant.Inputs{Name: name, ManagedBy: "ci"})
	return err
}

// took waits for all operations, and returns how long they took together.
func (a *handoverApply) took(since time.Time) time.Duration {
	a.done.Wait()
	return time.Since(since)
}

// TestHandovers_WaitOnce: however many names stay taken, an apply waits once for them.
func TestHandovers_WaitOnce(t *testing.T) {
	t.Parallel()
	names := make([]string, 100)
	for i := range names {
		names[i] = uuid.NewString()
	}
	t.Run("OfRefusedOnes", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			a, start := newHandoverApply(), time.Now()
			for _, name := range names {
				a.service.add(name)
				a.run("", func(o *operation) {
					if err := a.create(t.Context(), o, name); !isNameConflict(err) {
						t.Error(err)
					}
				})
			}
			if took := a.took(start); took < handoverWait || took > handoverWait+5*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	})
	t.Run("BesideOthersThatWork", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			a, start := newHandoverApply(), time.Now()
			for i, name := range names {
				if i%5 > 0 { // Four of five are refused.
					a.service.add(name)
				}
				a.run("", func(o *operation) {
					err := a.create(t.Context(), o, name)
					if i%5 > 0 != isNameConflict(err) {
						t.Error(err)
					} else if err == nil {
						time.Sleep(time.Second)
					}
				})
			}
			// The work itself takes at least 2 seconds, and at most 20.
			if took := a.took(start); took > handoverWait+25*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	})
	t.Run("OfCircle", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			a, start := newHandoverApply(), time.Now()
			one, two := a.service.add("One"), a.service.add("Two")
			for id, name := range map[string]string{one.ID.String(): "Two", two.ID.String(): "One"} {
				a.run(id, func(o *operation) {
					if err := a.create(t.Context(), o, name); !isNameConflict(err) {
						t.Error(err)
					}
				})
			}
			if took := a.took(start); took > handoverWait+time.Second {
				t.Errorf("it took %v", took)
			}
		})
	})
}

// TestHandovers_LongHandover: a name is waited for as long as its tenant is being changed, also through
// a chain, and also after others have waited in vain.
func TestHandovers_LongHandover(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newHandoverApply()
		a.service.add("Taken")
		a.run("", func(o *operation) {
			if err := a.create(t.Context(), o, "Taken"); !isNameConflict(err) {
				t.Error(err)
			}
		})
		a.done.Wait()

		first, second := a.service.add("First"), a.service.add("Second")
		a.run(first.ID.String(), func(*operation) { // Archived after a minute.
			time.Sleep(time.Minute)
			a.service.free("First")
		})
		synctest.Wait()
		a.run(second.ID.String(), func(o *operation) {
			if err := a.create(t.Context(), o, "First"); err != nil {
				t.Error(err)
			}
			a.service.free("Second")
		})
		synctest.Wait()
		a.run("", func(o *operation) {
			if err := a.create(t.Context(), o, "Second"); err != nil {
				t.Error(err)
			}
		})
		a.done.Wait()
	})
}
