package provisioning_test

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/inspection"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// watched returns the contract states that a test sets; no other method is called.
type watched struct {
	contracts.Chain
	asked int
	err   error
}

func (l *watched) ContractID(id uuid.UUID) (string, error) { return (&process{}).ContractID(id) }

func (l *watched) NetworkID() string { return "test" }
func (l *watched) Address() string   { return "G" }

func (l *watched) ReadContracts(_ context.Context, tenants []tenant.Tenant) ([]contracts.Snapshot, error) {
	l.asked++
	states := make([]contracts.Snapshot, len(tenants))
	for i, t := range tenants {
		states[i] = contracts.Snapshot{TenantID: t.ID, ContractID: t.ContractID, State: contracts.StateLive, Ledger: 7}
	}
	return states, l.err
}

func TestInspectionService_ReadsAndReconcilesContracts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	chain := &watched{}
	reconciler, err := contracts.NewReconciler(w.db, chain, contracts.ReconcilerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	plain, err := inspection.New(inspection.Options{Store: w.db, Tenants: w.db})
	if err != nil {
		t.Fatal(err)
	}
	service, err := inspection.New(inspection.Options{Store: w.db, Tenants: w.db, Contracts: chain, Reconciler: reconciler})
	if err != nil {
		t.Fatal(err)
	}
	out, err := w.process().service(provisioning.PipelineOptions{}).Provision(t.Context(), clinic())
	if err != nil {
		t.Fatal(err)
	}
	look := func(s *inspection.Service) inspection.Inspection {
		t.Helper()
		found, err := s.Inspect(t.Context(), []uuid.UUID{out.Tenant.ID})
		if err != nil || len(found) != 1 || found[0].Database != inspection.DatabaseInSync {
			t.Fatalf("%+v, %v", found, err)
		}
		return found[0]
	}
	if i := look(service); i.Contract.State != contracts.StateLive || i.Contract.ContractID != out.Tenant.ContractID || i.Contract.Ledger != 7 {
		t.Errorf("%+v", i.Contract)
	}
	if i := look(plain); i.Contract.State != "" || chain.asked != 1 {
		t.Errorf("%+v after %d calls", i.Contract, chain.asked)
	}
	// If the network does not answer, the last known state is returned and calls pause.
	chain.err = errs.Errorf(errs.KindTransient, "read contracts", "the network does not answer")
	for range 3 {
		if i := look(service); i.Contract.State != "" || i.ContractError == "" {
			t.Errorf("%+v, %q", i.Contract, i.ContractError)
		}
	}
	if chain.asked != 2 {
		t.Errorf("%d calls", chain.asked)
	}
	if err := plain.ReconcileContract(t.Context(), out.Tenant.ID); errs.KindOf(err) != errs.KindPermanent {
		t.Errorf("%v", err)
	}
	if err := service.ReconcileContract(t.Context(), uuid.New()); errs.KindOf(err) != errs.KindNotFound {
		t.Errorf("%v", err)
	}
	if _, err := inspection.New(inspection.Options{Store: w.db, Tenants: w.db, Reconciler: reconciler}); errs.KindOf(err) != errs.KindInvalid {
		t.Errorf("%v", err)
	}
}
