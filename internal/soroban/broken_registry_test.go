package soroban_test

import (
	"context"
	"testing"

	"github.com/stellar/go-stellar-sdk/strkey"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/txsubmit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// brokenLog is the real transaction log with changed values from the registry.
type brokenLog struct {
	txlog.Log
	open  []txlog.Transaction // Of the contract.
	lease func(txlog.AccountLease) txlog.AccountLease
}

func (j brokenLog) ContractHistory(ctx context.Context, networkID, contractID string) (txlog.ContractHistory, error) {
	h, err := j.Log.ContractHistory(ctx, networkID, contractID)
	h.Open = append(h.Open, j.open...)
	return h, err
}

func (j brokenLog) Account(ctx context.Context, networkID, address string) (txlog.AccountLease, error) {
	lease, err := j.Log.Account(ctx, networkID, address)
	if err == nil && j.lease != nil {
		lease = j.lease(lease)
	}
	return lease, err
}

func (j brokenLog) Channel(ctx context.Context, networkID, deployer string, count int, least int64) (txlog.AccountLease, error) {
	lease, err := j.Log.Channel(ctx, networkID, deployer, count, least)
	if err == nil && j.lease != nil {
		lease = j.lease(lease)
	}
	return lease, err
}

// brokenLease is a lease with a wrong account from the registry.
type brokenLease struct {
	txlog.AccountLease
	address string
	channel int
	open    []txlog.Transaction
}

func (l brokenLease) Address() string                 { return l.address }
func (l brokenLease) Channel() int                    { return l.channel }
func (l brokenLease) Unresolved() []txlog.Transaction { return l.open }

// TestDeployer_BrokenRegistry: values from the registry are checked before use. An
// invalid one is a permanent error that names the field.
func TestDeployer_BrokenRegistry(t *testing.T) {
	t.Parallel()
	short, err := strkey.Encode(strkey.VersionByteContract, []byte("four"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name     string
		channels int
		txLog    func(b *testBundle, own txlog.Log) brokenLog
		field    string
	}{
		{"SourceOfATransaction", 0, func(b *testBundle, own txlog.Log) brokenLog {
			return brokenLog{Log: own, open: []txlog.Transaction{b.unknownTx("nobody", "")}}
		}, `stellar_transactions.source "nobody"`},
		{"SourceOfATransactionOfTheAccount", 0, func(b *testBundle, own txlog.Log) brokenLog {
			return brokenLog{Log: own, lease: func(l txlog.AccountLease) txlog.AccountLease {
				return brokenLease{l, l.Address(), l.Channel(), []txlog.Transaction{b.unknownTx("", "")}}
			}}
		}, `stellar_transactions.source ""`},
		{"ContractOfATransaction", 0, func(b *testBundle, own txlog.Log) brokenLog {
			return brokenLog{Log: own, open: []txlog.Transaction{b.unknownTx(b.key.Address(), short)}}
		}, `stellar_transactions.contract_id "` + short + `"`},
		{"AddressOfTheDeployersAccount", 0, func(_ *testBundle, own txlog.Log) brokenLog {
			return brokenLog{Log: own, lease: func(l txlog.AccountLease) txlog.AccountLease {
				return brokenLease{l, "GNOBODY", l.Channel(), nil}
			}}
		}, `stellar_accounts.address "GNOBODY"`},
		{"AddressOfAChannel", 1, func(_ *testBundle, own txlog.Log) brokenLog {
			return brokenLog{Log: own, lease: func(l txlog.AccountLease) txlog.AccountLease {
				return brokenLease{l, "GNOBODY", l.Channel(), nil}
			}}
		}, `stellar_accounts.address "GNOBODY"`},
		{"IndexOfAChannel", 1, func(_ *testBundle, own txlog.Log) brokenLog {
			return brokenLog{Log: own, lease: func(l txlog.AccountLease) txlog.AccountLease {
				return brokenLease{l, l.Address(), -5, nil}
			}}
		}, "stellar_accounts.channel -5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := setup(t)
			d := b.deployer(channels(c.channels))
			if c.channels > 0 { // Code and channels exist.
				b.deploy(d, b.begin())
			}
			run := b.begin()
			_, err := d.Deploy(t.Context(), run.Tenant, c.txLog(b, b.db.TransactionLog(run)))
			wantKind(t, err, errs.KindPermanent)
			wantWords(t, errs.SafeMessage(err), "the registry", c.field)
		})
	}
}

// unknownTx is a transaction that is unknown to every server, with a used sequence
// number.
func (b *testBundle) unknownTx(source, contractID string) txlog.Transaction {
	return txlog.Transaction{
		Hash: "00000000000000000000000000000000000000000000000000000000000000aa", Source: source, Sequence: b.first,
		Purpose: txlog.PurposeCreate, ContractID: contractID, NetworkID: txsubmit.NetworkID(b.net.Passphrase()),
	}
}
