package provisioning

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// ContractReadTimeout is how long a read of tenants waits for the network to tell where
// their contracts stand.
const ContractReadTimeout = 5 * time.Second

// contractCare is what a Service that looks after contracts has for it.
type contractCare struct {
	chain   ContractKeeper
	keeper  *Keeper
	breaker CircuitBreaker
}

// LookingAfter gives a service of the same parts that also tells where contracts
// stand, and renews them at somebody's wish. KindInvalid when a part is missing.
func (s *Service) LookingAfter(chain ContractKeeper, keeper *Keeper) (*Service, error) {
	if chain == nil || keeper == nil {
		return nil, Errorf(KindInvalid, "set up service", "ContractKeeper or Keeper is missing")
	}
	caring := *s
	caring.care = &contractCare{chain: chain, keeper: keeper, breaker: CircuitBreaker{Clock: s.pipeline.opts.Clock}}
	return &caring, nil
}

// look tells of live tenants where their contracts stand, as far as the network says.
func (c *contractCare) look(ctx context.Context, all []Inspection) {
	var (
		tenants []Tenant
		of      []int
	)
	for i, found := range all {
		if found.Tenant.Status == StatusActive && found.Tenant.ContractID != "" {
			tenants, of = append(tenants, found.Tenant), append(of, i)
		}
	}
	if len(tenants) == 0 || !c.breaker.Allow() {
		return
	}
	asking, cancel := context.WithTimeout(ctx, ContractReadTimeout)
	defer cancel()
	states, err := c.chain.ReadContracts(asking, tenants)
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
		all[of[i]].Contract = state
	}
}

// RenewContract does for a tenant's contract what is due, and waits for it: it is
// extended, restored, deployed again where the network was begun anew, and told
// whether its tenant is archived. KindPermanent with the reason when something is
// left undone, or when nobody here looks after contracts.
func (s *Service) RenewContract(ctx context.Context, id uuid.UUID) error {
	const op = "look after contract"
	if s.care == nil {
		return Errorf(KindPermanent, op, "nobody here looks after contracts")
	}
	if _, err := s.registry.Get(ctx, id); err != nil {
		return err
	}
	return s.care.keeper.AttendWhole(ctx, id)
}
