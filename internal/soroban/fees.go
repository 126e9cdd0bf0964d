package soroban

import (
	"context"
	"math"

	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// baseReserve is what an account must keep for each entry that it is charged
// for, itself counting twice: half a lumen. It is for messages alone; the network
// decides what is enough.
const baseReserve = stroopsPerXLM / 2

// bid chooses the inclusion fee, which is what transactions compete by for a
// place in a ledger: what nine in ten of the recent ones were content with, at
// least floor, and at most what the ceiling leaves.
func (d *Deployer) bid(ctx context.Context, a assembled, floor int64) (int64, error) {
	stats, err := d.rpc.feeStats(ctx)
	if err != nil {
		return 0, err
	}
	floor = max(floor, MinFee)
	ceiling := min(a.act.ceiling, math.MaxUint32)
	if a.resource > ceiling-floor {
		return 0, provisioning.Errorf(provisioning.KindPermanent, "choose fee",
			"%s may cost up to %s (%d stroops), which is above the ceiling of %s; raise %s to at least %d",
			a.act.what, xlm(a.resource+floor), a.resource+floor, xlm(ceiling), a.act.setting, a.resource+floor)
	}
	asked := int64(min(stats.SorobanInclusionFee.P90, math.MaxUint32))
	return min(max(asked, floor), ceiling-a.resource), nil
}

// raise is the floor of the next bid after one that was too low: what the
// network asked for, at least twice as much.
func raise(tx provisioning.StellarTransaction, resource, asked int64) int64 {
	return max(2*(tx.MaxFee-resource), asked-resource)
}

// poor says how much the account lacks.
func (d *Deployer) poor(account *xdr.AccountEntry, what string, fee int64) error {
	if account == nil {
		return d.noAccount()
	}
	// Entries that others sponsor cost the account nothing, those that it sponsors
	// for others do.
	counted := 2 + int64(account.NumSubEntries) + int64(account.NumSponsoring()) - int64(account.NumSponsored())
	reserved := counted*baseReserve + int64(account.Liabilities().Selling)
	needed := reserved + fee
	return provisioning.Errorf(provisioning.KindPermanent, "pay for transaction",
		"the deployer account %s has %s, but %s needs %s (%s in fees, of which some come back, on top of a reserve of %s); send it at least %s",
		d.Address(), xlm(int64(account.Balance)), what, xlm(needed), xlm(fee), xlm(reserved), xlm(max(0, needed-int64(account.Balance))))
}

func (d *Deployer) noAccount() error {
	return provisioning.Errorf(provisioning.KindPermanent, "read deployer account",
		"the deployer account %s does not exist on this network; fund it, or check SOROBAN_CONTRACT_DEPLOYER_SECRET and SOROBAN_NETWORK", d.Address())
}
