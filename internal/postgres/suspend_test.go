//go:build unix

package postgres_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// backend connects as a login of the platform that is a member of the tenant's role.
func (b fixture) backend(t tenant.Tenant, name string) *pgx.Conn {
	b.T.Helper()
	b.AsSuperuser(b.names(t, t).Replace(`CREATE ROLE ` + name + ` LOGIN PASSWORD 'backend-1'; GRANT {{role}} TO ` + name + `; GRANT {{connect}} TO ` + name))
	config := b.Pool().Config().ConnConfig.Copy()
	config.User, config.Password = name, "backend-1"
	conn, err := pgx.ConnectConfig(b.T.Context(), config)
	b.Must(err)
	b.T.Cleanup(func() { _ = conn.Close(b.T.Context()) })
	return conn
}

func denied(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == "42501"
}

// TestDB_Suspend: every member of the tenant's role loses the schema with its next statement, the
// product's logins end, and all but logins and invitations comes back with Resume.
func TestDB_Suspend(t *testing.T) {
	b := setup(t)
	own, other := b.ActiveTenant(postgrestest.Inputs("Mine")), b.ActiveTenant(postgrestest.Inputs("Other"))
	_, neighbour := b.openCredential(other.ID)
	login, session := b.openCredential(own.ID)
	backend := b.backend(own, "suspend_backend")
	users := pgx.Identifier{own.SchemaName, "users"}.Sanitize()
	read := func() (n int, err error) { // The driver prepares it: a cached plan must not go on.
		err = backend.QueryRow(t.Context(), `SELECT count(*) FROM `+users).Scan(&n)
		return n, err
	}
	if n, err := read(); n != 1 || err != nil {
		t.Fatal(n, err)
	}

	suspended, warnings, err := b.Suspend(t.Context(), own.ID)
	if err != nil || suspended.Status != tenant.StatusSuspended || suspended.SuspendedAt.IsZero() || suspended.Version != own.Version+1 || suspended.Invitation.Status != invitation.StatusRevoked {
		t.Fatalf("%+v, %v", suspended, err)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "the login suspend_backend, which this registry has not made, has 1 open sessions") || !strings.Contains(warnings[0], "WHERE usename = 'suspend_backend'") {
		t.Errorf("%q", warnings)
	}
	if _, err := read(); !denied(err) {
		t.Errorf("a member of the role: %v", err)
	}
	if _, err := session.Exec(t.Context(), `SELECT 1`); !sessionEnded(err) {
		t.Errorf("the session of a login goes on: %v", err)
	}
	if _, err := connectAs(t, login); err == nil {
		t.Error("the login still connects")
	}
	if _, err := neighbour.Exec(t.Context(), `SELECT * FROM users`); err != nil {
		t.Errorf("the neighbour: %v", err)
	}
	_, err = b.OpenCredential(t.Context(), own.ID, credentials.Request{TTL: time.Hour})
	postgrestest.WantKind(t, err, errs.KindConflict)
	b.wantVerified(own)
	if _, repaired, err := b.Repair(t.Context(), own.ID); err != nil || len(repaired) != 0 {
		t.Errorf("%v, %v", repaired, err)
	}
	if again, _, err := b.Suspend(t.Context(), own.ID); err != nil || again.Version != suspended.Version {
		t.Errorf("the second time: %+v, %v", again, err)
	}

	archived, err := b.Archive(t.Context(), own.ID)
	if err != nil || archived.Status != tenant.StatusArchived || !archived.Suspended() {
		t.Fatalf("%+v, %v", archived, err)
	}
	if got, err := b.Unarchive(t.Context(), own.ID); err != nil || got.Status != tenant.StatusSuspended || !got.SuspendedAt.Equal(suspended.SuspendedAt) {
		t.Fatalf("%+v, %v", got, err)
	}
	b.wantVerified(own)
	if _, err := read(); !denied(err) {
		t.Errorf("after it was unarchived: %v", err)
	}

	resumed, err := b.Resume(t.Context(), own.ID)
	if err != nil || resumed.Status != tenant.StatusActive || resumed.Suspended() {
		t.Fatalf("%+v, %v", resumed, err)
	}
	if again, err := b.Resume(t.Context(), own.ID); err != nil || again.Version != resumed.Version {
		t.Errorf("the second time: %+v, %v", again, err)
	}
	if n, err := read(); n != 1 || err != nil {
		t.Errorf("after it was resumed: %d, %v", n, err)
	}
	b.wantVerified(own)
	b.openCredential(own.ID)
}

