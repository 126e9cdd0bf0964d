package soroban

import (
	"context"
	"errors"
	"time"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/protocols/stellarcore"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

const (
	// maxFaults is how many calls in a row may fail before a pursuit is left to the
	// next run. With the pauses between them that is about twenty seconds.
	maxFaults = 7
	// sendAgainAfter is how many ledgers an accepted transaction may be waited for:
	// after that many stellar-core forgets those that found no room.
	sendAgainAfter = 4
	// outbidAfter is how many ledgers an accepted transaction waits before it offers
	// more.
	outbidAfter = 3
	// askEvery is after how many ledgers, and after how much time, the transaction
	// itself is asked for although its number is not used yet: its end may be that it
	// expired.
	askEvery     = 3
	askEveryTime = 10 * time.Second
	// stallPatience is how long the network may close no ledger.
	stallPatience = 3 * time.Minute
)

// pursuit follows one stored transaction to its end. It sends the stored bytes and
// no others, as often as it takes; the network applies them once at most.
type pursuit struct {
	d  *Deployer
	tx txlog.Transaction
	// source carries the transaction, contract is what it is about.
	source   xdr.AccountId
	contract xdr.ContractId
	// outbid offers more for the transaction, and reports whether it did. Nil: nobody may.
	outbid func(ctx context.Context, least int64) (bool, error)
	plain  string // The envelope before it was outbid; empty: it was not.
	least  int64  // The fee that the network asked for when it refused an offer, stroops.

	uncertain bool    // A send may have been taken, so no refusal is the last word.
	accepted  uint32  // The latest ledger when the network took it, 0 before.
	refusal   *ending // What the network said when it did not take it again.
	busy      int     // Sends in a row that came to nothing.
	faults    int     // Calls in a row without an answer.
	cause     error   // Of the last fault.
	height    uint32  // The latest ledger that was heard of.
	asked     uint32  // The latest ledger when the transaction was asked for last,
	askedAt   time.Time
	ledger    uint32 // The latest ledger of the last answer about it,
	since     time.Time
}

func (d *Deployer) pursue(tx txlog.Transaction) (*pursuit, error) {
	source, err := registryAccount("stellar_transactions.source", tx.Source)
	if err != nil {
		return nil, err
	}
	contract, err := registryContract("stellar_transactions.contract_id", tx.ContractID)
	if err != nil {
		return nil, err
	}
	now := d.opts.Clock.Now()
	return &pursuit{d: d, tx: tx, source: source, contract: contract, since: now, askedAt: now}, nil
}

// run sends and asks until the end is known. Its errors leave the end open: then
// the transaction stays unresolved in the journal.
func (p *pursuit) run(ctx context.Context) (ending, error) {
	for {
		if err := p.raise(ctx); err != nil {
			return ending{}, err
		}
		if p.wantsSend() {
			if end, err := p.send(ctx); end != nil || err != nil {
				return given(end), err
			}
		}
		worth, err := p.await(ctx)
		if err != nil {
			return ending{}, err
		}
		if !worth {
			continue
		}
		if end, err := p.ask(ctx); end != nil || err != nil {
			return given(end), err
		}
	}
}

func given(end *ending) ending {
	if end == nil {
		return ending{}
	}
	return *end
}

func (p *pursuit) wantsSend() bool {
	return p.refusal == nil && (p.accepted == 0 || p.height >= p.accepted+sendAgainAfter)
}

// raise offers more for a transaction that the network took and then left lying.
func (p *pursuit) raise(ctx context.Context) error {
	if p.outbid == nil || p.refusal != nil || p.accepted == 0 || p.least == 0 && p.height < p.accepted+outbidAfter {
		return nil
	}
	plain := p.tx.Envelope
	did, err := p.outbid(ctx, p.least)
	p.least = 0
	if did {
		p.plain, p.accepted = plain, 0 // To be sent.
	} else {
		p.outbid = nil
	}
	return err
}

// await waits until it is worth to ask for the transaction: after a fault, or when
// its account's number is used, or now and then. Those who wait at the same time
// share one call, however many they are.
func (p *pursuit) await(ctx context.Context) (bool, error) {
	if n := max(p.busy, p.faults); n > 0 {
		return true, p.d.rpc.rest.backoff(ctx, n, p.cause)
	}
	found, ledger, err := p.d.lookUp(ctx, p.d.polls, accountKey(p.source))
	if err != nil {
		return false, p.fault(err)
	}
	account, err := accountOf(found[0])
	if err != nil {
		return false, err
	}
	p.height = max(p.height, ledger)
	used := account != nil && int64(account.SeqNum) >= p.tx.Sequence
	return used || p.refusal != nil || p.height >= p.asked+askEvery || p.d.opts.Clock.Now().Sub(p.askedAt) >= askEveryTime, nil
}

// send offers the transaction once. A nil ending means that it is not known yet
// or that it is to be sent again.
func (p *pursuit) send(ctx context.Context) (*ending, error) {
	got, err := p.d.rpc.send(ctx, p.tx.Envelope)
	if err != nil {
		return p.unsent(err)
	}
	p.faults, p.cause = 0, nil
	switch got.Status {
	case stellarcore.TXStatusPending, stellarcore.TXStatusDuplicate:
		p.accepted, p.uncertain, p.busy = max(got.LatestLedger, p.height, 1), true, 0
		p.asked = max(p.asked, got.LatestLedger)
	case stellarcore.TXStatusError:
		end, err := refused(got)
		if err != nil {
			return nil, err
		}
		if p.plain != "" {
			p.withdraw(end, got.LatestLedger)
			return nil, nil
		}
		return p.refuse(end), nil
	default: // TRY_AGAIN_LATER: full, busy with another one of the account, or banned.
		p.busy++
	}
	return nil, nil
}

// withdraw goes back to the transaction as it was before it offered more: the
// network took that once, and it may still be waiting there. When the offer was too
// low, the next one is what was asked for.
func (p *pursuit) withdraw(end ending, ledger uint32) {
	p.tx.Envelope, p.plain = p.plain, ""
	p.accepted, p.busy = max(ledger, p.height, 1), 0
	if end.code == xdr.TransactionResultCodeTxInsufficientFee && end.asked > p.tx.MaxFee {
		p.least = end.asked
	} else {
		p.outbid = nil
	}
}

// unsent judges a send without a usable answer. The server may have passed the
// transaction on before the answer was lost.
func (p *pursuit) unsent(err error) (*ending, error) {
	var remote *remoteError
	if errors.As(err, &remote) && remote.code == codeInvalidParams {
		return p.refuse(ending{err: err, Outcome: txlog.Outcome{
			State: txlog.StateRejected, Detail: "not readable by the server",
		}}), nil
	}
	p.uncertain = true
	p.busy++
	return nil, p.fault(err)
}

// refuse takes a refusal at its word only if nothing can have been accepted
// before: txBAD_SEQ, for one, is also what a transaction meets that was applied.
func (p *pursuit) refuse(end ending) *ending {
	if !p.uncertain {
		return &end
	}
	p.refusal = &end
	return nil
}

// ask looks for the transaction on the ledger.
func (p *pursuit) ask(ctx context.Context) (*ending, error) {
	got, err := p.d.rpc.transaction(ctx, p.tx.Hash)
	if err != nil {
		return nil, p.fault(err)
	}
	p.faults, p.cause = 0, nil
	p.height = max(p.height, got.LatestLedger)
	p.asked, p.askedAt = p.height, p.d.opts.Clock.Now()
	if end, err := p.judge(ctx, got); end != nil || err != nil {
		return end, err
	}
	return nil, p.notStalled(got.LatestLedger)
}

// fault counts a call that failed, and gives up with the last error.
func (p *pursuit) fault(err error) error {
	p.faults++
	p.cause = err
	if p.faults > maxFaults || errs.KindOf(err) != errs.KindTransient {
		return err
	}
	return nil
}

func (p *pursuit) notStalled(ledger uint32) error {
	now := p.d.opts.Clock.Now()
	if ledger != p.ledger {
		p.ledger, p.since = ledger, now
	}
	if now.Sub(p.since) < stallPatience {
		return nil
	}
	return errs.Errorf(errs.KindTransient, "wait for transaction",
		"the network, or the server's knowledge of it, stands still at ledger %d; the next run finds out what became of the transaction", ledger)
}

// judge decides from what the server knows. Not found means dead only when a
// ledger has closed after the transaction's last moment, and the server still
// remembers every ledger in which it could have been.
func (p *pursuit) judge(ctx context.Context, got protocol.GetTransactionResponse) (*ending, error) {
	if end, err := found(got); end != nil || err != nil {
		return end, err
	}
	covered := got.OldestLedger <= p.tx.SubmittedLedger
	expired := got.LatestLedgerCloseTime > p.tx.ValidUntil.Unix()
	numberTaken := p.refusal != nil && p.refusal.code == xdr.TransactionResultCodeTxBadSeq
	switch {
	case covered && expired:
		return p.dead(), nil
	case covered && !numberTaken:
		return nil, nil
	}
	return p.judgeByLedger(ctx, got, covered, expired)
}

func found(got protocol.GetTransactionResponse) (*ending, error) {
	if got.Status != protocol.TransactionStatusSuccess && got.Status != protocol.TransactionStatusFailed {
		return nil, nil
	}
	end, err := applied(got)
	if err != nil {
		return nil, err
	}
	return &end, nil
}

// judgeByLedger decides where the transaction's own record is no help: either
// the server no longer remembers the ledgers in which it could have been, as
// after a restart or days of silence, or its sequence number was refused although
// it is not known itself. The account tells whether the number is used up; if it is
// not, the transaction was not applied.
func (p *pursuit) judgeByLedger(ctx context.Context, got protocol.GetTransactionResponse, covered, expired bool) (*ending, error) {
	v, err := p.d.look(ctx, p.contract, p.source)
	if err != nil {
		return nil, p.fault(err)
	}
	used := v.sequence() >= p.tx.Sequence
	switch {
	case v.ledger < got.LatestLedger: // Another server, further behind.
		return nil, nil
	case used && covered:
		return p.rival(ctx, v)
	case used:
		// The number is gone, so nothing more can come of it; whether it was this
		// transaction that took it shows only in what it was to bring about.
		return p.byEffect(v), nil
	case expired:
		return p.dead(), nil
	}
	return nil, nil
}

// rival makes sure that another transaction took the number: this one must be
// unknown also to a server that has seen the number used.
func (p *pursuit) rival(ctx context.Context, v view) (*ending, error) {
	got, err := p.d.rpc.transaction(ctx, p.tx.Hash)
	if err != nil {
		return nil, p.fault(err)
	}
	if end, err := found(got); end != nil || err != nil {
		return end, err
	}
	if got.OldestLedger > p.tx.SubmittedLedger || got.LatestLedger < v.ledger {
		return nil, nil
	}
	end := *p.refusal
	return &end, nil
}

// byEffect judges a transaction whose number is used and whose record is gone.
// Where one look cannot tell, it counts as applied: the work that it was for looks
// at the ledger anyway, and does again what is missing there.
func (p *pursuit) byEffect(v view) *ending {
	end := ending{Outcome: txlog.Outcome{
		State: txlog.StateSucceeded, Detail: "its record is gone from the server; the ledger shows its effect",
	}}
	there := v.instance
	switch p.tx.Purpose {
	case txlog.PurposeCreate:
	case txlog.PurposeUpload:
		there = v.code
	case txlog.PurposeRestore:
		if p.tx.ContractID == "" {
			there = v.code
		}
	case txlog.PurposeExtend, txlog.PurposeFund, txlog.PurposeStatus, txlog.PurposeAnchor, txlog.PurposeUpgrade:
		end.Detail = "its record is gone from the server; its number is used"
		return &end
	}
	if there == missing || there == archived && p.tx.Purpose == txlog.PurposeRestore {
		if p.refusal != nil && p.refusal.code == xdr.TransactionResultCodeTxBadSeq {
			refused := *p.refusal // Another one took the number, and this one had no effect.
			return &refused
		}
		end.State, end.Detail = txlog.StateFailed, "its record is gone from the server; the ledger shows no effect of it"
	}
	return &end
}

// dead is the end of a transaction that was never applied and never can be. A
// refusal on the way says why.
func (p *pursuit) dead() *ending {
	end := ending{Outcome: txlog.Outcome{State: txlog.StateExpired}}
	if p.refusal != nil {
		end = *p.refusal
		end.State = txlog.StateExpired
	}
	return &end
}
