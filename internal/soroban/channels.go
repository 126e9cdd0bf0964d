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

// What channel accounts have, in stroops. The reserve is what the network keeps of
// an account without entries; of the rest a contract's creation takes a tenth of a
// lumen.
const (
	channelReserve = 2 * baseReserve
	channelLow     = channelReserve + 1*stroopsPerXLM // Below that one is topped up,
	channelFull    = channelReserve + 4*stroopsPerXLM // to that.
	// channelCarries is the highest fee that a channel is used for: a full one has it,
	// with something for an offer of more.
	channelCarries = channelFull - channelReserve - stroopsPerXLM/2
)

// Why channels are out of use.
const (
	outOfUsePoor    = "it has too little to pay a fee; it is topped up by the next look after the channels"
	outOfUseMissing = "it does not exist on the network; it is made again by the next look after the channels"
	outOfUseSigners = "it does not accept the signature of its own key; its signers were changed, merge or abandon it"
)

// maxFunded is how many channels one transaction makes or tops up.
const maxFunded = 100

// channelDomain separates channel keys from everything else that is derived from
// the deployer's seed. It is part of every channel's address and never changes.
const channelDomain = "healthcare-platform/channel-account/v1"

// channelKey derives the key of a channel. Whoever has the deployer's seed has
// the channels; nothing else has to be kept.
func (d *Deployer) channelKey(index int) (*keypair.Full, error) {
	if index < 0 || index >= MaxChannels {
		return nil, brokenField(nil, "stellar_accounts.channel", strconv.Itoa(index), fmt.Sprintf("between 0 and %d", MaxChannels-1))
	}
	d.making.Lock()
	defer d.making.Unlock()
	for i := len(d.channels); i <= index; i++ {
		mac := hmac.New(sha256.New, []byte(d.signer.Seed()))
		mac.Write([]byte(channelDomain))
		mac.Write(binary.BigEndian.AppendUint32(nil, uint32(i))) //nolint:gosec // at most MaxChannels
		key, err := keypair.FromRawSeed([32]byte(mac.Sum(nil)))
		if err != nil {
			return nil, errs.Wrap(err, errs.KindPermanent, "derive channel key", "the key of a channel account cannot be derived")
		}
		d.channels = append(d.channels, key)
	}
	return d.channels[index], nil
}

// ensureChannels makes the channels that are not there yet, once in a process.
func (d *Deployer) ensureChannels(ctx context.Context, journal txlog.Log) error {
	if d.tended.Load() {
		return nil
	}
	select { // One caller at a time: the others find them made.
	case d.tending <- struct{}{}:
		defer func() { <-d.tending }()
	case <-ctx.Done():
		return stopped(ctx, "make channel accounts", ctx.Err())
	}
	if d.tended.Load() {
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
			return nil // Those that are there will do, until the deployer can pay for more.
		case err != nil:
			return err
		}
	}
	d.tended.Store(true)
	return nil
}

// ReconcileChannels looks at all channel accounts, makes those that are missing, tops
// up those that run low, and takes back into use what is fit again. When all is
// well it pays nothing and holds up nobody. KindPermanent when the deployer cannot
// pay for it, with the figures.
func (d *Deployer) ReconcileChannels(ctx context.Context, journal txlog.Log) (contracts.ChannelReport, error) {
	if err := d.checkNetwork(ctx); err != nil {
		return contracts.ChannelReport{}, err
	}
	w := &work{Deployer: d, journal: journal}
	found, err := w.readChannels(ctx, 0)
	if err != nil {
		return contracts.ChannelReport{}, err
	}
	if found.deployer == nil {
		return contracts.ChannelReport{}, d.noAccount()
	}
	if err := w.settleRetired(ctx, found.retired); err != nil {
		return contracts.ChannelReport{DeployerBalance: int64(found.deployer.Balance)}, err
	}
	if len(found.made)+len(found.paid) == 0 {
		care := contracts.ChannelReport{Channels: found.channels, DeployerBalance: int64(found.deployer.Balance)}
		return care, journal.StoreChannels(ctx, d.networkID, d.Address(), found.existing())
	}
	var care contracts.ChannelReport
	err = w.withOwn(ctx, func(ctx context.Context, c *carrier) (err error) {
		care, err = w.fundChannels(ctx, c)
		return err
	})
	return care, err
}

// settleRetired finds out what became of transactions that were left on channels
// which nobody uses any more, because fewer are set now.
func (w *work) settleRetired(ctx context.Context, retired []txlog.Channel) error {
	for _, channel := range retired {
		if channel.Open == 0 || !channel.LeasedUntil.IsZero() {
			continue
		}
		lease, err := w.journal.Account(ctx, w.networkID, channel.Address)
		if err != nil {
			return err
		}
		c, err := w.carrier(ctx, lease, nil)
		if err != nil {
			return err
		}
		err = c.settle(ctx)
		c.release(ctx)
		if err != nil {
			return err
		}
	}
	return nil
}

// fundChannels does it with the deployer's account, and looks again before: who had
// that before may have done it.
func (w *work) fundChannels(ctx context.Context, c *carrier) (care contracts.ChannelReport, err error) {
	for range maxRounds {
		found, err := w.readChannels(ctx, c.least())
		if err != nil {
			return care, err
		}
		if found.deployer == nil {
			return care, w.noAccount()
		}
		c.last = int64(found.deployer.SeqNum)
		care.Channels, care.DeployerBalance = found.channels, int64(found.deployer.Balance)
		if err := w.journal.StoreChannels(ctx, w.networkID, w.Address(), found.existing()); err != nil {
			return care, err
		}
		if len(found.made)+len(found.paid) == 0 {
			return care, nil
		}
		before := w.contract.FeeCharged
		if err := w.fund(ctx, found, c, &care); err != nil {
			return care, err
		}
		care.FeeCharged += w.contract.FeeCharged - before
	}
	return care, w.unsettled()
}

