package soroban

import (
	"context"
	"math"

	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// baseReserve is what an account must keep for each entry that it is charged
// for, itself counting twice: half a lumen. It is for messages alone; the network
// decides what is enough.
const baseReserve = stroopsPerXLM / 2

// inclusionFee chooses the inclusion fee of a transaction, which is what transactions
// compete by for a place in a ledger: what nine in ten of the recent ones were
// content with, at least minFee, and at most what the ceiling leaves.
func (d *Deployer) inclusionFee(ctx context.Context, built assembledTx, minFee int64) (int64, error) {
	going, err := d.goingRate(ctx, built.spec)
	if err != nil {
		return 0, err
	}
	ops := int64(len(built.tx.Operations))
	minFee = max(minFee, MinFee*ops)
	ceiling := min(built.spec.maxFee, math.MaxUint32)
	if built.resourceFee > ceiling-minFee {
		least := built.resourceFee + minFee
		return 0, errs.Errorf(errs.KindPermanent, "choose fee",
			"%s may cost up to %s (%d stroops), which is above the ceiling of %s; raise %s to at least %d",
			built.spec.description, xlm(least), least, xlm(ceiling), built.spec.setting, least)
	}
	return min(max(going*ops, minFee), ceiling-built.resourceFee), nil
}

// goingRate is what nine in ten of the recent transactions of that kind paid at most for
// an operation, in stroops.
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

// nextMinInclusionFee is the least inclusion fee after one that was too low: what the
// network asked for, at least twice as much.
func nextMinInclusionFee(tx txlog.Transaction, resource, asked int64) int64 {
	return max(2*(tx.MaxFee-resource), asked-resource)
}

// insufficientBalance says how much the account lacks.
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

// spendable is what an account has beyond its reserve.
func spendable(account *xdr.AccountEntry) int64 { return int64(account.Balance) - reserveOf(account) }

// reserveOf is what the network keeps of an account. Entries that others sponsor
// cost it nothing, those that it sponsors for others do.
func reserveOf(account *xdr.AccountEntry) int64 {
	counted := 2 + int64(account.NumSubEntries) + int64(account.NumSponsoring()) - int64(account.NumSponsored())
	return counted*baseReserve + int64(account.Liabilities().Selling)
}

func (d *Deployer) accountMissing() error {
	return errs.Errorf(errs.KindPermanent, "read deployer account",
		"the deployer account %s does not exist on this network; fund it, or check SOROBAN_CONTRACT_DEPLOYER_SECRET and SOROBAN_NETWORK", d.Address())
}
