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
	opts           Options
	rpc            *rpcClient
	reads          *entryBatcher // Reads of the ledger, for all callers.
	polls          *entryBatcher // The same, for callers that wait for a transaction.
	codes          codeCache
	fees           *ttlCache[protocol.GetFeeStatsResponse]
	signer         *keypair.Full
	channelKeys    []*keypair.Full // Created on first use; guarded by making.
	channelKeysMu  sync.Mutex
	reconciling    chan struct{} // Held by the one caller that reconciles the channels.
	channelsReady  atomic.Bool   // All channels are known to exist.
	account        xdr.AccountId
	code           xdr.Hash // Of opts.Code.
	networkID      string
	networkCheck   sharedCall[struct{}] // Of the server's network.
	networkChecked atomic.Bool          // The server is known to serve the configured network.
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
	account, err := accountOfKey(signer)
	if err != nil {
		return nil, err
	}
	d := &Deployer{
		opts: o,
		rpc: &rpcClient{
			url: o.RPCURL, http: o.HTTPClient, pacer: pacer{o.Clock, o.PollInterval, &ledgerInterval{}}, slots: make(chan struct{}, maxParallelCalls),
		},
		signer:      signer,
		reconciling: make(chan struct{}, 1),
		account:     account,
		code:        sha256.Sum256(o.Code.Wasm),
		networkID:   NetworkID(o.Passphrase),
	}
	d.rpc.latestLedger = newTTLCache(o.Clock, func(ctx context.Context) (ledgerInfo, error) { return d.rpc.fetchLatestLedger(ctx, d.networkID) })
	d.reads = &entryBatcher{fetch: d.rpc.entries, slowAfter: slowCallAfter}
	d.polls = &entryBatcher{fetch: d.rpc.pollEntries, window: d.rpc.pacer.waitPoll, slowAfter: slowCallAfter}
	d.fees = newTTLCache(o.Clock, d.rpc.feeStats)
	d.networkCheck.slowAfter = slowCallAfter
	d.networkCheck.fetch = func(ctx context.Context) (struct{}, error) { return struct{}{}, d.fetchNetwork(ctx) }
	return d, nil
}

// Address is the deployer's account (G...).
func (d *Deployer) Address() string { return d.signer.Address() }

// NetworkID is the SHA-256 of the network's passphrase in hex, as in the journal.
func (d *Deployer) NetworkID() string { return d.networkID }

// CurrentCode is the code that contracts should run, SHA-256 in hex.
func (d *Deployer) CurrentCode() string { return hex.EncodeToString(d.code[:]) }

// IsPredecessor reports whether hash is the code of an earlier release.
func (d *Deployer) IsPredecessor(hash string) bool {
	raw, err := hex.DecodeString(hash)
	return err == nil && len(raw) == len(d.code) && slices.Contains(d.opts.Code.Predecessors, [32]byte(raw))
}

// Format prints only the account, for every verb: the other fields hold the seed.
func (d *Deployer) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte("soroban.Deployer(" + d.signer.Address() + ")"))
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

// checkNetwork refuses a server of another network: signatures would be invalid there,
// and every read would return other contracts.
func (d *Deployer) checkNetwork(ctx context.Context) error {
	if d.networkChecked.Load() {
		return nil
	}
	_, err := d.networkCheck.do(ctx, "check network")
	return err
}

func (d *Deployer) fetchNetwork(ctx context.Context) error {
	got, err := d.rpc.network(ctx)
	if err != nil {
		return err
	}
	if got.Passphrase != d.opts.Passphrase {
		return errs.Errorf(errs.KindPermanent, "check network",
			"the Stellar RPC server serves the network %q, but %q is configured; check SOROBAN_NETWORK, SOROBAN_NETWORK_PASSPHRASE and SOROBAN_RPC_URL",
			got.Passphrase, d.opts.Passphrase)
	}
	d.networkChecked.Store(true)
	return nil
}
