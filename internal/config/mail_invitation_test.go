package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
)

// TestReadMail_Invitation: how long invitations last, and when they are reminded of.
func TestReadMail_Invitation(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ttl, reminder         string
		wantTTL, wantReminder time.Duration
		says                  string
	}{
		"Defaults":        {"", "", 72 * time.Hour, 24 * time.Hour, ""},
		"Shortest":        {"1h", "", time.Hour, 24 * time.Hour, ""}, // The default sends none then.
		"Longest":         {"720h", "48h", 720 * time.Hour, 48 * time.Hour, ""},
		"NoReminder":      {"", "0", 72 * time.Hour, 0, ""},
		"TooShort":        {"59m", "", 0, 0, "INVITATION_TTL is 59m0s; give a time from 1h0m0s to 720h0m0s"},
		"TooLong":         {"721h", "", 0, 0, "INVITATION_TTL is 721h0m0s; give a time from"},
		"Words":           {"three days", "", 0, 0, "INVITATION_TTL is \"three days\"; give hours and minutes, such as 72h or 90m"},
		"Negative":        {"", "-1h", 0, 0, "INVITATION_REMINDER is \"-1h\"; give hours and minutes, such as 72h or 90m, and not less than 0"},
		"ReminderTooLong": {"48h", "48h", 0, 0, "INVITATION_REMINDER is 48h0m0s, but an invitation ends after 48h0m0s; give a shorter time, or 0 for no reminder"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := config.ReadMail(func(variable string) string {
				return map[string]string{"APP_URL": "https://app.platform.example", "MAIL_HOST": "smtp.platform.example", "MAIL_FROM": "no-reply@platform.example", "INVITATION_TTL": c.ttl, "INVITATION_REMINDER": c.reminder}[variable]
			})
			if c.says != "" {
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%v, want %s", err, c.says)
				}
				return
			}
			if err != nil || m.InvitationTTL != c.wantTTL || m.InvitationReminder != c.wantReminder {
				t.Errorf("%v, %v, %v", m.InvitationTTL, m.InvitationReminder, err)
			}
		})
	}
}
