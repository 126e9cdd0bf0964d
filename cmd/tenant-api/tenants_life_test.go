//go:build unix

package main_test

import (
	"strings"
	"testing"
)

// TestTenantsLife: each move of a tenant's life has its command, with the checks of the API.
func TestTenantsLife(t *testing.T) {
	w := setup(t)
	w.run("tenants", "create", "--name", "Clinic").want(t, 2, "--admin-email is not set; a new tenant needs it")
	create := []string{"tenants", "create", "--name", "Clinic", "--admin-email", "ada@clinic.example", "--admin-first-name", "Ada", "--admin-last-name", "Lovelace", "--external-id", "crm-1"}
	w.run(append(create, "--locale", "xx-not-a-tag")...).want(t, 2, "--locale is ")
	w.mustRun(append(create, "--metadata", "region=eu", "--deletion-protection")...).want(t, 0, `The tenant "Clinic" (`, ") is ACTIVE.")
	w.run(create...).want(t, 1, "a tenant with this external id exists already: Clinic (", "), ACTIVE")

	w.run("tenants", "archive", "name:Clinic").want(t, 1, "the tenant has deletion protection; turn it off first")
	w.run("tenants", "update", "name:Clinic").want(t, 2, "nothing is to be changed; give a flag such as --name")
	w.run("tenants", "update", "name:Clinic", "--admin-email", "no address").want(t, 2, "--admin-email ")
	w.mustRun("tenants", "update", "name:Clinic", "--name", "Klinik", "--deletion-protection=false").want(t, 0, `The tenant "Klinik"`, "is ACTIVE.")
	if shown := w.mustRun("tenants", "show", "name:Klinik").out; strings.Contains(shown, "Protected") || !strings.Contains(shown, "crm-1") {
		t.Error(shown)
	}

	w.mustRun("tenants", "suspend", "name:Klinik").want(t, 0, "is SUSPENDED.")
	w.mustRun("tenants", "show", "name:Klinik").want(t, 0, "Suspended", "REVOKED")
	w.mustRun("tenants", "verify", "name:Klinik")
	w.run("tenants", "invite", "name:Klinik").want(t, 1, "SUSPENDED")
	w.mustRun("tenants", "resume", "name:Klinik").want(t, 0, "is ACTIVE.")

	w.run("tenants", "hold", "set", "name:Klinik").want(t, 2, "--reason is not set; say why")
	w.mustRun("tenants", "hold", "clear", "name:Klinik", "--reason", "None").want(t, 0, `The tenant "Klinik"`, "is ACTIVE. It was under no legal hold; nothing was changed.")
	w.mustRun("tenants", "hold", "set", "name:Klinik", "--reason", "Case 17").want(t, 0, `The tenant "Klinik"`, "is ACTIVE, and under a legal hold since ", "(command): Case 17.")
	w.mustRun("tenants", "show", "name:Klinik").want(t, 0, "Legal hold", "(command): Case 17")
	w.mustRun("tenants", "archive", "name:Klinik").want(t, 0, "is ARCHIVED.")
	purge := []string{"tenants", "purge", "name:Klinik", "--confirm", "Klinik", "--retention", "0s"}
	w.run(purge...).want(t, 1, "the tenant is under a legal hold since ", ": Case 17.")
	w.mustRun("tenants", "hold", "clear", "name:Klinik", "--reason", "Closed").want(t, 0, "is ARCHIVED, and under a legal hold no longer.")

	w.mustRun(append(create, "--unarchive-existing")...).want(t, 0, `The tenant "Clinic"`, "is ACTIVE.")
	w.mustRun("tenants", "archive", "name:Clinic")
	purge[2], purge[4] = "name:Clinic", "Clinic"
	w.mustRun(purge...)
	for _, move := range []string{"suspend", "resume", "repair", "invite"} {
		if r := w.run("tenants", move, "name:Clinic"); r.code != 1 || !strings.Contains(r.err, "the tenant was purged on ") || strings.Contains(r.err, "can become") {
			t.Errorf("%s: %d %s", move, r.code, r.err)
		}
	}
	if shown := w.mustRun("tenants", "show", "name:Clinic").out; !strings.Contains(shown, "ARCHIVED, purged") || strings.Contains(shown, "Administrator") || strings.Contains(shown, "<>") {
		t.Error(shown)
	}
	w.mustRun(create...).want(t, 0, "is ACTIVE.") // Name and external id are free.
	create[3] = "\u0421linic"                     // In Cyrillic letters.
	w.run(create[:len(create)-2]...).want(t, 1, `name looks like "Clinic"`, "or set --allow-confusable-name if both are meant")
	w.run("tenants", "create", "--help").want(t, 0, "--allow-confusable-name")
}
