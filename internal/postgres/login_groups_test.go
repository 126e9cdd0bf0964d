package postgres_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// TestDB_LoginEndsAlthoughADBAGaveItAGroup: what a superuser granted to a login, the registry's
// owner may not revoke from PostgreSQL 16 on. The login ends all the same.
func TestDB_LoginEndsAlthoughADBAGaveItAGroup(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(b fixture, tenantID, id uuid.UUID) error{
		"Close": func(b fixture, tenantID, id uuid.UUID) error { return b.CloseCredential(b.T.Context(), tenantID, id) },
		"Archive": func(b fixture, tenantID, _ uuid.UUID) error {
			_, err := b.Archive(b.T.Context(), tenantID)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			active := b.ActiveTenant(postgrestest.Inputs("Clinic"))
			c, err := b.OpenCredential(t.Context(), active.ID, credentials.Request{TTL: time.Hour})
			b.Must(err)
			url := testenv.WithLogin(t, b.Pool().Config().ConnString(), c.Username, string(c.Password))
			session := testenv.Connect(t, url)
			group := "group_" + strings.ReplaceAll(uuid.NewString(), "-", "")
			b.AsSuperuser(`CREATE ROLE ` + group + `; GRANT ` + group + ` TO ` + c.Username)
			if err := end(b, active.ID, c.ID); err != nil {
				t.Errorf("the login is not ended: %v", err)
			}
			if _, err := session.Exec(t.Context(), `SELECT FROM users`); err == nil {
				t.Error("the session goes on")
			}
			if got := postgrestest.Value[bool](b.Fixture, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1 AND rolcanlogin)`, c.Username); got {
				t.Error("the role can log in")
			}
		})
	}
}
