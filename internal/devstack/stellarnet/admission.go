package stellarnet

import (
	"context"
	"fmt"
	"math"

	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet/host"
)

// ledgerConditions is the ledger that a transaction is checked against.
type ledgerConditions struct {
	seq            uint32 // The ledger it would be applied in.
	closeTime      uint64 // Of that ledger; at admission, of the previous one.
	closeTimeSlack uint64 // How much closeTime may grow until the transaction is applied.
	feeCharged     bool   // The fee has been charged already.
}

// checkResult is the result of a check: txSUCCESS, or the first broken rule.
type checkResult struct {
	result      xdr.TransactionResult
	diagnostics []xdr.DiagnosticEvent
}

func (v checkResult) succeeded() bool {
	code := v.result.Result.Code
	return code == xdr.TransactionResultCodeTxSuccess || code == xdr.TransactionResultCodeTxFeeBumpInnerSuccess
}

// checker checks a transaction against the rules in the order of stellar-core, so that
// one that breaks several rules is refused for the same reason.
type checker struct {
	*transaction
	state       stateReader
	cond        ledgerConditions
	limits      *limits
	signatures  *signatureCheck
	resourceFee host.ResourceFee
	feeBumped   bool // By a fee bump.
	outcome     checkResult
}

// check applies the rules of stellar-core's checkValid to a transaction. An error means
// that the host failed, not that the transaction is invalid.
func (n *Network) check(ctx context.Context, state stateReader, t *transaction, cond ledgerConditions) (checkResult, error) {
	switch {
	case t.inner == nil:
		return n.checkTransaction(ctx, state, t, cond, false)
	case cond.feeCharged:
		return n.checkTransaction(ctx, state, t.inner, cond, true)
	default:
		return n.checkFeeBump(ctx, state, t, cond)
	}
}

// checkTransaction checks everything except a fee bump. When another account pays, the
// fees are not checked here.
func (n *Network) checkTransaction(
	ctx context.Context, state stateReader, t *transaction, cond ledgerConditions, paidFor bool,
) (checkResult, error) {
	c := &checker{
		transaction: t, state: state, cond: cond, limits: n.limits, signatures: newSignatureCheck(t), feeBumped: paidFor,
	}
	c.outcome.result = initialResult(t)
	if t.envelope.Type != xdr.EnvelopeTypeEnvelopeTypeTx { // Envelopes from before protocol 13.
		c.reject(xdr.TransactionResultCodeTxNotSupported)
		return c.outcome, nil
	}
	if !t.hasValidFee() {
		return malformedResult(), nil
	}
	if t.isSoroban() {
		fee, err := n.resourceFee(ctx, state, t, cond, 0)
		if err != nil {
			return checkResult{}, fmt.Errorf("price transaction %x: %w", t.hash, err)
		}
		c.resourceFee = fee
	}
	for _, rule := range []func() bool{
		c.checkShape, c.checkSoroban, c.checkBounds, c.checkInclusionFee, c.checkSource,
		c.checkOperations, c.checkLeftoverSignatures,
	} {
		if !rule() {
			break
		}
	}
	return c.outcome, nil
}

func (c *checker) reject(code xdr.TransactionResultCode) bool {
	c.outcome.result.Result = xdr.TransactionResultResult{Code: code}
	return false
}

// hasValidFee runs before all other rules: they compute with the fee.
func (t *transaction) hasValidFee() bool {
	const maxResourceFee = 1 << 50
	if t.inner != nil && t.fullFee() < 0 {
		return false
	}
	if !t.isSoroban() {
		return true
	}
	data := t.soroban()
	return data != nil && data.ResourceFee >= 0 && data.ResourceFee <= maxResourceFee
}

func (c *checker) checkShape() bool {
	ops := c.operations()
	if len(ops) == 0 {
		return c.reject(xdr.TransactionResultCodeTxMissingOperation)
	}
	if extra := c.envelope.ExtraSigners(); len(extra) == 2 && extra[0].Equals(extra[1]) {
		return c.reject(xdr.TransactionResultCodeTxMalformed)
	}
	soroban := isSorobanOp(ops[0])
	for _, op := range ops {
		if isSorobanOp(op) != soroban || soroban && len(ops) != 1 {
			return c.reject(xdr.TransactionResultCodeTxMalformed)
		}
	}
	if !soroban && c.soroban() != nil {
		return c.reject(xdr.TransactionResultCodeTxMalformed)
	}
	return true
}

