package provisioning

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// ContractReadTimeout is how long a read of tenants waits for the network to tell where
// their contracts stand.
const ContractReadTimeout = 5 * time.Second

// contractInspector is what a Service that looks after contracts has for it.
type contractInspector struct {
	chain      contracts.Chain
	reconciler *contracts.Reconciler
	breaker    CircuitBreaker
}

// WithContracts gives a service of the same parts that also tells where contracts
// stand, and renews them at somebody's wish. KindInvalid when a part is missing.
func (s *Service) WithContracts(chain contracts.Chain, reconciler *contracts.Reconciler) (*Service, error) {
	if chain == nil || reconciler == nil {
		return nil, errs.Errorf(errs.KindInvalid, "set up service", "ContractKeeper or Keeper is missing")
	}
	withContracts := *s
	withContracts.contracts = &contractInspector{chain: chain, reconciler: reconciler, breaker: CircuitBreaker{Clock: s.pipeline.opts.Clock}}
	return &withContracts, nil
}

// inspect tells of live tenants where their contracts stand, as far as the network says.
func (c *contractInspector) inspect(ctx context.Context, inspections []Inspection) {
	var (
		tenants   []tenant.Tenant
		positions []int
	)
	for i, found := range inspections {
		if found.Tenant.Status == tenant.StatusActive && found.Tenant.ContractID != "" {
			tenants, positions = append(tenants, found.Tenant), append(positions, i)
		}
	}
	if len(tenants) == 0 || !c.breaker.Allow() {
		return
	}
	readCtx, cancel := context.WithTimeout(ctx, ContractReadTimeout)
	defer cancel()
	states, err := c.chain.ReadContracts(readCtx, tenants)
	switch {
	case err == nil:
		c.breaker.Success()
	case ctx.Err() != nil: // The caller is gone; this says nothing about the network.
		c.breaker.Abandon()
		return
	default:
		c.breaker.Failure()
		return
	}
	for i, state := range states {
		inspections[positions[i]].Contract = state
	}
}

// ReconcileContract does for a tenant's contract what is due, and waits for it: it is
// extended, restored, deployed again where the network was begun anew, and told
// whether its tenant is archived. KindPermanent with the reason when something is
// left undone, or when nobody here looks after contracts.
func (s *Service) ReconcileContract(ctx context.Context, id uuid.UUID) error {
	const op = "look after contract"
	if s.contracts == nil {
		return errs.Errorf(errs.KindPermanent, op, "nobody here looks after contracts")
	}
	if _, err := s.registry.Get(ctx, id); err != nil {
		return err
	}
	return s.contracts.reconciler.ReconcileOne(ctx, id)
}
