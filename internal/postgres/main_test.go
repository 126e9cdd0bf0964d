package postgres_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/pgserver/pgtest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

func TestMain(m *testing.M) {
	os.Exit(pgtest.Main(m, postgrestest.Migrate))
}

// bundle is a registry of its own and what most tests begin with.
type bundle struct {
	*postgres.DB
	t *testing.T
}

func setup(t *testing.T) bundle {
	t.Helper()
	t.Parallel()
	db, err := postgres.Open(t.Context(), postgres.Options{URL: pgtest.Database(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return bundle{db, t}
}

func inputs(name string) provisioning.Inputs {
	return provisioning.Inputs{
		Name: name, AdminEmail: "ada@clinic.example", AdminFirstName: "Ada", AdminLastName: "Lovelace",
		Metadata: map[string]string{"region": "eu"},
	}
}

func lease(owner string, ttl time.Duration) provisioning.LeaseRequest {
	return provisioning.LeaseRequest{Owner: owner, TTL: ttl}
}

func (b bundle) draft(in provisioning.Inputs) provisioning.Draft {
	b.t.Helper()
	d, err := provisioning.NewDraft(in, time.Now())
	if err != nil {
		b.t.Fatal(err)
	}
	return d
}

// begin records a tenant and claims it for the test.
func (b bundle) begin(in provisioning.Inputs) provisioning.Run {
	b.t.Helper()
	c, err := b.Create(b.t.Context(), b.draft(in), lease("test", time.Minute))
	if err != nil {
		b.t.Fatal(err)
	}
	if c.Run == nil {
		b.t.Fatalf("the new tenant was not claimed: %+v", c)
	}
	return *c.Run
}

func (b bundle) seed() provisioning.Seed {
	return provisioning.Seed{
		AdminUser: uuid.Must(uuid.NewV7()), Roles: provisioning.DefaultRoles(),
		Invitation: provisioning.NewInvitation(time.Now()), Next: provisioning.StepDeploySorobanContract,
	}
}

// PrepareSchema is the registry's, for tests that do not look at durations.
func (b bundle) PrepareSchema(ctx context.Context, r provisioning.Run, seed provisioning.Seed) error {
	_, err := b.DB.PrepareSchema(ctx, r, seed)
	return err
}

// Advance is the registry's, for tests that do not look at durations.
func (b bundle) Advance(ctx context.Context, r provisioning.Run, p provisioning.Progress) (provisioning.Tenant, error) {
	t, _, err := b.DB.Advance(ctx, r, p)
	return t, err
}

// live takes a tenant to ACTIVE without the steps outside the database.
func (b bundle) live(in provisioning.Inputs) provisioning.Tenant {
	b.t.Helper()
	run := b.begin(in)
	if err := b.PrepareSchema(b.t.Context(), run, b.seed()); err != nil {
		b.t.Fatal(err)
	}
	t, err := b.Advance(b.t.Context(), run, final())
	if err != nil {
		b.t.Fatal(err)
	}
	return t
}

func final() provisioning.Progress {
	return provisioning.Progress{
		Checkpoint: provisioning.StepSendWelcomeEmail,
		ContractID: contractID, WelcomeEmail: provisioning.WelcomeEmailSent, Activate: true,
		Records: []provisioning.StepRecord{
			{Step: provisioning.StepDeploySorobanContract, Status: provisioning.StepCompleted, Result: map[string]any{"ledger": 7}, Duration: time.Second},
			{Step: provisioning.StepStoreContractAddress, Status: provisioning.StepCompleted},
			{Step: provisioning.StepSendWelcomeEmail, Status: provisioning.StepCompleted, Duration: time.Millisecond},
		},
	}
}

// value reads one value from the database.
func value[T any](b bundle, query string, args ...any) T {
	b.t.Helper()
	var v T
	if err := b.Pool().QueryRow(b.t.Context(), query, args...).Scan(&v); err != nil {
		b.t.Fatalf("%s: %v", query, err)
	}
	return v
}

func (b bundle) exec(statement string, args ...any) {
	b.t.Helper()
	if _, err := b.Pool().Exec(b.t.Context(), statement, args...); err != nil {
		b.t.Fatalf("%s: %v", statement, err)
	}
}

func wantKind(t *testing.T, err error, kind provisioning.Kind) {
	t.Helper()
	if provisioning.KindOf(err) != kind {
		t.Errorf("error of kind %q, want %q: %v", provisioning.KindOf(err), kind, err)
	}
}

// contractID has the shape of an address; what it names plays no part here.
var contractID = "C" + strings.Repeat("A", 55)
