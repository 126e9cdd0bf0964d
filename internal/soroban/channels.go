package soroban

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// Balances of channel accounts, in stroops. The network keeps the reserve of an account
// without entries; creating a contract costs a tenth of a lumen of the rest.
const (
	channelReserve = 2 * baseReserve
	channelLow     = channelReserve + 1*stroopsPerXLM // A channel below this is topped up,
	channelFull    = channelReserve + 4*stroopsPerXLM // to this.
	// maxChannelFee is the highest fee that a channel pays: a full channel has it, with
	// a rest for a fee bump.
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

// channelDomain separates channel keys from everything else that is derived from the
// deployer's seed. It is part of every channel's address and never changes.
const channelDomain = "healthcare-platform/channel-account/v1"

// ensureChannels creates the missing channels, once per process.
func (d *Deployer) ensureChannels(ctx context.Context, journal txlog.Log) error {
	if d.channelsReady.Load() {
		return nil
	}
	select { // One caller at a time: the others find the channels created.
	case d.reconciling <- struct{}{}:
		defer func() { <-d.reconciling }()
	case <-ctx.Done():
		return contextError(ctx, "create channel accounts", ctx.Err())
	}
	if d.channelsReady.Load() {
		return nil
	}
	known, err := journal.Channels(ctx, d.networkID, d.Address())
	if err != nil {
		return err
	}
	ours := 0
	for _, c := range known {
		if c.Index < d.opts.Channels {
			ours++
		}
	}
	if ours < d.opts.Channels {
		_, err := d.ReconcileChannels(ctx, journal)
		switch {
		case err != nil && ours > 0 && errs.KindOf(err) == errs.KindPermanent:
			return nil // The existing channels are enough until the deployer can pay for more.
		case err != nil:
			return err
		}
	}
	d.channelsReady.Store(true)
	return nil
}

// ReconcileChannels reads all channel accounts, creates the missing ones, tops up those
// with a low balance, and enables those that work again. When nothing is to be done it
// pays nothing and leases nothing. It returns KindPermanent, with the amounts, when the
// deployer cannot pay.
func (d *Deployer) ReconcileChannels(ctx context.Context, journal txlog.Log) (contracts.ChannelReport, error) {
	if err := d.checkNetwork(ctx); err != nil {
		return contracts.ChannelReport{}, err
	}
	s := &txSession{Deployer: d, journal: journal}
	found, err := s.readChannels(ctx, 0)
	if err != nil {
		return contracts.ChannelReport{}, err
	}
	if found.deployer == nil {
		return contracts.ChannelReport{}, d.accountMissing()
	}
	if err := s.resolveSurplus(ctx, found.surplus); err != nil {
		return contracts.ChannelReport{DeployerBalance: int64(found.deployer.Balance)}, err
	}
	if len(found.toCreate)+len(found.toTopUp) == 0 {
		report := contracts.ChannelReport{Channels: found.channels, DeployerBalance: int64(found.deployer.Balance)}
		return report, journal.StoreChannels(ctx, d.networkID, d.Address(), found.existing())
	}
	src, err := s.leaseOwnAccount(ctx)
	if err != nil {
		return contracts.ChannelReport{}, err
	}
	defer src.release(ctx)
	return s.fundChannels(ctx, src)
}

// resolveSurplus resolves open transactions of channels that are no longer used, because
// fewer are configured now.
func (s *txSession) resolveSurplus(ctx context.Context, surplus []txlog.Channel) error {
	for _, channel := range surplus {
		if channel.Open == 0 || !channel.LeasedUntil.IsZero() {
			continue
		}
		lease, err := s.journal.Account(ctx, s.networkID, channel.Address)
		if err != nil {
			return err
		}
		src, err := s.newSourceAccount(ctx, lease, nil)
		if err != nil {
			return err
		}
		src.release(ctx)
	}
	return nil
}

// fundChannels funds channels with the deployer's account. It reads the ledger again
// first: the previous holder of the account may have done it.
func (s *txSession) fundChannels(ctx context.Context, src *sourceAccount) (report contracts.ChannelReport, err error) {
	for range maxRounds {
		found, err := s.readChannels(ctx, src.minSequence())
		if err != nil {
			return report, err
		}
		if found.deployer == nil {
			return report, s.accountMissing()
		}
		src.lastSequence = int64(found.deployer.SeqNum)
		report.Channels, report.DeployerBalance = found.channels, int64(found.deployer.Balance)
		if err := s.journal.StoreChannels(ctx, s.networkID, s.Address(), found.existing()); err != nil {
			return report, err
		}
		if len(found.toCreate)+len(found.toTopUp) == 0 {
			return report, nil
		}
		feesBefore := s.contract.FeeCharged
		if err := s.fund(ctx, found, src, &report); err != nil {
			return report, err
		}
		report.FeeCharged += s.contract.FeeCharged - feesBefore
	}
	return report, s.notSettled()
}

// fund creates and tops up as many channels as one transaction can.
func (s *txSession) fund(ctx context.Context, found channelView, src *sourceAccount, report *contracts.ChannelReport) error {
	ops, amount, err := found.operations(s.account)
	if err != nil {
		return err
	}
	spec := &txSpec{
		purpose: txlog.PurposeFund, ops: ops,
		description: fmt.Sprintf("the funding of %d channel accounts with %s", len(ops), xlm(amount)),
		maxFee:      s.opts.MaxFee, setting: "SOROBAN_MAX_FEE", spends: amount,
	}
	if fee := amount + MinFee*int64(len(ops)); spendable(found.deployer) < fee {
		return s.insufficientBalance(found.deployer, spec.description, fee)
	}
	now, err := s.rpc.latestLedger.get(ctx)
	if err != nil {
		return err
	}
	built := assembledTx{spec: spec, tx: s.draftTx(spec, now.closeTime), builtLedger: now.ledger, builtAt: s.opts.Clock.Now()}
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
	add := func(body xdr.OperationBody, stroops int64) {
		ops, amount = append(ops, xdr.Operation{SourceAccount: &source, Body: body}), amount+stroops
	}
	for _, c := range v.toCreate[:min(len(v.toCreate), maxFundedPerTx)] {
		to, err := registryAccount("stellar_accounts.address", c.Address)
		if err != nil {
			return nil, 0, err
		}
		add(xdr.OperationBody{Type: xdr.OperationTypeCreateAccount, CreateAccountOp: &xdr.CreateAccountOp{
			Destination: to, StartingBalance: channelFull,
		}}, channelFull)
	}
	for _, c := range v.toTopUp[:min(len(v.toTopUp), maxFundedPerTx-len(ops))] {
		to, err := registryAccount("stellar_accounts.address", c.Address)
		if err != nil {
			return nil, 0, err
		}
		add(xdr.OperationBody{Type: xdr.OperationTypePayment, PaymentOp: &xdr.PaymentOp{
			Destination: to.ToMuxedAccount(), Asset: xdr.Asset{Type: xdr.AssetTypeAssetTypeNative}, Amount: xdr.Int64(channelFull - c.Balance),
		}}, channelFull-c.Balance)
	}
	return ops, amount, nil
}

// readChannels reads the deployer and all its channels. The view is not older than the
// known ledger.
func (s *txSession) readChannels(ctx context.Context, number int64) (v channelView, err error) {
	known, err := s.journal.Channels(ctx, s.networkID, s.Address())
	if err != nil {
		return v, err
	}
	_, err = s.waitForLedger(ctx, func() (bool, error) {
		var ledger uint32
		v, ledger, err = s.readChannelEntries(ctx, known)
		return ledger >= s.appliedLedger && (v.deployer == nil || int64(v.deployer.SeqNum) >= number), err
	})
	return v, err
}

func (s *txSession) readChannelEntries(ctx context.Context, known []txlog.Channel) (v channelView, ledger uint32, err error) {
	keys := []xdr.LedgerKey{accountKey(s.account)}
	for i := range s.opts.Channels {
		key, err := s.channelKey(i)
		if err != nil {
			return v, 0, err
		}
		v.channels = append(v.channels, txlog.Channel{Index: i, Address: key.Address()})
		id, err := accountOfKey(key)
		if err != nil {
			return v, 0, err
		}
		keys = append(keys, accountKey(id))
	}
	for _, k := range known {
		if k.Index >= s.opts.Channels {
			v.surplus = append(v.surplus, k)
		}
	}
	accounts := make([]*xdr.AccountEntry, 0, len(keys))
	for begin := 0; begin < len(keys); begin += maxKeys {
		found, at, err := s.readEntries(ctx, s.reads, keys[begin:min(begin+maxKeys, len(keys))]...)
		if err != nil {
			return v, 0, err
		}
		if ledger == 0 || at < ledger {
			ledger = at
		}
		for _, entry := range found {
			account, err := accountOf(entry)
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
	return v, ledger, nil
}

// channelKey derives the key of a channel from the deployer's seed, so no other secret
// has to be stored.
func (d *Deployer) channelKey(index int) (*keypair.Full, error) {
	if index < 0 || index >= MaxChannels {
		return nil, brokenField(nil, "stellar_accounts.channel", strconv.Itoa(index), fmt.Sprintf("between 0 and %d", MaxChannels-1))
	}
	d.channelKeysMu.Lock()
	defer d.channelKeysMu.Unlock()
	for i := len(d.channelKeys); i <= index; i++ {
		mac := hmac.New(sha256.New, []byte(d.signer.Seed()))
		mac.Write([]byte(channelDomain))
		mac.Write(binary.BigEndian.AppendUint32(nil, uint32(i))) //nolint:gosec // at most MaxChannels
		key, err := keypair.FromRawSeed([32]byte(mac.Sum(nil)))
		if err != nil {
			return nil, errs.Wrap(err, errs.KindPermanent, "derive channel key", "the key of a channel account cannot be derived")
		}
		d.channelKeys = append(d.channelKeys, key)
	}
	return d.channelKeys[index], nil
}

// classify decides what a channel needs.
func (v *channelView) classify(c *txlog.Channel, account *xdr.AccountEntry, known []txlog.Channel) {
	wasPoor := false
	for _, k := range known {
		if k.Address == c.Address {
			wasPoor = k.DisabledReason == disabledLowBalance
			c.LeasedUntil, c.QuarantinedUntil, c.Open, c.Submitted = k.LeasedUntil, k.QuarantinedUntil, k.Open, k.Submitted
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
