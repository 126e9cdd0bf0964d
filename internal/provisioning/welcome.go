package provisioning

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Defaults of the waits for mail. A mail sender waits longer than its caller.
const (
	DefaultMailWait    = 10 * time.Second
	DefaultMailDotWait = 2 * time.Minute
)

// MailHold is how long a welcome mail belongs to its conversation: longer than a conversation
// can last, two minutes until the final dot and ten after it, and than its record can take.
const MailHold = 15 * time.Minute

// outcomeOf is the one place that says what an error of Mailer.SendWelcome means for the tenant.
func outcomeOf(sent error, took time.Duration) WelcomeOutcome {
	o := WelcomeOutcome{
		Status: tenant.WelcomeEmailFailed,
		Record: tenant.StepRecord{Step: tenant.StepSendWelcomeEmail, Status: tenant.StepFailed, Error: errs.SafeMessage(sent), Duration: took},
	}
	switch kind := errs.KindOf(sent); {
	case sent == nil:
		o.Status, o.Record.Status = tenant.WelcomeEmailSent, tenant.StepCompleted
	case errors.Is(sent, ErrMailUnderWay):
		o.Status, o.Hold, o.Unanswered = tenant.WelcomeEmailPending, MailHold, errors.Is(sent, ErrMailUnanswered)
		o.Record.Status, o.Record.Duration = tenant.StepInProgress, 0
	case kind == errs.KindTransient, kind == errs.KindCancelled, errors.Is(sent, ErrMailSettings):
		o.Status = tenant.WelcomeEmailPending
	}
	return o
}

// newInvitation draws an invitation that begins now.
func (o PipelineOptions) newInvitation() invitation.Invitation {
	return invitation.NewInvitation(o.Clock.Now().Add(o.InvitationTTL))
}

// welcomeFollower records what becomes of a welcome mail whose caller has gone on.
type welcomeFollower struct {
	*Pipeline
	ctx      context.Context // Does not end with the caller's.
	tenant   tenant.Tenant
	mail     MailRef
	started  time.Time
	released chan struct{} // Closed when the caller has recorded that the mail is under way, or has not.
	recorded bool          // It has. Read after released.
}

// newWelcomeMail is the mail to the administrator of a tenant. Without users there is nobody to
// invite, so it has no link.
func newWelcomeMail(t tenant.Tenant, serial int, inv invitation.Invitation) WelcomeMail {
	m := WelcomeMail{Tenant: t, Serial: serial}
	if !t.WithoutUsers {
		m.Invitation, m.ExpiresAt = inv.Token(), inv.ExpiresAt
	}
	return m
}

func (p *Pipeline) followMail(ctx context.Context, t tenant.Tenant, mail MailRef, started time.Time) *welcomeFollower {
	return &welcomeFollower{
		Pipeline: p, ctx: context.WithoutCancel(ctx), tenant: t, mail: mail,
		started: started, released: make(chan struct{}),
	}
}

// release lets the outcome be recorded, if the caller has recorded that the mail is under
// way: before that, the caller's own record would replace it.
func (f *welcomeFollower) release(recorded bool) {
	select {
	case <-f.released:
	default:
		f.recorded = recorded
		close(f.released)
	}
}

// send sends the mail, again after transient errors, for which tries is as retry.Policy.Tries.
// It ends after the caller's wait: at most MailWait after the step began; with cut, MailDotWait
// until the final dot and MailWait after it. stop ends the pauses.
func (f *welcomeFollower) send(ctx, stop context.Context, m WelcomeMail, cut bool, tries func(stop context.Context, err *error) iter.Seq[int]) (sent error) {
	budget := f.opts.MailWait
	if cut {
		budget = f.opts.MailDotWait
	}
	end := f.started.Add(budget)
	left := func() time.Duration { return max(end.Sub(f.opts.Clock.Now()), time.Millisecond) }
	stop, cancel := context.WithTimeout(stop, left())
	defer cancel()
	for range tries(stop, &sent) {
		wait := MailWait{Dot: left(), Total: left(), Answer: f.opts.MailWait, Cut: cut, BeforeDot: f.beforeDot, Unanswered: f.unanswered, Ended: f.ended}
		if cut {
			wait.Total += wait.Answer
		}
		if sent = f.mailer.SendWelcome(ctx, m, wait); errors.Is(sent, ErrMailUnderWay) {
			return sent
		}
	}
	if cut && errs.KindOf(sent) == errs.KindTransient && !f.opts.Clock.Now().Before(end) {
		// Not a matter for another run: this one has waited as long as the policy says.
		return errs.Wrap(sent, errs.KindPermanent, "send mail", "the mail server did not take the mail within %v: %s", budget, errs.SafeMessage(sent))
	}
	return sent
}

