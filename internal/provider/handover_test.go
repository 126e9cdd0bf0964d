package provider

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// oneTenant is a registry with one live tenant of a name, which each create adopts.
type oneTenant struct {
	tenantService
	mu   sync.Mutex
	live *tenant.Tenant
}

func (s *oneTenant) archive() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live = nil
}

func (s *oneTenant) Provision(_ context.Context, in tenant.Inputs) (provisioning.Outcome, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	adopted := s.live != nil
	if !adopted {
		s.live = &tenant.Tenant{ID: uuid.New(), Name: in.Name, Status: tenant.StatusActive, ManagedBy: in.ManagedBy}
	}
	return provisioning.Outcome{Tenant: *s.live, Adopted: adopted}, nil
}

func (s *oneTenant) FindByName(context.Context, string) (tenant.Tenant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live == nil {
		return tenant.Tenant{}, errs.Errorf(errs.KindNotFound, "find tenant", "there is none")
	}
	return *s.live, nil
}

// TestHandovers_AdoptedAndArchived: a create that adopts the tenant of a resource that the same apply
// deletes, whichever of them is first.
func TestHandovers_AdoptedAndArchived(t *testing.T) {
	t.Parallel()
	inputs := tenant.Inputs{Name: "Clinic", ManagedBy: "ci"}
	setup := func() (*nameWait, *oneTenant, tenant.Tenant) {
		service := &oneTenant{}
		out, _ := service.Provision(t.Context(), inputs)
		r := &tenantResource{backend: &backend{settings: settings{managedBy: "ci"}}}
		return &nameWait{r: r, operation: r.handovers.begin(""), service: service, name: inputs.Name}, service, out.Tenant
	}
	t.Run("AdoptedFirst", func(t *testing.T) {
		t.Parallel()
		w, _, old := setup()
		out, err := w.provision(t.Context(), inputs)
		if err != nil || !out.Adopted || out.Tenant.ID != old.ID {
			t.Errorf("%v, %+v", err, out)
		}
		if w.r.handovers.archive(old.ID.String()) {
			t.Error("the delete archives a tenant that a create has adopted")
		}
	})
	t.Run("ArchivedFirst", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			w, service, old := setup()
			if !w.r.handovers.archive(old.ID.String()) {
				t.Fatal("the delete does not archive its tenant")
			}
			go func() {
				time.Sleep(time.Second)
				service.archive()
			}()
			out, err := w.provision(t.Context(), inputs)
			if err != nil || out.Adopted || out.Tenant.ID == old.ID {
				t.Errorf("%v, %+v", err, out)
			}
		})
	})
	t.Run("ArchiveFails", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			w, _, old := setup()
			w.r.handovers.archive(old.ID.String())
			go func() {
				time.Sleep(time.Second)
				w.r.handovers.keep(old.ID.String())
			}()
			out, err := w.provision(t.Context(), inputs)
			if err != nil || !out.Adopted || out.Tenant.ID != old.ID {
				t.Errorf("%v, %+v", err, out)
			}
		})
	})
	t.Run("TimeEnds", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			w, _, old := setup()
			w.r.handovers.archive(old.ID.String())
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			out, err := w.provision(ctx, inputs)
			if !isNameConflict(err) || out.Tenant.ID != uuid.Nil || out.ConflictingTenant == nil || out.ConflictingTenant.ID != old.ID {
				t.Errorf("%v, %+v", err, out)
			}
		})
	})
}
