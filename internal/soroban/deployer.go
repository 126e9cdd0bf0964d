package soroban

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"slices"

	"github.com/google/uuid"
	"github.com/stellar/go-stellar-sdk/strkey"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/ledger"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/rpc"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/txsubmit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// Deployer deploys tenant contracts from one account. It may be used concurrently.
type Deployer struct {
	opts      Options
	client    *rpc.Client
	reader    *ledger.Reader
	submitter *txsubmit.Submitter
	code      xdr.Hash // Of opts.Code.
}

var _ provisioning.ContractDeployer = (*Deployer)(nil)

// New creates a Deployer. It makes no call; the first Deploy checks the network options.
// It returns KindInvalid for unusable options, naming the variable.
func New(o Options) (*Deployer, error) {
	o = o.withDefaults()
	signer, err := o.validate()
	if err != nil {
		return nil, err
	}
	code := xdr.Hash(sha256.Sum256(o.Code.Wasm))
	client := rpc.New(rpc.Options{
		URL: o.RPCURL, Headers: o.RPCHeaders, Secrets: o.Secrets, Passphrase: o.Passphrase, HTTPClient: o.HTTPClient, Clock: o.Clock, PollInterval: o.PollInterval,
	})
	reader := ledger.NewReader(client, o.Clock)
	submitter, err := txsubmit.New(
		txsubmit.Settings{Passphrase: o.Passphrase, Account: o.DeployerAccount, MaxFee: o.MaxFee, Channels: o.Channels, Code: code}, signer, client, reader, o.Clock)
	if err != nil {
		return nil, err
	}
	return &Deployer{opts: o, client: client, reader: reader, submitter: submitter, code: code}, nil
}

// Address is the deployer's account (G...).
func (d *Deployer) Address() string { return d.submitter.Address() }

// Signer is the address (G...) of its key: the account's own, or that of another signer of it.
func (d *Deployer) Signer() string { return d.submitter.Signer() }

// NetworkID is the SHA-256 of the network's passphrase in hex, as in the transaction log.
func (d *Deployer) NetworkID() string { return d.submitter.NetworkID() }

// ReconcileChannels reads all channel accounts, creates the missing ones, tops up those
// with a low balance, and enables those that work again. It returns KindPermanent, with
// the amounts, when the deployer cannot pay.
func (d *Deployer) ReconcileChannels(ctx context.Context, txLog txlog.Log) (contracts.ChannelReport, error) {
	if err := d.client.CheckNetwork(ctx); err != nil {
		return contracts.ChannelReport{}, err
	}
	return d.submitter.ReconcileChannels(ctx, txLog)
}

// TransactionOutcome asks the network once for the outcome of an open transaction; known is
// false while it may still be applied. It sends nothing.
func (d *Deployer) TransactionOutcome(ctx context.Context, tx txlog.Transaction) (outcome txlog.Outcome, known bool, err error) {
	if err := d.client.CheckNetwork(ctx); err != nil {
		return txlog.Outcome{}, false, err
	}
	return d.submitter.Outcome(ctx, tx)
}

// CurrentCode is the code that contracts should run, SHA-256 in hex.
func (d *Deployer) CurrentCode() string { return hex.EncodeToString(d.code[:]) }

// IsPredecessor reports whether hash is the code of an earlier release.
func (d *Deployer) IsPredecessor(hash string) bool {
	raw, err := hex.DecodeString(hash)
	return err == nil && len(raw) == len(d.code) && slices.Contains(d.opts.Code.Predecessors, [32]byte(raw))
}

// Format prints only the account, for every verb: the other fields hold the seed.
func (d *Deployer) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte("soroban.Deployer(" + d.Address() + ")"))
}

// LogValue does the same for package slog.
func (d *Deployer) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(d)) }

// ContractID returns the address of the tenant's contract. It needs no network.
func (d *Deployer) ContractID(tenant uuid.UUID) (string, error) {
	t, err := d.target(tenant)
	return t.address, err
}

// target is the contract that a deployment is about.
type target struct {
	tenant  uuid.UUID
	id      xdr.ContractId
	address string // The id in text form, C...
}

func (d *Deployer) target(tenant uuid.UUID) (target, error) {
	id, err := contractID(d.opts.Passphrase, d.submitter.Account(), tenant)
	if err != nil {
		return target{}, err
	}
	address, err := strkey.Encode(strkey.VersionByteContract, id[:])
	if err != nil {
		return target{}, errs.Wrap(err, errs.KindPermanent, "derive contract id",
			"the contract's address cannot be computed")
	}
	return target{tenant: tenant, id: id, address: address}, nil
}
