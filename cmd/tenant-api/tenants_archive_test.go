//go:build unix

package main_test

import (
	"strings"
	"testing"
)

// TestTenantsArchive: out of service and back, by id and by name.
func TestTenantsArchive(t *testing.T) {
	w := setup(t)
	ids := w.createTenants("Clinic", "Other")
	id := ids[0]
	w.run("tenants", "unarchive").want(t, 2, "give one tenant, as an id or name:NAME")
	w.run("tenants", "archive", "name:Nobody").want(t, 1, "there is no tenant named Nobody")
	w.mustRun("tenants", "archive", "name:Clinic").want(t, 0, `The tenant "Clinic" (`+id+") is ARCHIVED.")
	w.mustRun("tenants", "archive", id).want(t, 0, "is ARCHIVED.") // Again.
	w.mustRun("tenants", "show", id).want(t, 0, "REVOKED")
	w.mustRun("tenants", "unarchive", "name:Clinic").want(t, 0, "is ACTIVE.")
	w.printed(0, "tenants", "archive", id, "--json")

	// Of tenants that are archived and have one name, each is purged by its id, the last by name.
	w.registry.RenameTenant(ids[1], "Clinic")
	w.mustRun("tenants", "archive", "name:Clinic").want(t, 0, ids[1])
	for _, command := range [][]string{{"purge", "name:clinic", "--confirm", "Clinic", "--retention", "0s"}, {"unarchive", "name:clinic"}} {
		w.run(append([]string{"tenants"}, command...)...).want(t, 1, "2 archived tenants have the name clinic: ", ids[0], ids[1], "give the id of one")
	}
	w.mustRun("tenants", "purge", ids[1], "--confirm", "Clinic", "--retention", "0s").want(t, 0, ids[1])
	w.mustRun("tenants", "list").want(t, 0, "ARCHIVED, purged", "2 of 2 tenants")
	w.mustRun("tenants", "purge", "name:Clinic", "--confirm", "Clinic", "--retention", "0s").want(t, 0, ids[0])
	if out := w.mustRun("tenants", "list").out; strings.Count(out, "ARCHIVED, purged") != 2 {
		t.Error(out)
	}
	w.run("tenants", "unarchive", ids[0]).want(t, 1, "was purged")
}
