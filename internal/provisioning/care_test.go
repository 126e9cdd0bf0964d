package provisioning_test

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// watched tells of contracts what a test wants; nothing else is asked of it.
type watched struct {
	provisioning.ContractKeeper
	asked int
	err   error
}

func (l *watched) NetworkID() string { return "test" }
func (l *watched) Address() string   { return "G" }

func (l *watched) ReadContracts(_ context.Context, tenants []provisioning.Tenant) ([]provisioning.ContractState, error) {
	l.asked++
	states := make([]provisioning.ContractState, len(tenants))
	for i, t := range tenants {
		states[i] = provisioning.ContractState{TenantID: t.ID, ContractID: t.ContractID, Life: provisioning.ContractLive, Ledger: 7}
	}
	return states, l.err
}

func TestService_LookingAfter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	chain := &watched{}
	keeper, err := provisioning.NewKeeper(w.db, chain, provisioning.KeeperOptions{})
	if err != nil {
		t.Fatal(err)
	}
	plain := w.process().service(provisioning.PipelineOptions{})
	service, err := plain.LookingAfter(chain, keeper)
	if err != nil {
		t.Fatal(err)
	}
	out, err := service.Provision(t.Context(), clinic())
	if err != nil {
		t.Fatal(err)
	}
	look := func(s *provisioning.Service) provisioning.Inspection {
		t.Helper()
		found, err := s.Inspect(t.Context(), []uuid.UUID{out.Tenant.ID})
		if err != nil || len(found) != 1 || found[0].Database != provisioning.DatabaseIntact {
			t.Fatalf("%+v, %v", found, err)
		}
		return found[0]
	}
	if i := look(service); i.Contract.Life != provisioning.ContractLive || i.Contract.ContractID != out.Tenant.ContractID || i.Contract.Ledger != 7 {
		t.Errorf("%+v", i.Contract)
	}
	if i := look(plain); i.Contract.Life != "" || chain.asked != 1 {
		t.Errorf("%+v after %d questions", i.Contract, chain.asked)
	}
	// A network that does not answer is no reason to know nothing, and is left alone for a while.
	chain.err = provisioning.Errorf(provisioning.KindTransient, "read contracts", "the network does not answer")
	for range 3 {
		if i := look(service); i.Contract.Life != "" {
			t.Errorf("%+v", i.Contract)
		}
	}
	if chain.asked != 2 {
		t.Errorf("%d questions", chain.asked)
	}
	if err := plain.RenewContract(t.Context(), out.Tenant.ID); provisioning.KindOf(err) != provisioning.KindPermanent {
		t.Errorf("%v", err)
	}
	if err := service.RenewContract(t.Context(), uuid.New()); provisioning.KindOf(err) != provisioning.KindNotFound {
		t.Errorf("%v", err)
	}
	if _, err := plain.LookingAfter(nil, keeper); provisioning.KindOf(err) != provisioning.KindInvalid {
		t.Errorf("%v", err)
	}
}
