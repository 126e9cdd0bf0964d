package soroban_test

import (
	"context"
	"encoding/hex"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stellar/go-stellar-sdk/keypair"
	stellar "github.com/stellar/go-stellar-sdk/network"
	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// rivals are other accounts that compete for the same places in a ledger, and pay for
// them.
type rivals struct {
	b      *testBundle
	fee    int64 // Inclusion fee, stroops.
	stop   context.CancelFunc
	ending sync.WaitGroup
}

// crowd allows one contract transaction per ledger, and that many rivals compete for it.
func (b *testBundle) crowd(n int, fee int64) *rivals {
	b.t.Helper()
	ctx, stop := context.WithCancel(b.t.Context())
	r := &rivals{b: b, fee: fee, stop: stop}
	for range n {
		key := keypair.MustRandom()
		b.must(b.net.Fund(key.Address(), 1000*xlm))
		r.ending.Go(func() { r.compete(ctx, key) })
	}
	b.net.Faults().Capacity(1)
	return r
}

func (r *rivals) compete(ctx context.Context, key *keypair.Full) {
	b := r.b
	next := b.accountOf(key.Address()).SeqNum + 1
	tx := xdr.Transaction{SourceAccount: xdr.MustMuxedAddress(key.Address()), SeqNum: next, Operations: []xdr.Operation{{Body: upload(otherCode())}}}
	b.simulated(&tx)
	tx.Fee = xdr.Uint32(tx.Ext.SorobanData.ResourceFee) + xdr.Uint32(r.fee)
	for ctx.Err() == nil {
		tx.SeqNum = b.accountOf(key.Address()).SeqNum + 1
		hash, err := stellar.HashTransaction(tx, b.net.Passphrase())
		b.must(err)
		signature, err := key.SignDecorated(hash[:])
		b.must(err)
		encoded, err := xdr.MarshalBase64(xdr.TransactionEnvelope{
			Type: xdr.EnvelopeTypeEnvelopeTypeTx, V1: &xdr.TransactionV1Envelope{Tx: tx, Signatures: []xdr.DecoratedSignature{signature}},
		})
		b.must(err)
		// Whether it is accepted does not matter: one of the rivals always is.
		_, err = b.client.SendTransaction(context.Background(), protocol.SendTransactionRequest{Transaction: encoded})
		b.must(err)
		b.closeLedger()
	}
}

func (r *rivals) leave() {
	r.stop()
	r.ending.Wait()
	r.b.net.Faults().Capacity(0)
}

func TestDeployer_Congestion(t *testing.T) {
	t.Parallel()
	for name, carriers := range map[string]int{"OwnAccount": 0, "Channel": 2} {
		t.Run("BumpsFee"+name, func(t *testing.T) {
			b := setup(t)
			d := b.deployer(channels(carriers))
			b.deploy(d, b.begin())
			run := b.begin()
			b.net.Faults().HoldQueue(true) // Accepted, but not included in a ledger.
			var first txlog.Transaction
			_, err := d.Deploy(t.Context(), run.Tenant, watched{
				Log:          b.db.TransactionLog(run),
				afterStore:   func(tx txlog.Transaction) { first = tx },
				afterFeeBump: func() { b.net.Faults().HoldQueue(false) },
			})
			b.must(err)
			env, most, paid := b.newest(run)
			if env.FeeBump == nil || most < first.MaxFee+900 || paid > most {
				t.Errorf("%v, %d stroops offered and then %d, %d paid", env.Type, first.MaxFee, most, paid)
			}
			if hash, err := stellar.HashTransactionInEnvelope(xdr.TransactionEnvelope{
				Type: xdr.EnvelopeTypeEnvelopeTypeTx, V1: env.FeeBump.Tx.InnerTx.V1,
			}, b.net.Passphrase()); err != nil || hex.EncodeToString(hash[:]) != first.Hash {
				t.Errorf("it wraps another transaction: %x, %v", hash, err)
			}
			if got := b.count(); got["CREATE SUCCEEDED"] != 2 || got["CREATE EXPIRED"]+got["CREATE REJECTED"]+got["CREATE SIGNED"] != 0 {
				t.Errorf("%v", got)
			}
			if carriers == 0 {
				b.wantBooksToMatch(2, 0, 0)
			} else {
				b.wantChannelBooksToMatch(2, d)
			}
		})
	}

	t.Run("ResolvesFeeBumpAfterKill", func(t *testing.T) {
		// The next run sends the last stored envelope, and finds it under its first
		// hash.
		b := setup(t)
		d := b.deployer(channels(2))
		b.deploy(d, b.begin())
		run := b.begin()
		b.net.Faults().HoldQueue(true)
		ctx, die := context.WithCancel(t.Context())
		_, err := d.Deploy(ctx, run.Tenant, watched{Log: b.db.TransactionLog(run), killed: true, afterFeeBump: die})
		wantKind(t, err, errs.KindCancelled)
		b.net.Faults().HoldQueue(false)
		next := b.restart(run)
		b.deploy(b.deployer(channels(2)), next)
		b.wantChannelBooksToMatch(2, d)
	})

	t.Run("RevertsTooLowFeeBump", func(t *testing.T) {
		// The ceiling allows less than the tenfold bid that the queue requires.
		b := setup(t)
		b.deploy(b.deployer(), b.begin())
		_, most, _ := b.newest(provisioning.Run{})
		run := b.begin()
		b.net.Faults().HoldQueue(true)
		sends := 0
		w := &wire{after: func(method string, _ []byte) []byte {
			if method == send {
				if sends++; sends == 2 { // The bid has been refused by now.
					b.net.Faults().HoldQueue(false)
				}
			}
			return nil
		}}
		d := b.deployer(func(o *soroban.Options) { o.MaxFee, o.HTTPClient = most+150, w.client() })
		_, err := d.Deploy(t.Context(), run.Tenant, b.db.TransactionLog(run))
		b.must(err)
		if got := b.count(); got["CREATE SUCCEEDED"] != 2 || sends < 2 {
			t.Errorf("%v, %d sends", got, sends)
		}
		b.wantBooksToMatch(2, 0, 0)
	})

	t.Run("DeploysUnderCongestion", func(t *testing.T) {
		b := setup(t)
		d := b.deployer(channels(2))
		b.deploy(d, b.begin())
		crowd := b.crowd(3, 3000)
		run := b.begin()
		_, err := d.Deploy(t.Context(), run.Tenant, b.db.TransactionLog(run))
		crowd.leave()
		b.must(err)
		if _, most, paid := b.newest(run); paid > most {
			t.Errorf("%d paid, at most %d were to be", paid, most)
		}
		b.wantChannelBooksToMatch(2, d)
	})

	t.Run("NeverBidsAboveCeiling", func(t *testing.T) {
		b := setup(t)
		b.deploy(b.deployer(), b.begin())
		d := b.deployer(func(o *soroban.Options) { o.MaxFee = 1_300_000 })
		crowd := b.crowd(3, 500_000)
		run := b.begin()
		// It may be included, be refused, or wait until it expires.
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err := d.Deploy(ctx, run.Tenant, b.db.TransactionLog(run))
		crowd.leave()
		if kind := errs.KindOf(err); err != nil && kind != errs.KindPermanent && kind != errs.KindTransient {
			t.Errorf("%v", err)
		}
		for _, x := range b.registry.TransactionLog().Of(txlog.PurposeCreate) {
			if x.MaxFee > 1_300_000 {
				t.Errorf("%d stroops were offered", x.MaxFee)
			}
		}
		b.deploy(b.deployer(), run) // Without the crowd the fee is the usual one.
	})
}

// newest returns the transaction that created a run's contract, or the newest of all.
func (b *testBundle) newest(run provisioning.Run) (env xdr.TransactionEnvelope, most, paid int64) {
	b.t.Helper()
	var tenantIDs []string
	if run.Tenant.ID != uuid.Nil {
		tenantIDs = []string{run.Tenant.ID.String()}
	}
	log := b.registry.TransactionLog(tenantIDs...).Of(txlog.PurposeCreate).In(txlog.StateSucceeded)
	if len(log) == 0 {
		b.t.Fatal("no contract was created")
	}
	x := log[len(log)-1]
	b.must(xdr.SafeUnmarshalBase64(x.Envelope, &env))
	return env, x.MaxFee, x.FeeCharged
}
