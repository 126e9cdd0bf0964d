package stellarnet

import (
	"context"
	"time"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/protocols/stellarcore"
	"github.com/stellar/go-stellar-sdk/xdr"
)

const maxTransactionDecodeBytes = 1024 * 1024

func (n *Network) sendTransaction(
	ctx context.Context, q protocol.SendTransactionRequest,
) (protocol.SendTransactionResponse, error) {
	var zero protocol.SendTransactionResponse
	f, err := n.newXDRFormat(ctx, q.Format)
	if err != nil {
		return zero, err
	}
	env, err := decodeEnvelope(q.Transaction)
	if err != nil {
		return zero, invalidParams("invalid_xdr")
	}
	t, err := newTransaction(env, n.opts.Passphrase)
	if err != nil {
		return zero, invalidParams("%s", err)
	}
	_, latest := n.window()
	out := protocol.SendTransactionResponse{
		Hash:                  t.hash.HexString(),
		LatestLedger:          latest.seq(),
		LatestLedgerCloseTime: latest.closeTime(),
	}
	if n.faults.consumeTryAgainLater() {
		out.Status = stellarcore.TXStatusTryAgainLater
		return out, nil
	}
	status, rejected, err := n.submit(ctx, t)
	if err != nil {
		n.log.Error("transaction could not be checked", "hash", out.Hash, "error", err)
		return zero, internalError("could not submit transaction to stellar-core")
	}
	out.Status = status
	if status == stellarcore.TXStatusError {
		out.ErrorResultXDR, out.ErrorResultJSON = f.encodeValue(rejected.result)
		out.DiagnosticEventsXDR, out.DiagnosticEventsJSON = encodeValues(f, rejected.diagnostics)
	}
	return out, f.err
}

// submit checks a transaction against the queue first, then against the rules, as
// stellar-core does.
func (n *Network) submit(ctx context.Context, t *transaction) (string, checkResult, error) {
	if !t.hasConsistentFees() {
		return stellarcore.TXStatusError, malformedResult(), nil
	}
	for {
		if s := n.queue.admission(t); s.status != "" {
			return s.status, s.checkResult, nil
		}
		latest := n.ledger.latest()
		state := n.ledger.viewAt(latest.seq())
		v, err := n.check(ctx, state, t, n.admissionConditions(latest))
		if err != nil {
			return "", checkResult{}, err
		}
		if !v.succeeded() {
			return stellarcore.TXStatusError, v, nil
		}
		balance := spendableBalance(loadAccount(state, t.feeSource()))
		if s := n.queue.add(t, balance, func() bool { return n.ledger.latest() == latest }); s.status != "" {
			return s.status, s.checkResult, nil
		}
	}
}

// admissionConditions: a transaction that would expire within the next two ledgers is
// too late.
func (n *Network) admissionConditions(latest *closedLedger) ledgerConditions {
	const ledgersAhead = 2
	slack := ledgersAhead*int64(n.opts.LedgerClose/time.Second) + max(0, n.now().Unix()-latest.closeTime())
	return ledgerConditions{
		seq:            latest.seq() + 1,
		closeTime:      uint64(latest.closeTime()),
		closeTimeSlack: uint64(slack),
	}
}

func decodeEnvelope(encoded string) (env xdr.TransactionEnvelope, err error) {
	options := xdr.DecodeOptions{MaxMemoryBytes: maxTransactionDecodeBytes}
	err = xdr.SafeUnmarshalBase64WithOptions(encoded, &env, options)
	return env, err
}
