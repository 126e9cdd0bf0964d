package txsubmit

import (
	"context"

	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/rpc"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// feeBumpFactor is how many times more, per operation, a transaction must bid to replace
// one in the queue (stellar-core's FEE_MULTIPLIER).
const feeBumpFactor = 10

// storeFeeBump wraps a transaction that waits too long in a fee bump that pays more, and
// stores that; the inner transaction is the same and is applied once at most. It bids at
// least minFee, which the network required, and returns the transaction with the fee
// bump; nil when the ceiling allows no higher bid.
func (s *Session) storeFeeBump(
	ctx context.Context, tx txlog.Transaction, built assembledTx, src *SourceAccount, minFee int64,
) (*txlog.Transaction, error) {
	var env xdr.TransactionEnvelope
	if err := xdr.SafeUnmarshalBase64(tx.Envelope, &env); err != nil {
		return nil, rpc.MalformedXDR(err, "read stored transaction")
	}
	if env.V1 == nil && env.FeeBump == nil {
		return nil, rpc.MalformedXDR(nil, "read stored transaction")
	}
	inner, ops := env.V1, int64(len(built.tx.Operations))
	rate := (tx.MaxFee - built.resourceFee) / ops
	if env.FeeBump != nil {
		inner, rate = env.FeeBump.Tx.InnerTx.V1, (tx.MaxFee-built.resourceFee)/(ops+1)
	}
	s.client.ForgetFeeStats()
	currentRate, err := s.goingRate(ctx, built.spec)
	if err != nil {
		return nil, nil //nolint:nilerr // without it the transaction keeps waiting unchanged
	}
	// The fee bump counts as one more operation.
	bid := max(rate*feeBumpFactor, currentRate) * (ops + 1)
	fee := min(max(built.resourceFee+bid, minFee), built.spec.MaxFee)
	if (fee-built.resourceFee)/(ops+1) <= rate || fee < minFee {
		return nil, nil
	}
	_, envelope, err := s.sign(xdr.TransactionEnvelope{
		Type: xdr.EnvelopeTypeEnvelopeTypeTxFeeBump,
		FeeBump: &xdr.FeeBumpTransactionEnvelope{Tx: xdr.FeeBumpTransaction{
			FeeSource: src.id.ToMuxedAccount(), Fee: xdr.Int64(fee),
			InnerTx: xdr.FeeBumpTransactionInnerTx{Type: xdr.EnvelopeTypeEnvelopeTypeTx, V1: inner},
		}},
	}, src.key)
	if err != nil {
		return nil, rpc.MalformedXDR(err, "sign transaction")
	}
	if err := src.lease.StoreFeeBump(ctx, tx.Hash, envelope, fee); err != nil {
		return nil, err
	}
	tx.Envelope, tx.MaxFee = envelope, fee
	return &tx, nil
}
