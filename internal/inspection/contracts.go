package inspection

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/breaker"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// ContractReadTimeout is how long a read of tenants waits for the state of their
// contracts.
const ContractReadTimeout = 5 * time.Second

// ContractReader reads the state of contracts from the ledger.
type ContractReader interface {
	// ReadContracts returns the snapshots in the order of the tenants. KindTransient when
	// the network does not answer.
	ReadContracts(ctx context.Context, tenants []tenant.Tenant) ([]contracts.Snapshot, error)
	// ContractID computes, without a network, the address of a tenant's contract.
	ContractID(tenant uuid.UUID) (string, error)
}

// ContractReconciler reconciles contracts.
type ContractReconciler interface {
	// ReconcileOne returns KindPermanent with the reason when something failed.
	ReconcileOne(ctx context.Context, tenant uuid.UUID) error
}

// Service reads the state of tenants in database and ledger, and repairs it.
type Service struct {
	store      Store
	tenants    TenantGetter
	contracts  ContractReader // Nil: contracts are not inspected.
	reconciler ContractReconciler
	breaker    breaker.CircuitBreaker // For the calls of contracts.
}

// TenantGetter gets one tenant.
type TenantGetter interface {
	// Get returns KindNotFound for an unknown id.
	Get(ctx context.Context, id uuid.UUID) (tenant.Tenant, error)
}

// Options are the parts of a Service. Contracts and Reconciler are either both set or
// both nil; Clock may be nil.
type Options struct {
	Store      Store
	Tenants    TenantGetter
	Contracts  ContractReader
	Reconciler ContractReconciler
	Clock      clock.Clock
}

// New makes a service. KindInvalid when a part is missing.
func New(o Options) (*Service, error) {
	if o.Store == nil || o.Tenants == nil || (o.Contracts == nil) != (o.Reconciler == nil) {
		return nil, errs.Errorf(errs.KindInvalid, "set up inspection", "Store, Tenants, Contracts or Reconciler is missing")
	}
	return &Service{
		store: o.Store, tenants: o.Tenants, contracts: o.Contracts, reconciler: o.Reconciler,
		breaker: breaker.CircuitBreaker{Clock: o.Clock},
	}, nil
}

// contractRead is a read of contracts that runs beside the registry's.
type contractRead struct {
	done      chan struct{} // Closed once the fields below are set.
	snapshots map[uuid.UUID]contracts.Snapshot
	err       error
}

// startContractRead starts the read of the contracts that this deployer would have made
// for these tenants. It returns nil when contracts are not inspected or the breaker is
// open.
func (s *Service) startContractRead(ctx context.Context, ids []uuid.UUID) *contractRead {
	if s.contracts == nil || len(ids) == 0 || !s.breaker.Allow() {
		return nil
	}
	read := &contractRead{done: make(chan struct{})}
	go func() {
		defer close(read.done)
		tenants := make([]tenant.Tenant, len(ids))
		for i, id := range ids {
			tenants[i].ID = id
			if tenants[i].ContractID, read.err = s.contracts.ContractID(id); read.err != nil {
				s.breaker.Abandon()
				return
			}
		}
		read.snapshots, read.err = s.readContracts(ctx, tenants)
	}()
	return read
}

// readContracts reads contracts within ContractReadTimeout and reports to the breaker.
func (s *Service) readContracts(ctx context.Context, tenants []tenant.Tenant) (map[uuid.UUID]contracts.Snapshot, error) {
	readCtx, cancel := context.WithTimeout(ctx, ContractReadTimeout)
	defer cancel()
	states, err := s.contracts.ReadContracts(readCtx, tenants)
	switch {
	case err == nil:
		s.breaker.Success()
	case ctx.Err() != nil: // The caller has stopped: not a failure of the network.
		s.breaker.Abandon()
		return nil, err
	default:
		s.breaker.Failure()
		return nil, err
	}
	snapshots := make(map[uuid.UUID]contracts.Snapshot, len(states))
	for _, state := range states {
		snapshots[state.TenantID] = state
	}
	return snapshots, nil
}

// addContracts sets the contract of each live tenant. A tenant whose contract another
// deployer made is read once more, as the registry names it.
func (s *Service) addContracts(ctx context.Context, found []Inspection, read *contractRead) {
	if s.contracts == nil {
		return
	}
	var snapshots map[uuid.UUID]contracts.Snapshot
	err := error(errNetworkPaused)
	if read != nil {
		<-read.done // It ends with ctx at the latest.
		snapshots, err = read.snapshots, read.err
	}
	var foreign []tenant.Tenant
	for _, f := range found {
		if f.hasContract() && err == nil && snapshots[f.Tenant.ID].ContractID != f.Tenant.ContractID {
			foreign = append(foreign, f.Tenant)
		}
	}
	if len(foreign) > 0 {
		var more map[uuid.UUID]contracts.Snapshot
		more, err = s.readContracts(ctx, foreign)
		for _, t := range foreign {
			snapshots[t.ID] = more[t.ID]
		}
	}
	for i := range found {
		switch snapshot, ok := snapshots[found[i].Tenant.ID]; {
		case !found[i].hasContract():
		case ok && snapshot.State != "":
			found[i].Contract = snapshot
		case err != nil:
			found[i].ContractError = errs.SafeMessage(err)
		}
	}
}

// errNetworkPaused is why contracts are not read while the breaker is open.
var errNetworkPaused = errs.Errorf(errs.KindTransient, "read contracts", "the Stellar network did not answer a moment ago")

func (f Inspection) hasContract() bool {
	return f.Tenant.Status.Live() && f.Tenant.ContractID != ""
}

// NetworkUnavailable opens the breaker, so contracts are not read for a while. It is for
// callers whose own call was not answered.
func (s *Service) NetworkUnavailable() { s.breaker.Trip() }

// ReconcileContract reconciles a tenant's contract and waits for the result: it extends
// or restores the contract, redeploys it after a network reset, and sets the tenant's
// status in it. KindPermanent with the reason when something failed, or when contract
// management is not configured; KindTransient while the breaker is open.
func (s *Service) ReconcileContract(ctx context.Context, id uuid.UUID) error {
	if s.contracts == nil {
		return errs.Errorf(errs.KindPermanent, "reconcile contract", "contract management is not configured")
	}
	if _, err := s.tenants.Get(ctx, id); err != nil {
		return err
	}
	if !s.breaker.Allow() {
		return errNetworkPaused
	}
	err := s.reconciler.ReconcileOne(ctx, id)
	switch {
	case err == nil:
		s.breaker.Success()
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		s.breaker.Failure()
	default: // Perhaps a fault of the contract: not a failure of the network.
		s.breaker.Abandon()
	}
	return err
}
