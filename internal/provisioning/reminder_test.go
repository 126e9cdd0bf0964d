package provisioning_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/mail/mailtest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// invited makes a tenant whose invitation, of the default length, was sent some time ago.
func (p *post) invited(age time.Duration, change ...func(*provisioning.PipelineOptions)) *sender {
	p.t.Helper()
	s := p.sender(provisioning.MailFailureWarn, change...)
	if _, err := p.provision(s); err != nil {
		p.t.Fatal(err)
	}
	p.registry.AgeInvitations(age)
	return s
}

// wantReminders runs a pass and checks how many reminders it sent, and how many mails the server
// has got by then: the welcome mail, too.
func (p *post) wantReminders(s *sender, reminders, copies int) {
	p.t.Helper()
	report := p.pass(s)
	ids := p.server.Copies()
	if len(report.RemindersSent) != reminders || len(ids) != copies {
		p.t.Errorf("%d reminders; the server got %q, want %d", len(report.RemindersSent), ids, copies)
	}
}

// TestReminder: an invitation that is not used gets one reminder a day before its end.
func TestReminder(t *testing.T) {
	t.Parallel()
	day := 24 * time.Hour
	t.Run("Once", func(t *testing.T) {
		t.Parallel()
		p := newPost(t)
		s := p.invited(0)
		p.wantReminders(s, 0, 1)
		p.registry.AgeInvitations(invitation.DefaultTTL - day - time.Minute)
		p.wantReminders(s, 0, 1)
		before := p.only()
		p.registry.AgeInvitations(2 * time.Minute)
		p.wantReminders(s, 1, 2)
		p.wantReminders(s, 0, 2)
		if n := p.registry.Invitations(); n != 2 {
			t.Errorf("%d invitations can be used, want both tokens", n)
		}
		if ends := p.registry.InvitationEnds(); ends != 1 {
			t.Errorf("the two tokens end at %d times", ends)
		}
		if id := p.server.Copies()[1]; !strings.Contains(id, ".reminder-1@") {
			t.Errorf("the reminder has the Message-ID %s", id)
		}
		if after := p.only(); after.Version != before.Version || after.Invitation.Status != invitation.StatusPending {
			t.Errorf("the tenant became %+v", after)
		}
		p.must(p.invite(s)) // Another invitation has a reminder of its own.
		p.registry.AgeInvitations(invitation.DefaultTTL - day + time.Minute)
		p.wantReminders(s, 1, 4)
	})
	t.Run("Refused", func(t *testing.T) {
		t.Parallel()
		p := newPost(t)
		s := p.invited(invitation.DefaultTTL - day + time.Minute)
		p.server.At(mailtest.Data, mailtest.Reply("451 later"))
		p.wantFailedPass(s, "reminder of tenant")
		p.server.At(mailtest.Data, nil)
		p.wantReminders(s, 0, 1) // Not at once.
		if n := p.registry.Invitations(); n != 1 {
			t.Errorf("%d tokens, although the reminder was not sent", n)
		}
		p.registry.AgeInvitations(time.Minute)
		p.wantReminders(s, 1, 2)
		if n := p.registry.Invitations(); n != 2 {
			t.Errorf("%d tokens, want two", n)
		}
	})
	t.Run("RefusedForGood", func(t *testing.T) {
		t.Parallel()
		p := newPost(t)
		s := p.invited(invitation.DefaultTTL - day + time.Minute)
		p.server.At(mailtest.Data, mailtest.Reply("550 no such user"))
		p.wantFailedPass(s, "reminder of tenant")
		p.server.At(mailtest.Data, nil)
		p.registry.AgeInvitations(time.Hour)
		p.wantReminders(s, 0, 1)
	})
	t.Run("Unanswered", func(t *testing.T) {
		t.Parallel()
		p := newPost(t)
		s := p.invited(invitation.DefaultTTL - day + time.Minute)
		p.server.At(mailtest.Dot, mailtest.Cut)
		p.wantFailedPass(s, "did not confirm the mail")
		p.server.At(mailtest.Dot, nil)
		p.registry.AgeInvitations(time.Hour)
		p.wantReminders(s, 0, 2) // It may have arrived.
	})
	t.Run("Killed", func(t *testing.T) {
		t.Parallel()
		p := newPost(t)
		s := p.invited(invitation.DefaultTTL - day + time.Minute)
		due, err := p.db.ClaimDueReminders(t.Context(), day, 15*time.Minute, 1)
		if err != nil || len(due) != 1 {
			t.Fatalf("%d reminders, %v", len(due), err)
		}
		p.wantReminders(s, 0, 1)
		p.registry.AgeInvitations(15 * time.Minute)
		p.wantReminders(s, 1, 2)
	})
	for name, change := range map[string]func(p *post, s *sender){
		"ArchivedMeanwhile": func(p *post, s *sender) { _, err := s.Archive(p.t.Context(), p.only().ID); p.must(err) },
		"PasswordSetMeanwhile": func(p *post, s *sender) {
			in := p.only().Inputs()
			in.AdminPassword = "correct horse battery staple"
			_, err := s.Update(p.t.Context(), p.only().ID, in, 0)
			p.must(err)
		},
		"ClaimedMeanwhile": func(p *post, _ *sender) {
			p.registry.AgeInvitations(15 * time.Minute)
			if due, err := p.db.ClaimDueReminders(p.t.Context(), day, 15*time.Minute, 1); err != nil || len(due) != 1 || due[0].Try != 2 {
				p.t.Errorf("%+v, %v", due, err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPost(t)
			// A password is hashed meanwhile, which takes seconds under the race detector.
			longWait := func(o *provisioning.PipelineOptions) { o.MailDotWait = time.Minute }
			s := p.invited(invitation.DefaultTTL-day+time.Minute, longWait)
			release := make(chan struct{})
			p.server.At(mailtest.Data, p.server.Hang(release))
			done := make(chan provisioning.Report)
			go func() {
				report, err := s.Pass(t.Context())
				if err != nil {
					t.Error(err)
				}
				done <- report
			}()
			p.server.Await(t, mailtest.Data, 2)
			change(p, s)
			close(release)
			if report := <-done; len(report.RemindersSent) != 0 || len(p.server.Copies()) != 1 {
				t.Errorf("%+v, the server got %q", report, p.server.Copies())
			}
		})
	}
	t.Run("AtOnce", func(t *testing.T) {
		t.Parallel()
		p := newPost(t)
		first := p.invited(invitation.DefaultTTL - day + time.Minute)
		var all sync.WaitGroup
		for _, s := range []*sender{first, p.sender(provisioning.MailFailureWarn), p.sender(provisioning.MailFailureWarn)} {
			all.Go(func() {
				if _, err := s.Pass(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		p.wantReminders(first, 0, 2)
	})
	for name, end := range map[string]func(p *post, s *sender){
		"Expired":  func(p *post, _ *sender) { p.registry.AgeInvitations(day) },
		"Archived": func(p *post, s *sender) { _, err := s.Archive(p.t.Context(), p.only().ID); p.must(err) },
		"ShortFromTheStart": func(p *post, s *sender) { // As with INVITATION_TTL=24h.
			p.must(p.invite(s))
			p.registry.AgeInvitations(invitation.DefaultTTL - day + time.Minute)
			p.registry.SentNow()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPost(t)
			s := p.invited(invitation.DefaultTTL - day + time.Minute)
			end(p, s)
			p.wantReminders(s, 0, len(p.server.Copies()))
		})
	}
}

// invite sends another invitation.
func (p *post) invite(s *sender) error {
	_, err := s.Invite(p.t.Context(), p.only().ID)
	return err
}

// wantFailedPass runs a pass that reports an error.
func (p *post) wantFailedPass(s *sender, says string) {
	p.t.Helper()
	report, err := s.Pass(p.t.Context())
	if err == nil || !strings.Contains(err.Error(), says) || len(report.RemindersSent) != 0 {
		p.t.Errorf("%v, %+v", err, report)
	}
}
