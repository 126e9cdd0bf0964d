//go:build unix

package main

import (
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// TestProvision_Example: the bench can make tenants of the example, which has a step of its own.
func TestProvision_Example(t *testing.T) {
	f := postgrestest.Setup(t)
	files, err := blueprint.ReadDir("../../examples/blueprints/clinic")
	f.Must(err)
	r, err := f.Blueprints.Publish(t.Context(), files, true)
	f.Must(err)
	b := &bench{measured: measuredBlueprint{name: r.Blueprint}}
	service, err := b.service(f.DB, false)
	f.Must(err)
	f.Must(b.provision(t.Context(), service, "Tenant", 2))
}
