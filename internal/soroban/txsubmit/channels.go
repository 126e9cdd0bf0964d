package txsubmit

import (
	"context"
	"fmt"
	"slices"

	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/ledger"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// Balances of channel accounts, in stroops. The network keeps the reserve of an account
// without entries; the creation of a contract costs a tenth of a lumen.
const (
	channelReserve = 2 * baseReserve
	channelLow     = channelReserve + 1*stroopsPerXLM // A channel below this is topped up,
	channelFull    = channelReserve + 4*stroopsPerXLM // to this.
	// maxChannelFee is the highest fee that a channel pays: a full channel has this
	// amount and more for a fee bump.
	maxChannelFee = channelFull - channelReserve - stroopsPerXLM/2
)

// Why channels are disabled.
const (
	disabledLowBalance = "its balance is too low to pay a fee; the next reconciliation of the channels tops it up"
	disabledMissing    = "it does not exist on the network; the next reconciliation of the channels creates it again"
	disabledSigners    = "it does not accept the signature of its own key; its signers were changed; merge or abandon it"
)

// maxFundedPerTx is how many channels one transaction creates or tops up.
const maxFundedPerTx = 100

// ReconcileChannels reads all channel accounts, creates the missing ones, tops up those
// with a low balance, and enables those that work again. When nothing is to be done it
// pays nothing and leases nothing. It returns KindPermanent, with the amounts, when the
// deployer cannot pay.
func (d *Submitter) ReconcileChannels(ctx context.Context, txLog txlog.Log) (contracts.ChannelReport, error) {
	s := d.NewSession(txLog, "")
	found, err := s.readChannels(ctx, 0)
	if err != nil {
		return contracts.ChannelReport{}, err
	}
	if found.deployer == nil {
		return contracts.ChannelReport{}, d.AccountMissing()
	}
	if err := s.resolveSurplus(ctx, found.surplus); err != nil {
		return contracts.ChannelReport{DeployerBalance: int64(found.deployer.Balance)}, err
	}
	if len(found.toCreate)+len(found.toTopUp) == 0 {
		report := contracts.ChannelReport{Channels: found.channels, DeployerBalance: int64(found.deployer.Balance)}
		return report, txLog.StoreChannels(ctx, d.networkID, d.Signer(), found.existing())
	}
	src, err := s.LeaseOwnAccount(ctx)
	if err != nil {
		return contracts.ChannelReport{}, err
	}
	defer src.Release(ctx)
	return s.fundChannels(ctx, src)
}

// resolveSurplus resolves open transactions of channels that are no longer used, because
// fewer are configured now.
func (s *Session) resolveSurplus(ctx context.Context, surplus []txlog.Channel) error {
	for _, channel := range surplus {
		if channel.Open == 0 || !channel.LeasedUntil.IsZero() {
			continue
		}
		lease, err := s.txLog.Account(ctx, s.networkID, channel.Address)
		if err != nil {
			return err
		}
		src, err := s.newSourceAccount(ctx, lease, nil)
		if err != nil {
			return err
		}
		src.Release(ctx)
	}
	return nil
}

// fundChannels funds channels with the deployer's account. It reads the ledger again
// first: the previous holder of the account may have done it.
func (s *Session) fundChannels(ctx context.Context, src *SourceAccount) (report contracts.ChannelReport, err error) {
	for range MaxRounds {
		found, err := s.readChannels(ctx, src.MinSequence())
		if err != nil {
			return report, err
		}
		if found.deployer == nil {
			return report, s.AccountMissing()
		}
		src.lastSequence = int64(found.deployer.SeqNum)
		report.Channels, report.DeployerBalance = found.channels, int64(found.deployer.Balance)
		if err := s.txLog.StoreChannels(ctx, s.networkID, s.Signer(), found.existing()); err != nil {
			return report, err
		}
		if len(found.toCreate)+len(found.toTopUp) == 0 {
			return report, nil
		}
		feesBefore := s.totals.FeeCharged
		if err := s.fund(ctx, found, src, &report); err != nil {
			return report, err
		}
		report.FeeCharged += s.totals.FeeCharged - feesBefore
	}
	return report, s.NotDone()
}

// fund creates and tops up as many channels as one transaction can.
func (s *Session) fund(ctx context.Context, found channelView, src *SourceAccount, report *contracts.ChannelReport) error {
	ops, amount, err := found.operations(s.account)
	if err != nil {
		return err
	}
	spec := &Spec{
		Purpose: txlog.PurposeFund, ops: ops,
		Description: fmt.Sprintf("the funding of %d channel accounts with %s", len(ops), contracts.FormatXLM(amount)),
		MaxFee:      s.settings.MaxFee, Setting: "SOROBAN_MAX_FEE", spends: amount,
	}
	if fee := amount + MinFee*int64(len(ops)); spendable(found.deployer) < fee {
		return s.insufficientBalance(found.deployer, spec.Description, fee)
	}
	now, err := s.client.LatestLedger(ctx)
	if err != nil {
		return err
	}
	built := assembledTx{spec: spec, tx: s.draftTx(spec, now.CloseTime), builtLedger: now.Sequence, builtAt: s.clock.Now()}
	if built.inclusionFee, err = s.inclusionFee(ctx, built, s.minInclusionFee); err != nil {
		return err
	}
	attempt, err := s.signAndSend(ctx, &built, src, found.deployer)
	if err != nil || attempt == nil {
		return err
	}
	if attempt.result.State == txlog.StateSucceeded {
		created := min(len(found.toCreate), len(ops))
		report.Created, report.ToppedUp = report.Created+created, report.ToppedUp+len(ops)-created
	}
	return s.handleResult(ctx, attempt)
}

// readChannels reads the deployer and all its channels. The view is not older than the
// known ledger.
func (s *Session) readChannels(ctx context.Context, number int64) (v channelView, err error) {
	known, err := s.txLog.Channels(ctx, s.networkID, s.Signer())
	if err != nil {
		return v, err
	}
	_, err = s.reader.WaitFor(ctx, func() (bool, error) {
		var at uint32
		v, at, err = s.readChannelEntries(ctx, known)
		if err != nil || v.deployer == nil {
			return at >= s.appliedLedger, err
		}
		current := int64(v.deployer.SeqNum)
		return at >= s.appliedLedger && current >= s.unreached.expectedSequence(s.Address(), number, current), nil
	})
	return v, err
}

func (s *Session) readChannelEntries(ctx context.Context, known []txlog.Channel) (v channelView, oldest uint32, err error) {
	keys := []xdr.LedgerKey{ledger.AccountKey(s.account)}
	for i := range s.settings.Channels {
		key, err := s.channelKey(ctx, i)
		if err != nil {
			return v, 0, err
		}
		v.channels = append(v.channels, txlog.Channel{Index: i, Address: key.Address()})
		id, err := accountOf(key.Address())
		if err != nil {
			return v, 0, err
		}
		keys = append(keys, ledger.AccountKey(id))
	}
	for _, k := range known {
		if k.Index >= s.settings.Channels {
			v.surplus = append(v.surplus, k)
		}
	}
	accounts := make([]*xdr.AccountEntry, 0, len(keys))
	for batch := range slices.Chunk(keys, ledger.MaxKeys) {
		found, at, err := s.reader.Entries(ctx, batch...)
		if err != nil {
			return v, 0, err
		}
		if oldest == 0 || at < oldest {
			oldest = at
		}
		for _, entry := range found {
			account, err := ledger.AccountOf(entry)
			if err != nil {
				return v, 0, err
			}
			accounts = append(accounts, account)
		}
	}
	v.deployer = accounts[0]
	for i, account := range accounts[1:] {
		v.classify(&v.channels[i], account, known)
	}
	return v, oldest, nil
}
