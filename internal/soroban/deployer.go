package soroban

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"
	"github.com/stellar/go-stellar-sdk/keypair"
	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/strkey"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// Deployer deploys tenant contracts from one account. It may be used concurrently.
type Deployer struct {
	opts      Options
	rpc       *client
	looks     *entryBatcher // Reads of the ledger, for all callers.
	polls     *entryBatcher // The same, for those who wait for a transaction.
	codes     seenCodes
	fees      *ttlCache[protocol.GetFeeStatsResponse]
	signer    *keypair.Full
	channels  []*keypair.Full // Made when first used; guarded by making.
	making    sync.Mutex
	tending   chan struct{} // Held by the one caller that looks after the channels.
	tended    atomic.Bool   // All channels were seen to be there.
	account   xdr.AccountId
	code      xdr.Hash // Of opts.Code.
	networkID string
	checks    sharedCall[struct{}] // Of the server's network.
	checked   atomic.Bool          // The server was seen to serve the configured network.
}

var _ provisioning.ContractDeployer = (*Deployer)(nil)

// New makes a Deployer. It calls nobody; what the options say about the network
// is checked by the first Deploy. It returns KindInvalid for options that cannot
// work, with the variable at fault.
func New(o Options) (*Deployer, error) {
	o = o.withDefaults()
	signer, err := o.validate()
	if err != nil {
		return nil, err
	}
	account, err := accountOfKey(signer)
	if err != nil {
		return nil, err
	}
	d := &Deployer{
		opts: o,
		rpc: &client{
			url: o.RPCURL, http: o.HTTPClient, rest: rest{o.Clock, o.PollInterval, &tempo{}}, busy: make(chan struct{}, callsAtOnce),
		},
		signer:    signer,
		tending:   make(chan struct{}, 1),
		account:   account,
		code:      sha256.Sum256(o.Code.Wasm),
		networkID: NetworkID(o.Passphrase),
	}
	d.rpc.now = newTTLCache(o.Clock, func(ctx context.Context) (moment, error) { return d.rpc.latest(ctx, d.networkID) })
	d.looks = &entryBatcher{fetch: d.rpc.entries, slowAfter: slowCallAfter}
	d.polls = &entryBatcher{fetch: d.rpc.poll, window: d.rpc.rest.pause, slowAfter: slowCallAfter}
	d.fees = newTTLCache(o.Clock, d.rpc.feeStats)
	d.checks.slowAfter = slowCallAfter
	d.checks.fetch = func(ctx context.Context) (struct{}, error) { return struct{}{}, d.askNetwork(ctx) }
	return d, nil
}

// Address is the deployer's account (G...).
func (d *Deployer) Address() string { return d.signer.Address() }

// NetworkID is the SHA-256 of the network's passphrase in hex, as journals name it.
func (d *Deployer) NetworkID() string { return d.networkID }

// CurrentCode is the code that contracts should run, SHA-256 in hex.
func (d *Deployer) CurrentCode() string { return hex.EncodeToString(d.code[:]) }

// IsPredecessor reports whether that is the code of an earlier release.
func (d *Deployer) IsPredecessor(hash string) bool {
	raw, err := hex.DecodeString(hash)
	return err == nil && len(raw) == len(d.code) && slices.Contains(d.opts.Code.Predecessors, [32]byte(raw))
}

// Format shows the account alone, whatever the verb: the rest holds the seed.
func (d *Deployer) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte("soroban.Deployer(" + d.signer.Address() + ")"))
}

// LogValue is for package slog what Format is for fmt.
func (d *Deployer) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(d)) }

// ContractID tells, without a network, which address the tenant's contract has.
func (d *Deployer) ContractID(tenant uuid.UUID) (string, error) {
	t, err := d.target(tenant)
	return t.address, err
}

// target is the contract that a deployment is about.
type target struct {
	tenant  uuid.UUID
	id      xdr.ContractId
	address string // The id as people see it, C...
}

func (d *Deployer) target(tenant uuid.UUID) (target, error) {
	id, err := contractID(d.opts.Passphrase, d.account, tenant)
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

// checkNetwork refuses a server of another network: signatures would be worth
// nothing there, and every look-up would be about other contracts.
func (d *Deployer) checkNetwork(ctx context.Context) error {
	if d.checked.Load() {
		return nil
	}
	_, err := d.checks.do(ctx, "check network")
	return err
}

func (d *Deployer) askNetwork(ctx context.Context) error {
	got, err := d.rpc.network(ctx)
	if err != nil {
		return err
	}
	if got.Passphrase != d.opts.Passphrase {
		return errs.Errorf(errs.KindPermanent, "check network",
			"the Stellar RPC server serves the network %q, but %q is configured; check SOROBAN_NETWORK, SOROBAN_NETWORK_PASSPHRASE and SOROBAN_RPC_URL",
			got.Passphrase, d.opts.Passphrase)
	}
	d.checked.Store(true)
	return nil
}
