package mail

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tracing"
)

// Why a mail was not sent, besides errors of the server.
var (
	errStopping = errs.Errorf(errs.KindCancelled, "send mail", "the program is stopping; the mail was not sent")
	errBusy     = errs.Errorf(errs.KindTransient, "send mail",
		"the mail was not sent: the mail server keeps all mail senders waiting; check MAIL_HOST and MAIL_PORT, and the mail server")
	errDotTimeout = errs.Errorf(errs.KindTransient, "send mail",
		"the mail was not sent within the timeout: the mail server does not answer in time; check MAIL_HOST, MAIL_PORT and MAIL_TLS, and the mail server")
)

// unansweredAfter is how long an answer may take before it is recorded that there is none.
// Most servers answer sooner, which saves a write.
const unansweredAfter = time.Second

// delivery is one mail on its way: what its caller, its conversation and a shutdown agree on.
type delivery struct {
	span    tracing.Span
	msg     *gomail.Msg
	wait    provisioning.MailWait
	secrets []string // Of the message, which the server's words may repeat.
	queue   bool     // It may wait for a sender behind its caller.

	cancel  context.CancelCauseFunc // Ends the conversation, at any point.
	dotSent chan struct{}           // Closed when the final dot may have been sent.
	ended   chan struct{}           // Closed when err is the outcome.
	err     error

	mu     sync.Mutex
	begun  bool // A sender has it.
	state  deliveryState
	behind bool // The caller has gone on.

	recorded atomic.Bool // The registry has it as a mail without an answer.
}

// deliveryState is the gate of the final dot: from open, a delivery is either cut or the dot
// is sent, never both.
type deliveryState int

const (
	gateOpen deliveryState = iota
	gateCut
	gateDotSent
)

// cut ends the delivery, and reports whether nothing was sent. It does nothing after the final
// dot.
func (d *delivery) cut(cause error) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state == gateDotSent {
		return false
	}
	d.state = gateCut
	d.cancel(cause)
	return true
}

// passDot opens the way for the final dot, unless the delivery was cut. When the caller has
// gone on, or wants that, BeforeDot is asked first.
func (d *delivery) passDot() (ok bool, err error) {
	d.mu.Lock()
	ask := d.behind || d.wait.AlwaysBeforeDot
	if !ask && d.state == gateOpen {
		d.sendDotLocked()
		d.mu.Unlock()
		return true, nil
	}
	d.mu.Unlock()
	if ask {
		if err := d.beforeDot(); err != nil {
			return false, err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state != gateOpen {
		return false, nil
	}
	d.sendDotLocked()
	return true, nil
}

func (d *delivery) sendDotLocked() {
	d.state = gateDotSent
	close(d.dotSent)
}

// beforeDot asks whether the mail may be sent.
func (d *delivery) beforeDot() error {
	if d.wait.BeforeDot == nil {
		return nil
	}
	err := d.wait.BeforeDot()
	if err == nil {
		d.recorded.Store(true)
	}
	return err
}

// recordUnanswered records whether there is a mail without an answer.
func (d *delivery) recordUnanswered(unanswered bool) error {
	if d.wait.Unanswered == nil {
		return nil
	}
	err := d.wait.Unanswered(unanswered)
	if err == nil {
		d.recorded.Store(unanswered)
	}
	return err
}

// recordWhenSlow records that there is no answer, once the answer takes long. The returned
// function ends that.
func (d *delivery) recordWhenSlow() (stop func()) {
	done := make(chan struct{})
	timer := time.AfterFunc(unansweredAfter, func() {
		defer close(done)
		// An error changes nothing: the mail is sent, and only a run that continues after a
		// kill would miss the record.
		_ = d.recordUnanswered(true)
	})
	return func() {
		if !timer.Stop() {
			<-done
		}
	}
}

// begin notes that a sender has the delivery.
func (d *delivery) begin() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.begun = true
}

// end sets the outcome.
func (d *delivery) end(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
	close(d.ended)
}

// leave lets the caller go on while the conversation does, unless the outcome is there.
func (d *delivery) leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-d.ended:
	default:
		d.behind = true
	}
}

// goesOn reports whether the caller has gone on without the outcome.
func (d *delivery) goesOn() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.behind
}

// await waits for the outcome as long as the caller can. A caller that stops before the final
// dot ends the delivery, unless that may go on behind it.
func (d *delivery) await(ctx context.Context) error {
	total, beforeDot := time.NewTimer(d.wait.Total), time.NewTimer(d.wait.Dot)
	defer total.Stop()
	defer beforeDot.Stop()
	inTime := true
	select {
	case <-d.ended:
		return d.err
	case <-d.dotSent:
	case <-ctx.Done():
		cause := context.Cause(ctx)
		if d.cut(errs.Wrap(cause, errs.KindOf(cause), "send mail", "the mail was not sent: the run ended first")) {
			<-d.ended
			return d.err
		}
	case <-beforeDot.C:
		if d.endWait() {
			return d.outcome()
		}
	case <-total.C:
		inTime = false
		if d.endWait() {
			return d.outcome()
		}
	}
	answer := time.NewTimer(d.wait.Answer)
	defer answer.Stop()
	if inTime {
		select {
		case <-d.ended:
		case <-ctx.Done():
		case <-answer.C:
		case <-total.C:
		}
	}
	d.leave()
	return d.outcome()
}

// endWait ends the caller's wait before the final dot: it lets the conversation go on, or
// cuts it. False when the dot was sent meanwhile.
func (d *delivery) endWait() bool {
	d.mu.Lock()
	cause, goOn := errDotTimeout, !d.wait.Cut && (d.begun || d.queue)
	if !d.begun {
		cause = errBusy
	}
	d.mu.Unlock()
	if goOn {
		d.leave()
		return true
	}
	if !d.cut(cause) {
		return false
	}
	<-d.ended
	return true
}

// outcome is the outcome for a caller that waits no longer.
func (d *delivery) outcome() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case !d.behind:
		return d.err
	case d.state == gateDotSent:
		return provisioning.ErrMailUnanswered
	}
	return provisioning.ErrMailUnderWay
}
