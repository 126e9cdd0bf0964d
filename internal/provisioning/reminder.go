package provisioning

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// ReminderStore has the reminders of invitations. The methods for one reminder return KindConflict
// when it must not be sent by this try: another one has begun, or the invitation is not PENDING
// any more.
type ReminderStore interface {
	// ClaimDueReminders returns ACTIVE tenants whose invitation is PENDING, was sent, and ends in
	// lead or less, and that were not reminded, each as its next try; for claimTimeout no other
	// process gets them. An invitation that was not longer than lead from the start has no reminder.
	ClaimDueReminders(ctx context.Context, lead, claimTimeout time.Duration, limit int) ([]Reminder, error)
	// AddReminder stores the token of a reminder.
	AddReminder(ctx context.Context, r Reminder, inv invitation.Invitation) error
	// EndReminder records that the reminder is not sent again.
	EndReminder(ctx context.Context, r Reminder) error
	// RepeatReminder deletes the token of a reminder that was not sent, and makes the reminder due
	// again: at once, or after a backoff that grows with each try.
	RepeatReminder(ctx context.Context, r Reminder, inv invitation.Invitation, atOnce bool) error
}

// Reminder is the reminder of an invitation.
type Reminder struct {
	Tenant    tenant.Tenant
	Serial    int       // Of the welcome mail; see MailRef.
	ExpiresAt time.Time // Of the invitation. It identifies the invitation among those of the tenant.
	Try       int       // Its number, which identifies a claim. The Message-ID does not depend on it.
}

// sendReminders sends the reminders that are due.
func (r *Reconciler) sendReminders(ctx context.Context, report *Report) error {
	if r.opts.ReminderLead <= 0 {
		return nil
	}
	var due []Reminder
	err := r.pipeline.detached(ctx, func(ctx context.Context) (err error) {
		due, err = r.orphans.ClaimDueReminders(ctx, r.opts.ReminderLead, MailHold, r.opts.Batch)
		return err
	})
	if err != nil {
		return err
	}
	mails := make([]claimedMail, len(due))
	for i, d := range due {
		mails[i] = reminderMail{d, r.orphans, invitation.NewInvitation(d.ExpiresAt)}
	}
	report.RemindersSent, err = r.sendAll(ctx, "reminder", mails)
	return err
}

// reminderMail is a reminder with its token, which the registry has once the conversation begins.
type reminderMail struct {
	Reminder
	store ReminderStore
	token invitation.Invitation
}

func (m reminderMail) tenantID() uuid.UUID { return m.Tenant.ID }

func (m reminderMail) end(ctx context.Context, _ *Pipeline) error {
	return m.store.EndReminder(ctx, m.Reminder)
}

func (m reminderMail) repeat(ctx context.Context, _ *Pipeline, atOnce bool) error {
	return m.store.RepeatReminder(ctx, m.Reminder, m.token, atOnce)
}

func (m reminderMail) send(ctx context.Context, p *Pipeline, wait MailWait) error {
	if err := m.store.AddReminder(ctx, m.Reminder, m.token); err != nil {
		return err
	}
	mail := newWelcomeMail(m.Tenant, m.Serial, m.token)
	mail.Reminder = true
	return p.mailer.SendWelcome(ctx, mail, wait)
}
