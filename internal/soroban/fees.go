package soroban

import (
	"context"
	"math"

	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// baseReserve is what an account must keep per entry, itself counting as two: half a
// lumen. It is only for messages; the network decides what is enough.
const baseReserve = stroopsPerXLM / 2

// inclusionFee returns a transaction's inclusion fee, the bid for a place in a ledger:
// the 90th percentile of recent transactions, at least minFee, and at most what the
// ceiling allows.
func (d *Deployer) inclusionFee(ctx context.Context, built assembledTx, minFee int64) (int64, error) {
	rate, err := d.goingRate(ctx, built.spec)
	if err != nil {
		return 0, err
	}
	ops := int64(len(built.tx.Operations))
	minFee = max(minFee, MinFee*ops)
	ceiling := min(built.spec.maxFee, math.MaxUint32)
	if built.resourceFee > ceiling-minFee {
		lowest := built.resourceFee + minFee
		return 0, errs.Errorf(errs.KindPermanent, "choose fee",
			"%s may cost up to %s (%d stroops), which is above the ceiling of %s; raise %s to at least %d",
			built.spec.description, xlm(lowest), lowest, xlm(ceiling), built.spec.setting, lowest)
	}
	return min(max(rate*ops, minFee), ceiling-built.resourceFee), nil
}

// goingRate is the 90th percentile of the inclusion fees of recent transactions of that
// kind, stroops per operation.
func (d *Deployer) goingRate(ctx context.Context, spec *txSpec) (int64, error) {
	stats, err := d.fees.get(ctx)
	if err != nil {
		return 0, err
	}
	fees := stats.SorobanInclusionFee
	if spec.purpose == txlog.PurposeFund {
		fees = stats.InclusionFee
	}
	return int64(min(fees.P90, math.MaxUint32)), nil
}

// nextMinInclusionFee is the lowest inclusion fee after one that was too low: what the
// network asked for, and at least twice the last one.
func nextMinInclusionFee(tx txlog.Transaction, resource, asked int64) int64 {
	return max(2*(tx.MaxFee-resource), asked-resource)
}

// insufficientBalance returns an error that says how much the account lacks.
func (d *Deployer) insufficientBalance(account *xdr.AccountEntry, what string, fee int64) error {
	if account == nil {
		return d.accountMissing()
	}
	reserved := reserveOf(account)
	needed := reserved + fee
	return errs.Errorf(errs.KindPermanent, "pay for transaction",
		"the deployer account %s has %s, but %s needs %s (%s, fees included, of which some come back, on top of a reserve of %s); send it at least %s",
		d.Address(), xlm(int64(account.Balance)), what, xlm(needed), xlm(fee), xlm(reserved), xlm(max(0, needed-int64(account.Balance))))
}

// spendable is an account's balance above its reserve.
func spendable(account *xdr.AccountEntry) int64 { return int64(account.Balance) - reserveOf(account) }

// reserveOf is the balance that the network reserves in an account. Entries sponsored by
// others are not counted; those that it sponsors for others are.
func reserveOf(account *xdr.AccountEntry) int64 {
	counted := 2 + int64(account.NumSubEntries) + int64(account.NumSponsoring()) - int64(account.NumSponsored())
	return counted*baseReserve + int64(account.Liabilities().Selling)
}

func (d *Deployer) accountMissing() error {
	return errs.Errorf(errs.KindPermanent, "read deployer account",
		"the deployer account %s does not exist on this network; fund it, or check SOROBAN_CONTRACT_DEPLOYER_SECRET and SOROBAN_NETWORK", d.Address())
}
