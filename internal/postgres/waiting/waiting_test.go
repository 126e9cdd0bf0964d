package waiting_test

import (
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/waiting"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

const day = 24 * time.Hour

// TestWaitingForWorker: what has been due for more than ten minutes waits, while no worker runs.
func TestWaitingForWorker(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ due, notDue, want string }{
		"Mail": {
			`UPDATE tenants SET welcome_email = 'PENDING', welcome_email_due_at = now() - interval '11 minutes'`,
			`UPDATE tenants SET welcome_email_due_at = now() - interval '9 minutes'`, "1 welcome mail",
		},
		"Reminder": {
			`UPDATE tenants SET invitation_sent_at = now() - interval '2 days', invitation_expires_at = now() + interval '23 hours'`,
			`UPDATE tenants SET invitation_reminder_at = 'infinity'`, "1 reminder of an invitation",
		},
		"FailureMail": {
			`UPDATE tenants SET activated_at = NULL, status = 'FAILED', failure_email_due_at = now() - interval '11 minutes'`,
			`UPDATE tenants SET failure_email_due_at = now() - interval '9 minutes'`, "1 failure mail",
		},
		"AbortedFailureMail": {
			`UPDATE tenants SET activated_at = NULL, status = 'FAILED', rollback_target = 'ARCHIVED', updated_at = now() - interval '11 minutes',
				failure_email_due_at = now() - interval '11 minutes'`,
			`UPDATE tenants SET updated_at = now()`, "1 unfinished tenant",
		},
		"Rollback": {
			`UPDATE tenants SET activated_at = NULL, status = 'PROVISIONING', rollback_target = 'FAILED', updated_at = now() - interval '11 minutes'`,
			`UPDATE tenants SET run_expires_at = now() + interval '1 minute', run_lease = '1 minute'`, "1 unfinished tenant",
		},
		"Login": {
			`INSERT INTO tenant_credentials (id, tenant_id, username, expires_at) SELECT gen_random_uuid(), id, 'a_login', now() - interval '11 minutes' FROM tenants`,
			`UPDATE tenant_credentials SET ended_at = now()`, "1 expired login",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := postgrestest.Setup(t)
			b.ActiveTenant(postgrestest.Inputs("Clinic"))
			want := func(reminder time.Duration, text string) {
				t.Helper()
				if r, err := b.WaitingForWorker(t.Context(), reminder); err != nil || r.String() != text {
					t.Errorf("%q, %v; want %q", r, err, text)
				}
			}
			want(day, "")
			b.Exec(c.due)
			want(day, c.want)
			if name == "Reminder" {
				want(0, "")
			}
			b.Exec(`INSERT INTO river_queue (name, created_at, updated_at) VALUES ('old', now(), now() - interval '61 minutes')`)
			want(day, c.want)
			b.Exec(`INSERT INTO river_queue (name, created_at, updated_at) VALUES ('new', now(), now() - interval '59 minutes')`)
			want(day, "")
			b.Exec(`DROP TABLE river_queue`)
			want(day, c.want)
			b.Exec(c.notDue)
			want(day, "")
		})
	}
}

func TestReport_String(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]waiting.Report{
		"": {}, "2 welcome mails": {Mails: 2}, "1 welcome mail and 3 expired logins": {Mails: 1, Logins: 3},
		"2 unfinished tenants, 1 welcome mail, 5 reminders of invitations, 3 failure mails and 1 expired login": {Tenants: 2, Mails: 1, Reminders: 5, Failures: 3, Logins: 1},
	} {
		if got := r.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
