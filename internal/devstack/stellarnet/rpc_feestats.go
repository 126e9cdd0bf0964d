package stellarnet

import (
	"context"
	"slices"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
)

// The windows of stellar-rpc's fee statistics.
const (
	classicFeeWindow = 10
	sorobanFeeWindow = 50
)

func (n *Network) getFeeStats(context.Context, protocol.GetFeeStatsRequest) (protocol.GetFeeStatsResponse, error) {
	_, latest := n.window()
	return protocol.GetFeeStatsResponse{
		SorobanInclusionFee: distribution(n.ledger.lastClosed(latest.seq(), sorobanFeeWindow), true),
		InclusionFee:        distribution(n.ledger.lastClosed(latest.seq(), classicFeeWindow), false),
		LatestLedger:        latest.seq(),
	}, nil
}

// distribution is the distribution of the charged inclusion fees per operation. As in
// stellar-rpc, a fee bump does not count as one more operation. All fields are zero when
// there were no transactions.
func distribution(ledgers []*closedLedger, soroban bool) protocol.FeeDistribution {
	var fees []uint64
	for _, c := range ledgers {
		for _, a := range c.txs {
			if a.tx.isSoroban() == soroban {
				fees = append(fees, a.inclusionFeePerOp())
			}
		}
	}
	if len(fees) == 0 {
		return protocol.FeeDistribution{}
	}
	out := protocol.FeeDistribution{TransactionCount: uint32(len(fees)), LedgerCount: uint32(len(ledgers))}
	slices.Sort(fees)
	percentile := func(p int) uint64 { return fees[(len(fees)*p+99)/100-1] }
	out.Min, out.Max, out.Mode = fees[0], fees[len(fees)-1], mode(fees)
	out.P10, out.P20, out.P30 = percentile(10), percentile(20), percentile(30)
	out.P40, out.P50, out.P60 = percentile(40), percentile(50), percentile(60)
	out.P70, out.P80, out.P90 = percentile(70), percentile(80), percentile(90)
	out.P95, out.P99 = percentile(95), percentile(99)
	return out
}

func (a *appliedTx) inclusionFeePerOp() uint64 {
	charged := int64(a.result.FeeCharged) - a.fees.nonRefundable - a.fees.refundableUsed
	return uint64(max(0, charged)) / uint64(max(1, len(a.tx.operations())))
}

func mode(sorted []uint64) (best uint64) {
	count, highest := 0, 0
	for i, fee := range sorted {
		if i > 0 && fee != sorted[i-1] {
			count = 0
		}
		if count++; count > highest {
			best, highest = fee, count
		}
	}
	return best
}
