package soroban_test

import (
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/contract"
)

func TestDeployer_VerifyContract(t *testing.T) {
	t.Parallel()

	t.Run("DeployedContract", func(t *testing.T) {
		b := setup(t)
		run := b.begin()
		run.Tenant.ContractID = b.deploy(b.deployer(), run).ID
		paid := b.account().Balance
		_, err := b.deployer().VerifyContract(t.Context(), run.Tenant)
		b.must(err)
		if b.account().Balance != paid {
			t.Error("the check cost a fee")
		}
	})
	for name, c := range map[string]struct {
		make  func(b *testBundle, run provisioning.Run)
		words string
	}{
		"Missing": {func(*testBundle, provisioning.Run) {}, "the ledger has no contract"},
		"Archived": {func(b *testBundle, run provisioning.Run) {
			b.deploy(b.deployer(), run)
			b.must(b.net.Faults().ExpireContract(b.contractID(run)))
		}, "is archived"},
		"MismatchedCode": {func(b *testBundle, run provisioning.Run) {
			b.foreign(upload(contract.Wasm()))
			b.foreign(upload(otherCode()))
			b.foreign(b.creation(run.Tenant.ID, sum(otherCode()), b.key.Address(), soroban.TenantHash(run.Tenant.ID)))
		}, "it runs code"},
		"OtherTenant": {func(b *testBundle, run provisioning.Run) {
			b.foreign(upload(contract.Wasm()))
			b.foreign(b.creation(run.Tenant.ID, contract.Hash(), b.key.Address(), [32]byte{1}))
		}, "the hash of another tenant"},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			run := b.begin()
			c.make(b, run)
			run.Tenant.ContractID = b.contractID(run)
			_, err := b.deployer().VerifyContract(t.Context(), run.Tenant)
			wantKind(t, err, errs.KindPermanent)
			if text := errs.SafeMessage(err); !strings.Contains(text, c.words) || !strings.Contains(text, b.contractID(run)) {
				t.Errorf("%s", text)
			}
		})
	}
	t.Run("ArchivedCode", func(t *testing.T) {
		b := setup(t)
		run := b.begin()
		run.Tenant.ContractID = b.deploy(b.deployer(), run).ID
		b.must(b.net.Faults().ExpireEntry(codeKey()))
		_, err := b.deployer().VerifyContract(t.Context(), run.Tenant)
		wantKind(t, err, errs.KindPermanent)
		if text := errs.SafeMessage(err); !strings.Contains(text, "the code of the contract") {
			t.Errorf("%s", text)
		}
	})
	t.Run("ContractDiffersFromRegistry", func(t *testing.T) {
		b := setup(t)
		run, other := b.begin(), b.begin()
		b.deploy(b.deployer(), run)
		run.Tenant.ContractID = b.contractID(other)
		_, err := b.deployer().VerifyContract(t.Context(), run.Tenant)
		wantKind(t, err, errs.KindPermanent)
		if text := errs.SafeMessage(err); !strings.Contains(text, b.contractID(other)) || !strings.Contains(text, b.contractID(run)) {
			t.Errorf("%s", text)
		}
	})
	t.Run("AnotherNetwork", func(t *testing.T) {
		b := setup(t)
		d := b.deployer(func(o *soroban.Options) { o.Passphrase = "Another Network ; 2026" })
		run := b.begin()
		var err error
		run.Tenant.ContractID, err = d.ContractID(run.Tenant.ID)
		b.must(err)
		_, err = d.VerifyContract(t.Context(), run.Tenant)
		wantKind(t, err, errs.KindPermanent)
	})
	t.Run("UnreachableNetwork", func(t *testing.T) {
		b := setup(t)
		run := b.begin()
		run.Tenant.ContractID = b.deploy(b.deployer(), run).ID
		d := b.deployer()
		b.must(b.net.Close())
		_, err := d.VerifyContract(t.Context(), run.Tenant)
		wantKind(t, err, errs.KindTransient)
	})
}