// wantVerified checks that nothing is wrong with a tenant.
func (b fixture) wantVerified(t tenant.Tenant) {
	b.T.Helper()
	if found, err := b.Verify(b.T.Context(), t.ID); err != nil || len(found) > 0 {
		b.T.Errorf("%+v, %v", found, err)
	}
}

// TestDB_Suspend_Drift: the use of the schema that is granted by hand is drift, and a repair takes
// it away.
func TestDB_Suspend_Drift(t *testing.T) {
	b := setup(t)
	own := b.ActiveTenant(postgrestest.Inputs("Clinic"))
	if _, _, err := b.Suspend(t.Context(), own.ID); err != nil {
		t.Fatal(err)
	}
	b.run(b.names(own, own).Replace(`GRANT USAGE ON SCHEMA {{schema}} TO {{role}}`))
	found, err := b.Verify(t.Context(), own.ID)
	if err != nil || len(found) != 1 || !strings.Contains(found[0].Message, "has USAGE on its schema instead of nothing") {
		t.Errorf("%+v, %v", found, err)
	}
	if _, repaired, err := b.Repair(t.Context(), own.ID); err != nil || len(repaired) != 1 {
		t.Errorf("%v, %v", repaired, err)
	}
	b.wantVerified(own)
	if value[bool](b, `SELECT has_schema_privilege($1, $2, 'USAGE')`, own.DatabaseRole, own.SchemaName) {
		t.Error("the role can use the schema")
	}
}

// TestDB_Suspend_Refused: a tenant that is not live, and one whose schema is open to all.
func TestDB_Suspend_Refused(t *testing.T) {
	b := setup(t)
	open := b.ActiveTenant(postgrestest.Inputs("Open"))
	b.run(b.names(open, open).Replace(`GRANT USAGE ON SCHEMA {{schema}} TO PUBLIC`))
	_, _, err := b.Suspend(t.Context(), open.ID)
	postgrestest.WantKind(t, err, errs.KindPermanent)
	if got, err := b.Get(t.Context(), open.ID); err != nil || got.Status != tenant.StatusActive {
		t.Errorf("%+v, %v", got, err)
	}
	archived := b.archivedTenant(postgrestest.Inputs("Archived"))
	_, _, err = b.Suspend(t.Context(), archived.ID)
	postgrestest.WantKind(t, err, errs.KindConflict)
	_, err = b.Resume(t.Context(), archived.ID)
	postgrestest.WantKind(t, err, errs.KindConflict)
	run := b.ClaimNew(postgrestest.Inputs("Running"))
	_, _, err = b.Suspend(t.Context(), run.Tenant.ID)
	postgrestest.WantKind(t, err, errs.KindConflict)
}

