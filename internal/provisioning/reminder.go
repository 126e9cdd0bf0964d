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
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// ReminderStore has the reminders of invitations. Many processes may call its methods at once.
type ReminderStore interface {
	// ClaimDueReminders returns ACTIVE tenants whose invitation is PENDING, was sent, and ends in
	// before or less, and that were not reminded; for claimTimeout no other process gets them. An
	// invitation that was not longer than before from the start has no reminder.
	ClaimDueReminders(ctx context.Context, before, claimTimeout time.Duration, limit int) ([]DueReminder, error)
	// AddReminder stores the second token of a PENDING invitation. KindConflict when the invitation
	// is not PENDING any more, or another one has replaced it.
	AddReminder(ctx context.Context, r DueReminder, inv invitation.Invitation) error
	// RecordReminder ends the claim: the reminder is due again after a pause, or never if that is
	// negative.
	RecordReminder(ctx context.Context, r DueReminder, again time.Duration) error
}

// DueReminder is a reminder that is due.
type DueReminder struct {
	Tenant    tenant.Tenant
	Serial    int       // Of the welcome mail; see MailRef.
	ExpiresAt time.Time // Of the invitation. It identifies the invitation among those of the tenant.
}

// reminderPause is the time between two tries to send a reminder. There are tries until the
// invitation ends.
const reminderPause = 15 * time.Minute

// reminderClaim is how long a reminder belongs to its conversation, as MailHold.
const reminderClaim = MailHold

// sendReminders sends the reminders that are due.
func (r *Reconciler) sendReminders(ctx context.Context, report *Report) error {
	if r.opts.Reminder <= 0 {
		return nil
	}
	var due []DueReminder
	err := r.pipeline.detached(ctx, func(ctx context.Context) (err error) {
		due, err = r.orphans.ClaimDueReminders(ctx, r.opts.Reminder, reminderClaim, r.opts.Batch)
		return err
	})
	if err != nil {
		return err
	}
	report.RemindersSent, err = sendDue(r.opts.MaxConcurrentMails, "reminder", due, func(d DueReminder) error { return r.remind(ctx, d) })
	return err
}

func (d DueReminder) tenantID() uuid.UUID { return d.Tenant.ID }

// sendDue sends mails that were claimed, some at once, and returns the tenants whose mail was
// sent. One tenant's error stops no other.
func sendDue[M interface{ tenantID() uuid.UUID }](maxConcurrent int, what string, due []M, send func(M) error) (sent []uuid.UUID, _ error) {
	var (
		failures []error
		mu       sync.Mutex // Guards failures and sent.
		group    errgroup.Group
	)
	group.SetLimit(maxConcurrent)
	for _, m := range due {
		group.Go(func() error {
			err := send(m)
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

// remind sends one reminder. One that the mail server may have is not sent again.
func (r *Reconciler) remind(ctx context.Context, d DueReminder) error {
	second := invitation.NewInvitation(d.ExpiresAt)
	if err := r.orphans.AddReminder(ctx, d, second); err != nil {
		return err
	}
	m := newWelcomeMail(d.Tenant, d.Serial, second)
	m.Reminder = true
	// Nobody waits for this caller, so it waits for the outcome.
	wait := MailWait{Dot: r.pipeline.opts.MailDotWait, Answer: reminderClaim, Total: reminderClaim, Cut: true}
	sent := r.pipeline.mailer.SendWelcome(ctx, m, wait)
	again := time.Duration(-1)
	switch kind := errs.KindOf(sent); {
	case sent == nil, errors.Is(sent, ErrMailUnderWay):
	case kind == errs.KindCancelled:
		again = 0
	case kind == errs.KindTransient:
		again = reminderPause
	}
	ctx, end := r.pipeline.withGrace(ctx)
	defer end(nil)
	err := r.orphans.RecordReminder(ctx, d, again)
	return errors.Join(sent, err)
}
