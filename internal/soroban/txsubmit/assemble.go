package txsubmit

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"math"
	"regexp"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/network"
	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/rpc"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// txLifetime is how long a transaction is valid, from the latest ledger. It is also the
// longest wait for an account after a lost response.
const txLifetime = 60 * time.Second

// resourceMargin is the share added to the simulated resource fee: a fifth. Prices
// depend on the ledger's size and may rise until the transaction is applied; most of the
// surplus is refunded.
const resourceMargin = 5

// maxSimulationError limits the text of a simulation's error, which goes to the log.
const maxSimulationError = 4000

// simulationError is an error that the simulation reported for a transaction.
type simulationError struct {
	code string // For example "Storage, ExistingValue"; empty when none was named.
	text string // The full text, for the log.
	err  error  // For the error message when retries do not help.
}

func (e *simulationError) Error() string { return "simulation: " + e.text }

// hostError finds the code in the text of a simulation error; no separate field has it.
var hostError = regexp.MustCompile(`HostError: Error\((\w+, #?\w+)\)`)

// assembledTx is a transaction without fee and signature.
type assembledTx struct {
	spec         *Spec
	tx           xdr.Transaction
	resourceFee  int64
	inclusionFee int64     // The inclusion fee, stroops.
	builtLedger  uint32    // The latest ledger at that time,
	builtAt      time.Time // and the local time.
}

// restores reports whether the transaction also restores archived entries.
func (a assembledTx) restores() bool {
	if a.tx.Ext.SorobanData == nil { // It funds channels.
		return false
	}
	ext := a.tx.Ext.SorobanData.Ext.ResourceExt
	return a.spec.Purpose != txlog.PurposeRestore && ext != nil && len(ext.ArchivedSorobanEntries) > 0
}

