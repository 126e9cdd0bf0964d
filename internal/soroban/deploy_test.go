package soroban_test

import (
	"encoding/hex"
	"encoding/json"
	"testing"
	"time"

	stellar "github.com/stellar/go-stellar-sdk/network"
	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/txsubmit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

func TestDeployer_Deploy(t *testing.T) {
	t.Parallel()

	t.Run("CreatesContract", func(t *testing.T) {
		b := setup(t)
		run := b.begin()
		c := b.deploy(b.deployer(), run)
		if c.TransactionHash == "" || c.Ledger == 0 || c.FeeCharged <= 0 {
			t.Errorf("%+v", c)
		}
		b.wantCount(map[string]int{"UPLOAD SUCCEEDED": 1, "CREATE SUCCEEDED": 1})
		b.wantBooksToMatch(1, 0, 0)
		if paid := funding - int64(b.account().Balance); paid != c.FeeCharged {
			t.Errorf("the contract records %d stroops, the deployer paid %d", c.FeeCharged, paid)
		}
	})

	t.Run("SecondDeploySendsNothing", func(t *testing.T) {
		b := setup(t)
		run := b.begin()
		first := b.deploy(b.deployer(), run)
		b.net.Faults().Reset()
		second := b.deploy(b.deployer(), run)
		if second != (contracts.Contract{ID: first.ID, WasmHash: first.WasmHash, Network: first.Network}) {
			t.Errorf("%+v", second)
		}
		if f := b.net.Faults(); f.Calls(send) != 0 || f.Calls(simulate) != 0 {
			t.Error("something was sent or simulated")
		}
		b.wantBooksToMatch(1, 0, 0)
	})

	t.Run("StoresSentTransaction", func(t *testing.T) {
		b := setup(t)
		var least int64
		var stored []txlog.Transaction
		watch := &wire{after: func(method string, answer []byte) []byte {
			if method == simulate {
				var got struct {
					Result protocol.SimulateTransactionResponse `json:"result"`
				}
				b.must(json.Unmarshal(answer, &got))
				least = got.Result.MinResourceFee
			}
			return nil
		}}
		run := b.begin()
		w := watched{Log: b.db.TransactionLog(run), beforeStore: func(tx txlog.Transaction) {
			stored = append(stored, tx)
			var env xdr.TransactionEnvelope
			b.must(xdr.SafeUnmarshalBase64(tx.Envelope, &env))
			resource := int64(env.V1.Tx.Ext.SorobanData.ResourceFee)
			if resource < least*12/10 || resource > least*12/10+1 || tx.MaxFee != resource+txsubmit.MinFee || int64(env.Fee()) != tx.MaxFee {
				t.Errorf("simulated %d, resource fee %d, at most %d, fee %d", least, resource, tx.MaxFee, env.Fee())
			}
			hash, err := stellar.HashTransactionInEnvelope(env, b.net.Passphrase())
			b.must(err)
			if tx.Hash != hex.EncodeToString(hash[:]) || tx.Sequence != env.SeqNum() || tx.Source != b.key.Address() || tx.NetworkID != txsubmit.NetworkID(b.net.Passphrase()) {
				t.Errorf("%+v", tx)
			}
			if life := time.Until(tx.ValidUntil); tx.ValidUntil.Unix() != int64(env.TimeBounds().MaxTime) || life < 50*time.Second || life > 61*time.Second {
				t.Errorf("it lives for %s", life)
			}
		}}
		if _, err := b.deployer(func(o *soroban.Options) { o.HTTPClient = watch.client() }).Deploy(t.Context(), run.Tenant, w); err != nil {
			t.Fatal(err)
		}
		if len(stored) != 2 || stored[0].Purpose != txlog.PurposeUpload || stored[0].ContractID != "" ||
			stored[1].Purpose != txlog.PurposeCreate || stored[1].ContractID != b.contractID(run) {
			t.Errorf("%+v", stored)
		}
	})

	t.Run("MakesFewCalls", func(t *testing.T) {
		// A transaction that three ledgers do not have is sent again. On a machine under load three
		// short ones pass before it is in one.
		b := setup(t, func(o *stellarnet.Options) { o.LedgerClose = 500 * time.Millisecond })
		d := b.deployer()
		b.deploy(d, b.begin())
		b.net.Faults().Reset()
		c := b.deploy(d, b.begin())
		f := b.net.Faults()
		t.Logf("%s %d, %s %d, %s %d, %s %d, %s %d, %s %d; fee %d", network, f.Calls(network), entries, f.Calls(entries),
			simulate, f.Calls(simulate), feeStats, f.Calls(feeStats), send, f.Calls(send), ask, f.Calls(ask), c.FeeCharged)
		// Most reads of entries are polls, whose number depends on the ledger time.
		if f.Calls(network) != 0 || f.Calls(ask) > 2 || f.Calls(simulate) != 1 || f.Calls(feeStats) > 1 || f.Calls(send) != 1 {
			t.Error("more calls than necessary")
		}
	})
}
