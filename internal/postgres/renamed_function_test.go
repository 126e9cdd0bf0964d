package postgres_test

import (
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/blueprintsql"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/verification"
)

// TestVerify_FunctionOfOtherSchemaName: a function that was made when the schema had another name is one
// finding with the statement that gives it the right name, and a repair leads there.
func TestVerify_FunctionOfOtherSchemaName(t *testing.T) {
	b := setup(t)
	clinic := b.ActiveTenant(postgrestest.Inputs("Clinic"))
	right, other := "audit_chain_"+blueprintsql.Digest(clinic.SchemaName), "audit_chain_"+blueprintsql.Digest("other")
	b.Exec(`ALTER FUNCTION ` + clinic.SchemaName + `.` + right + `() RENAME TO ` + other)
	found, err := b.Verify(t.Context(), clinic.ID)
	b.Must(err)
	statement := `ALTER FUNCTION "` + clinic.SchemaName + `"."` + other + `"() RENAME TO "` + right + `"`
	if len(found) != 1 || found[0].Unmanaged || !strings.Contains(found[0].Message, "has the function "+other+"() in place of the function "+right+"()") || !strings.HasSuffix(found[0].Message, "have a DBA run: "+statement) {
		t.Fatalf("%+v", found)
	}
	b.Exec(`REVOKE SELECT ON ` + clinic.SchemaName + `.users FROM ` + clinic.DatabaseRole)
	_, _, err = b.Repair(t.Context(), clinic.ID)
	postgrestest.WantKind(t, err, errs.KindPermanent)
	if message := errs.SafeMessage(err); !strings.Contains(message, right+"() does not exist; run tenant-api tenants verify "+clinic.ID.String()) {
		t.Error(message)
	}
	b.Exec(statement)
	if _, repaired, err := b.Repair(t.Context(), clinic.ID); err != nil || len(repaired) != 1 {
		t.Errorf("%v, %v", repaired, err)
	}
	if found := b.verify(clinic.ID); len(found) != 0 {
		t.Errorf("%+v", found)
	}
}

// TestVerify_FunctionWithAlikeName: no function that others make is taken for one of the blueprint.
func TestVerify_FunctionWithAlikeName(t *testing.T) {
	b := setup(t)
	clinic := b.ActiveTenant(postgrestest.Inputs("Clinic"))
	verify := func() []verification.Finding {
		found, err := b.Verify(t.Context(), clinic.ID)
		b.Must(err)
		return found
	}
	right := "audit_chain_" + blueprintsql.Digest(clinic.SchemaName)
	for _, name := range []string{"audit_chain", "audit_chain_{{digest}}", "audit_chain_{{{{digest}}", right + "_", clinic.SchemaName + "." + right, "audit_chain_" + blueprintsql.Digest("other")} {
		quoted := clinic.SchemaName + `."` + name + `"()`
		b.Exec(`CREATE FUNCTION ` + quoted + ` RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'`)
		want := "the function " + name + "() in the schema " + clinic.SchemaName + " is not the blueprint's"
		if found := verify(); len(found) != 1 || !found[0].Unmanaged || found[0].Message != want {
			t.Errorf("%s: %+v", name, found)
		}
		b.Exec(`DROP FUNCTION ` + quoted)
	}
	// Beside the right one, nor where two could be it.
	b.Exec(`ALTER FUNCTION ` + clinic.SchemaName + `.` + right + `() RENAME TO audit_chain_00000000`)
	b.Exec(`CREATE FUNCTION ` + clinic.SchemaName + `.audit_chain_11111111() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'`)
	found, lacks := verify(), false
	for _, f := range found {
		lacks = lacks || strings.Contains(f.Message, "lacks the function "+right+"()") && !f.Unmanaged
		if strings.Contains(f.Message, "RENAME") {
			t.Errorf("%+v", f)
		}
	}
	if !lacks || len(found) != 4 { // And the trigger, and both functions.
		t.Errorf("%+v", found)
	}
}