// assemble simulates a transaction and applies the simulation's footprint, resources
// (which list the entries to be restored) and authorization. The source account is not
// known until the transaction is signed.
func (s *Submitter) assemble(ctx context.Context, spec *Spec) (assembledTx, error) {
	now, err := s.client.LatestLedger(ctx)
	if err != nil {
		return assembledTx{}, err
	}
	tx := s.draftTx(spec, now.CloseTime)
	sim, err := s.client.Simulate(ctx, xdr.TransactionEnvelope{
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
		return assembledTx{}, rpc.MalformedXDR(err, "read simulation")
	}
	if !withinSpec(data.Resources.Footprint, spec) {
		return assembledTx{}, rpc.MalformedValue("read simulation", "the simulation of %s changes entries that were not requested; nothing was signed", spec.Description)
	}
	if footprint := data.Resources.Footprint; len(spec.Restore)+len(spec.Extend) > 0 && len(footprint.ReadOnly)+len(footprint.ReadWrite) == 0 {
		// Another process did it after the read, which the next read shows, or the server lies.
		return assembledTx{}, &simulationError{text: "there is nothing to change",
			err: rpc.MalformedValue("read simulation", "the simulation of %s changes nothing, and the ledger that it returns lacks it; nothing was signed", spec.Description)}
	}
	// Never negative and never above the largest fee that fits: that one is above every
	// ceiling.
	least := min(max(sim.MinResourceFee, int64(data.ResourceFee), 0), math.MaxUint32)
	data.ResourceFee = xdr.Int64(least + (least+resourceMargin-1)/resourceMargin)
	tx.Ext = xdr.TransactionExt{V: 1, SorobanData: &data}
	if err := authorize(&tx.Operations[0], sim); err != nil {
		return assembledTx{}, err
	}
	return assembledTx{spec: spec, tx: tx, resourceFee: int64(data.ResourceFee), builtLedger: now.Sequence, builtAt: s.clock.Now()}, nil
}

// draftTx returns the transaction before the simulation. The operation's source is the
// deployer, whichever account is the transaction's source.
func (s *Submitter) draftTx(spec *Spec, closeTime int64) xdr.Transaction {
	source := s.account.ToMuxedAccount()
	tx := xdr.Transaction{
		SourceAccount: source, Fee: MinFee, SeqNum: 1, Cond: validUntil(closeTime), Operations: spec.ops,
	}
	if len(spec.ops) == 0 {
		tx.Operations = []xdr.Operation{{SourceAccount: &source, Body: spec.Body}}
	}
	if f := spec.Body.InvokeHostFunctionOp; f != nil {
		own := *f // Each transaction gets a separate authorization.
		tx.Operations[0].Body.InvokeHostFunctionOp = &own
	}
	if len(spec.Restore)+len(spec.Extend) > 0 {
		tx.Ext = xdr.TransactionExt{V: 1, SorobanData: &xdr.SorobanTransactionData{Resources: xdr.SorobanResources{
			Footprint: xdr.LedgerFootprint{ReadOnly: spec.Extend, ReadWrite: spec.Restore},
		}}}
	}
	return tx
}

func simulationFault(sim protocol.SimulateTransactionResponse) error {
	if sim.Error != "" {
		e := &simulationError{text: errs.Truncate(sim.Error, maxSimulationError)}
		if found := hostError.FindStringSubmatch(sim.Error); found != nil {
			e.code = found[1]
		}
		return e
	}
	if sim.RestorePreamble != nil {
		// The entry was archived after the ledger was read; the next read shows it.
		return &simulationError{text: "an archived entry has to be restored first"}
	}
	return nil
}

// withinSpec reports whether a footprint has no other entries than a restore or an extension
// is to change: there the footprint is the operation's argument. That of a call only limits
// what the call may do.
func withinSpec(footprint xdr.LedgerFootprint, spec *Spec) bool {
	if len(spec.Restore)+len(spec.Extend) == 0 {
		return true
	}
	within := func(keys, requested []xdr.LedgerKey) bool {
		return !slices.ContainsFunc(keys, func(key xdr.LedgerKey) bool {
			return !slices.ContainsFunc(requested, key.Equals)
		})
	}
	return within(footprint.ReadWrite, spec.Restore) && within(footprint.ReadOnly, spec.Extend)
}

// authorize applies the authorization that the simulation found, if it is the operation's own.
func authorize(op *xdr.Operation, sim protocol.SimulateTransactionResponse) error {
	f := op.Body.InvokeHostFunctionOp
	if f == nil || len(sim.Results) == 0 || sim.Results[0].AuthXDR == nil {
		return nil
	}
	f.Auth = nil
	for _, encoded := range *sim.Results[0].AuthXDR {
		var entry xdr.SorobanAuthorizationEntry
		if err := xdr.SafeUnmarshalBase64(encoded, &entry); err != nil {
			return rpc.MalformedXDR(err, "read simulation")
		}
		if len(f.Auth) > 0 || !isOwnAuthorization(entry, f.HostFunction) {
			return rpc.MalformedValue("read simulation", "the simulation has an authorization that the operation does not need; nothing was signed")
		}
		f.Auth = append(f.Auth, entry)
	}
	return nil
}

// isOwnAuthorization reports whether an entry authorizes this call and nothing else: by the
// transaction's signature, and without calls of other contracts. The signature covers the
// entries, so a server could have anything signed otherwise, such as a transfer.
func isOwnAuthorization(entry xdr.SorobanAuthorizationEntry, f xdr.HostFunction) bool {
	own := xdr.SorobanAuthorizedFunction{}
	switch f.Type {
	case xdr.HostFunctionTypeHostFunctionTypeInvokeContract:
		own.Type, own.ContractFn = xdr.SorobanAuthorizedFunctionTypeSorobanAuthorizedFunctionTypeContractFn, f.InvokeContract
	case xdr.HostFunctionTypeHostFunctionTypeCreateContract:
		own.Type, own.CreateContractHostFn = xdr.SorobanAuthorizedFunctionTypeSorobanAuthorizedFunctionTypeCreateContractHostFn, f.CreateContract
	case xdr.HostFunctionTypeHostFunctionTypeCreateContractV2:
		own.Type, own.CreateContractV2HostFn = xdr.SorobanAuthorizedFunctionTypeSorobanAuthorizedFunctionTypeCreateContractV2HostFn, f.CreateContractV2
	default:
		return false
	}
	want, err := xdr.SorobanAuthorizationEntry{
		Credentials:    xdr.SorobanCredentials{Type: xdr.SorobanCredentialsTypeSorobanCredentialsSourceAccount},
		RootInvocation: xdr.SorobanAuthorizedInvocation{Function: own},
	}.MarshalBinary()
	got, gotErr := entry.MarshalBinary()
	return err == nil && gotErr == nil && bytes.Equal(got, want)
}

// buildEnvelope sets the transaction's source, sequence number, validity, fee and
// signatures, in the form in which it is stored and sent. Its validity starts now,
// because it may have waited long for its source account.
func (s *Session) buildEnvelope(ctx context.Context, a assembledTx, c *SourceAccount) (txlog.Transaction, error) {
	now, err := s.client.LatestLedger(ctx)
	if err != nil {
		return txlog.Transaction{}, err
	}
	registry, err := s.txLog.RegistryID(ctx)
	if err != nil {
		return txlog.Transaction{}, err
	}
	a.tx.Cond = validUntil(now.CloseTime)
	a.tx.Cond.TimeBounds.MinTime = registryMinTime(registry)
	a.tx.SeqNum = xdr.SequenceNumber(c.lastSequence + 1)
	a.tx.SourceAccount = c.id.ToMuxedAccount()
	fee := a.resourceFee + a.inclusionFee
	a.tx.Fee = xdr.Uint32(fee) //nolint:gosec // bid keeps it below the largest fee that fits
	keys := []*keypair.Full{c.key}
	if c.isChannelAccount() {
		keys = append(keys, s.signer) // The operation's source is the deployer.
	}
	hash, envelope, err := s.sign(xdr.TransactionEnvelope{
		Type: xdr.EnvelopeTypeEnvelopeTypeTx, V1: &xdr.TransactionV1Envelope{Tx: a.tx},
	}, keys...)
	if err != nil {
		return txlog.Transaction{}, rpc.MalformedXDR(err, "sign transaction")
	}
	return txlog.Transaction{
		Hash: hex.EncodeToString(hash[:]), Envelope: envelope, Source: c.lease.Address(), Sequence: int64(a.tx.SeqNum),
		Purpose: a.spec.Purpose, TenantID: a.spec.Tenant, ContractID: a.spec.ContractID, NetworkID: s.networkID,
		ValidUntil:      time.Unix(int64(a.tx.Cond.TimeBounds.MaxTime), 0), //nolint:gosec // as above
		SubmittedLedger: min(a.builtLedger, now.Sequence), MaxFee: fee, AsOf: s.asOf,
	}, nil
}

// validUntil limits a transaction's validity. It uses the network's time, because the
// local clock may be off by more than the lifetime.
func validUntil(closeTime int64) xdr.Preconditions {
	return xdr.Preconditions{
		Type:       xdr.PreconditionTypePrecondTime,
		TimeBounds: &xdr.TimeBounds{MaxTime: xdr.TimePoint(closeTime + int64(txLifetime/time.Second))}, //nolint:gosec // a time of this century
	}
}

// registryMinTime is the minTime of a registry's transactions: a time from 1970 to 1987. Two
// registries with one deployer can build the same transaction, such as the upload of the code
// with the deployer's next sequence number. Equal transactions have one hash, and both
// registries would record the one fee; with different times only one is applied.
func registryMinTime(registry uuid.UUID) xdr.TimePoint {
	return xdr.TimePoint(binary.BigEndian.Uint32(registry[:4]) >> 3)
}

// IsOfRegistry reports whether a transaction has the registry's minTime. It does not prove who
// signed it.
func IsOfRegistry(envelope xdr.TransactionEnvelope, registry uuid.UUID) bool {
	bounds := envelope.TimeBounds()
	return bounds != nil && bounds.MinTime == registryMinTime(registry)
}

// sign signs a transaction or a fee bump with each of the keys.
func (s *Submitter) sign(env xdr.TransactionEnvelope, keys ...*keypair.Full) (hash [32]byte, encoded string, err error) {
	hash, err = network.HashTransactionInEnvelope(env, s.settings.Passphrase)
	if err != nil {
		return hash, "", err
	}
	signatures := make([]xdr.DecoratedSignature, len(keys))
	for i, key := range keys {
		if signatures[i], err = key.SignDecorated(hash[:]); err != nil {
			return hash, "", err
		}
	}
	if env.FeeBump != nil {
		env.FeeBump.Signatures = signatures
	} else {
		env.V1.Signatures = signatures
	}
	encoded, err = xdr.MarshalBase64(env)
	return hash, encoded, err
}
