package stellarnet

import (
	"context"
	"fmt"
	"math"

	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet/host"
)

// conditions is the ledger that a transaction is checked for.
type conditions struct {
	seq       uint32 // The ledger it would be applied in.
	closeTime uint64 // Of that ledger; at admission, of the one before.
	slack     uint64 // What closeTime may still gain before the transaction is applied.
	applying  bool   // The fee has been taken already.
}

// verdict is the result of a check: txSUCCESS, or the first rule that is broken.
type verdict struct {
	result      xdr.TransactionResult
	diagnostics []xdr.DiagnosticEvent
}

func (v verdict) ok() bool {
	code := v.result.Result.Code
	return code == xdr.TransactionResultCodeTxSuccess || code == xdr.TransactionResultCodeTxFeeBumpInnerSuccess
}

// checker walks one transaction through the rules in the order of stellar-core,
// so that one that breaks several is refused for the same reason.
type checker struct {
	*transaction
	state       view
	cond        conditions
	limits      *limits
	signatures  *signatureCheck
	resourceFee host.ResourceFee
	paidFor     bool // By a fee bump.
	verdict     verdict
}

// check applies the rules of stellar-core's checkValid to a transaction. An
// error is the host's, not the transaction's.
func (n *Network) check(ctx context.Context, state view, t *transaction, cond conditions) (verdict, error) {
	switch {
	case t.inner == nil:
		return n.checkPlain(ctx, state, t, cond, false)
	case cond.applying:
		return n.checkPlain(ctx, state, t.inner, cond, true)
	default:
		return n.checkBump(ctx, state, t, cond)
	}
}

// checkPlain checks anything but a fee bump. Where somebody else pays, the fees
// are none of its business.
func (n *Network) checkPlain(
	ctx context.Context, state view, t *transaction, cond conditions, paidFor bool,
) (verdict, error) {
	c := &checker{
		transaction: t, state: state, cond: cond, limits: n.limits, signatures: newSignatureCheck(t), paidFor: paidFor,
	}
	c.verdict.result = initialResult(t)
	if t.envelope.Type != xdr.EnvelopeTypeEnvelopeTypeTx { // The envelopes of before protocol 13.
		c.refuse(xdr.TransactionResultCodeTxNotSupported)
		return c.verdict, nil
	}
	if !t.hasValidFee() {
		return malformed(), nil
	}
	if t.isSoroban() {
		fee, err := n.resourceFee(ctx, state, t, cond, 0)
		if err != nil {
			return verdict{}, fmt.Errorf("price transaction %x: %w", t.hash, err)
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
	return c.verdict, nil
}

func (c *checker) refuse(code xdr.TransactionResultCode) bool {
	c.verdict.result.Result = xdr.TransactionResultResult{Code: code}
	return false
}

// hasValidFee comes before everything else: the other rules compute with it.
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
		return c.refuse(xdr.TransactionResultCodeTxMissingOperation)
	}
	if extra := c.envelope.ExtraSigners(); len(extra) == 2 && extra[0].Equals(extra[1]) {
		return c.refuse(xdr.TransactionResultCodeTxMalformed)
	}
	soroban := isSorobanOp(ops[0])
	for _, op := range ops {
		if isSorobanOp(op) != soroban || soroban && len(ops) != 1 {
			return c.refuse(xdr.TransactionResultCodeTxMalformed)
		}
	}
	if !soroban && c.soroban() != nil {
		return c.refuse(xdr.TransactionResultCodeTxMalformed)
	}
	return true
}

// checkBounds looks at time and ledger bounds. Before the ledger closes its time
// is not known; what will probably have expired by then is refused.
func (c *checker) checkBounds() bool {
	if tb := c.envelope.TimeBounds(); tb != nil {
		if uint64(tb.MinTime) > c.cond.closeTime {
			return c.refuse(xdr.TransactionResultCodeTxTooEarly)
		}
		if tb.MaxTime != 0 && uint64(tb.MaxTime) < c.cond.closeTime+c.cond.slack {
			return c.refuse(xdr.TransactionResultCodeTxTooLate)
		}
	}
	if lb := c.envelope.LedgerBounds(); lb != nil {
		if uint32(lb.MinLedger) > c.cond.seq {
			return c.refuse(xdr.TransactionResultCodeTxTooEarly)
		}
		if lb.MaxLedger != 0 && uint32(lb.MaxLedger) <= c.cond.seq {
			return c.refuse(xdr.TransactionResultCodeTxTooLate)
		}
	}
	return true
}

func (c *checker) checkInclusionFee() bool {
	if !c.paidFor && c.inclusionFee() < c.baseFeeTotal() {
		return c.refuse(xdr.TransactionResultCodeTxInsufficientFee)
	}
	return true
}

func (c *checker) checkSource() bool {
	acc := loadAccount(c.state, c.source())
	switch {
	case acc == nil:
		return c.refuse(xdr.TransactionResultCodeTxNoAccount)
	case c.isBadSequence(int64(acc.SeqNum)):
		return c.refuse(xdr.TransactionResultCodeTxBadSeq)
	case c.isTooEarlyFor(acc):
		return c.refuse(xdr.TransactionResultCodeTxBadMinSeqAgeOrGap)
	case !c.signatures.account(acc, acc.ThresholdLow()), !c.signatures.extra(c.envelope.ExtraSigners()):
		return c.refuse(xdr.TransactionResultCodeTxBadAuth)
	case !c.cond.applying && !c.paidFor && available(acc) < c.fullFee():
		return c.refuse(xdr.TransactionResultCodeTxInsufficientBalance)
	}
	return true
}

// isBadSequence asks for the very next number, unless the transaction itself
// allows a gap.
func (c *checker) isBadSequence(current int64) bool {
	num := c.seqNum()
	if num == startingSequence(c.cond.seq) || current == math.MaxInt64 {
		return true
	}
	if least := c.envelope.MinSeqNum(); least != nil {
		return current < *least || current >= num
	}
	return current+1 != num
}

func (c *checker) isTooEarlyFor(acc *xdr.AccountEntry) bool {
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
		if result, bad := c.checkOperation(op); bad {
			(*c.verdict.result.Result.Results)[i] = result
			c.verdict.result.Result.Code = xdr.TransactionResultCodeTxFailed
			return false
		}
	}
	return true
}

func (c *checker) checkLeftoverSignatures() bool {
	if !c.signatures.allUsed() {
		return c.refuse(xdr.TransactionResultCodeTxBadAuthExtra)
	}
	return true
}
