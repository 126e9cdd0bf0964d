// Package app is the one wiring of the product: settings in, ready services out. The
// provider, tenant-api and the benchmarks use it, so that each of them runs the same
// code in the same configuration.
package app

import (
	"context"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/inspection"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// The services that Services is made of.
type (
	// Provisioning creates tenants and moves them between statuses.
	Provisioning = provisioning.Service
	// Inspection reads the state of tenants in database and ledger, and repairs it.
	Inspection = inspection.Service
	// Credentials opens and closes logins.
	Credentials = credentials.Service
	// AuditLog records rejections and reads audit events.
	AuditLog = audit.Log
)

// Services are all services of one registry, for entrances that offer all of them.
type Services struct {
	*Provisioning
	*Inspection
	*Credentials
	AuditLog

	refusals *audit.Refusals // Nil: the entrance records them.
}

// Store is what the services need of the registry.
type Store interface {
	provisioning.Runs
	provisioning.Store
	inspection.Store
	credentials.Store
	audit.Log
}

// Contracts are the parts that read and reconcile contracts. The zero value is for
// services that do neither.
type Contracts struct {
	Reader     inspection.ContractReader
	Reconciler inspection.ContractReconciler
}

// NewServices makes the services of a registry on a pipeline. A nil clock is the
// system's. KindInvalid when a part is missing.
func NewServices(store Store, pipeline *provisioning.Pipeline, c Contracts, clk clock.Clock) (*Services, error) {
	tenants, err := provisioning.NewService(store, pipeline)
	if err != nil {
		return nil, err
	}
	inspections, err := inspection.New(inspection.Options{
		Store: store, Tenants: store, Contracts: c.Reader, Reconciler: c.Reconciler, Clock: clk,
	})
	if err != nil {
		return nil, err
	}
	return &Services{Provisioning: tenants, Inspection: inspections, Credentials: credentials.New(store, clk), AuditLog: store}, nil
}

// WithRefusals returns the same services, which record what they refuse, in the chain of the tenant.
// It is for commands and the provider: the API and the workers record refusals themselves.
func (s *Services) WithRefusals() *Services {
	recording := *s
	recording.refusals = audit.NewRefusals(s.AuditLog)
	recording.Provisioning = s.Provisioning.WithRefusals(recording.refusals)
	return &recording
}

// Repair is Inspection.Repair.
func (s *Services) Repair(ctx context.Context, id uuid.UUID) (tenant.Tenant, []string, error) {
	t, drift, err := s.Inspection.Repair(ctx, id)
	return t, drift, s.refusals.Add(ctx, id, audit.ActionRepair, err)
}

// OpenCredential is Credentials.OpenCredential.
func (s *Services) OpenCredential(ctx context.Context, id uuid.UUID, r credentials.Request) (credentials.Credential, error) {
	c, err := s.Credentials.OpenCredential(ctx, id, r)
	return c, s.refusals.Add(ctx, id, audit.ActionOpenCredential, err)
}

// WithRequiredReasons returns the same services, which open logins only for stated reasons.
func (s *Services) WithRequiredReasons() *Services {
	strict := *s
	strict.Credentials = s.Credentials.WithRequiredReasons()
	return &strict
}

// WithCancelOnDisconnect returns the same services for callers that may disconnect. See
// provisioning.RunOptions.
func (s *Services) WithCancelOnDisconnect() *Services {
	attended := *s
	attended.Provisioning = s.Provisioning.WithCancelOnDisconnect()
	return &attended
}
