package provider_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

const lifeGuide = "guides/tenant-life/"

// runLife runs the moves with the CLI, and an end with Terraform.
func runLife(t *testing.T, w *testEnv) {
	run := func(file string) result {
		t.Helper()
		w.copyExample(lifeGuide+file, file)
		return w.mustShell("-eu", file)
	}
	w.env["PURGE_RETENTION"] = "0s"
	run("moves.sh").wantText(t, "SUSPENDED", "1 of 1 tenants", "1 tenants checked, 0 findings", "nothing to repair", "The tenant is up to date", "ACTIVE")
	run("purge.sh").wantText(t, "Lakeside Practice", "purgedAt")

	w.copyExample(lifeGuide+"main.tf", "tenant.tf")
	if r := run("apply.sh"); strings.Count(r.out, "1 destroyed") != 1 || strings.Count(r.out, "1 added") != 2 || strings.Count(r.out, "1 changed") != 3 {
		t.Errorf("%s", r.out)
	}
	w.assertNoChanges()
	if n := w.registry.Count(tenant.StatusActive); n != 1 {
		t.Errorf("%d live tenants", n)
	}
	w.copyExample(lifeGuide+"purge_override.tf", "purge_override.tf")
	run("destroy.sh").wantText(t, "1 destroyed")
	if n := w.registry.Unpurged(); n != 0 {
		t.Errorf("%d tenants were not purged", n)
	}
	w.env["DATABASE_URL"] = testenv.EmptyDatabase(t) // Tests' other databases are copies of one registry, which the check finds.
	w.mustShell("-c", "tenant-api migrate up")
	run("restored.sh").wantText(t, "is at timeline 2")
}

// runLifeAPI sends the moves to a server.
func runLifeAPI(t *testing.T, w *testEnv) {
	w.write("main.tf", header+clinic)
	w.mustApply()
	w.env["TENANT"] = fmt.Sprint(w.state(clinicAddress)["id"])
	w.copyExample(lifeGuide+"key.sh", "key.sh", "https://tenants.platform.example", w.server.url)
	w.copyExample(lifeGuide+"api.sh", "api.sh")
	w.mustShell("-euc", "DATABASE_URL="+w.server.settings["DATABASE_URL"]+" . ./key.sh; unset DATABASE_URL; . ./api.sh").wantText(t, `"status":"SUSPENDED"`, `"total":1`, `"reason":"Case 2026-17"`, `"anchorsCompared"`, `"pending":0`, "has been archived", `"tenantsUnchecked":false`)
	w.assertNoChanges()
	w.destroyAll()
}

// TestGuide_TenantLife: the guide has all statuses and moves, and all that a purge leaves.
func TestGuide_TenantLife(t *testing.T) {
	text, err := os.ReadFile("../../templates/guides/tenant-life.md.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	guide := string(text)
	words := []string{}
	for _, s := range tenant.Statuses() {
		words = append(words, "| `"+string(s)+"` |")
	}
	for _, kept := range provisioning.KeptAfterPurge() {
		words = append(words, kept.What+": "+kept.Why)
	}
	for _, id := range slices.Sorted(maps.Keys(exampleRuns)) {
		if move, isAction := strings.CutPrefix(id, "Action"); isAction {
			words = append(words, "healthcare_tenant_"+strings.ToLower(move))
		}
	}
	for _, word := range words {
		if !strings.Contains(guide, word) {
			t.Errorf("the guide lacks %q", word)
		}
	}
}
