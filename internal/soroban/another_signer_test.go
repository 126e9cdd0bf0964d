package soroban_test

import (
	"strings"
	"testing"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
)

// TestDeployer_AnotherSigner: the deployer's key is replaced. Its account stays, and with it the
// address and the admin of each contract.
func TestDeployer_AnotherSigner(t *testing.T) {
	b := setup(t)
	old := b.deployer(channels(2))
	ids := b.live(old, 1)
	next := keypair.MustRandom()
	d := b.deployer(channels(2), func(o *soroban.Options) {
		o.DeployerAccount, o.DeployerSecret = b.key.Address(), next.Seed()
	})
	if d.Address() != b.key.Address() || d.Signer() != next.Address() {
		t.Errorf("the key %s signs for %s", d.Signer(), d.Address())
	}
	wantReady := func(d *soroban.Deployer, want bool) {
		t.Helper()
		ready, err := d.CheckReady(t.Context())
		b.must(err)
		switch message := errs.SafeMessage(ready.Account); {
		case want && ready.Account != nil:
			t.Error(ready.Account)
		case !want && (errs.KindOf(ready.Account) != errs.KindPermanent || !strings.Contains(message, "may not sign for the deployer account "+b.key.Address()+" alone")):
			t.Errorf("the key %s: %v", d.Signer(), ready.Account)
		}
	}
	wantReady(d, false)
	b.refused(d, b.begin(), errs.KindPermanent, "does not accept the signature of the key in SOROBAN_CONTRACT_DEPLOYER_SECRET", "SOROBAN_DEPLOYER_ACCOUNT")

	// Both keys, so that processes can be replaced one after the other.
	b.foreign(setOptions(xdr.SetOptionsOp{Signer: &xdr.Signer{Key: signerKey(t, next.Address()), Weight: 1}}))
	wantReady(old, true)
	wantReady(d, true)
	ids = append(append(ids, b.live(d, 2)...), b.live(old, 2)...)

	// The new one alone.
	none := xdr.Uint32(0)
	b.applyAs(next, setOptions(xdr.SetOptionsOp{MasterWeight: &none}))
	wantReady(old, false)
	wantReady(d, true)
	b.refused(old, b.begin(), errs.KindPermanent, "does not accept the signature of the key")
	ids = append(ids, b.live(d, 2)...)
	b.wantLife(d, ids, contracts.StateLive)

	known, err := b.db.SystemLog().Channels(t.Context(), d.NetworkID(), d.Signer())
	b.must(err)
	before, err := b.db.SystemLog().Channels(t.Context(), d.NetworkID(), old.Signer())
	b.must(err)
	if len(known) != 2 || len(before) != 2 || known[0].Address == before[0].Address || known[0].Applied+known[1].Applied == 0 {
		t.Errorf("channels of the keys: %+v and %+v", known, before)
	}
}

// applyAs runs an operation of the deployer's account with another key of it.
func (b *testBundle) applyAs(key *keypair.Full, body xdr.OperationBody) {
	b.t.Helper()
	b.apply(xdr.Transaction{
		SourceAccount: xdr.MustMuxedAddress(b.key.Address()), Fee: 100, SeqNum: b.account().SeqNum + 1,
		Operations: []xdr.Operation{{Body: body}},
	}, key)
}

func setOptions(op xdr.SetOptionsOp) xdr.OperationBody {
	return xdr.OperationBody{Type: xdr.OperationTypeSetOptions, SetOptionsOp: &op}
}

func signerKey(t *testing.T, address string) (key xdr.SignerKey) {
	t.Helper()
	if err := key.SetAddress(address); err != nil {
		t.Fatal(err)
	}
	return key
}
