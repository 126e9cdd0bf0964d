package soroban_test

import (
	"context"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/verification"
)

// longAgo is a network whose server has no event of the creation of contracts any more.
type longAgo struct{ *soroban.Deployer }

func (longAgo) CreatedContracts(context.Context, func([]contracts.Creation) error) error { return nil }

// TestContractReconciler_RemovedTenant: the database's owner deletes every row of a tenant. Its
// contract is found by its creation and, when that was long ago, by the anchors in it.
func TestContractReconciler_RemovedTenant(t *testing.T) {
	b := setup(t)
	other := b.inAnotherRegistry()
	d := b.deployer(channels(2))
	ids := b.live(d, 3)
	for _, in := range []*testBundle{b, other} {
		if in == other {
			in.live(in.deployer(channels(1)), 1)
		}
		_, err := in.reconciler(d, contracts.ReconcilerOptions{}).AnchorAll(t.Context(), nil)
		b.must(err)
	}
	chains := map[string]contracts.Chain{"Created": d, "Anchored": longAgo{d}}
	find := func(chain contracts.Chain) []contracts.Creation {
		t.Helper()
		r, err := contracts.NewReconciler(b.db, chain, contracts.ReconcilerOptions{})
		b.must(err)
		found, err := r.FindRemoved(t.Context())
		b.must(err)
		return found
	}
	for name, chain := range chains {
		if found := find(chain); len(found) != 0 {
			t.Errorf("%s: %+v before a tenant was removed", name, found)
		}
	}
	removed, err := d.ContractID(ids[1])
	b.must(err)
	b.registry.RemoveTenant(ids[1].String())
	for name, chain := range chains {
		if found := find(chain); len(found) != 1 || found[0].ContractID != removed || found[0].Anchored != (name == "Anchored") || found[0].Ledger == 0 {
			t.Errorf("%s: %+v", name, found)
		}
	}
	v, err := verification.New(verification.Options{Tenants: b.db, Registry: b.db, Contracts: d, Unknown: b.reconciler(d, contracts.ReconcilerOptions{})})
	b.must(err)
	findings, err := v.Tenant(t.Context(), uuid.Nil)
	b.must(err)
	if !slices.ContainsFunc(findings, func(f verification.Finding) bool {
		return f.Subject == verification.SubjectContract && f.TenantID == uuid.Nil
	}) {
		t.Errorf("%+v", findings)
	}
}
