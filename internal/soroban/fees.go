package soroban

import (
	"context"
	"math"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/network"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// baseReserve is what an account must keep for each entry that it is charged
// for, itself counting twice: half a lumen. It is for messages alone; the network
// decides what is enough.
const baseReserve = stroopsPerXLM / 2

// bid chooses the inclusion fee of a transaction, which is what transactions
// compete by for a place in a ledger: what nine in ten of the recent ones were
// content with, at least floor, and at most what the ceiling leaves.
func (d *Deployer) bid(ctx context.Context, a assembled, floor int64) (int64, error) {
	stats, err := d.fees.get(ctx)
	if err != nil {
		return 0, err
	}
	ops := int64(len(a.tx.Operations))
	floor = max(floor, MinFee*ops)
	ceiling := min(a.act.ceiling, math.MaxUint32)
	if a.resource > ceiling-floor {
		return 0, errs.Errorf(errs.KindPermanent, "choose fee",
			"%s may cost up to %s (%d stroops), which is above the ceiling of %s; raise %s to at least %d",
			a.act.what, xlm(a.resource+floor), a.resource+floor, xlm(ceiling), a.act.setting, a.resource+floor)
	}
	going := stats.SorobanInclusionFee
	if a.act.purpose == txlog.PurposeFund {
		going = stats.InclusionFee
	}
	asked := int64(min(going.P90, math.MaxUint32)) * ops
	return min(max(asked, floor), ceiling-a.resource), nil
}

// outbidFactor is how much more a transaction has to offer, per operation, to
// take the place of one in the queue (stellar-core's FEE_MULTIPLIER).
const outbidFactor = 10

// outbid wraps a transaction that waits too long into another one that pays more
// for it, and stores that; it is still the same transaction and applied once at
// most. It offers at least as much as the network asked for, if it did, and
// reports false when the ceiling leaves nothing to offer.
func (w *work) outbid(ctx context.Context, p *pursuit, a assembled, c *carrier, least int64) (bool, error) {
	var env xdr.TransactionEnvelope
	if err := xdr.SafeUnmarshalBase64(p.tx.Envelope, &env); err != nil {
		return false, unusable(err, "read stored transaction")
	}
	if env.V1 == nil && env.FeeBump == nil {
		return false, unusable(nil, "read stored transaction")
	}
	inner, ops := env.V1, int64(len(a.tx.Operations))
	rate := (p.tx.MaxFee - a.resource) / ops
	if env.FeeBump != nil {
		inner, rate = env.FeeBump.Tx.InnerTx.V1, (p.tx.MaxFee-a.resource)/(ops+1)
	}
	w.fees.drop()
	stats, err := w.fees.get(ctx)
	if err != nil {
		return false, nil //nolint:nilerr // without it the transaction waits on as it is
	}
	going := stats.SorobanInclusionFee
	if a.act.purpose == txlog.PurposeFund {
		going = stats.InclusionFee
	}
	// The wrapping counts as an operation of its own.
	offer := max(rate*outbidFactor, int64(min(going.P90, math.MaxUint32))) * (ops + 1)
	fee := min(max(a.resource+offer, least), a.act.ceiling)
	if (fee-a.resource)/(ops+1) <= rate || fee < least {
		return false, nil
	}
	envelope, err := w.sealBump(xdr.FeeBumpTransaction{
		FeeSource: c.id.ToMuxedAccount(), Fee: xdr.Int64(fee),
		InnerTx: xdr.FeeBumpTransactionInnerTx{Type: xdr.EnvelopeTypeEnvelopeTypeTx, V1: inner},
	}, c.key)
	if err != nil {
		return false, unusable(err, "sign transaction")
	}
	if err := c.lease.StoreFeeBump(ctx, p.tx.Hash, envelope, fee); err != nil {
		return false, err
	}
	p.tx.Envelope, p.tx.MaxFee = envelope, fee
	return true, nil
}

func (d *Deployer) sealBump(tx xdr.FeeBumpTransaction, key *keypair.Full) (string, error) {
	hash, err := network.HashFeeBumpTransaction(tx, d.opts.Passphrase)
	if err != nil {
		return "", err
	}
	signature, err := key.SignDecorated(hash[:])
	if err != nil {
		return "", err
	}
	return xdr.MarshalBase64(xdr.TransactionEnvelope{
		Type:    xdr.EnvelopeTypeEnvelopeTypeTxFeeBump,
		FeeBump: &xdr.FeeBumpTransactionEnvelope{Tx: tx, Signatures: []xdr.DecoratedSignature{signature}},
	})
}

// raise is the floor of the next bid after one that was too low: what the
// network asked for, at least twice as much.
func raise(tx txlog.Transaction, resource, asked int64) int64 {
	return max(2*(tx.MaxFee-resource), asked-resource)
}

// tooPoor says how much the account lacks.
func (d *Deployer) tooPoor(account *xdr.AccountEntry, what string, fee int64) error {
	if account == nil {
		return d.noAccount()
	}
	reserved := reserveOf(account)
	needed := reserved + fee
	return errs.Errorf(errs.KindPermanent, "pay for transaction",
		"the deployer account %s has %s, but %s needs %s (%s, fees included, of which some come back, on top of a reserve of %s); send it at least %s",
		d.Address(), xlm(int64(account.Balance)), what, xlm(needed), xlm(fee), xlm(reserved), xlm(max(0, needed-int64(account.Balance))))
}

// reserveOf is what the network keeps of an account. Entries that others sponsor
// cost it nothing, those that it sponsors for others do.
func reserveOf(account *xdr.AccountEntry) int64 {
	counted := 2 + int64(account.NumSubEntries) + int64(account.NumSponsoring()) - int64(account.NumSponsored())
	return counted*baseReserve + int64(account.Liabilities().Selling)
}

// spendable is what an account has beyond its reserve.
func spendable(account *xdr.AccountEntry) int64 { return int64(account.Balance) - reserveOf(account) }

func (d *Deployer) noAccount() error {
	return errs.Errorf(errs.KindPermanent, "read deployer account",
		"the deployer account %s does not exist on this network; fund it, or check SOROBAN_CONTRACT_DEPLOYER_SECRET and SOROBAN_NETWORK", d.Address())
}
