package soroban_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/contract"
)

// rejectedResult deploys and expects a rejection whose message contains all these words.
func (b *testBundle) refused(d *soroban.Deployer, run provisioning.Run, kind errs.Kind, words ...string) {
	b.t.Helper()
	_, err := d.Deploy(b.t.Context(), run.Tenant, b.db.TransactionLog(run))
	wantKind(b.t, err, kind)
	message := errs.SafeMessage(err)
	b.t.Log(message)
	for _, word := range words {
		if !strings.Contains(message, word) {
			b.t.Errorf("the message does not contain %q", word)
		}
	}
	if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, b.key.Seed()) || strings.Contains(text, b.net.RPCURL()) {
		b.t.Errorf("the error contains secrets: %s", text)
	}
}

func (b *testBundle) wantNothingSent() {
	b.t.Helper()
	if n := b.net.Faults().Calls(send); n != 0 {
		b.t.Errorf("%d transactions were sent", n)
	}
}

func TestDeployer_Refuses(t *testing.T) {
	t.Parallel()

	t.Run("ServerOfAnotherNetwork", func(t *testing.T) {
		b := setup(t)
		d := b.deployer(func(o *soroban.Options) { o.Passphrase = "Test SDF Network ; September 2015" })
		b.refused(d, b.begin(), errs.KindPermanent,
			"Test SDF Network ; September 2015", b.net.Passphrase(), "SOROBAN_NETWORK", "SOROBAN_RPC_URL")
		b.wantNothingSent()
	})

	t.Run("MissingAccount", func(t *testing.T) {
		b := setupUnfunded(t)
		b.refused(b.deployer(), b.begin(), errs.KindPermanent, b.key.Address(), "fund it")
		b.wantNothingSent()
	})

	t.Run("InsufficientBalanceUntilFunded", func(t *testing.T) {
		b := setupUnfunded(t)
		b.must(b.net.Fund(b.key.Address(), 12_345_678))
		b.first = int64(b.account().SeqNum)
		run := b.begin()
		b.refused(b.deployer(), run, errs.KindPermanent, b.key.Address(), "1.2345678 XLM", "the upload of", "reserve of 1 XLM", "send it at least")
		b.wantCount(map[string]int{"UPLOAD REJECTED": 1})
		b.must(b.net.Fund(b.key.Address(), funding-12_345_678))
		b.deploy(b.deployer(), run)
		b.wantBooksToMatch(1, 0, 0)
	})

	t.Run("FeeAboveCeiling", func(t *testing.T) {
		b := setup(t)
		run := b.begin()
		d := b.deployer(func(o *soroban.Options) { o.MaxFee = 5000 })
		b.refused(d, run, errs.KindPermanent, "the creation of the contract", "stroops", "ceiling of 0.0005 XLM", "raise SOROBAN_MAX_FEE to at least")
		b.wantCount(map[string]int{"UPLOAD SUCCEEDED": 1})
		b.deploy(b.deployer(), run)
		b.wantBooksToMatch(1, 0, 0)
	})

	t.Run("UploadAboveCeiling", func(t *testing.T) {
		b := setup(t)
		d := b.deployer(func(o *soroban.Options) { o.MaxUploadFee = 100 })
		b.refused(d, b.begin(), errs.KindPermanent, "once per network", "raise SOROBAN_MAX_UPLOAD_FEE to at least")
		b.wantNothingSent()
	})

	t.Run("ChangedSigners", func(t *testing.T) {
		b := setup(t)
		none := xdr.Uint32(0)
		signer := xdr.Signer{Key: xdr.MustSigner(keypair.MustRandom().Address()), Weight: 1}
		b.foreign(xdr.OperationBody{Type: xdr.OperationTypeSetOptions, SetOptionsOp: &xdr.SetOptionsOp{MasterWeight: &none, Signer: &signer}})
		b.refused(b.deployer(), b.begin(), errs.KindPermanent, b.key.Address(), "signature", "txBAD_AUTH")
		b.wantCount(map[string]int{"UPLOAD REJECTED": 1})
	})

	t.Run("AddressWithoutServer", func(t *testing.T) {
		b := setup(t)
		b.must(b.net.Faults().Down())
		b.refused(b.deployer(), b.begin(), errs.KindTransient, "the Stellar RPC server does not answer; check SOROBAN_RPC_URL")
	})

	t.Run("AddressOfOtherServer", func(t *testing.T) {
		b := setup(t)
		d := b.deployer(func(o *soroban.Options) { o.RPCURL = b.net.FriendbotURL() })
		_, err := d.Deploy(t.Context(), b.begin().Tenant, nil)
		wantKind(t, err, errs.KindPermanent)
		if !strings.Contains(errs.SafeMessage(err), "SOROBAN_RPC_URL") {
			t.Error(errs.SafeMessage(err))
		}
	})

	for _, c := range []struct {
		name string
		make func(b *testBundle, run provisioning.Run)
		word string
	}{
		{"ContractOfOtherCode", func(b *testBundle, run provisioning.Run) {
			b.foreign(upload(otherCode()))
			b.foreign(b.creation(run.Tenant.ID, sum(otherCode()), b.key.Address(), soroban.TenantHash(run.Tenant.ID)))
		}, fmt.Sprintf("it runs code %x instead of %x", sum(otherCode()), contract.Hash())},
		{"ContractOfAnotherTenant", func(b *testBundle, run provisioning.Run) {
			b.foreign(upload(contract.Wasm()))
			b.foreign(b.creation(run.Tenant.ID, contract.Hash(), b.key.Address(), [32]byte{1}))
		}, "the hash of another tenant"},
		{"ContractOfAnotherAdmin", func(b *testBundle, run provisioning.Run) {
			b.foreign(upload(contract.Wasm()))
			b.foreign(b.creation(run.Tenant.ID, contract.Hash(), keypair.MustRandom().Address(), soroban.TenantHash(run.Tenant.ID)))
		}, "its admin is not the deployer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := setup(t)
			run := b.begin()
			c.make(b, run)
			b.net.Faults().Reset()
			b.refused(b.deployer(), run, errs.KindPermanent, b.contractID(run), c.word)
			b.wantNothingSent()
		})
	}
}
