package telemetry_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/monitoring"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/telemetry"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

func newRuns() (*telemetry.Runs, *prometheus.Registry) {
	r := prometheus.NewRegistry()
	return telemetry.NewRuns(r, []string{monitoring.KindProvision, "purge"}), r
}

// value is that of the only series of a metric with these values of labels, given as in the text format.
func value(t *testing.T, r *prometheus.Registry, series string) float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+`="`+l.GetValue()+`"`)
			}
			name := f.GetName()
			if len(labels) > 0 {
				name += "{" + strings.Join(labels, ", ") + "}"
			}
			if name == series {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	t.Fatalf("there is no %s", series)
	return 0
}

func wantValues(t *testing.T, r *prometheus.Registry, want map[string]float64) {
	t.Helper()
	for series, n := range want {
		if got := value(t, r, series); got != n {
			t.Errorf("%s is %v, want %v", series, got, n)
		}
	}
}

func TestRuns(t *testing.T) {
	t.Parallel()
	m, r := newRuns()
	if n := testutil.CollectAndCount(r); n < 40 {
		t.Errorf("%d series at the start; a rate needs a value before the first event", n)
	}
	for _, e := range []provisioning.RunEnd{
		{Outcome: provisioning.RunActivated}, {Outcome: provisioning.RunActivated, TookOver: true}, {Outcome: provisioning.RunFailed},
		{Outcome: provisioning.RunAborted}, {Outcome: provisioning.RunRetried}, {Outcome: provisioning.RunSuperseded},
	} {
		m.ObserveRun(e)
	}
	for _, outcome := range []monitoring.JobOutcome{monitoring.JobCompleted, monitoring.JobRetried, monitoring.JobRetried, monitoring.JobFailed} {
		m.ObserveJob(monitoring.KindProvision, outcome)
		m.ObserveJob("purge", outcome)
	}
	m.ObserveMigration(nil)
	m.ObserveMigration(errors.New("locked"))
	wantValues(t, r, map[string]float64{
		`healthcare_runs_total{outcome="activated"}`: 2, `healthcare_runs_total{outcome="failed"}`: 1, `healthcare_runs_total{outcome="stopped"}`: 0,
		`healthcare_rollbacks_total{target="FAILED"}`: 1, `healthcare_rollbacks_total{target="ARCHIVED"}`: 1, `healthcare_leases_taken_over_total`: 1,
		`healthcare_jobs_total{kind="provision", outcome="retried"}`: 2, `healthcare_jobs_total{kind="purge", outcome="failed"}`: 1,
		`provisioning_jobs_total{status="success"}`: 1, `provisioning_jobs_total{status="failure"}`: 1,
		`healthcare_tenant_migrations_total{outcome="migrated"}`: 1, `healthcare_tenant_migrations_total{outcome="failed"}`: 1,
	})
}

// mailer returns errors one after the other: first that of the call, then that of the end.
type mailer struct{ sent, ended error }

func (m mailer) SendWelcome(_ context.Context, _ provisioning.WelcomeMail, wait provisioning.MailWait) error {
	if errors.Is(m.sent, provisioning.ErrMailUnderWay) {
		wait.Ended(m.ended)
	}
	return m.sent
}

func (m mailer) SendFailure(ctx context.Context, _ provisioning.FailureMail, wait provisioning.MailWait) error {
	return m.SendWelcome(ctx, provisioning.WelcomeMail{}, wait)
}

