package app

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/platform"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantschema"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/verification"
)

// Maintenance checks, migrates and adopts tenants. Its results are those that tenant-api prints with
// --json.
type Maintenance struct {
	db           *postgres.DB
	provisioning *Provisioning
	ledger       Ledger
}

// Ledger are the parts that verify contracts. The zero value reads no ledger.
type Ledger struct {
	Contracts verification.ContractChecker
	Unknown   verification.UnknownContractFinder
}

// NewMaintenance makes a Maintenance of the parts of a registry.
func NewMaintenance(db *postgres.DB, p *Provisioning, ledger Ledger) *Maintenance {
	return &Maintenance{db: db, provisioning: p, ledger: ledger}
}

// Verifier is a verifier of one run, which counts the anchors that it compared.
type Verifier struct {
	*verification.Verifier
	*anchorCounter
}

// anchorCounter counts the compared anchors.
type anchorCounter struct {
	verification.RegistryChecker

	AnchorsCompared int
}

// VerifyAnchor implements verification.RegistryChecker.
func (a *anchorCounter) VerifyAnchor(ctx context.Context, tenantID uuid.UUID, anchor contracts.Anchor) ([]verification.Finding, error) {
	a.AnchorsCompared++
	return a.RegistryChecker.VerifyAnchor(ctx, tenantID, anchor)
}

// NewVerifier makes the verifier of one run.
func NewVerifier(db *postgres.DB, ledger Ledger) (Verifier, error) {
	counter := &anchorCounter{RegistryChecker: db}
	v, err := verification.New(verification.Options{Tenants: db, Registry: counter, Contracts: ledger.Contracts, Unknown: ledger.Unknown})
	return Verifier{v, counter}, err
}

// Verify checks one tenant, or with uuid.Nil the registry itself. What could not be checked is in
// the result. KindNotFound for an unknown tenant.
func (f *Maintenance) Verify(ctx context.Context, id uuid.UUID, offline bool) (dto.Verification, error) {
	ledger := f.ledger
	if offline {
		ledger = Ledger{}
	}
	v, err := NewVerifier(f.db, ledger)
	if err != nil {
		return dto.Verification{}, err
	}
	found, err := v.Tenant(ctx, id)
	if errs.KindOf(err) == errs.KindNotFound {
		return dto.Verification{}, err
	}
	report := dto.Verification{AnchorsCompared: v.AnchorsCompared, Offline: ledger.Contracts == nil, Findings: dto.NewFindings(id, found), Unchecked: []dto.Unchecked{}}
	switch {
	case err != nil:
		report.Unchecked = append(report.Unchecked, dto.Unchecked{TenantID: dto.ID(id), Error: errs.SafeMessage(err)})
	case id != uuid.Nil:
		report.Tenants = 1
	}
	return report, nil
}

// CheckPlatform finds what all tenants need of PostgreSQL and lack. It returns the errors of
// platform.Platform.Check.
func (f *Maintenance) CheckPlatform(ctx context.Context) (dto.PlatformCheck, error) {
	result, err := f.db.Platform.Check(ctx, func(int, int) {})
	if err != nil {
		return dto.PlatformCheck{}, err
	}
	return NewPlatformCheck(result), nil
}

// NewPlatformCheck converts the result of a check.
func NewPlatformCheck(result platform.Result) dto.PlatformCheck {
	return dto.PlatformCheck{Findings: PlatformFindings(result.Findings), TenantsUnchecked: result.TenantsUnchecked}
}

// PlatformFindings converts findings of the platform.
func PlatformFindings(findings []platform.Finding) []dto.PlatformFinding {
	list := make([]dto.PlatformFinding, len(findings))
	for i, f := range findings {
		list[i] = dto.PlatformFinding{Check: string(f.Check), TenantID: dto.ID(f.TenantID), Object: f.Object, Message: f.Message,
			Statements: dto.List(f.Statements), Repairable: f.Repairable}
	}
	return list
}

// TenantMigration are the options of the migration of one tenant.
type TenantMigration struct {
	DryRun           bool
	EndSessions      bool
	StatementTimeout time.Duration // Of one statement.
}

// MigrateTenant brings one tenant to the active revision of its blueprint. KindConflict when the
// tenant has no schema, or something in it prevents a migration: then it is unchanged.
func (f *Maintenance) MigrateTenant(ctx context.Context, id uuid.UUID, m TenantMigration) (dto.TenantMigration, error) {
	t, err := f.db.Get(ctx, id)
	if err != nil {
		return dto.TenantMigration{}, err
	}
	report, err := f.db.MigrateTenants(ctx, tenantschema.MigrationOptions{
		TenantID: &id, Canary: -1, DryRun: m.DryRun, EndSessions: m.EndSessions, StatementTimeout: m.StatementTimeout,
	})
	report.Targets = slices.DeleteFunc(report.Targets, func(target tenantschema.MigrationTarget) bool { return target.Blueprint != t.Blueprint })
	if len(report.Failed) > 0 {
		err = report.Failed[0].Err
		if errs.KindOf(err) == errs.KindPermanent {
			err = errs.Wrap(err, errs.KindConflict, "migrate tenant", "the tenant could not be migrated and is unchanged: %s", errs.SafeMessage(err))
		}
	}
	return NewTenantMigration(report, m.DryRun), err
}

// NewTenantMigration converts the report of a migration.
func NewTenantMigration(r tenantschema.MigrationReport, dryRun bool) dto.TenantMigration {
	v := dto.TenantMigration{Targets: []dto.MigrationTarget{}, DryRun: dryRun, Pending: r.Pending, Migrated: r.Migrated, Failed: len(r.Failed)}
	for _, t := range r.Targets {
		target := dto.MigrationTarget{Blueprint: t.Blueprint, Version: t.Version, Pending: t.Pending}
		if t.Revision != 0 {
			target.Revision = &t.Revision
		}
		v.Targets = append(v.Targets, target)
	}
	return v
}

// Adopt compares a schema with its blueprint and, without dryRun, makes a tenant of it. A schema
// that was adopted before is skipped. It returns the errors of provisioning.Service.Adopt.
func (f *Maintenance) Adopt(ctx context.Context, in tenant.Inputs, a provisioning.Adoption, dryRun bool) (dto.Adoption, error) {
	v := dto.Adoption{Schema: a.Schema}
	d, err := f.provisioning.CompareSchema(ctx, in.Blueprint, a)
	v.Missing, v.Changed, v.Unmanaged, v.Statements = dto.List(d.Missing), dto.List(d.Changed), dto.List(d.Unmanaged), dto.List(d.Statements)
	if err == nil && !dryRun {
		var out provisioning.Outcome
		if out, err = f.provisioning.Adopt(ctx, in, a); err == nil {
			v.TenantID = dto.ID(out.Tenant.ID)
		}
	}
	if errors.Is(err, provisioning.ErrAdopted) {
		message := errs.SafeMessage(err)
		v.Error, v.Skipped, err = &message, true, nil
	}
	return v, err
}