// fund makes and tops up as many channels as one transaction can.
func (w *work) fund(ctx context.Context, found channelView, c *carrier, care *contracts.ChannelReport) error {
	ops, amount, err := found.operations(w.account)
	if err != nil {
		return err
	}
	a := &act{
		purpose: txlog.PurposeFund, ops: ops,
		what:    fmt.Sprintf("the funding of %d channel accounts with %s", len(ops), xlm(amount)),
		ceiling: w.opts.MaxFee, setting: "SOROBAN_MAX_FEE", spends: amount,
	}
	if fee := amount + MinFee*int64(len(ops)); spendable(found.deployer) < fee {
		return w.tooPoor(found.deployer, a.what, fee)
	}
	now, err := w.rpc.now.get(ctx)
	if err != nil {
		return err
	}
	built := assembled{act: a, tx: w.skeleton(a, now.closeTime), built: now.ledger, at: w.opts.Clock.Now()}
	if built.inclusion, err = w.bid(ctx, built, w.floor); err != nil {
		return err
	}
	done, err := w.carry(ctx, built, c, found.deployer)
	if err != nil || done == nil {
		return err
	}
	if done.end.State == txlog.StateSucceeded {
		made := min(len(found.made), len(ops))
		care.Created, care.ToppedUp = care.Created+made, care.ToppedUp+len(ops)-made
	}
	return w.react(ctx, *done)
}

// channelView is what the ledger shows of the channels.
type channelView struct {
	deployer *xdr.AccountEntry
	channels []txlog.Channel
	made     []txlog.Channel // That have to be.
	paid     []txlog.Channel // That have to be topped up.
	retired  []txlog.Channel // That are known and not wanted any more.
}

// existing leaves out what is not there: nobody can lease it.
func (v channelView) existing() (all []txlog.Channel) {
	for _, c := range v.channels {
		if c.Sequence > 0 {
			all = append(all, c)
		}
	}
	return all
}

// operations are those of one transaction, and what they take from the deployer.
func (v channelView) operations(deployer xdr.AccountId) (ops []xdr.Operation, amount int64, err error) {
	source := deployer.ToMuxedAccount()
	add := func(body xdr.OperationBody, stroops int64) {
		ops, amount = append(ops, xdr.Operation{SourceAccount: &source, Body: body}), amount+stroops
	}
	for _, c := range v.made[:min(len(v.made), maxFunded)] {
		to, err := registryAccount("stellar_accounts.address", c.Address)
		if err != nil {
			return nil, 0, err
		}
		add(xdr.OperationBody{Type: xdr.OperationTypeCreateAccount, CreateAccountOp: &xdr.CreateAccountOp{
			Destination: to, StartingBalance: channelFull,
		}}, channelFull)
	}
	for _, c := range v.paid[:min(len(v.paid), maxFunded-len(ops))] {
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

// readChannels looks at the deployer and all its channels. The view is not older
// than what is known already.
func (w *work) readChannels(ctx context.Context, number int64) (v channelView, err error) {
	known, err := w.journal.Channels(ctx, w.networkID, w.Address())
	if err != nil {
		return v, err
	}
	_, err = w.untilFresh(ctx, func() (bool, error) {
		var ledger uint32
		v, ledger, err = w.lookAtChannels(ctx, known)
		return ledger >= w.seen && (v.deployer == nil || int64(v.deployer.SeqNum) >= number), err
	})
	return v, err
}

func (w *work) lookAtChannels(ctx context.Context, known []txlog.Channel) (v channelView, ledger uint32, err error) {
	keys := []xdr.LedgerKey{accountKey(w.account)}
	for i := range w.opts.Channels {
		key, err := w.channelKey(i)
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
		if k.Index >= w.opts.Channels {
			v.retired = append(v.retired, k)
		}
	}
	accounts := make([]*xdr.AccountEntry, 0, len(keys))
	for begin := 0; begin < len(keys); begin += maxKeys {
		found, at, err := w.lookUp(ctx, w.looks, keys[begin:min(begin+maxKeys, len(keys))]...)
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
		v.judge(&v.channels[i], account, known)
	}
	return v, ledger, nil
}

// judge decides what a channel needs.
func (v *channelView) judge(c *txlog.Channel, account *xdr.AccountEntry, known []txlog.Channel) {
	wasPoor := false
	for _, k := range known {
		if k.Address == c.Address {
			wasPoor = k.DisabledReason == outOfUsePoor
			c.LeasedUntil, c.QuarantinedUntil, c.Open, c.Submitted = k.LeasedUntil, k.QuarantinedUntil, k.Open, k.Submitted
		}
	}
	switch {
	case account == nil:
		c.DisabledReason = outOfUseMissing
		v.made = append(v.made, *c)
		return
	case account.MasterKeyWeight() == 0 || account.MasterKeyWeight() < account.ThresholdLow():
		c.DisabledReason = outOfUseSigners
	case int64(account.Balance) < channelLow, wasPoor && int64(account.Balance) < channelFull:
		v.paid = append(v.paid, txlog.Channel{Address: c.Address, Balance: int64(account.Balance)})
		if int64(account.Balance) < channelReserve+stroopsPerXLM/10 {
			c.DisabledReason = outOfUsePoor
		}
	}
	c.Sequence, c.Balance = int64(account.SeqNum), int64(account.Balance)
}
