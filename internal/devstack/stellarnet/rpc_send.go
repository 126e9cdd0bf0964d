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
	var none protocol.SendTransactionResponse
	f, err := n.formatOf(ctx, q.Format)
	if err != nil {
		return none, err
	}
	env, err := decodeEnvelope(q.Transaction)
	if err != nil {
		return none, invalidParams("invalid_xdr")
	}
	t, err := newTransaction(env, n.opts.Passphrase)
	if err != nil {
		return none, invalidParams("%s", err)
	}
	_, latest := n.window()
	out := protocol.SendTransactionResponse{
		Hash:                  t.hash.HexString(),
		LatestLedger:          latest.seq(),
		LatestLedgerCloseTime: latest.closeTime(),
	}
	if n.faults.takeTryAgainLater() {
		out.Status = stellarcore.TXStatusTryAgainLater
		return out, nil
	}
	status, refusal, err := n.submit(ctx, t)
	if err != nil {
		n.log.Error("transaction could not be checked", "hash", out.Hash, "error", err)
		return none, internalError("could not submit transaction to stellar-core")
	}
	out.Status = status
	if status == stellarcore.TXStatusError {
		out.ErrorResultXDR, out.ErrorResultJSON = f.value(refusal.result)
		out.DiagnosticEventsXDR, out.DiagnosticEventsJSON = values(f, refusal.diagnostics)
	}
	return out, f.err
}

// submit offers a transaction to the queue: the queue is asked first, then the
// rules, as in stellar-core.
func (n *Network) submit(ctx context.Context, t *transaction) (string, verdict, error) {
	if !t.isWellFormed() {
		return stellarcore.TXStatusError, malformed(), nil
	}
	for {
		if s := n.queue.standing(t); s.status != "" {
			return s.status, s.verdict, nil
		}
		latest := n.ledger.latest()
		state := n.ledger.at(latest.seq())
		v, err := n.check(ctx, state, t, n.admissionConditions(latest))
		if err != nil {
			return "", verdict{}, err
		}
		if !v.ok() {
			return stellarcore.TXStatusError, v, nil
		}
		balance := available(loadAccount(state, t.feeSource()))
		if s := n.queue.add(t, balance, func() bool { return n.ledger.latest() == latest }); s.status != "" {
			return s.status, s.verdict, nil
		}
	}
}

// admissionConditions: what would expire within two ledgers from now is too late.
func (n *Network) admissionConditions(latest *closedLedger) conditions {
	const ledgersAhead = 2
	slack := ledgersAhead*int64(n.opts.LedgerClose/time.Second) + max(0, n.now().Unix()-latest.closeTime())
	return conditions{
		seq:       latest.seq() + 1,
		closeTime: uint64(latest.closeTime()),
		slack:     uint64(slack),
	}
}

func decodeEnvelope(encoded string) (env xdr.TransactionEnvelope, err error) {
	options := xdr.DecodeOptions{MaxMemoryBytes: maxTransactionDecodeBytes}
	err = xdr.SafeUnmarshalBase64WithOptions(encoded, &env, options)
	return env, err
}
