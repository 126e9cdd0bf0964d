package soroban

import (
	"context"
	"encoding/hex"
	"math"
	"regexp"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/network"
	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// txLifetime is how long a transaction is good for, from the latest ledger. It is
// the longest that anybody has to wait for an account after a lost answer.
const txLifetime = 60 * time.Second

// resourceMargin is what is added to the simulated resource fee: a fifth. Prices
// depend on the ledger's size and may rise until the transaction is applied; most of
// what is too much comes back.
const resourceMargin = 5

// simulationError is what the simulation found wrong with an act.
type simulationError struct {
	code string // As "Storage, ExistingValue"; empty when none was named.
	text string // The whole of it, for the log.
	err  error  // What to say when it stays so.
}

func (e *simulationError) Error() string { return "simulation: " + e.text }

// hostError finds the code in the text of a simulation's error; it is in no
// field of its own.
var hostError = regexp.MustCompile(`HostError: Error\((\w+, #?\w+)\)`)

// assembledTx is a transaction that lacks its fee and signature.
type assembledTx struct {
	spec         *txSpec
	tx           xdr.Transaction
	resourceFee  int64
	inclusionFee int64     // For the place in a ledger, stroops.
	builtLedger  uint32    // The latest ledger by then,
	builtAt      time.Time // and this machine's time.
}

// restores reports whether the transaction brings back archived entries on the way.
func (a assembledTx) restores() bool {
	if a.tx.Ext.SorobanData == nil { // It funds channels.
		return false
	}
	ext := a.tx.Ext.SorobanData.Ext.ResourceExt
	return a.spec.purpose != txlog.PurposeRestore && ext != nil && len(ext.ArchivedSorobanEntries) > 0
}

// assemble simulates an act and takes over what that found: the footprint and
// resources with their extension, which names what is restored on the way, and
// the authorization. Which account carries it shows only when it is signed.
func (d *Deployer) assemble(ctx context.Context, a *txSpec) (assembledTx, error) {
	now, err := d.rpc.latestLedger.get(ctx)
	if err != nil {
		return assembledTx{}, err
	}
	tx := d.draftTx(a, now.closeTime)
	sim, err := d.rpc.simulate(ctx, xdr.TransactionEnvelope{
		Type: xdr.EnvelopeTypeEnvelopeTypeTx, V1: &xdr.TransactionV1Envelope{Tx: tx},
	})
	if err != nil {
		return assembledTx{}, err
	}
	if err := simulationFault(sim); err != nil {
		return assembledTx{}, err
	}
	var data xdr.SorobanTransactionData
	if err := xdr.SafeUnmarshalBase64(sim.TransactionDataXDR, &data); err != nil {
		return assembledTx{}, malformedXDR(err, "read simulation")
	}
	// Neither below nothing nor above what can be written: such a fee is above each ceiling.
	least := min(max(sim.MinResourceFee, int64(data.ResourceFee), 0), math.MaxUint32)
	data.ResourceFee = xdr.Int64(least + (least+resourceMargin-1)/resourceMargin)
	tx.Ext = xdr.TransactionExt{V: 1, SorobanData: &data}
	if err := authorize(&tx.Operations[0], sim); err != nil {
		return assembledTx{}, malformedXDR(err, "read simulation")
	}
	return assembledTx{spec: a, tx: tx, resourceFee: int64(data.ResourceFee), builtLedger: now.ledger, builtAt: d.opts.Clock.Now()}, nil
}

// draftTx is what is known before the simulation. The operation is the
// deployer's, whichever account carries the transaction.
func (d *Deployer) draftTx(a *txSpec, closeTime int64) xdr.Transaction {
	source := d.account.ToMuxedAccount()
	tx := xdr.Transaction{
		SourceAccount: source, Fee: MinFee, SeqNum: 1, Cond: validUntil(closeTime), Operations: a.ops,
	}
	if len(a.ops) == 0 {
		tx.Operations = []xdr.Operation{{SourceAccount: &source, Body: a.body}}
	}
	if f := a.body.InvokeHostFunctionOp; f != nil {
		own := *f // Each transaction gets its own authorization.
		tx.Operations[0].Body.InvokeHostFunctionOp = &own
	}
	if len(a.restore)+len(a.extend) > 0 {
		tx.Ext = xdr.TransactionExt{V: 1, SorobanData: &xdr.SorobanTransactionData{Resources: xdr.SorobanResources{
			Footprint: xdr.LedgerFootprint{ReadOnly: a.extend, ReadWrite: a.restore},
		}}}
	}
	return tx
}

func simulationFault(sim protocol.SimulateTransactionResponse) error {
	if sim.Error != "" {
		e := &simulationError{text: sim.Error}
		if found := hostError.FindStringSubmatch(sim.Error); found != nil {
			e.code = found[1]
		}
		return e
	}
	if sim.RestorePreamble != nil {
		// It was archived since the look; the next one will show it.
		return &simulationError{text: "something has to be restored first"}
	}
	return nil
}

func authorize(op *xdr.Operation, sim protocol.SimulateTransactionResponse) error {
	f := op.Body.InvokeHostFunctionOp
	if f == nil || len(sim.Results) == 0 || sim.Results[0].AuthXDR == nil {
		return nil
	}
	f.Auth = nil
	for _, encoded := range *sim.Results[0].AuthXDR {
		var entry xdr.SorobanAuthorizationEntry
		if err := xdr.SafeUnmarshalBase64(encoded, &entry); err != nil {
			return err
		}
		f.Auth = append(f.Auth, entry)
	}
	return nil
}

// buildEnvelope gives the transaction its source, number, time, fee and signatures, in the
// form in which it is stored and sent. Its time begins now: it may have waited long
// for an account that carries it.
func (s *txSession) buildEnvelope(ctx context.Context, a assembledTx, c *sourceAccount) (txlog.Transaction, error) {
	now, err := s.rpc.latestLedger.get(ctx)
	if err != nil {
		return txlog.Transaction{}, err
	}
	a.tx.Cond = validUntil(now.closeTime)
	a.tx.SeqNum = xdr.SequenceNumber(c.lastSequence + 1)
	a.tx.SourceAccount = c.id.ToMuxedAccount()
	fee := a.resourceFee + a.inclusionFee
	a.tx.Fee = xdr.Uint32(fee) //nolint:gosec // bid keeps it below the largest fee that can be written
	keys := []*keypair.Full{c.key}
	if c.isChannelAccount() {
		keys = append(keys, s.signer) // The operation is the deployer's.
	}
	hash, envelope, err := s.sign(a.tx, keys...)
	if err != nil {
		return txlog.Transaction{}, malformedXDR(err, "sign transaction")
	}
	return txlog.Transaction{
		Hash: hex.EncodeToString(hash[:]), Envelope: envelope, Source: c.lease.Address(), Sequence: int64(a.tx.SeqNum),
		Purpose: a.spec.purpose, TenantID: a.spec.tenant, ContractID: a.spec.contractID, NetworkID: s.networkID,
		ValidUntil:      time.Unix(int64(a.tx.Cond.TimeBounds.MaxTime), 0), //nolint:gosec // as above
		SubmittedLedger: min(a.builtLedger, now.ledger), MaxFee: fee, AsOf: s.asOf,
	}, nil
}

// validUntil bounds a transaction's life. The time comes from the network, because
// this machine's clock may be off by more than the lifetime.
func validUntil(closeTime int64) xdr.Preconditions {
	return xdr.Preconditions{
		Type:       xdr.PreconditionTypePrecondTime,
		TimeBounds: &xdr.TimeBounds{MaxTime: xdr.TimePoint(closeTime + int64(txLifetime/time.Second))}, //nolint:gosec // a time of this century
	}
}

// sign signs a transaction with each of the keys.
func (d *Deployer) sign(tx xdr.Transaction, keys ...*keypair.Full) (hash [32]byte, envelope string, err error) {
	hash, err = network.HashTransaction(tx, d.opts.Passphrase)
	if err != nil {
		return hash, "", err
	}
	signed := xdr.TransactionV1Envelope{Tx: tx}
	for _, key := range keys {
		signature, err := key.SignDecorated(hash[:])
		if err != nil {
			return hash, "", err
		}
		signed.Signatures = append(signed.Signatures, signature)
	}
	envelope, err = xdr.MarshalBase64(xdr.TransactionEnvelope{Type: xdr.EnvelopeTypeEnvelopeTypeTx, V1: &signed})
	return hash, envelope, err
}
