package mail_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/mail"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/mail/mailtest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// sender is a Mailer for a server of the test, and what its callers are told.
type sender struct {
	*mail.Mailer
	server *mailtest.Server
	ended  chan error

	mu         sync.Mutex
	unanswered []bool
	marked     chan struct{} // Gets a value with each mark.
}

func newSender(t *testing.T, o mail.Options) *sender {
	t.Helper()
	s := &sender{server: mailtest.Start(t), ended: make(chan error, 1), marked: make(chan struct{}, 10)}
	o.Mail = config.Mail{
		Host: "127.0.0.1", Port: s.server.Port(), From: "no-reply@platform.example", TLS: config.TLSNone, AppURL: "https://app.platform.example",
	}
	var err error
	if s.Mailer, err = mail.New(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		s.Close(ctx)
	})
	return s
}

// wait adds what a caller is told to a wait.
func (s *sender) wait(w provisioning.MailWait) provisioning.MailWait {
	w.Ended = func(err error) { s.ended <- err }
	w.BeforeDot = func() error { return w.Unanswered(true) }
	w.Unanswered = func(unanswered bool) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.unanswered = append(s.unanswered, unanswered)
		s.marked <- struct{}{}
		return nil
	}
	return w
}

func (s *sender) send(t *testing.T, w provisioning.MailWait) error {
	t.Helper()
	return s.SendWelcome(t.Context(), welcomeMail(testTenant()), s.wait(w))
}

// marks are what was recorded about an answer that is missing.
func (s *sender) marks() []bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]bool(nil), s.unanswered...)
}

func (s *sender) wantCopies(t *testing.T, n int) {
	t.Helper()
	if copies := s.server.Copies(); len(copies) != n {
		t.Errorf("the server got %q, want %d copies", copies, n)
	}
}

// TestMailer_AlwaysBeforeDot: a caller that wants that is asked before the final dot also while it waits, and
// can end the conversation.
func TestMailer_AlwaysBeforeDot(t *testing.T) {
	t.Parallel()
	s := newSender(t, mail.Options{})
	w := patient
	w.AlwaysBeforeDot = true
	asked := func(answer error) error {
		w.BeforeDot = func() error {
			s.wantCopies(t, 0)
			return answer
		}
		return s.SendFailure(t.Context(), provisioning.FailureMail{Tenant: testTenant()}, w)
	}
	wantKind(t, asked(errs.Errorf(errs.KindConflict, "test", "retried meanwhile")), errs.KindConflict)
	s.wantCopies(t, 0)
	if err := asked(nil); err != nil {
		t.Error(err)
	}
	s.wantCopies(t, 1)
}

// short is the wait of a caller that goes on soon; long never ends in a test.
const (
	short = 50 * time.Millisecond
	long  = time.Hour
)

func goOn() provisioning.MailWait {
	return provisioning.MailWait{Dot: short, Answer: short, Total: short}
}

// goOnAfterDot waits for the final dot and goes on soon after it.
func goOnAfterDot() provisioning.MailWait {
	return provisioning.MailWait{Dot: long, Answer: short, Total: long}
}

func wantUnderWay(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, provisioning.ErrMailUnderWay) {
		t.Fatalf("%v, want that the mail is on its way", err)
	}
}

// TestMailer_GoesOnBehindCaller: a caller of a server that hangs goes on, and the mail is sent
// once.
func TestMailer_GoesOnBehindCaller(t *testing.T) {
	t.Parallel()
	t.Run("HangsAtGreeting", func(t *testing.T) {
		t.Parallel()
		s, release := newSender(t, mail.Options{}), make(chan struct{})
		s.server.At(mailtest.Greeting, s.server.Hang(release))
		wait := goOn()
		wait.Dot, wait.Total = time.Second, time.Second // A sender has begun by then.
		wantUnderWay(t, s.send(t, wait))
		if marks := s.marks(); len(marks) != 0 {
			t.Errorf("marks %v before the server has anything", marks)
		}
		close(release)
		if err := <-s.ended; err != nil {
			t.Error(err)
		}
		if marks := s.marks(); len(marks) != 1 || !marks[0] {
			t.Errorf("marks %v: want one, before the final dot", marks)
		}
		s.wantCopies(t, 1)
	})
	t.Run("HangsAfterDot", func(t *testing.T) {
		t.Parallel()
		s, release := newSender(t, mail.Options{}), make(chan struct{})
		s.server.At(mailtest.Dot, s.server.Hang(release))
		wantUnderWay(t, s.send(t, goOnAfterDot()))
		<-s.marked // It is recorded that there is no answer.
		close(release)
		if err := <-s.ended; err != nil {
			t.Error(err)
		}
		s.wantCopies(t, 1)
	})
	t.Run("CutAfterDotBehindCaller", func(t *testing.T) {
		t.Parallel()
		s, release := newSender(t, mail.Options{}), make(chan struct{})
		hang := s.server.Hang(release)
		s.server.At(mailtest.Dot, func(c net.Conn) bool { hang(c); return false })
		wantUnderWay(t, s.send(t, goOnAfterDot()))
		close(release)
		if err := <-s.ended; !errors.Is(err, provisioning.ErrMailUnconfirmed) {
			t.Error(err)
		}
		s.wantCopies(t, 1)
	})
}

