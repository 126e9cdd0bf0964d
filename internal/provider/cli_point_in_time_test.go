//go:build unix

package provider_test

import (
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// TestCLIPlatform_PointInTime: a server that was restored to a point in time does not have what came
// after it. Nothing is made again until a person accepts the restore; then an apply makes the rest.
func TestCLIPlatform_PointInTime(t *testing.T) {
	w := setup(t, databaseMode, "")
	server := testenv.StartArchivingServer(t)
	if err := server.CreateDatabase(t.Context(), "platform"); err != nil {
		t.Fatal(err)
	}
	w.env["DATABASE_URL"] = server.OwnerURL("platform")
	w.write("main.tf", header+clinic)
	w.mustApply()
	server.Backup()
	before := clinic + tenantConfig("two", "Clinic Two")
	w.write("main.tf", header+before)
	w.mustApply()
	at := server.Now()
	after := strings.Replace(before, "Clinic Two", "Clinic 2", 1) + tenantConfig("three", "Clinic Three")
	w.write("main.tf", header+after)
	w.mustApply()

	restored := server.RestoreTo(at)
	w.env["DATABASE_URL"] = restored.OwnerURL("platform")
	r := w.run("plan", "-no-color")
	r.wantText(t, "does not have it any more: it was restored from a backup", "platform accept-restore")
	if r.code != 1 || strings.Contains(r.out, "will be created") {
		t.Errorf("plan ended with %d: %s", r.code, r.out)
	}
	w.tenantAPI("platform", "accept-restore", "--reason", "Restored to the hour before the loss of the disk")
	w.tenantAPI("platform", "check")
	w.mustApply().wantText(t, "1 added, 1 changed, 0 destroyed")
	w.assertNoChanges()
	// What the restore cannot bring back is named: the contract of the tenant that was lost.
	out, _ := w.apiCommand(w.env, "tenants", "verify").Output() // It exits with the status of findings.
	if text := string(out); strings.Count(text, "\n") != 1 || !strings.Contains(text, "registry: contract: no tenant in the registry has the contract") {
		t.Errorf("verify: %s", text)
	}
	w.destroyAll()
}
