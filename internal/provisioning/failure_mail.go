package provisioning

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// FailureMail is the content of the mail that ends a failed attempt.
type FailureMail struct {
	Tenant tenant.Tenant
	Try    int // Its number, which identifies a claim. The Message-ID does not depend on it.
}

// FailureMailStore records what becomes of failure mails. Both methods can be repeated, after a
// lost answer. KindConflict when the mail must not be sent by this try: another one has begun,
// another attempt has, or the tenant is aborted.
type FailureMailStore interface {
	// EndFailureMail records that the mail is not sent again.
	EndFailureMail(ctx context.Context, m FailureMail) error
	// RepeatFailureMail makes the mail due again: at once, or after a pause that grows with each
	// try, for at most a day.
	RepeatFailureMail(ctx context.Context, m FailureMail, atOnce bool) error
}

func (m FailureMail) tenantID() uuid.UUID { return m.Tenant.ID }

// sendFailureMail sends a failure mail of which this process has the claim, and records what
// becomes of it. wait.Ended gets the outcome when that is ErrMailUnderWay; recordLimit is how
// long each record may take. KindConflict when the mail is not to be sent any more.
func (p *Pipeline) sendFailureMail(ctx context.Context, m FailureMail, wait MailWait, recordLimit time.Duration) error {
	record := func(store func(context.Context) error) (err error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordLimit)
		defer cancel()
		for range p.opts.Retry.Tries(ctx, p.opts.Clock, &err, nil) {
			err = store(ctx)
		}
		return err
	}
	// From the final dot on the server may have the mail, so it is not sent again, also when the
	// process is killed before the answer.
	wait.Ask, wait.BeforeDot = true, func() error {
		return record(func(ctx context.Context) error { return p.failureMails.EndFailureMail(ctx, m) })
	}
	outcome := func(sent error) error {
		err := record(func(ctx context.Context) error { return p.recordFailureMail(ctx, m, sent) })
		return errors.Join(sent, err)
	}
	ended := wait.Ended
	wait.Ended = func(sent error) { ended(outcome(sent)) }
	sent := p.mailer.SendFailure(ctx, m, wait)
	if errors.Is(sent, ErrMailUnderWay) {
		return sent
	}
	return outcome(sent)
}

// recordFailureMail records the outcome of a conversation.
func (p *Pipeline) recordFailureMail(ctx context.Context, m FailureMail, sent error) error {
	switch kind := errs.KindOf(sent); {
	case sent == nil, errors.Is(sent, ErrMailUnconfirmed), kind == errs.KindConflict:
		return nil // Recorded before the final dot, or another's.
	case kind == errs.KindCancelled:
		return p.failureMails.RepeatFailureMail(ctx, m, true)
	case kind == errs.KindTransient, kind == errs.KindInvalid: // Invalid: mail is not configured here, or wrongly.
		return p.failureMails.RepeatFailureMail(ctx, m, false)
	}
	return p.failureMails.EndFailureMail(ctx, m)
}

// sendFailureMails sends the failure mails that the processes which ended the attempts did not
// send.
func (r *Reconciler) sendFailureMails(ctx context.Context, report *Report) (err error) {
	var due []FailureMail
	err = r.pipeline.detached(ctx, func(ctx context.Context) (err error) {
		due, err = r.orphans.ClaimFailureMails(ctx, MailHold, r.opts.Batch)
		return err
	})
	if err != nil {
		return err
	}
	// Nobody waits for this caller, so it waits for the outcome.
	wait := MailWait{Dot: r.pipeline.opts.MailDotWait, Answer: MailHold, Total: MailHold, Cut: true, Ended: func(error) {}}
	report.FailureMailsSent, err = sendDue(r.opts.MaxConcurrentMails, "failure mail", due, func(m FailureMail) error {
		return r.pipeline.sendFailureMail(ctx, m, wait, r.pipeline.opts.StepGrace)
	})
	return err
}