// checkBounds checks time and ledger bounds. The close time of an open ledger is not
// known; a transaction that will probably have expired by then is refused.
func (c *checker) checkBounds() bool {
	if tb := c.envelope.TimeBounds(); tb != nil {
		if uint64(tb.MinTime) > c.cond.closeTime {
			return c.reject(xdr.TransactionResultCodeTxTooEarly)
		}
		if tb.MaxTime != 0 && uint64(tb.MaxTime) < c.cond.closeTime+c.cond.closeTimeSlack {
			return c.reject(xdr.TransactionResultCodeTxTooLate)
		}
	}
	if lb := c.envelope.LedgerBounds(); lb != nil {
		if uint32(lb.MinLedger) > c.cond.seq {
			return c.reject(xdr.TransactionResultCodeTxTooEarly)
		}
		if lb.MaxLedger != 0 && uint32(lb.MaxLedger) <= c.cond.seq {
			return c.reject(xdr.TransactionResultCodeTxTooLate)
		}
	}
	return true
}

func (c *checker) checkInclusionFee() bool {
	if !c.feeBumped && c.inclusionFee() < c.baseFeeTotal() {
		return c.reject(xdr.TransactionResultCodeTxInsufficientFee)
	}
	return true
}

func (c *checker) checkSource() bool {
	acc := loadAccount(c.state, c.source())
	switch {
	case acc == nil:
		return c.reject(xdr.TransactionResultCodeTxNoAccount)
	case c.isBadSequence(int64(acc.SeqNum)):
		return c.reject(xdr.TransactionResultCodeTxBadSeq)
	case c.violatesMinSeqAgeOrGap(acc):
		return c.reject(xdr.TransactionResultCodeTxBadMinSeqAgeOrGap)
	case !c.signatures.reachesThreshold(acc, acc.ThresholdLow()), !c.signatures.hasExtraSigners(c.envelope.ExtraSigners()):
		return c.reject(xdr.TransactionResultCodeTxBadAuth)
	case !c.cond.feeCharged && !c.feeBumped && spendableBalance(acc) < c.fullFee():
		return c.reject(xdr.TransactionResultCodeTxInsufficientBalance)
	}
	return true
}

// isBadSequence requires the next sequence number, unless the transaction allows a gap.
func (c *checker) isBadSequence(current int64) bool {
	seqNum := c.seqNum()
	if seqNum == startingSequence(c.cond.seq) || current == math.MaxInt64 {
		return true
	}
	if minSeq := c.envelope.MinSeqNum(); minSeq != nil {
		return current < *minSeq || current >= seqNum
	}
	return current+1 != seqNum
}

func (c *checker) violatesMinSeqAgeOrGap(acc *xdr.AccountEntry) bool {
	if age := c.envelope.MinSeqAge(); age != nil {
		if uint64(*age) > c.cond.closeTime || c.cond.closeTime-uint64(*age) < uint64(acc.SeqTime()) {
			return true
		}
	}
	if gap := c.envelope.MinSeqLedgerGap(); gap != nil {
		if uint32(*gap) > c.cond.seq || c.cond.seq-uint32(*gap) < uint32(acc.SeqLedger()) {
			return true
		}
	}
	return false
}

func (c *checker) checkOperations() bool {
	for i, op := range c.operations() {
		if result, failed := c.checkOperation(op); failed {
			(*c.outcome.result.Result.Results)[i] = result
			c.outcome.result.Result.Code = xdr.TransactionResultCodeTxFailed
			return false
		}
	}
	return true
}

func (c *checker) checkLeftoverSignatures() bool {
	if !c.signatures.allUsed() {
		return c.reject(xdr.TransactionResultCodeTxBadAuthExtra)
	}
	return true
}
