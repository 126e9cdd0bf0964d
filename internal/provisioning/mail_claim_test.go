package provisioning_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/mail/mailtest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// behind makes a tenant live whose mail server hangs before the final dot, and in later
// conversations no more.
func (p *post) behind(s *sender) (out provisioning.Outcome, release chan struct{}) {
	p.t.Helper()
	release = make(chan struct{})
	p.server.At(mailtest.Greeting, p.server.Hang(release))
	out, err := p.provision(s)
	wantLive(p.t, out, err, provisioning.ErrMailUnderWay)
	p.server.At(mailtest.Greeting, nil)
	return out, release
}

func (p *post) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// TestMail_ReplacedConversation: a conversation behind its run sends nothing once the mail is
// another one, or not to be sent.
func TestMail_ReplacedConversation(t *testing.T) {
	t.Parallel()
	t.Run("ByInvitation", func(t *testing.T) {
		t.Parallel()
		p := newPost(t)
		s := p.sender(provisioning.MailFailureWarn)
		out, release := p.behind(s)
		if out, err := s.Invite(t.Context(), out.Tenant.ID); err != nil || out.Tenant.WelcomeEmail != tenant.WelcomeEmailSent {
			t.Errorf("%+v, %v", out, err)
		}
		close(release)
		p.server.Await(t, mailtest.Ended, 2)
		p.wantMail(tenant.WelcomeEmailSent, 1)
	})
	t.Run("ByInvitationWithoutAnswer", func(t *testing.T) {
		t.Parallel()
		p, answer := newPost(t), make(chan struct{})
		s := p.sender(provisioning.MailFailureWarn)
		out, release := p.behind(s)
		p.server.At(mailtest.Dot, p.server.Hang(answer))
		if out, err := s.Invite(t.Context(), out.Tenant.ID); err != nil || !out.MailUnderWay {
			t.Errorf("%+v, %v", out, err)
		}
		close(release)
		p.server.Await(t, mailtest.Ended, 1)
		if n := p.registry.UnansweredMail(); n != 1 {
			t.Errorf("the registry has %d mails without an answer: the end of the first conversation changed the second", n)
		}
		close(answer)
		p.awaitMail(tenant.WelcomeEmailSent)
		p.wantMail(tenant.WelcomeEmailSent, 1)
	})
	t.Run("ByArchiving", func(t *testing.T) {
		t.Parallel()
		p := newPost(t)
		s := p.sender(provisioning.MailFailureWarn)
		out, release := p.behind(s)
		_, err := s.Archive(t.Context(), out.Tenant.ID)
		p.must(err)
		close(release)
		p.server.Await(t, mailtest.Ended, 1)
		p.wantMail(tenant.WelcomeEmailPending, 0)
		_, err = s.Unarchive(t.Context(), out.Tenant.ID)
		p.must(err)
		p.pass(s)
		p.wantMail(tenant.WelcomeEmailSent, 1)
	})
	t.Run("ByAnotherAddress", func(t *testing.T) {
		t.Parallel()
		p := newPost(t)
		s := p.sender(provisioning.MailFailureWarn)
		out, release := p.behind(s)
		in := out.Tenant.Inputs()
		in.AdminEmail = "grace@st-marys.example"
		_, err := s.Update(t.Context(), out.Tenant.ID, in, 0)
		p.must(err)
		close(release)
		p.server.Await(t, mailtest.Ended, 1)
		p.wantMail(tenant.WelcomeEmailPending, 0)
		p.pass(s)
		p.wantMail(tenant.WelcomeEmailSent, 1)
	})
	t.Run("ByAnotherAddressLater", func(t *testing.T) {
		t.Parallel()
		p := newPost(t)
		s := p.sender(provisioning.MailFailureWarn)
		out, err := s.Provision(t.Context(), clinic())
		p.must(err)
		in := out.Tenant.Inputs()
		in.AdminEmail = "grace@st-marys.example"
		changed, err := s.Update(t.Context(), out.Tenant.ID, in, 0)
		p.must(err)
		if changed.WelcomeEmail != tenant.WelcomeEmailPending || p.registry.Invitations() != 0 {
			t.Errorf("%s, %d invitations to the old address", changed.WelcomeEmail, p.registry.Invitations())
		}
		p.registry.MakeAllMailDue()
		p.pass(s)
		p.awaitMail(tenant.WelcomeEmailSent)
		if n := len(p.server.Copies()); n != 2 || p.registry.Invitations() != 1 {
			t.Errorf("%d mails, %d invitations", n, p.registry.Invitations())
		}
	})
	t.Run("ByStopOfRun", func(t *testing.T) {
		t.Parallel()
		p, release := newPost(t), make(chan struct{})
		ctx, stop := context.WithCancel(t.Context())
		hang := p.server.Hang(release)
		p.server.At(mailtest.Greeting, func(c net.Conn) bool { stop(); return hang(c) })
		s := p.sender(provisioning.MailFailureWarn)
		id := p.unclaimed().Tenant.ID
		o := provisioning.RunOptions{CancelOnDisconnect: true}
		if out, err := s.pipeline.Run(ctx, id, o); errs.KindOf(err) != errs.KindCancelled {
			t.Errorf("%s, %v", out.Tenant.Status, err)
		}
		close(release)
		p.server.Await(t, mailtest.Ended, 1)
		p.server.At(mailtest.Greeting, nil)
		if out, err := s.pipeline.Run(t.Context(), id, o); err != nil || len(out.Warnings) > 0 {
			t.Errorf("%q, %v", out.Warnings, err)
		}
		p.wantMail(tenant.WelcomeEmailSent, 1)
	})
}

