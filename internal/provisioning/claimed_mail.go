package provisioning

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// claimedMail is a mail of which this process has the claim, for a time. Its methods return
// KindConflict when this claim is not the newest, or the mail is not to be sent any more.
type claimedMail interface {
	// end records that the mail is not sent again.
	end(ctx context.Context, p *Pipeline) error
	// repeat makes the mail due again: at once, or after a backoff.
	repeat(ctx context.Context, p *Pipeline, atOnce bool) error
	send(ctx context.Context, p *Pipeline, wait MailWait) error
	tenantID() uuid.UUID
}

// sendClaimed sends a claimed mail, and records what becomes of it. wait.Ended gets the outcome when
// that is ErrMailUnderWay; recordLimit is how long each record may take. KindConflict when the
// mail is not to be sent any more.
func (p *Pipeline) sendClaimed(ctx context.Context, m claimedMail, wait MailWait, recordLimit time.Duration) error {
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
	wait.AlwaysBeforeDot, wait.BeforeDot = true, func() error {
		return record(func(ctx context.Context) error { return m.end(ctx, p) })
	}
	outcome := func(sent error) error {
		err := record(func(ctx context.Context) error { return p.recordClaimed(ctx, m, sent) })
		return errors.Join(sent, err)
	}
	if ended := wait.Ended; ended != nil {
		wait.Ended = func(sent error) { ended(outcome(sent)) }
	}
	sent := m.send(ctx, p, wait)
	if errors.Is(sent, ErrMailUnderWay) {
		return sent
	}
	return outcome(sent)
}

// recordClaimed records the outcome of a conversation.
func (p *Pipeline) recordClaimed(ctx context.Context, m claimedMail, sent error) error {
	switch kind := errs.KindOf(sent); {
	case sent == nil, errors.Is(sent, ErrMailUnconfirmed), kind == errs.KindConflict:
		return nil // Recorded before the final dot, or another's.
	case kind == errs.KindCancelled:
		return m.repeat(ctx, p, true)
	case kind == errs.KindTransient, kind == errs.KindInvalid, errors.Is(sent, ErrMailSettings): // Invalid: mail is not configured here, or wrongly.
		return m.repeat(ctx, p, false)
	}
	return m.end(ctx, p)
}

// sendAll sends claimed mails, some at once, and returns the tenants whose mail was sent. One
// tenant's error stops no other.
func (r *Reconciler) sendAll(ctx context.Context, what string, due []claimedMail) (sent []uuid.UUID, _ error) {
	var (
		failures []error
		mu       sync.Mutex // Guards failures and sent.
		group    errgroup.Group
	)
	group.SetLimit(r.opts.MaxConcurrentMails)
	// Nobody waits for this caller, so it waits for the outcome.
	wait := MailWait{Dot: r.pipeline.opts.MailDotWait, Answer: MailHold, Total: MailHold, Cut: true}
	for _, m := range due {
		group.Go(func() error {
			err := r.pipeline.sendClaimed(ctx, m, wait, r.pipeline.opts.StepGrace)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				sent = append(sent, m.tenantID())
			case errs.KindOf(err) != errs.KindConflict: // Else it is not to be sent any more.
				failures = append(failures, fmt.Errorf("%s of tenant %s: %w", what, m.tenantID(), err))
			}
			return nil
		})
	}
	_ = group.Wait()
	return sent, errors.Join(failures...)
}