// TestMailer_Unconfirmed: a mail whose final dot was sent and that has no answer is neither
// sent nor failed.
func TestMailer_Unconfirmed(t *testing.T) {
	t.Parallel()
	for name, action := range map[string]mailtest.Action{
		"Cut": mailtest.Cut, "NoReply": mailtest.Reply("what?"), "NoOutcome": mailtest.Reply("354 more"), "NoCode": mailtest.Reply("9999 x"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSender(t, mail.Options{})
			s.server.At(mailtest.Dot, action)
			if err := s.send(t, patient); !errors.Is(err, provisioning.ErrMailUnconfirmed) || errs.KindOf(err) == errs.KindTransient {
				t.Error(err)
			}
			s.wantCopies(t, 1)
		})
	}
	t.Run("NoAnswerInTime", func(t *testing.T) {
		t.Parallel()
		s := newSender(t, mail.Options{AnswerTimeout: short})
		s.server.At(mailtest.Dot, s.server.Hang(nil))
		if err := s.send(t, patient); !errors.Is(err, provisioning.ErrMailUnconfirmed) {
			t.Error(err)
		}
		s.wantCopies(t, 1)
	})
	t.Run("OtherSuccessIsSuccess", func(t *testing.T) {
		t.Parallel()
		s := newSender(t, mail.Options{})
		s.server.At(mailtest.Dot, mailtest.Reply("251 forwarded"))
		if err := s.send(t, patient); err != nil {
			t.Error(err)
		}
	})
	t.Run("RefusalAfterLongTimeTakesTheMarkBack", func(t *testing.T) {
		t.Parallel()
		s := newSender(t, mail.Options{})
		refuse := mailtest.Reply("451 4.3.0 later")
		s.server.At(mailtest.Dot, func(c net.Conn) bool { <-s.marked; return refuse(c) })
		wantKind(t, s.send(t, patient), errs.KindTransient)
		if marks := s.marks(); len(marks) != 2 || !marks[0] || marks[1] {
			t.Errorf("marks %v", marks)
		}
	})
}

