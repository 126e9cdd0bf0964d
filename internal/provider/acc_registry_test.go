package provider_test

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/plancheck"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/registrytest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// platform runs a command of "tenant-api platform".
func (w *testEnv) platform(args ...string) {
	w.t.Helper()
	if out, err := w.apiCommand(w.env, append([]string{"platform"}, args...)...).CombinedOutput(); err != nil {
		w.t.Fatalf("%v: %s", err, out)
	}
}

// TestAccTenant_AnotherRegistry: a wrong database is an error that names both registries, and no plan
// to make all tenants again.
func TestAccTenant_AnotherRegistry(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := framework(t, m)
		right, wrong := w.env["DATABASE_URL"], testenv.Database(t)
		var own, other, token string
		w.test(
			applied(clinic),
			between(func() {
				own = w.registry.ID()
				token = w.token
				w.env["DATABASE_URL"], w.token = wrong, ""
				other = registrytest.Open(t, wrong).NewID()
			}),
			w.refusedWith(clinic, func() []string {
				return []string{"it is in the registry " + own + ", and the provider is configured with another one, " + other, "DATABASE_URL", "terraform state rm"}
			}),
			between(func() { w.env["DATABASE_URL"], w.token = right, token }),
			planned(clinic, plancheck.ExpectResourceAction(clinicAddress, plancheck.ResourceActionNoop)),
		)
	})
}

// TestAccTenant_RestoredRegistry: a registry that is older than the state is refused until a person
// accepts it.
func TestAccTenant_RestoredRegistry(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := framework(t, m)
		w.test(
			applied(clinic),
			applied(clinicWith("  metadata = { a = \"b\" }\n")),
			planned(clinicWith("  metadata = { a = \"b\" }\n"), plancheck.ExpectResourceAction(clinicAddress, plancheck.ResourceActionNoop)),
			between(func() { w.registry.SetVersion(1) }),
			w.refused(clinic, "the state knows version", "has version 1: it was restored from a backup, or rows were deleted", "platform accept-restore"),
			between(func() { w.platform("accept-restore", "--reason", "Restored by a test") }),
			applied(clinic),
			between(func() { w.registry.SetTimeline(1) }),
			w.refused(clinic, "the state knows timeline 2 of the registry"),
			between(func() { w.registry.SetTimeline(2) }),
		)
	})
}
