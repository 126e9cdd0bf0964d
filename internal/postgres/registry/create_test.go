package registry_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/registry"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func withPassword(name string) tenant.Inputs {
	in := postgrestest.Inputs(name)
	in.AdminPassword = "correct horse battery staple"
	return in
}

// TestCreations_Create_BlockingTenant: a tenant that blocks the draft is returned without
// hashing the password, which may have to wait.
func TestCreations_Create_BlockingTenant(t *testing.T) {
	b := postgrestest.Setup(t)
	run := b.ClaimNew(postgrestest.Inputs("Clinic"))
	active := b.ActiveTenant(postgrestest.Inputs("Live"))
	registry.SetHash(b.Creations, func(context.Context, tenant.Password) (string, error) {
		t.Error("the password was hashed")
		return "", nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := b.Create(ctx, b.Draft(withPassword("Clinic")), postgrestest.LeaseRequest("other", time.Minute))
	postgrestest.WantKind(t, err, errs.KindConflict)
	if err != nil && !strings.Contains(errs.SafeMessage(err), run.Tenant.ID.String()) {
		t.Errorf("%v", err)
	}
	c, err := b.Create(ctx, b.Draft(withPassword("Live")), postgrestest.LeaseRequest("other", time.Minute))
	if err != nil || c.Run != nil || c.Tenant.ID != active.ID {
		t.Errorf("%+v, %v", c, err)
	}
}
