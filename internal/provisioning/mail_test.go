package provisioning_test

import (
	"context"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/mail"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/mail/mailtest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/retry"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// post is a world whose processes send their mail to a server of the test.
type post struct {
	*world
	server *mailtest.Server
}

func newPost(t *testing.T) *post {
	t.Helper()
	return &post{world: newWorld(t), server: mailtest.Start(t)}
}

// sender is one process that sends mail.
type sender struct {
	*provisioning.Service
	*provisioning.Reconciler
	process  *process
	pipeline *provisioning.Pipeline
	mailer   *mail.Mailer
}

// brief is the wait of a run whose mail server hangs. Most of it passes before the server is
// reached, on a busy machine.
const brief = 2 * time.Second

// sender starts a process. The run waits briefly, a mail sender as long as the test takes.
func (p *post) sender(policy provisioning.MailFailurePolicy, change ...func(*provisioning.PipelineOptions)) *sender {
	p.t.Helper()
	must := func(err error) {
		p.t.Helper()
		if err != nil {
			p.t.Fatal(err)
		}
	}
	var (
		s   sender
		err error
	)
	s.mailer, err = mail.New(mail.Options{Mail: config.Mail{
		Host: "127.0.0.1", Port: p.server.Port(), From: "no-reply@platform.example", TLS: config.TLSNone, AppURL: "https://app.platform.example",
	}})
	must(err)
	p.t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		s.mailer.Close(ctx)
	})
	s.process = p.process()
	o := provisioning.PipelineOptions{
		MailFailure: policy, MailWait: brief, MailDotWait: brief,
		Retry: retry.Policy{Attempts: 3, Base: time.Microsecond, Cap: time.Microsecond},
	}
	for _, c := range change {
		c(&o)
	}
	s.pipeline, err = provisioning.NewPipeline(s.process, s.process, s.mailer, o)
	must(err)
	s.Service, err = provisioning.NewService(s.process, s.pipeline)
	must(err)
	s.Reconciler, err = provisioning.NewReconciler(p.db, s.Service, provisioning.ReconcilerOptions{ReminderLead: invitation.DefaultReminder})
	must(err)
	return &s
}

// provision runs a tenant in the way of a worker.
func (p *post) provision(s *sender) (provisioning.Outcome, error) {
	p.t.Helper()
	return s.pipeline.Run(p.t.Context(), p.unclaimed().Tenant.ID, provisioning.RunOptions{Retryable: true})
}

func (p *post) wantMail(want tenant.WelcomeEmailStatus, copies int) {
	p.t.Helper()
	if got := p.only().WelcomeEmail; got != want {
		p.t.Errorf("the mail is %s, want %s", got, want)
	}
	if ids := p.server.Copies(); len(ids) != copies || len(slices.Compact(ids)) > 1 {
		p.t.Errorf("the server got %q, want %d copies with one Message-ID", ids, copies)
	}
}

// awaitMail waits for the status of the mail, which a sender records.
func (p *post) awaitMail(want tenant.WelcomeEmailStatus) {
	p.t.Helper()
	p.await("the mail is "+string(want), func() bool { return p.only().WelcomeEmail == want })
}

// await waits for a condition in the registry.
func (p *post) await(what string, is func() bool) {
	p.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !is() {
		if time.Now().After(deadline) {
			p.t.Fatalf("it does not become true that %s: %+v", what, p.only())
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-p.t.Context().Done():
			p.t.Fatal("the test ended")
		}
	}
}

