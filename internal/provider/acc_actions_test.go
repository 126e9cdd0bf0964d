package provider_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
)

// actionTrigger returns configuration that runs an action each time that run changes.
func actionTrigger(action, tenantID, lines string, run int) string {
	return fmt.Sprintf(`
resource "terraform_data" "run" {
  input = %d
  lifecycle {
    action_trigger {
      events  = [after_create, after_update]
      actions = [action.%[2]s.clinic]
    }
  }
}
action %[2]q "clinic" {
  config {
    tenant_id = %[3]q
    %[4]s
  }
}
`, run, action, tenantID, lines)
}

// TestAccActions runs each action as a trigger does, and checks what it did.
func TestAccActions(t *testing.T) {
	needsTerraform(t, "1.14.0")
	inBothModes(t, func(t *testing.T, m mode) {
		w := framework(t, m)
		w.env["PURGE_RETENTION"] = "0s"
		run := 0
		do := func(keep, action, tenantID, lines, wantError string) resource.TestStep {
			run++
			step := resource.TestStep{Config: header + keep + actionTrigger(action, tenantID, lines, run)}
			if wantError != "" {
				step.ExpectError = regexp.MustCompile(strings.ReplaceAll(regexp.QuoteMeta(wantError), " ", `\s+`))
			}
			return step
		}
		created := resource.TestStep{Config: header + clinic}
		w.test(created)
		id := w.registry.Tenant().ID
		w.mail.Reset()

		w.test(
			do("", "healthcare_tenant_unarchive", "what", "", "is not a UUID"),
			do("", "healthcare_tenant_invite", id, "", "the tenant is ARCHIVED; a welcome mail can only be sent again to an ACTIVE tenant"),
			do("", "healthcare_tenant_unarchive", id, "", ""),
			do("", "healthcare_tenant_invite", id, "", ""),
			do("", "healthcare_tenant_retry", id, "", "Could not retry tenant"),
			do("", "healthcare_tenant_suspend", id, "", ""),
			do("", "healthcare_tenant_invite", id, "", "the tenant is SUSPENDED"),
			do("", "healthcare_tenant_resume", id, "", ""),
			do("", "healthcare_tenant_purge", id, `confirm = "St. Mary's Clinic"`, "archive it first"),
			resource.TestStep{PreConfig: func() {
				if n := len(w.mail.Messages()); n != 1 {
					t.Errorf("%d mails", n)
				}
				if status := w.registry.Tenant().Status; status != "ACTIVE" {
					t.Error(status)
				}
				w.registry.Archive(time.Hour)
			}, RefreshState: true},
			do("", "healthcare_tenant_purge", id, `confirm = "Another"`, "confirm is not the tenant's name"),
			resource.TestStep{PreConfig: func() {
				if w.count(`SELECT count(*) FROM pg_namespace WHERE nspname = $1`, w.registry.Tenant().SchemaName) != 1 {
					t.Error("a refused purge dropped the schema")
				}
			}, RefreshState: true},
			do("", "healthcare_tenant_purge", id, `confirm = "St. Mary's Clinic"`, ""),
		)
		if w.count(`SELECT count(*) FROM pg_namespace WHERE nspname = $1`, w.registry.Tenant().SchemaName) != 0 {
			t.Error("purge left the schema")
		}
	})
}

// TestAccActions_TriggerReadsNewValues: an action that a change of the tenant triggers
// reads the tenant after the change.
func TestAccActions_TriggerReadsNewValues(t *testing.T) {
	needsTerraform(t, "1.14.0")
	inBothModes(t, func(t *testing.T, m mode) {
		triggered := strings.Replace(clinic, "\n}\n", `
  lifecycle {
    action_trigger {
      events  = [after_update]
      actions = [action.healthcare_tenant_invite.again]
    }
  }
}
action "healthcare_tenant_invite" "again" {
  config { tenant_id = healthcare_tenant.clinic.id }
}
`, 1)
		w := framework(t, m)
		w.test(
			resource.TestStep{Config: header + triggered},
			resource.TestStep{
				PreConfig: func() {
					if n := len(w.mail.Messages()); n != 1 {
						t.Errorf("%d mails after create, which triggers nothing", n)
					}
					w.mail.Reset()
				},
				Config:           header + strings.ReplaceAll(triggered, `"Ada"`, `"Grace"`),
				ConfigPlanChecks: wantAction(clinicAddress, plancheck.ResourceActionUpdate),
			},
		)
		if mails := w.mail.Messages(); len(mails) != 1 || !strings.Contains(mails[0].Text, "Grace") {
			t.Errorf("%+v", mails)
		}
	})
}