// TestMailer_CutBeforeDot: a conversation that is cut sends no mail, whatever the server does
// then.
func TestMailer_CutBeforeDot(t *testing.T) {
	t.Parallel()
	t.Run("ByWait", func(t *testing.T) {
		t.Parallel()
		s, release := newSender(t, mail.Options{}), make(chan struct{})
		s.server.At(mailtest.Data, s.server.Hang(release))
		wantKind(t, s.send(t, provisioning.MailWait{Dot: short, Answer: short, Total: long, Cut: true}), errs.KindTransient)
		close(release)
		s.wantCopies(t, 0)
	})
	t.Run("ByContext", func(t *testing.T) {
		t.Parallel()
		s := newSender(t, mail.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		s.server.At(mailtest.Data, func(c net.Conn) bool { cancel(); return s.server.Hang(nil)(c) })
		wantKind(t, s.SendWelcome(ctx, welcomeMail(testTenant()), s.wait(patient)), errs.KindCancelled)
		s.wantCopies(t, 0)
	})
	t.Run("ByTimeoutWhileServerDrips", func(t *testing.T) {
		t.Parallel()
		s := newSender(t, mail.Options{DotTimeout: 10 * short})
		s.server.At(mailtest.Greeting, func(c net.Conn) bool {
			for {
				if _, err := io.WriteString(c, "x"); err != nil {
					return false
				}
				select {
				case <-time.After(short):
				case <-t.Context().Done():
					return false
				}
			}
		})
		wantKind(t, s.send(t, patient), errs.KindTransient)
	})
	t.Run("WhenTheRegistryDoesNotAnswer", func(t *testing.T) {
		t.Parallel()
		s, release := newSender(t, mail.Options{}), make(chan struct{})
		s.server.At(mailtest.Data, s.server.Hang(release))
		wait := s.wait(provisioning.MailWait{Dot: time.Second, Total: time.Second})
		wait.BeforeDot = func() error { return errors.New("no") }
		wantUnderWay(t, s.SendWelcome(t.Context(), welcomeMail(testTenant()), wait))
		close(release)
		wantKind(t, <-s.ended, errs.KindTransient)
		s.wantCopies(t, 0)
	})
}

// TestMailer_MaxConversations: servers that hang hold as many conversations as there are
// senders, and no more.
func TestMailer_MaxConversations(t *testing.T) {
	t.Parallel()
	s, release := newSender(t, mail.Options{MaxConversations: 1}), make(chan struct{})
	s.server.At(mailtest.Dot, s.server.Hang(release))
	wantUnderWay(t, s.send(t, goOnAfterDot()))
	if message := wantKind(t, s.send(t, goOn()), errs.KindTransient); !strings.Contains(message, "not sent") {
		t.Error(message)
	}
	failed := make(chan error, 1)
	err := s.SendFailure(t.Context(), provisioning.FailureMail{Tenant: testTenant()}, provisioning.MailWait{Ended: func(err error) { failed <- err }})
	wantUnderWay(t, err) // It waits for a sender, and its caller does not.
	close(release)
	if err := errors.Join(<-s.ended, <-failed); err != nil {
		t.Error(err)
	}
	s.wantCopies(t, 2)
}

// TestMailer_Close: a Mailer that stops sends nothing more, and reports each outcome.
func TestMailer_Close(t *testing.T) {
	t.Parallel()
	t.Run("BeforeDot", func(t *testing.T) {
		t.Parallel()
		s := newSender(t, mail.Options{})
		s.server.At(mailtest.Data, s.server.Hang(nil))
		wait := goOn()
		wait.Dot, wait.Total = time.Second, time.Second
		wantUnderWay(t, s.send(t, wait))
		s.Close(t.Context())
		wantKind(t, <-s.ended, errs.KindCancelled)
		wantKind(t, s.send(t, patient), errs.KindCancelled)
		s.wantCopies(t, 0)
	})
	t.Run("AfterDotWaitsForAnswer", func(t *testing.T) {
		t.Parallel()
		s, release := newSender(t, mail.Options{}), make(chan struct{})
		s.server.At(mailtest.Dot, s.server.Hang(release))
		wantUnderWay(t, s.send(t, goOnAfterDot()))
		closed := make(chan struct{})
		go func() { defer close(closed); s.Close(t.Context()) }()
		close(release)
		if err := <-s.ended; err != nil {
			t.Error(err)
		}
		<-closed
	})
	t.Run("FailureMailBeforeDot", func(t *testing.T) {
		t.Parallel()
		s, release := newSender(t, mail.Options{}), make(chan struct{})
		s.server.At(mailtest.Data, s.server.Hang(release))
		wantUnderWay(t, s.SendFailure(t.Context(), provisioning.FailureMail{Tenant: testTenant()}, s.wait(provisioning.MailWait{})))
		closed := make(chan struct{})
		go func() { defer close(closed); s.Close(t.Context()) }()
		s.server.Await(t, mailtest.Data, 1)
		close(release)
		if err := <-s.ended; err != nil {
			t.Error(err)
		}
		<-closed
		s.wantCopies(t, 1)
	})
	t.Run("AfterDotWithoutAnswer", func(t *testing.T) {
		t.Parallel()
		s := newSender(t, mail.Options{})
		s.server.At(mailtest.Dot, s.server.Hang(nil))
		wantUnderWay(t, s.send(t, goOnAfterDot()))
		ctx, cancel := context.WithTimeout(t.Context(), short)
		defer cancel()
		s.Close(ctx)
		if err := <-s.ended; !errors.Is(err, provisioning.ErrMailUnconfirmed) {
			t.Error(err)
		}
	})
}
