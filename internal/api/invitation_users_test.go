package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
)

// TestServer_Invitations_Users: an invitation whose password the tenant's table of users does not
// take is still PENDING, and the reason, which may name others, is only in the log.
func TestServer_Invitations_Users(t *testing.T) {
	t.Parallel()
	const trigger = `CREATE FUNCTION %[1]s.f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN %[2]s; END $$;
		CREATE TRIGGER f BEFORE UPDATE ON %[1]s.users FOR EACH ROW EXECUTE FUNCTION %[1]s.f()`
	for name, change := range map[string]func(schema string) string{
		"NoRow":    func(schema string) string { return `DELETE FROM ` + schema + `.users` },
		"NoTable":  func(schema string) string { return `DROP TABLE ` + schema + `.users CASCADE` },
		"NoSchema": func(schema string) string { return `DROP SCHEMA ` + schema + ` CASCADE` },
		"NotAsLong": func(schema string) string {
			return `ALTER TABLE ` + schema + `.users ALTER password_hash TYPE varchar(20)`
		},
		"TriggerRaises": func(schema string) string {
			return fmt.Sprintf(trigger, schema, `RAISE 'of %', (SELECT 'Grace Hopper')`)
		},
		"TriggerSkips": func(schema string) string { return fmt.Sprintf(trigger, schema, `RETURN NULL`) },
	} {
		for _, blueprint := range []string{"standard", "clinic"} {
			t.Run(name+"/"+blueprint, func(t *testing.T) {
				b := setup(t)
				postgrestest.PublishBlueprint(t, b.db, clinicBlueprint(patients))
				body := clinic()
				body["blueprint"] = blueprint
				made := b.createActive(body)
				token := b.invitationTokens()[0]
				if _, err := b.db.Pool().Exec(t.Context(), change(as[string](made["schemaName"]))); err != nil {
					t.Fatal(err)
				}
				got := b.accept(token, password).want(http.StatusServiceUnavailable)
				if !strings.Contains(got.text, "the invitation is still valid") || strings.Contains(got.text, "Grace") || got.header.Get("Retry-After") == "" {
					t.Errorf("%s", got.text)
				}
				if !strings.Contains(b.log.String(), `error="accept invitation: `) {
					t.Error("the cause is not in the log")
				}
				b.wantStatus(token, "PENDING")
				if name != "NoRow" && name != "TriggerSkips" {
					return
				}
				// Without an error of PostgreSQL, a change by the platform is refused, too.
				got = b.do(http.MethodPatch, "/admin/tenants/"+as[string](made["id"]), map[string]any{"adminPassword": another}).want(http.StatusInternalServerError)
				if !strings.Contains(got.text, "users has no row with the id of the administrator") {
					t.Errorf("%s", got.text)
				}
			})
		}
	}
}