// pass runs a reconciler's pass.
func (p *post) pass(s *sender) provisioning.Report {
	p.t.Helper()
	report, err := s.Pass(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	return report
}

func wantLive(t *testing.T, out provisioning.Outcome, err error, says error) {
	t.Helper()
	if err != nil || out.Tenant.Status != tenant.StatusActive || len(out.Warnings) != 1 || out.Warnings[0] != errs.SafeMessage(says) {
		t.Fatalf("%s, warnings %q, %v", out.Tenant.Status, out.Warnings, err)
	}
}

// TestMail_HangingServer: with either policy, a server that takes a mail and does not answer
// holds no tenant, and gets one copy.
func TestMail_HangingServer(t *testing.T) {
	t.Parallel()
	for _, policy := range []provisioning.MailFailurePolicy{provisioning.MailFailureWarn, provisioning.MailFailureFail} {
		t.Run("AfterDot/"+string(policy), func(t *testing.T) {
			t.Parallel()
			p, release := newPost(t), make(chan struct{})
			p.server.At(mailtest.Dot, p.server.Hang(release))
			s := p.sender(policy)
			out, err := p.provision(s)
			wantLive(t, out, err, provisioning.ErrMailUnanswered)
			p.wantMail(tenant.WelcomeEmailPending, 1)
			p.pass(p.sender(policy)) // Another process: the mail belongs to the conversation.
			if out, err := s.Invite(t.Context(), out.Tenant.ID); err != nil || !out.MailUnderWay || len(out.Warnings) != 1 || out.Tenant.WelcomeEmail != tenant.WelcomeEmailPending {
				t.Errorf("%+v, %v, want that the mail is on its way", out, err)
			}
			p.wantMail(tenant.WelcomeEmailPending, 1)
			close(release)
			p.awaitMail(tenant.WelcomeEmailSent)
			p.wantMail(tenant.WelcomeEmailSent, 1)
			p.wantSentInLog()
		})
		t.Run("CutAfterDot/"+string(policy), func(t *testing.T) {
			t.Parallel()
			p := newPost(t)
			p.server.At(mailtest.Dot, mailtest.Cut)
			s := p.sender(policy)
			out, err := p.provision(s)
			wantLive(t, out, err, provisioning.ErrMailUnconfirmed)
			p.registry.MakeAllMailDue()
			p.pass(s)
			p.wantMail(tenant.WelcomeEmailFailed, 1)
			p.server.At(mailtest.Dot, nil)
			if out, err := s.Invite(t.Context(), out.Tenant.ID); err != nil || len(out.Warnings) != 0 {
				t.Errorf("%q, %v", out.Warnings, err)
			}
			p.wantMail(tenant.WelcomeEmailSent, 2) // On request, with the same Message-ID.
			if n := p.registry.Invitations(); n != 2 {
				t.Errorf("%d invitations; the first mail may have been delivered, so its link must work", n)
			}
		})
	}
	t.Run("AtGreeting/warn", func(t *testing.T) {
		t.Parallel()
		p, release := newPost(t), make(chan struct{})
		p.server.At(mailtest.Greeting, p.server.Hang(release))
		out, err := p.provision(p.sender(provisioning.MailFailureWarn))
		wantLive(t, out, err, provisioning.ErrMailUnderWay)
		p.wantMail(tenant.WelcomeEmailPending, 0)
		close(release)
		p.awaitMail(tenant.WelcomeEmailSent)
		p.wantMail(tenant.WelcomeEmailSent, 1)
	})
	t.Run("BeforeDot/fail", func(t *testing.T) {
		t.Parallel()
		p, release := newPost(t), make(chan struct{})
		p.server.At(mailtest.Data, p.server.Hang(release))
		_, err := p.provision(p.sender(provisioning.MailFailureFail))
		if errs.KindOf(err) != errs.KindPermanent || !strings.Contains(errs.SafeMessage(err), "did not take the mail within") {
			t.Errorf("%v", err)
		}
		p.server.At(mailtest.Data, nil)
		close(release)
		p.await("the failure mail is sent", func() bool { return len(p.server.Copies()) > 0 })
		if ids := p.server.Copies(); p.only().Status != tenant.StatusFailed || len(ids) != 1 || !strings.Contains(ids[0], "failure") {
			t.Errorf("%s, %q", p.only().Status, ids)
		}
	})
}

// TestMailSettings: a mail that a server refused because of the settings is sent once they are corrected,
// with the policy warn. With fail, the attempt is rolled back at once.
func TestMailSettings(t *testing.T) {
	t.Parallel()
	refuse := func(c net.Conn) bool {
		_, _ = c.Write([]byte("530 5.7.0 Authentication required\r\n")) // A client that is gone misses it.
		return false
	}
	t.Run("warn", func(t *testing.T) {
		t.Parallel()
		p := newPost(t)
		p.server.At(mailtest.Data, refuse)
		s := p.sender(provisioning.MailFailureWarn)
		out, err := p.provision(s)
		if err != nil || out.Tenant.Status != tenant.StatusActive || len(out.Warnings) != 1 || !strings.Contains(out.Warnings[0], "refused the login (530 5.7.0: Authentication required)") {
			t.Errorf("%s, %q, %v", out.Tenant.Status, out.Warnings, err)
		}
		p.wantMail(tenant.WelcomeEmailPending, 0)
		p.server.At(mailtest.Data, nil)
		p.registry.MakeMailDue()
		p.pass(s)
		p.wantMail(tenant.WelcomeEmailSent, 1)
	})
	t.Run("fail", func(t *testing.T) {
		t.Parallel()
		p := newPost(t)
		p.server.At(mailtest.Data, refuse)
		if _, err := p.provision(p.sender(provisioning.MailFailureFail)); errs.KindOf(err) != errs.KindPermanent {
			t.Errorf("%v", err)
		}
		if status := p.only().Status; status != tenant.StatusFailed {
			t.Errorf("the tenant is %s", status)
		}
	})
}

// wantSentInLog checks that the log has the mail as sent.
func (p *post) wantSentInLog() {
	p.t.Helper()
	entries, err := p.db.Log(p.t.Context(), p.only().ID, false)
	if err != nil || len(entries) != 7 || entries[6].Status != tenant.StepCompleted || entries[6].Error != "" {
		p.t.Errorf("%+v, %v", entries, err)
	}
}

// TestMail_KilledProcess: a mail whose process died is sent again only if the server cannot
// have it.
func TestMail_KilledProcess(t *testing.T) {
	t.Parallel()
	t.Run("BehindRunAfterDot", func(t *testing.T) {
		t.Parallel()
		p, release := newPost(t), make(chan struct{})
		p.server.At(mailtest.Dot, p.server.Hang(release))
		out, err := p.provision(p.sender(provisioning.MailFailureWarn))
		wantLive(t, out, err, provisioning.ErrMailUnanswered)
		if n := p.registry.UnansweredMail(); n != 1 {
			t.Errorf("the registry has %d mails without an answer", n)
		}
		p.registry.MakeMailDue() // As 15 minutes later.
		if report := p.pass(p.sender(provisioning.MailFailureWarn)); len(report.WelcomeMailsUnconfirmed) != 1 {
			t.Errorf("%+v", report)
		}
		p.wantMail(tenant.WelcomeEmailFailed, 1)
		if entries, err := p.db.Log(t.Context(), out.Tenant.ID, false); err != nil || entries[6].Error != errs.SafeMessage(provisioning.ErrMailUnconfirmed) {
			t.Errorf("%+v, %v", entries, err)
		}
		close(release)
	})
	t.Run("BehindRunBeforeDot", func(t *testing.T) {
		t.Parallel()
		p := newPost(t)
		p.server.At(mailtest.Greeting, p.server.Hang(nil))
		out, err := p.provision(p.sender(provisioning.MailFailureWarn))
		wantLive(t, out, err, provisioning.ErrMailUnderWay)
		p.server.At(mailtest.Greeting, nil)
		p.registry.MakeMailDue()
		if report := p.pass(p.sender(provisioning.MailFailureWarn)); len(report.WelcomeMailsSent) != 1 {
			t.Errorf("%+v", report)
		}
		p.wantMail(tenant.WelcomeEmailSent, 1)
	})
	t.Run("InRunAfterDot", func(t *testing.T) {
		t.Parallel()
		p := newPost(t)
		p.server.At(mailtest.Dot, p.server.Hang(nil))
		s := p.sender(provisioning.MailFailureWarn, func(o *provisioning.PipelineOptions) {
			o.MailWait, o.LeaseTTL, o.Heartbeat, o.StepGrace = time.Hour, 3*time.Hour, time.Hour, 5*time.Second
		})
		id := p.unclaimed().Tenant.ID
		ctx, kill := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = s.pipeline.Run(ctx, id, provisioning.RunOptions{})
		}()
		p.await("the registry has it as not answered", func() bool { return p.registry.UnansweredMail() == 1 })
		p.expireLeases() // The run does nothing more: it waits for an hour.
		out, err := p.sender(provisioning.MailFailureFail).pipeline.Run(t.Context(), id, provisioning.RunOptions{})
		wantLive(t, out, err, provisioning.ErrMailUnconfirmed)
		kill()
		<-done
		p.wantMail(tenant.WelcomeEmailFailed, 1)
	})
}

// TestMail_Stopped: a run that is stopped while the server has its mail goes live.
func TestMail_Stopped(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	ctx, stop := context.WithCancel(t.Context())
	p.server.At(mailtest.Dot, func(net.Conn) bool { stop(); return true })
	s := p.sender(provisioning.MailFailureWarn)
	out, err := s.pipeline.Run(ctx, p.unclaimed().Tenant.ID, provisioning.RunOptions{})
	if err != nil || out.Tenant.Status != tenant.StatusActive {
		t.Errorf("%s, %v", out.Tenant.Status, err)
	}
	p.wantMail(tenant.WelcomeEmailSent, 1)
}