// TestDB_Hold: nothing purges a held tenant, and each refusal is recorded.
func TestDB_Hold(t *testing.T) {
	b := setup(t)
	own := b.ActiveTenant(postgrestest.Inputs("Clinic"))
	held, err := b.SetHold(t.Context(), own.ID, "Case 17")
	if err != nil || !held.Hold.Active() || held.Hold.Reason != "Case 17" || held.Hold.By == "" || held.Version != own.Version+1 {
		t.Fatalf("%+v, %v", held, err)
	}
	if again, err := b.SetHold(t.Context(), own.ID, "Case 17"); err != nil || again.Version != held.Version {
		t.Errorf("the same reason: %+v, %v", again, err)
	}
	if other, err := b.SetHold(t.Context(), own.ID, "Cases 17 and 18"); err != nil || !other.Hold.Since.Equal(held.Hold.Since) || other.Hold.Reason != "Cases 17 and 18" {
		t.Errorf("another reason: %+v, %v", other, err)
	}
	if _, err := b.Archive(t.Context(), own.ID); err != nil {
		t.Fatal(err)
	}
	_, err = b.Purge(t.Context(), own.ID, 0)
	postgrestest.WantKind(t, err, errs.KindConflict)
	if !strings.Contains(errs.SafeMessage(err), "under a legal hold since ") || !strings.Contains(errs.SafeMessage(err), ": Cases 17 and 18.") {
		t.Errorf("%v", err)
	}
	if err := b.CheckPurge(t.Context(), own.ID, 0, false); errs.KindOf(err) != errs.KindConflict {
		t.Error(err)
	}
	events, err := b.Events(t.Context(), own.ID, 0, 100)
	b.Must(err)
	rejected := 0
	for _, e := range events {
		if e.Action == audit.ActionPurge && e.Outcome == audit.OutcomeRejected && strings.Contains(fmt.Sprint(e.Detail["error"]), "legal hold") {
			rejected++
		}
	}
	if rejected != 2 {
		t.Errorf("%d refusals are recorded", rejected)
	}
	b.wantVerified(own)
	cleared, err := b.ClearHold(t.Context(), own.ID, "Closed")
	if err != nil || cleared.Hold.Active() {
		t.Errorf("%+v, %v", cleared, err)
	}
	if again, err := b.ClearHold(t.Context(), own.ID, "Closed"); err != nil || again.Version != cleared.Version {
		t.Errorf("the second time: %+v, %v", again, err)
	}
	if _, err := b.Purge(t.Context(), own.ID, 0); err != nil {
		t.Error(err)
	}
	_, err = b.SetHold(t.Context(), own.ID, "Too late")
	postgrestest.WantKind(t, err, errs.KindConflict)
	_, err = b.SetHold(t.Context(), b.ClaimNew(postgrestest.Inputs("Running")).Tenant.ID, "Too early")
	postgrestest.WantKind(t, err, errs.KindConflict)
}

// TestDB_DeletionProtection: a protected tenant is neither archived nor purged.
func TestDB_DeletionProtection(t *testing.T) {
	b := setup(t)
	in := postgrestest.Inputs("Clinic")
	in.DeletionProtection = new(true)
	own := b.ActiveTenant(in)
	if !own.DeletionProtection {
		t.Fatal("the new tenant is not protected")
	}
	_, err := b.Archive(t.Context(), own.ID)
	postgrestest.WantKind(t, err, errs.KindConflict)
	if !strings.Contains(errs.SafeMessage(err), "deletion protection") {
		t.Error(err)
	}
	in.DeletionProtection = nil // An update without it keeps it.
	in.Name = "Klinik"
	if got, err := b.Update(t.Context(), own.ID, in, 0); err != nil || !got.DeletionProtection {
		t.Errorf("%+v, %v", got, err)
	}
	in.DeletionProtection = new(false)
	if got, err := b.Update(t.Context(), own.ID, in, 0); err != nil || got.DeletionProtection {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := b.Archive(t.Context(), own.ID); err != nil {
		t.Fatal(err)
	}
	in.DeletionProtection = new(true)
	if got, err := b.Update(t.Context(), own.ID, in, 0); err != nil || !got.DeletionProtection {
		t.Errorf("an archived one: %+v, %v", got, err)
	}
	_, err = b.Purge(t.Context(), own.ID, 0)
	postgrestest.WantKind(t, err, errs.KindConflict)
	b.wantVerified(own)
	in.DeletionProtection = new(false)
	_, err = b.Update(t.Context(), own.ID, in, 0)
	b.Must(err)
	if _, err = b.Purge(t.Context(), own.ID, 0); err != nil {
		t.Error(err)
	}
}