// TestMail_ArchivedWithoutAnswer: the answer to a mail counts also when its tenant was archived
// meanwhile: otherwise it would be sent again.
func TestMail_ArchivedWithoutAnswer(t *testing.T) {
	t.Parallel()
	p, answer := newPost(t), make(chan struct{})
	p.server.At(mailtest.Dot, p.server.Hang(answer))
	s := p.sender(provisioning.MailFailureWarn)
	out, err := p.provision(s)
	wantLive(t, out, err, provisioning.ErrMailUnanswered)
	_, err = s.Archive(t.Context(), out.Tenant.ID)
	p.must(err)
	close(answer)
	p.awaitMail(tenant.WelcomeEmailSent)
	_, err = s.Unarchive(t.Context(), out.Tenant.ID)
	p.must(err)
	p.pass(s)
	p.wantMail(tenant.WelcomeEmailSent, 1)
}

// lateQueue lets time pass between the claim of mails that are due and their conversations.
type lateQueue struct {
	provisioning.OrphanStore
	meanwhile func()
}

// ClaimDueWelcomeMails calls meanwhile after the claim.
func (q lateQueue) ClaimDueWelcomeMails(ctx context.Context, claimTimeout time.Duration, limit int) ([]provisioning.DueMail, error) {
	due, err := q.OrphanStore.ClaimDueWelcomeMails(ctx, claimTimeout, limit)
	q.meanwhile()
	return due, err
}

// TestMail_DueAndSentMeanwhile: a mail that another caller sent, after a worker had claimed it and
// before its turn came, is not sent again, which would end the link that was delivered.
func TestMail_DueAndSentMeanwhile(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	p.server.At(mailtest.Data, mailtest.Reply("451 later"))
	s := p.sender(provisioning.MailFailureWarn)
	_, err := p.provision(s)
	p.must(err)
	p.server.At(mailtest.Data, nil)
	p.registry.MakeMailDue()
	worker, err := provisioning.NewReconciler(lateQueue{p.db, func() { p.must(p.invite(s)) }}, s.Service, provisioning.ReconcilerOptions{})
	p.must(err)
	report, err := worker.Pass(t.Context())
	p.must(err)
	if len(report.WelcomeMailsSent) != 0 {
		t.Errorf("%+v", report)
	}
	p.wantMail(tenant.WelcomeEmailSent, 1)
}
