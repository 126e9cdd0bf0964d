package provisioning_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/mail/mailtest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// failing is a process whose deployments fail for good.
func (p *post) failing() *sender {
	p.t.Helper()
	s := p.sender(provisioning.MailFailureWarn)
	s.process.deployErr = func(int) error { return errNoFunds }
	return s
}

// exhausted is a queue whose jobs have no tries left.
type exhausted struct{}

func (exhausted) OrphanedJobs(_ context.Context, jobs []int64, _ time.Duration) ([]int64, error) {
	return jobs, nil
}

func (exhausted) RescueJob(context.Context, pgx.Tx, int64, uuid.UUID, time.Duration) (int64, error) {
	return 0, nil
}

// failed makes a FAILED tenant whose process was killed before it sent the failure mail.
func (p *post) failed() {
	p.t.Helper()
	p.leftAt("RollBack", errNoFunds)
	if got := p.only(); got.Status != tenant.StatusFailed || p.registry.FailureMails() != 1 {
		p.t.Fatalf("the tenant is %s, %d failure mails are due", got.Status, p.registry.FailureMails())
	}
}

// wantFailureMails runs a pass and checks how many failure mails it sent, and how many copies of
// one the server has got by then.
func (p *post) wantFailureMails(s *sender, sent, copies int) {
	p.t.Helper()
	report := p.pass(s)
	if len(report.FailureMailsSent) != sent || report.Empty() != (sent == 0) {
		p.t.Errorf("%+v, want %d failure mails", report, sent)
	}
	p.wantFailureCopies(copies)
}

func (p *post) wantFailureCopies(copies int) {
	p.t.Helper()
	ids := p.server.Copies()
	for _, id := range ids {
		if !strings.Contains(id, ".failure-1@") {
			p.t.Errorf("the server got the mail %s", id)
		}
	}
	if len(ids) != copies {
		p.t.Errorf("the server got %q, want %d failure mails", ids, copies)
	}
}

// wantNoMore checks that no failure mail is due, whatever time passes.
func (p *post) wantNoMore(copies int) {
	p.t.Helper()
	p.registry.AgeFailureMails(48 * time.Hour)
	if n := p.registry.FailureMails(); n != 0 {
		p.t.Errorf("%d failure mails are still due", n)
	}
	p.wantFailureMails(p.sender(provisioning.MailFailureWarn), 0, copies)
}

// TestFailureMail_EachWay: each way in which a tenant becomes FAILED sends one failure mail.
func TestFailureMail_EachWay(t *testing.T) {
	t.Parallel()
	// Each of them gets another process than the one that was killed at BeginRollback, if any was.
	for name, way := range map[string]func(p *post, s *sender){
		"Worker": func(p *post, s *sender) {
			_, err := p.provision(s)
			p.wantFails(err)
		},
		"WorkerWithoutMoreTries": func(p *post, s *sender) {
			s.process.deployErr = func(int) error { return errs.Errorf(errs.KindTransient, "deploy", "no answer") }
			_, err := s.pipeline.Run(p.t.Context(), p.unclaimed().Tenant.ID, provisioning.RunOptions{})
			p.wantFails(err)
		},
		"Foreground": func(p *post, s *sender) { // Of Terraform, and of the API's /provision.
			_, err := s.Provision(p.t.Context(), clinic())
			p.wantFails(err)
		},
		"ForegroundRetry": func(p *post, s *sender) {
			_, err := s.Retry(p.t.Context(), p.unclaimed().Tenant.ID)
			p.wantFails(err)
		},
		"LostAnswer": func(p *post, s *sender) {
			s.process.after = losing("RollBack")
			_, err := p.provision(s)
			p.wantFails(err)
		},
		"ContinuedByWorker": func(p *post, s *sender) {
			id := p.leftAt("BeginRollback", errNoFunds)
			_, err := s.pipeline.Run(p.t.Context(), id, provisioning.RunOptions{Retryable: true})
			p.must(err)
		},
		"Interrupted": func(p *post, s *sender) {
			p.leftAt("BeginRollback", errNoFunds)
			if report := p.pass(s); len(report.RolledBack) != 1 {
				p.t.Errorf("%+v", report)
			}
		},
		"Abandoned": func(p *post, s *sender) {
			p.leftAt("PrepareSchema", nil)
			p.abandon()
			if report := p.pass(s); len(report.Failed) != 1 {
				p.t.Errorf("%+v", report)
			}
		},
		"Exhausted": func(p *post, s *sender) {
			p.leftAt("PrepareSchema", nil)
			p.registry.ReplaceJobs("7")
			p.db.Orphans.UseQueue(exhausted{})
			if report := p.pass(s); len(report.Failed) != 1 {
				p.t.Errorf("%+v", report)
			}
		},
		"WithoutUsers": func(p *post, s *sender) {
			_, err := p.db.Blueprints.Publish(p.t.Context(), fstest.MapFS{
				"blueprint.yaml":        {Data: []byte("apiVersion: healthcare-platform/v1\nkind: Blueprint\nname: lab\nextends: none\n")},
				"migrations/0001_x.sql": {Data: []byte("-- +goose Up\nCREATE TABLE x (id int);\n")},
			}, true)
			p.must(err)
			in := clinic()
			in.Blueprint = "lab"
			out, err := s.Provision(p.t.Context(), in)
			p.wantFails(err)
			if !out.Tenant.WithoutUsers {
				p.t.Errorf("%+v", out.Tenant)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPost(t)
			way(p, p.failing())
			if got := p.only(); got.Status != tenant.StatusFailed {
				t.Fatalf("the tenant is %s", got.Status)
			}
			p.server.Await(t, mailtest.Ended, 1) // A run in the background does not wait for it.
			p.wantFailureCopies(1)
			p.wantNoMore(1)
		})
	}
}

