//go:build unix

package main_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
)

// TestTenantsRefused: what a command refuses is in the audit chain of its tenant, as a refusal of the
// API is.
func TestTenantsRefused(t *testing.T) {
	w := setup(t)
	ids := w.createTenants("Clinic", "Other")
	id := ids[0]
	refused := func(action, text string, args ...string) {
		t.Helper()
		before := w.registry.RejectionsOf(audit.CallerCommand)
		if r := w.run(args...); r.code == 0 || !strings.Contains(r.err, text) {
			t.Errorf("%v: %d %s", args, r.code, r.err)
		}
		after := w.registry.RejectionsOf(audit.CallerCommand)
		if len(after) != len(before)+1 || !strings.HasPrefix(after[len(after)-1], action+": ") || !strings.Contains(after[len(after)-1], text) {
			t.Errorf("%v is recorded as %q", args, after[min(len(before), len(after)):])
		}
	}
	w.mustRun("tenants", "update", id, "--deletion-protection")
	refused("tenant.archive", "has deletion protection", "tenants", "archive", id)
	refused("tenant.update", "has white space", "tenants", "update", id, "--admin-email", "no address")
	refused("tenant.purge", "while the tenant is ACTIVE", "tenants", "purge", id, "--confirm", "Clinic")
	refused("tenant.retry", "", "tenants", "retry", id)
	w.mustRun("tenants", "update", id, "--deletion-protection=false")
	w.mustRun("tenants", "archive", id)
	refused("tenant.suspend", "while the tenant is ARCHIVED", "tenants", "suspend", id)
	refused("tenant.resume", "while the tenant is ARCHIVED", "tenants", "resume", id)
	refused("tenant.invite", "ARCHIVED", "tenants", "invite", id)
	refused("tenant.repair", "ARCHIVED", "tenants", "repair", id)
	refused("tenant.purge", "its data are kept until", "tenants", "purge", id, "--confirm", "Clinic")
	refused("tenant.purge", "is not the tenant's name", "tenants", "purge", id, "--confirm", "Another", "--retention", "0s")
	refused("tenant.skip_undo", "", "tenants", "purge", id, "--confirm", "Clinic", "--skip-undo", "NO_STEP", "--reason", "none")
	w.mustRun("tenants", "hold", "set", id, "--reason", "Case 17")
	refused("tenant.purge", "legal hold", "tenants", "purge", id, "--confirm", "Clinic", "--retention", "0s")
	w.mustRun("tenants", "hold", "clear", id, "--reason", "Closed")
	w.mustRun("audit", "--tenant", id).want(t, 0, "REJECTED", "deletion protection")
	w.mustRun("tenants", "purge", id, "--confirm", "Clinic", "--retention", "0s")
	refused("tenant.set_hold", "was purged", "tenants", "hold", "set", id, "--reason", "Case 18")
	refused("tenant.unarchive", "was purged", "tenants", "unarchive", id)

	w.run("tenants", "create", "--name", "Other", "--admin-email", "ada@other.example", "--admin-first-name", "Ada", "--admin-last-name", "Lovelace").
		want(t, 1, "a tenant with this name exists already")
	if all := w.registry.RejectionsOf(audit.CallerCommand); !slices.Contains(all, "tenant.create: conflict") {
		t.Errorf("%q", all)
	}
	w.mustRun("tenants", "verify", id)
	w.mustRun("tenants", "verify", ids[1])
}
