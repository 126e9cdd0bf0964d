//go:build unix

// Package postgrestest has what tests of the registry share: a registry of their own, and
// tenants in it.
package postgrestest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// Fixture is a registry of its own for one test, with the helpers that most tests use.
type Fixture struct {
	*postgres.DB
	T *testing.T
}

// Setup opens a new database for a parallel test.
func Setup(t *testing.T) Fixture {
	t.Helper()
	t.Parallel()
	return Open(t, pgdb.Options{})
}

// TwoProcesses opens one new database twice, as two processes do.
func TwoProcesses(t *testing.T) (one, two Fixture) {
	t.Helper()
	t.Parallel()
	url := testenv.Database(t)
	return Open(t, pgdb.Options{URL: url}), Open(t, pgdb.Options{URL: url})
}

// Open opens a database until the end of the test; without a URL, a new one.
func Open(t *testing.T, o pgdb.Options) Fixture {
	t.Helper()
	if o.URL == "" {
		o.URL = testenv.Database(t)
	}
	db, err := postgres.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return Fixture{db, t}
}

// ContractID has the form of an address; no contract exists under it.
var ContractID = "C" + strings.Repeat("A", 55)

// Inputs are valid inputs of a tenant.
func Inputs(name string) tenant.Inputs {
	return tenant.Inputs{
		Name: name, AdminEmail: "ada@clinic.example", AdminFirstName: "Ada", AdminLastName: "Lovelace",
		Metadata: map[string]string{"region": "eu"},
	}
}

// LeaseRequest asks for a lease of a tenant.
func LeaseRequest(owner string, ttl time.Duration) provisioning.LeaseRequest {
	return provisioning.LeaseRequest{Owner: owner, TTL: ttl}
}

// Must ends the test on an error.
func (b Fixture) Must(err error) {
	b.T.Helper()
	if err != nil {
		b.T.Fatal(err)
	}
}

// Draft makes a draft of inputs.
func (b Fixture) Draft(in tenant.Inputs) tenant.Draft {
	b.T.Helper()
	d, err := tenant.NewDraft(in, time.Now())
	b.Must(err)
	return d
}

// ClaimNew records a tenant and claims it for the test.
func (b Fixture) ClaimNew(in tenant.Inputs) provisioning.Run {
	b.T.Helper()
	c, err := b.Create(b.T.Context(), b.Draft(in), LeaseRequest("test", time.Minute))
	b.Must(err)
	if c.Run == nil {
		b.T.Fatalf("the new tenant was not claimed: %+v", c)
	}
	return *c.Run
}

// Seed returns the seed rows of a new tenant.
func (b Fixture) Seed() provisioning.Seed {
	return provisioning.Seed{
		AdminUser:  uuid.Must(uuid.NewV7()),
		Invitation: invitation.NewInvitation(time.Now().Add(invitation.DefaultTTL)), Next: tenant.StepDeploySorobanContract,
	}
}

// PrepareSchema calls the store's method and drops the durations.
func (b Fixture) PrepareSchema(ctx context.Context, r provisioning.Run, seed provisioning.Seed) error {
	_, err := b.DB.PrepareSchema(ctx, r, seed)
	return err
}

// Advance calls the store's method and drops the durations.
func (b Fixture) Advance(ctx context.Context, r provisioning.Run, p provisioning.Progress) (tenant.Tenant, error) {
	t, _, err := b.DB.Advance(ctx, r, p)
	return t, err
}

// ActiveTenant brings a tenant to ACTIVE without the steps outside the database.
func (b Fixture) ActiveTenant(in tenant.Inputs) tenant.Tenant {
	b.T.Helper()
	run := b.ClaimNew(in)
	b.Must(b.PrepareSchema(b.T.Context(), run, b.Seed()))
	t, err := b.Advance(b.T.Context(), run, Activation())
	b.Must(err)
	return t
}

// Activation is the progress of the last steps of a run.
func Activation() provisioning.Progress {
	return provisioning.Progress{
		Checkpoint: tenant.StepSendWelcomeEmail,
		ContractID: ContractID, WelcomeEmail: tenant.WelcomeEmailSent, Activate: true,
		Records: []tenant.StepRecord{
			{Step: tenant.StepDeploySorobanContract, Status: tenant.StepCompleted, Result: map[string]any{"ledger": 7}, Duration: time.Second},
			{Step: tenant.StepStoreContractAddress, Status: tenant.StepCompleted},
			{Step: tenant.StepSendWelcomeEmail, Status: tenant.StepCompleted, Duration: time.Millisecond},
		},
	}
}

// FailTenant ends the attempt of a run with a rollback.
func (b Fixture) FailTenant(run provisioning.Run) tenant.Tenant {
	b.T.Helper()
	record := tenant.StepRecord{Step: tenant.StepDeploySorobanContract, Status: tenant.StepFailed, Error: "the deployer has no funds", Duration: time.Second}
	b.Must(b.BeginRollback(b.T.Context(), run, provisioning.RollbackToFailed, record))
	run.Rollback = provisioning.RollbackToFailed
	failed, err := b.RollBack(b.T.Context(), run)
	b.Must(err)
	return failed
}

// Value reads one value from the database.
func Value[T any](b Fixture, query string, args ...any) T {
	b.T.Helper()
	var v T
	if err := b.Pool().QueryRow(b.T.Context(), query, args...).Scan(&v); err != nil {
		b.T.Fatalf("%s: %v", query, err)
	}
	return v
}

// Exec runs a statement.
func (b Fixture) Exec(statement string, args ...any) {
	b.T.Helper()
	if _, err := b.Pool().Exec(b.T.Context(), statement, args...); err != nil {
		b.T.Fatalf("%s: %v", statement, err)
	}
}

// WantKind fails the test unless an error has a kind.
func WantKind(t *testing.T, err error, kind errs.Kind) {
	t.Helper()
	if errs.KindOf(err) != kind {
		t.Errorf("error of kind %q, want %q: %v", errs.KindOf(err), kind, err)
	}
}

// ExecScript runs several statements.
func (b Fixture) ExecScript(text string) {
	b.T.Helper()
	if _, err := b.Pool().Exec(b.T.Context(), text, pgx.QueryExecModeSimpleProtocol); err != nil {
		b.T.Fatalf("%s: %v", text, err)
	}
}

// LaterMigrations is the blueprint standard with later migrations.
func LaterMigrations(t *testing.T, scripts ...string) *blueprint.Blueprint {
	t.Helper()
	later := blueprint.Standard()
	later.Migrations = slices.Clone(later.Migrations)
	for _, text := range scripts {
		version := len(later.Migrations) + 1
		m, err := blueprint.ParseMigration(fmt.Sprintf("migrations/%04d_later.sql", version), []byte("-- +goose Up\n"+text))
		if err != nil {
			t.Fatal(err)
		}
		later.Migrations = append(later.Migrations, m)
	}
	return &later
}

// AsSuperuser runs statements as the server's superuser, for what a DBA does.
func (b Fixture) AsSuperuser(statements string) {
	b.T.Helper()
	conn := testenv.Connect(b.T, testenv.SuperuserURL(b.T, b.Pool().Config().ConnString()))
	if _, err := conn.PgConn().Exec(b.T.Context(), statements).ReadAll(); err != nil {
		b.T.Fatalf("%s: %v", statements, err)
	}
}