func (p *post) wantFails(err error) {
	p.t.Helper()
	if err == nil {
		p.t.Fatal("the run succeeded")
	}
}

// TestFailureMail_Later: a failure mail that its process did not send is sent by a worker.
func TestFailureMail_Later(t *testing.T) {
	t.Parallel()
	t.Run("Killed", func(t *testing.T) {
		t.Parallel()
		p := newPost(t)
		p.failed()
		s := p.sender(provisioning.MailFailureWarn)
		p.registry.AgeFailureMails(14 * time.Minute)
		p.wantFailureMails(s, 0, 0) // The process may still send it.
		p.registry.AgeFailureMails(time.Minute)
		p.wantFailureMails(s, 1, 1)
		p.wantNoMore(1)
	})
	t.Run("ServerAway", func(t *testing.T) {
		t.Parallel()
		p := newPost(t)
		p.server.At(mailtest.Greeting, mailtest.Cut)
		s := p.failing()
		_, err := s.Provision(t.Context(), clinic())
		p.wantFails(err)
		p.server.At(mailtest.Greeting, nil)
		p.wantFailureMails(s, 0, 0) // Not at once.
		p.registry.AgeFailureMails(time.Minute)
		p.wantFailureMails(s, 1, 1)
		p.wantNoMore(1)
	})
	t.Run("RefusedAfterDot", func(t *testing.T) {
		t.Parallel()
		p := newPost(t)
		p.server.At(mailtest.Dot, mailtest.Reply("451 later"))
		s := p.failing()
		_, err := s.Provision(t.Context(), clinic())
		p.wantFails(err)
		p.server.At(mailtest.Dot, nil)
		p.wantFailureMails(s, 0, 1)
		p.registry.AgeFailureMails(time.Minute)
		p.wantFailureMails(s, 1, 2)
		p.wantNoMore(2)
	})
	t.Run("Stopped", func(t *testing.T) {
		t.Parallel()
		p := newPost(t)
		p.server.At(mailtest.Data, p.server.Hang(nil))
		s := p.failing()
		_, err := p.provision(s)
		p.wantFails(err)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s.mailer.Close(ctx)
		p.server.At(mailtest.Data, nil)
		p.await("another process may send it", func() bool { return p.registry.FailureMails() == 1 && p.registry.FailureMailIn() == 0 })
		p.wantFailureMails(p.sender(provisioning.MailFailureWarn), 1, 1)
		p.wantNoMore(1)
	})
	t.Run("MailNotConfigured", func(t *testing.T) {
		t.Parallel()
		p := newPost(t)
		process := p.process()
		process.deployErr = func(int) error { return errNoFunds }
		process.failureErr = errs.Errorf(errs.KindInvalid, "send mail", "mail is not configured")
		_, err := process.service(provisioning.PipelineOptions{}).Provision(t.Context(), clinic())
		p.wantFails(err)
		p.registry.AgeFailureMails(time.Minute)
		p.wantFailureMails(p.sender(provisioning.MailFailureWarn), 1, 1)
	})
	t.Run("AtOnce", func(t *testing.T) {
		t.Parallel()
		p := newPost(t)
		p.failed()
		p.registry.AgeFailureMails(time.Hour)
		var all sync.WaitGroup
		for range 3 {
			s := p.sender(provisioning.MailFailureWarn)
			all.Go(func() {
				if _, err := s.Pass(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		p.wantNoMore(1)
	})
	t.Run("SlowProcessAfterItsClaim", func(t *testing.T) {
		t.Parallel()
		p, release := newPost(t), make(chan struct{})
		p.server.At(mailtest.Data, p.server.Hang(release))
		_, err := p.provision(p.failing())
		p.wantFails(err)
		p.server.Await(t, mailtest.Data, 1)
		p.server.At(mailtest.Data, nil)
		p.registry.AgeFailureMails(time.Hour)
		p.wantFailureMails(p.sender(provisioning.MailFailureWarn), 1, 1)
		close(release)
		p.server.Await(t, mailtest.Ended, 2)
		p.wantNoMore(1)
	})
}

// TestFailureMail_NotAgain: what the server refused for good, or may have, is not sent again.
func TestFailureMail_NotAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		at     mailtest.Point
		does   mailtest.Action
		copies int
	}{
		"RefusedForGood":         {mailtest.Data, mailtest.Reply("550 no such user"), 0},
		"RefusedForGoodAfterDot": {mailtest.Dot, mailtest.Reply("554 no"), 1},
		"CutAfterDot":            {mailtest.Dot, mailtest.Cut, 1},
	} {
		for _, by := range []string{"Run", "Worker"} {
			t.Run(name+"/"+by, func(t *testing.T) {
				t.Parallel()
				p := newPost(t)
				if by == "Run" {
					p.server.At(c.at, c.does)
					_, err := p.failing().Provision(t.Context(), clinic())
					p.wantFails(err)
				} else {
					p.failed()
					p.registry.AgeFailureMails(time.Hour)
					p.server.At(c.at, c.does)
					if report, err := p.sender(provisioning.MailFailureWarn).Pass(t.Context()); err == nil || !strings.Contains(err.Error(), "failure mail of tenant") || !report.Empty() {
						t.Errorf("%+v, %v", report, err)
					}
				}
				p.server.At(c.at, nil)
				p.wantNoMore(c.copies)
			})
		}
	}
	t.Run("HangsAfterDot", func(t *testing.T) {
		t.Parallel()
		p, release := newPost(t), make(chan struct{})
		p.server.At(mailtest.Dot, p.server.Hang(release))
		_, err := p.provision(p.failing())
		p.wantFails(err)
		p.server.Await(t, mailtest.Dot, 1)
		p.wantNoMore(1) // Also when the process is killed by now.
		close(release)
		p.server.Await(t, mailtest.Ended, 1)
		p.wantNoMore(1)
	})
	t.Run("AfterADay", func(t *testing.T) {
		t.Parallel()
		p := newPost(t)
		p.failed()
		p.server.At(mailtest.Data, mailtest.Reply("451 later"))
		s, tries, pauses := p.sender(provisioning.MailFailureWarn), 1, time.Duration(0) // The first was the killed process's.
		for p.registry.FailureMails() == 1 && tries < 100 {
			p.registry.AgeFailureMails(6 * time.Hour)
			if _, err := s.Pass(t.Context()); err == nil {
				t.Fatalf("try %d was not refused", tries)
			}
			tries++
			pauses += p.registry.FailureMailIn()
		}
		if tries != 12 || pauses > 24*time.Hour || pauses < 18*time.Hour {
			t.Errorf("%d tries, in %v", tries, pauses)
		}
		p.server.At(mailtest.Data, nil)
		p.wantNoMore(0)
	})
}

// TestFailureMail_Outdated: a tenant that was retried or aborted gets no mail about the attempt
// before.
func TestFailureMail_Outdated(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do   func(p *post, s *sender)
		want tenant.Status
	}{
		"Retried": {func(p *post, s *sender) {
			out, err := s.Retry(p.t.Context(), p.only().ID)
			if p.must(err); out.Tenant.Attempt != 2 {
				p.t.Errorf("%+v", out.Tenant)
			}
		}, tenant.StatusActive},
		"CreatedAgain": {func(p *post, s *sender) {
			_, err := s.Provision(p.t.Context(), clinic())
			p.must(err)
		}, tenant.StatusActive},
		"Archived": {func(p *post, s *sender) {
			_, err := s.Archive(p.t.Context(), p.only().ID)
			p.must(err)
		}, tenant.StatusArchived},
		"Aborted": {func(p *post, _ *sender) { // And its rollback is not finished yet.
			_, err := p.db.Abort(p.t.Context(), p.only().ID, provisioning.LeaseRequest{Owner: "test", TTL: time.Minute})
			p.must(err)
		}, tenant.StatusFailed},
	} {
		wantNone := func(p *post, welcomed bool) {
			p.t.Helper()
			p.registry.AgeFailureMails(48 * time.Hour)
			report := p.pass(p.sender(provisioning.MailFailureWarn))
			if n := p.registry.FailureMails(); n != 0 || !report.Empty() || p.only().Status != c.want {
				p.t.Errorf("%d failure mails, %+v, the tenant is %s", n, report, p.only().Status)
			}
			ids := p.server.Copies()
			if (len(ids) == 1) != welcomed || len(ids) > 1 || strings.Contains(strings.Join(ids, ""), "failure") {
				p.t.Errorf("the server got %q", ids)
			}
		}
		t.Run(name+"/Before", func(t *testing.T) {
			t.Parallel()
			p := newPost(t)
			p.failed()
			c.do(p, p.sender(provisioning.MailFailureWarn))
			wantNone(p, c.want == tenant.StatusActive)
		})
		// The conversation about the mail has begun.
		t.Run(name+"/BehindRun", func(t *testing.T) {
			t.Parallel()
			p, release := newPost(t), make(chan struct{})
			p.server.At(mailtest.Data, p.server.Hang(release))
			_, err := p.provision(p.failing())
			p.wantFails(err)
			p.server.Await(t, mailtest.Data, 1)
			p.server.At(mailtest.Data, nil)
			c.do(p, p.sender(provisioning.MailFailureWarn))
			close(release)
			p.server.Await(t, mailtest.Ended, 1+len(p.server.Copies()))
			wantNone(p, c.want == tenant.StatusActive)
		})
		t.Run(name+"/WhileWorkerSends", func(t *testing.T) {
			t.Parallel()
			p, release := newPost(t), make(chan struct{})
			p.failed()
			p.registry.AgeFailureMails(time.Hour)
			p.server.At(mailtest.Data, p.server.Hang(release))
			done := make(chan struct{})
			go func() {
				defer close(done)
				if report := p.pass(p.sender(provisioning.MailFailureWarn, func(o *provisioning.PipelineOptions) { o.MailDotWait = time.Minute })); !report.Empty() {
					t.Errorf("%+v", report)
				}
			}()
			p.server.Await(t, mailtest.Data, 1)
			p.server.At(mailtest.Data, nil)
			c.do(p, p.sender(provisioning.MailFailureWarn))
			close(release)
			<-done
			wantNone(p, c.want == tenant.StatusActive)
		})
	}
}

// TestFailureMail_Foreground: a caller in the foreground waits for the mail, at most MailWait.
func TestFailureMail_Foreground(t *testing.T) {
	t.Parallel()
	p, release := newPost(t), make(chan struct{})
	p.server.At(mailtest.Greeting, p.server.Hang(release))
	s := p.failing()
	began := time.Now()
	_, err := s.Provision(t.Context(), clinic())
	p.wantFails(err)
	if took := time.Since(began); took < brief || took > time.Minute {
		t.Errorf("the run took %v", took)
	}
	p.wantFailureCopies(0)
	close(release)
	p.server.Await(t, mailtest.Ended, 1)
	p.wantNoMore(1)
}
