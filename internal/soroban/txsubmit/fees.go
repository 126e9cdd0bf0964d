package txsubmit

import (
	"context"
	"math"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/rpc"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// inclusionFee returns a transaction's inclusion fee, the bid for a place in a ledger:
// the 90th percentile of recent transactions, at least minFee, and at most what the
// ceiling allows.
func (s *Submitter) inclusionFee(ctx context.Context, built assembledTx, minFee int64) (int64, error) {
	rate, err := s.goingRate(ctx, built.spec)
	if err != nil {
		return 0, err
	}
	ops := int64(len(built.tx.Operations))
	minFee = max(minFee, MinFee*ops)
	ceiling := min(built.spec.MaxFee, math.MaxUint32)
	if built.resourceFee > ceiling-minFee {
		lowest := built.resourceFee + minFee
		if lowest > math.MaxUint32 {
			return 0, rpc.MalformedValue("choose fee", "the fee for %[2]s would be %[1]d stroops, more than a transaction can offer; nothing was signed", lowest, built.spec.Description)
		}
		return 0, errs.Errorf(errs.KindPermanent, "choose fee",
			"%s may cost up to %s (%d stroops), which is above the ceiling of %s; raise %s to at least %d",
			built.spec.Description, contracts.FormatXLM(lowest), lowest, contracts.FormatXLM(ceiling), built.spec.Setting, lowest)
	}
	return min(max(rate*ops, minFee), ceiling-built.resourceFee), nil
}

// goingRate is the 90th percentile of the inclusion fees of recent transactions of that
// kind, stroops per operation.
func (s *Submitter) goingRate(ctx context.Context, spec *Spec) (int64, error) {
	stats, err := s.client.FeeStats(ctx)
	if err != nil {
		return 0, err
	}
	fees := stats.SorobanInclusionFee
	if spec.Purpose == txlog.PurposeFund {
		fees = stats.InclusionFee
	}
	return int64(min(fees.P90, math.MaxUint32)), nil
}

// nextMinInclusionFee is the lowest inclusion fee after one that was too low: what the
// network required, and at least twice the last one.
func nextMinInclusionFee(tx txlog.Transaction, resource, asked int64) int64 {
	return min(max(2*(tx.MaxFee-resource), asked-resource), math.MaxUint32)
}
