package stellarnet

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet/host"
)

// simulateTransaction runs on a snapshot, so ledgers close while it works. An invalid
// transaction is an error in the response; only an invalid call is an RPC error.
func (n *Network) simulateTransaction(
	ctx context.Context, q protocol.SimulateTransactionRequest,
) (protocol.SimulateTransactionResponse, error) {
	f, err := n.newXDRFormat(ctx, q.Format)
	if err != nil { // Worded differently than in other methods, as in stellar-rpc.
		return protocol.SimulateTransactionResponse{Error: protocol.IsValidFormat(q.Format).Error()}, nil //nolint:nilerr // the response has it
	}
	env, err := decodeEnvelope(q.Transaction)
	if err != nil {
		return protocol.SimulateTransactionResponse{Error: "Could not unmarshal transaction"}, nil //nolint:nilerr // the response has it
	}
	if len(env.Operations()) != 1 {
		return protocol.SimulateTransactionResponse{Error: "Transaction contains more than one operation"}, nil
	}
	_, latest := n.window()
	// Simulate for the next ledger; otherwise the changes of the latest one would only
	// count from the one after that.
	sim := simulation{
		n:      n,
		lookup: n.lookup(n.ledger.viewAt(latest.seq()), latest.seq()+1),
		ledger: n.hostLedger(latest.seq()+1, uint64(n.now().Unix())),
	}
	result, err := sim.run(ctx, env, q)
	if err != nil {
		return protocol.SimulateTransactionResponse{Error: err.Error(), LatestLedger: latest.seq()}, nil //nolint:nilerr // the response has it
	}
	out := simulationResponse(f, result)
	out.LatestLedger = latest.seq()
	return out, f.err
}

type simulation struct {
	n      *Network
	lookup host.LookupFunc
	ledger host.Ledger
}

func (s simulation) run(
	ctx context.Context, env xdr.TransactionEnvelope, q protocol.SimulateTransactionRequest,
) (host.SimulateResult, error) {
	op := env.Operations()[0]
	auth, err := authOf(op, q.AuthMode)
	if err != nil {
		return host.SimulateResult{}, err
	}
	source := env.SourceAccount()
	if op.SourceAccount != nil {
		source = *op.SourceAccount
	}
	switch op.Body.Type {
	case xdr.OperationTypeInvokeHostFunction:
		request := host.SimulateRequest{
			Ledger:       s.ledger,
			HostFunction: marshal(op.Body.InvokeHostFunctionOp.HostFunction),
			Source:       marshal(source.ToAccountId()),
			Auth:         auth,
			PRNGSeed:     s.n.ledger.latest().header.Hash,

			AllowNonRootAuth: q.AuthMode == protocol.AuthModeRecordAllowNonroot,
			AddressV2:        q.UseUpgradedAuth, //nolint:staticcheck // deprecated for clients, and still used by them
		}
		return s.n.host.Simulate(ctx, s.lookup, request)
	case xdr.OperationTypeExtendFootprintTtl:
		footprint, err := footprintOf(env)
		if err != nil {
			return host.SimulateResult{}, err
		}
		request := s.footprint(footprint.ReadOnly)
		request.ExtendTo = uint32(op.Body.ExtendFootprintTtlOp.ExtendTo)
		return s.n.host.SimulateExtendTTL(ctx, s.lookup, request)
	default:
		footprint, err := footprintOf(env)
		if err != nil {
			return host.SimulateResult{}, err
		}
		return s.n.host.SimulateRestore(ctx, s.lookup, s.footprint(footprint.ReadWrite))
	}
}

func (s simulation) footprint(keys []xdr.LedgerKey) host.FootprintRequest {
	request := host.FootprintRequest{Ledger: s.ledger, Keys: make([][]byte, len(keys))}
	for i, key := range keys {
		request.Keys[i] = marshal(key)
	}
	return request
}

func footprintOf(env xdr.TransactionEnvelope) (xdr.LedgerFootprint, error) {
	if env.V1 == nil || env.V1.Tx.Ext.SorobanData == nil {
		return xdr.LedgerFootprint{}, fmt.Errorf("To perform a SimulateTransaction for ExtendFootprintTtl or " + //nolint:staticcheck // The text of stellar-rpc.
			"RestoreFootprint operations, SorobanTransactionData must be provided")
	}
	return env.V1.Tx.Ext.SorobanData.Resources.Footprint, nil
}