func TestRuns_Mailer(t *testing.T) {
	t.Parallel()
	m, r := newRuns()
	told := 0
	for _, c := range []mailer{
		{sent: nil}, {sent: errs.Errorf(errs.KindTransient, "send", "greylisted")}, {sent: errs.Errorf(errs.KindPermanent, "send", "no such mailbox")},
		{sent: errs.Errorf(errs.KindConflict, "send", "another one is sent")}, {sent: provisioning.ErrMailUnderWay, ended: nil},
		{sent: provisioning.ErrMailUnanswered, ended: provisioning.ErrMailUnconfirmed},
	} {
		err := m.Mailer(c).SendWelcome(t.Context(), provisioning.WelcomeMail{}, provisioning.MailWait{Ended: func(error) { told++ }})
		if !errors.Is(err, c.sent) {
			t.Errorf("%v, want %v", err, c.sent)
		}
	}
	if told != 2 {
		t.Errorf("the caller was told of %d ends", told)
	}
	_ = m.Mailer(mailer{}).SendWelcome(t.Context(), provisioning.WelcomeMail{Reminder: true}, provisioning.MailWait{})
	_ = m.Mailer(mailer{sent: provisioning.ErrMailUnderWay}).SendFailure(t.Context(), provisioning.FailureMail{}, provisioning.MailWait{})
	wantValues(t, r, map[string]float64{
		`healthcare_mails_total{kind="welcome", outcome="sent"}`: 2, `healthcare_mails_total{kind="welcome", outcome="deferred"}`: 1,
		`healthcare_mails_total{kind="welcome", outcome="refused"}`: 1, `healthcare_mails_total{kind="welcome", outcome="superseded"}`: 1,
		`healthcare_mails_total{kind="welcome", outcome="unconfirmed"}`: 1,
		`healthcare_mails_total{kind="reminder", outcome="sent"}`:       1, `healthcare_mails_total{kind="failure", outcome="sent"}`: 1,
	})
}

// sender answers each request of a step.
type sender struct {
	answer provisioning.StepAnswer
	err    error
}

func (s sender) SendStep(context.Context, provisioning.StepRequest) (provisioning.StepAnswer, error) {
	return s.answer, s.err
}
func (s sender) StepPassword(provisioning.OwnStep) (tenant.Password, error) { return "secret", nil }

func TestRuns_StepSender(t *testing.T) {
	t.Parallel()
	m, r := newRuns()
	for _, c := range []sender{
		{}, {answer: provisioning.StepAnswer{Pending: true, RetryAfter: time.Second}}, {err: errs.Errorf(errs.KindTransient, "send", "503")},
		{err: errs.Errorf(errs.KindPermanent, "send", "400")},
	} {
		counted := m.StepSender(c)
		if _, err := counted.SendStep(t.Context(), provisioning.StepRequest{}); !errors.Is(err, c.err) {
			t.Errorf("%v", err)
		}
		if password, err := counted.StepPassword(provisioning.OwnStep{}); password != "secret" || err != nil {
			t.Errorf("%v", err)
		}
	}
	_, _ = m.StepSender(sender{}).SendStep(t.Context(), provisioning.StepRequest{Undo: true})
	wantValues(t, r, map[string]float64{
		`healthcare_webhook_requests_total{outcome="completed", request="step"}`: 1, `healthcare_webhook_requests_total{outcome="accepted", request="step"}`: 1,
		`healthcare_webhook_requests_total{outcome="retried", request="step"}`: 1, `healthcare_webhook_requests_total{outcome="failed", request="step"}`: 1,
		`healthcare_webhook_requests_total{outcome="completed", request="undo"}`: 1,
		`healthcare_webhook_duration_seconds{request="step"}`:                    4, `healthcare_webhook_duration_seconds{request="undo"}`: 1,
	})
}

func TestRegisterParts(t *testing.T) {
	t.Parallel()
	r := prometheus.NewRegistry()
	telemetry.RegisterParts(r, func() []monitoring.Check {
		return []monitoring.Check{{Name: "rpc", Status: monitoring.CheckOK, Took: time.Second}, {Name: "mail", Status: monitoring.CheckDegraded}}
	})
	telemetry.RegisterBuildInfo(r, "1.2.3")
	wantValues(t, r, map[string]float64{`healthcare_part_up{part="rpc"}`: 1, `healthcare_part_up{part="mail"}`: 0, `healthcare_part_check_duration_seconds{part="rpc"}`: 1})
	if n, err := testutil.GatherAndCount(r, "healthcare_build_info"); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}
