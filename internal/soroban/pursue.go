package soroban

import (
	"context"
	"errors"
	"time"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/protocols/stellarcore"
	"github.com/stellar/go-stellar-sdk/strkey"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

const (
	// maxFaults is how many calls in a row may fail before a pursuit is left to the
	// next run. With the pauses between them that is about twenty seconds.
	maxFaults = 7
	// sendAgainAfter is how many ledgers an accepted transaction may be waited for:
	// after that many stellar-core forgets those that found no room.
	sendAgainAfter = 4
	// stallPatience is how long the network may close no ledger.
	stallPatience = 3 * time.Minute
)

// pursuit follows one stored transaction to its end. It sends the stored bytes and
// no others, as often as it takes; the network applies them once at most.
type pursuit struct {
	d  *Deployer
	tx provisioning.StellarTransaction

	uncertain bool    // A send may have been taken, so no refusal is the last word.
	accepted  uint32  // The latest ledger when the network took it, 0 before.
	refusal   *ending // What the network said when it did not take it again.
	busy      int     // Sends in a row that came to nothing.
	faults    int     // Calls in a row without an answer.
	cause     error   // Of the last fault.
	ledger    uint32  // The latest ledger of the last answer,
	since     time.Time
}

func (d *Deployer) pursue(tx provisioning.StellarTransaction) *pursuit {
	return &pursuit{d: d, tx: tx, since: d.opts.Clock.Now()}
}

// run sends and asks until the end is known. Its errors leave the end open: then
// the transaction stays unresolved in the journal.
func (p *pursuit) run(ctx context.Context) (ending, error) {
	for {
		if p.wantsSend() {
			if end, err := p.send(ctx); end != nil || err != nil {
				return given(end), err
			}
		}
		if err := p.rest(ctx); err != nil {
			return ending{}, err
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
	return p.refusal == nil && (p.accepted == 0 || p.ledger >= p.accepted+sendAgainAfter)
}

func (p *pursuit) rest(ctx context.Context) error {
	if n := max(p.busy, p.faults); n > 0 {
		return p.d.rpc.rest.backoff(ctx, n, p.cause)
	}
	return p.d.rpc.rest.pause(ctx)
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
		p.accepted, p.uncertain, p.busy = max(got.LatestLedger, p.ledger, 1), true, 0
	case stellarcore.TXStatusError:
		end, err := refused(got)
		if err != nil {
			return nil, err
		}
		return p.refuse(end), nil
	default: // TRY_AGAIN_LATER: full, busy with another one of the account, or banned.
		p.busy++
	}
	return nil, nil
}

// unsent judges a send without a usable answer. The server may have passed the
// transaction on before the answer was lost.
func (p *pursuit) unsent(err error) (*ending, error) {
	var remote *remoteError
	if errors.As(err, &remote) && remote.code == codeInvalidParams {
		return p.refuse(ending{err: err, TransactionOutcome: provisioning.TransactionOutcome{
			State: provisioning.TransactionRejected, Detail: "not readable by the server",
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
	if end, err := p.judge(ctx, got); end != nil || err != nil {
		return end, err
	}
	return nil, p.notStalled(got.LatestLedger)
}

// fault counts a call that failed, and gives up with the last error.
func (p *pursuit) fault(err error) error {
	p.faults++
	p.cause = err
	if p.faults > maxFaults || provisioning.KindOf(err) != provisioning.KindTransient {
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
	return provisioning.Errorf(provisioning.KindTransient, "wait for transaction",
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
	v, err := p.d.look(ctx, p.contract())
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

func (p *pursuit) byEffect(v view) *ending {
	there := v.instance
	if p.tx.ContractID == "" {
		there = v.code
	}
	end := ending{TransactionOutcome: provisioning.TransactionOutcome{
		State: provisioning.TransactionFailed, Detail: "its record is gone from the server; the ledger shows no effect of it",
	}}
	if there == live || there == archived && p.tx.Purpose != provisioning.PurposeRestore {
		end.State, end.Detail = provisioning.TransactionSucceeded, "its record is gone from the server; the ledger shows its effect"
	}
	return &end
}

// dead is the end of a transaction that was never applied and never can be. A
// refusal on the way says why.
func (p *pursuit) dead() *ending {
	end := ending{TransactionOutcome: provisioning.TransactionOutcome{State: provisioning.TransactionExpired}}
	if p.refusal != nil {
		end = *p.refusal
		end.State = provisioning.TransactionExpired
	}
	return &end
}

// contract is what the transaction is about; nothing has the zero address.
func (p *pursuit) contract() xdr.ContractId {
	var id xdr.ContractId
	if raw, err := strkey.Decode(strkey.VersionByteContract, p.tx.ContractID); err == nil {
		id = xdr.ContractId(raw)
	}
	return id
}
