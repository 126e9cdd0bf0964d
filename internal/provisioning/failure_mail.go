package provisioning

import (
	"context"

	"github.com/google/uuid"

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

func (m FailureMail) end(ctx context.Context, p *Pipeline) error {
	return p.failureMails.EndFailureMail(ctx, m)
}

func (m FailureMail) repeat(ctx context.Context, p *Pipeline, atOnce bool) error {
	return p.failureMails.RepeatFailureMail(ctx, m, atOnce)
}

func (m FailureMail) send(ctx context.Context, p *Pipeline, wait MailWait) error {
	return p.mailer.SendFailure(ctx, m, wait)
}

// sendFailureMails sends the failure mails that the processes which ended the attempts did not
// send.
func (r *Reconciler) sendFailureMails(ctx context.Context, report *Report) (err error) {
	var due []FailureMail
	err = r.pipeline.detached(ctx, func(ctx context.Context) (err error) {
		due, err = r.orphans.ClaimDueFailureMails(ctx, MailHold, r.opts.Batch)
		return err
	})
	if err != nil {
		return err
	}
	mails := make([]claimedMail, len(due))
	for i, d := range due {
		mails[i] = d
	}
	report.FailureMailsSent, err = r.sendAll(ctx, "failure mail", mails)
	return err
}
