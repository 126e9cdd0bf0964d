package txsubmit

import (
	"slices"

	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// channelView is the state of the channels on the ledger.
type channelView struct {
	deployer *xdr.AccountEntry
	channels []txlog.Channel
	toCreate []txlog.Channel // To be created.
	toTopUp  []txlog.Channel // To be topped up.
	surplus  []txlog.Channel // Known, but no longer configured.
}

// existing drops channels that do not exist: they cannot be leased.
func (v channelView) existing() (all []txlog.Channel) {
	for _, c := range v.channels {
		if c.Sequence > 0 {
			all = append(all, c)
		}
	}
	return all
}

// operations returns the operations of one transaction, and their cost to the deployer
// in stroops.
func (v channelView) operations(deployer xdr.AccountId) (ops []xdr.Operation, amount int64, err error) {
	source := deployer.ToMuxedAccount()
	all := slices.Concat(v.toCreate, v.toTopUp)
	for i, c := range all[:min(len(all), maxFundedPerTx)] {
		to, err := registryAccount("stellar_accounts.address", c.Address)
		if err != nil {
			return nil, 0, err
		}
		missing := channelFull - c.Balance
		body := xdr.OperationBody{Type: xdr.OperationTypePayment, PaymentOp: &xdr.PaymentOp{
			Destination: to.ToMuxedAccount(), Asset: xdr.MustNewNativeAsset(), Amount: xdr.Int64(missing),
		}}
		if i < len(v.toCreate) {
			body = xdr.OperationBody{Type: xdr.OperationTypeCreateAccount, CreateAccountOp: &xdr.CreateAccountOp{
				Destination: to, StartingBalance: xdr.Int64(missing),
			}}
		}
		ops, amount = append(ops, xdr.Operation{SourceAccount: &source, Body: body}), amount+missing
	}
	return ops, amount, nil
}

// classify decides what a channel needs.
func (v *channelView) classify(c *txlog.Channel, account *xdr.AccountEntry, known []txlog.Channel) {
	wasPoor := false
	for _, k := range known {
		if k.Address == c.Address {
			wasPoor = k.DisabledReason == disabledLowBalance
			c.LeasedUntil, c.QuarantinedUntil, c.Open, c.Applied = k.LeasedUntil, k.QuarantinedUntil, k.Open, k.Applied
		}
	}
	switch {
	case account == nil:
		c.DisabledReason = disabledMissing
		v.toCreate = append(v.toCreate, *c)
		return
	case account.MasterKeyWeight() == 0 || account.MasterKeyWeight() < account.ThresholdLow():
		c.DisabledReason = disabledSigners
	case int64(account.Balance) < channelLow, wasPoor && int64(account.Balance) < channelFull:
		v.toTopUp = append(v.toTopUp, txlog.Channel{Address: c.Address, Balance: int64(account.Balance)})
		if int64(account.Balance) < channelReserve+stroopsPerXLM/10 {
			c.DisabledReason = disabledLowBalance
		}
	}
	c.Sequence, c.Balance = int64(account.SeqNum), int64(account.Balance)
}