// authOf returns the authorization to be checked, or nil to record the needed one.
func authOf(op xdr.Operation, mode string) ([][]byte, error) {
	switch mode {
	case "", protocol.AuthModeEnforce, protocol.AuthModeRecord, protocol.AuthModeRecordAllowNonroot:
	default:
		return nil, fmt.Errorf("optional 'authMode' must be one of %s,%s,%s when included",
			protocol.AuthModeEnforce, protocol.AuthModeRecord, protocol.AuthModeRecordAllowNonroot)
	}
	if !isSorobanOp(op) {
		return nil, fmt.Errorf("transaction contains unsupported operation type: %s", op.Body.Type)
	}
	if op.Body.Type != xdr.OperationTypeInvokeHostFunction {
		if mode != "" {
			return nil, fmt.Errorf("cannot set authMode with non-InvokeHostFunction operations")
		}
		return nil, nil
	}
	auth := op.Body.InvokeHostFunctionOp.Auth
	switch {
	case len(auth) > 0 && (mode == protocol.AuthModeRecord || mode == protocol.AuthModeRecordAllowNonroot):
		return nil, fmt.Errorf("cannot set authMode to '%s' with an auth footprint", mode)
	case len(auth) > 0 || mode == protocol.AuthModeEnforce:
		return marshalAll(auth), nil
	default:
		return nil, nil
	}
}

func simulationResponse(f *xdrFormat, r host.SimulateResult) protocol.SimulateTransactionResponse {
	out := protocol.SimulateTransactionResponse{Error: r.Error, MinResourceFee: r.MinResourceFee}
	out.EventsXDR, out.EventsJSON = f.encodeRawList("DiagnosticEvent", r.DiagnosticEvents)
	if len(r.TransactionData) > 0 {
		out.TransactionDataXDR, out.TransactionDataJSON = f.encodeRaw("SorobanTransactionData", r.TransactionData)
	}
	if len(r.Result) > 0 {
		out.Results = []protocol.SimulateHostFunctionResult{simulationResult(f, r)}
	}
	if len(r.RestorePreamble) > 0 {
		preamble := &protocol.RestorePreamble{MinResourceFee: r.RestoreMinFee}
		preamble.TransactionDataXDR, preamble.TransactionDataJSON = f.encodeRaw("SorobanTransactionData", r.RestorePreamble)
		out.RestorePreamble = preamble
	}
	for _, change := range r.Changes {
		if entry, ok := changeResult(f, change); ok {
			out.StateChanges = append(out.StateChanges, entry)
		}
	}
	return out
}

func simulationResult(f *xdrFormat, r host.SimulateResult) (out protocol.SimulateHostFunctionResult) {
	value, shown := f.encodeRaw("ScVal", r.Result)
	auth, authShown := f.encodeRawList("SorobanAuthorizationEntry", r.Auth)
	if f.host != nil {
		out.ReturnValueJSON, out.AuthJSON = shown, authShown
		return out
	}
	out.ReturnValueXDR, out.AuthXDR = &value, &auth
	return out
}

func changeResult(f *xdrFormat, c host.Change) (out protocol.LedgerEntryChange, ok bool) {
	switch {
	case c.Before == nil && c.After == nil:
		return out, false
	case c.Before == nil:
		out.Type = protocol.LedgerEntryChangeTypeCreated
	case c.After == nil:
		out.Type = protocol.LedgerEntryChangeTypeDeleted
	default:
		out.Type = protocol.LedgerEntryChangeTypeUpdated
	}
	out.KeyXDR, out.KeyJSON = f.encodeRaw("LedgerKey", c.Key)
	out.BeforeXDR, out.BeforeJSON = optionalEntry(f, c.Before)
	out.AfterXDR, out.AfterJSON = optionalEntry(f, c.After)
	return out, true
}

func optionalEntry(f *xdrFormat, entry []byte) (*string, json.RawMessage) {
	if entry == nil {
		return nil, nil
	}
	encoded, shown := f.encodeRaw("LedgerEntry", entry)
	if f.host != nil {
		return nil, shown
	}
	return &encoded, nil
}

func encodeBase64List(items [][]byte) []string {
	out := make([]string, len(items))
	for i := range items {
		out[i] = base64.StdEncoding.EncodeToString(items[i])
	}
	return out
}
