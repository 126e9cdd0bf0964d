package postgres_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/pgserver/pgtest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

func TestMain(m *testing.M) {
	os.Exit(pgtest.Main(m, postgrestest.Migrate))
}

// fixture is a separate registry with the helpers that most tests use.
type fixture struct {
	*postgres.DB
	t *testing.T
}

func setup(t *testing.T) fixture {
	t.Helper()
	t.Parallel()
	db, err := postgres.Open(t.Context(), postgres.Options{URL: pgtest.Database(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return fixture{db, t}
}

func inputs(name string) tenant.Inputs {
	return tenant.Inputs{
		Name: name, AdminEmail: "ada@clinic.example", AdminFirstName: "Ada", AdminLastName: "Lovelace",
		Metadata: map[string]string{"region": "eu"},
	}
}

func leaseRequest(owner string, ttl time.Duration) provisioning.LeaseRequest {
	return provisioning.LeaseRequest{Owner: owner, TTL: ttl}
}

func (b fixture) draft(in tenant.Inputs) tenant.Draft {
	b.t.Helper()
	d, err := tenant.NewDraft(in, time.Now())
	if err != nil {
		b.t.Fatal(err)
	}
	return d
}

// claimNew records a tenant and claims it for the test.
func (b fixture) claimNew(in tenant.Inputs) provisioning.Run {
	b.t.Helper()
	c, err := b.Create(b.t.Context(), b.draft(in), leaseRequest("test", time.Minute))
	if err != nil {
		b.t.Fatal(err)
	}
	if c.Run == nil {
		b.t.Fatalf("the new tenant was not claimed: %+v", c)
	}
	return *c.Run
}

func (b fixture) seed() provisioning.Seed {
	return provisioning.Seed{
		AdminUser: uuid.Must(uuid.NewV7()), Roles: provisioning.DefaultRoles(),
		Invitation: invitation.NewInvitation(time.Now()), Next: tenant.StepDeploySorobanContract,
	}
}

// PrepareSchema calls the registry's method with zero durations.
func (b fixture) PrepareSchema(ctx context.Context, r provisioning.Run, seed provisioning.Seed) error {
	_, err := b.DB.PrepareSchema(ctx, r, seed)
	return err
}

// Advance calls the registry's method with zero durations.
func (b fixture) Advance(ctx context.Context, r provisioning.Run, p provisioning.Progress) (tenant.Tenant, error) {
	t, _, err := b.DB.Advance(ctx, r, p)
	return t, err
}

// activeTenant brings a tenant to ACTIVE without the steps outside the database.
func (b fixture) activeTenant(in tenant.Inputs) tenant.Tenant {
	b.t.Helper()
	run := b.claimNew(in)
	if err := b.PrepareSchema(b.t.Context(), run, b.seed()); err != nil {
		b.t.Fatal(err)
	}
	t, err := b.Advance(b.t.Context(), run, activation())
	if err != nil {
		b.t.Fatal(err)
	}
	return t
}

func activation() provisioning.Progress {
	return provisioning.Progress{
		Checkpoint: tenant.StepSendWelcomeEmail,
		ContractID: contractID, WelcomeEmail: tenant.WelcomeEmailSent, Activate: true,
		Records: []tenant.StepRecord{
			{Step: tenant.StepDeploySorobanContract, Status: tenant.StepCompleted, Result: map[string]any{"ledger": 7}, Duration: time.Second},
			{Step: tenant.StepStoreContractAddress, Status: tenant.StepCompleted},
			{Step: tenant.StepSendWelcomeEmail, Status: tenant.StepCompleted, Duration: time.Millisecond},
		},
	}
}

// value reads one value from the database.
func value[T any](b fixture, query string, args ...any) T {
	b.t.Helper()
	var v T
	if err := b.Pool().QueryRow(b.t.Context(), query, args...).Scan(&v); err != nil {
		b.t.Fatalf("%s: %v", query, err)
	}
	return v
}

func (b fixture) exec(statement string, args ...any) {
	b.t.Helper()
	if _, err := b.Pool().Exec(b.t.Context(), statement, args...); err != nil {
		b.t.Fatalf("%s: %v", statement, err)
	}
}

func wantKind(t *testing.T, err error, kind errs.Kind) {
	t.Helper()
	if errs.KindOf(err) != kind {
		t.Errorf("error of kind %q, want %q: %v", errs.KindOf(err), kind, err)
	}
}

// contractID has the form of an address; no contract exists under it.
var contractID = "C" + strings.Repeat("A", 55)