// errNotUnderWay is the end of a conversation whose caller went on and did not record that.
var errNotUnderWay = errs.Errorf(errs.KindConflict, "send mail",
	"the mail was not sent: the run that began it ended without recording that it is on its way; the next one sends it")

// beforeDot permits the final dot behind the caller: the mail is still this conversation's.
// Another run or invitation may send it by now, and an archived tenant gets none.
func (f *welcomeFollower) beforeDot() error {
	<-f.released
	if !f.recorded {
		return errNotUnderWay
	}
	return f.unanswered(true)
}

// unanswered records whether the mail server has the mail without having answered.
func (f *welcomeFollower) unanswered(unanswered bool) (err error) {
	ctx, cancel := context.WithTimeout(f.ctx, f.opts.StepGrace)
	defer cancel()
	for range f.opts.Retry.Tries(ctx, f.opts.Clock, &err, nil) {
		err = f.welcomes.MarkUnanswered(ctx, f.mail, unanswered)
	}
	return err
}

// ended records the outcome of a mail whose caller has gone on.
func (f *welcomeFollower) ended(sent error) {
	<-f.released
	if !f.recorded || superseded(sent) {
		return
	}
	o := outcomeOf(sent, f.opts.since(f.started))
	o.Claim = f.mail.Claim
	f.opts.Observer(f.ctx, f.event(o, sent))
	ctx, cancel := context.WithTimeout(f.ctx, f.opts.StepGrace)
	defer cancel()
	var err error
	for range f.opts.Retry.Tries(ctx, f.opts.Clock, &err, nil) {
		_, err = f.welcomes.RecordWelcome(ctx, f.mail.Tenant, o)
	}
	if err != nil && !superseded(err) {
		f.opts.Observer(f.ctx, Event{
			Tenant: f.tenant, Attempt: f.tenant.Attempt, Step: tenant.StepSendWelcomeEmail, Status: tenant.StepFailed, Cause: err,
			Message: "the outcome of the welcome mail could not be recorded: " + errs.SafeMessage(err),
		})
	}
}

func (f *welcomeFollower) event(o WelcomeOutcome, sent error) Event {
	return Event{
		Tenant: f.tenant, Attempt: f.tenant.Attempt, Step: o.Record.Step, Status: o.Record.Status,
		Duration: o.Record.Duration, Message: o.Record.Error, Cause: sent,
	}
}

// MailRef identifies a claim of a welcome mail.
type MailRef struct {
	Tenant  uuid.UUID
	Attempt int // Of the tenant.
	Serial  int // Number of the mail; part of its Message-ID.
	Claim   int // Each invitation claims the mail again.
}

// WelcomeOutcome is what the registry records of a welcome mail.
type WelcomeOutcome struct {
	Status tenant.WelcomeEmailStatus
	Record tenant.StepRecord
	// Hold is how long the conversation of a PENDING mail may go on: until then no process
	// claims the mail, and this is no failure. 0: it has ended, and is due again after the
	// usual pause.
	Hold time.Duration
	// Unanswered says that the mail server has this mail, with Hold. See MarkUnanswered.
	Unanswered bool
	// Claim is MailRef.Claim of the mail. Only RecordWelcome reads it.
	Claim int
}
