package telemetry

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/monitoring"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// Runs counts what this process does: runs, jobs, mails, requests of own steps, and migrations.
type Runs struct {
	runs, rollbacks, jobs, mails, requests, migrations, jobsOld *prometheus.CounterVec
	takenOver                                                   prometheus.Counter
	requestDurations                                            *prometheus.HistogramVec
}

// MailOutcome is what became of one conversation about a mail.
type MailOutcome string

// The outcomes of conversations.
const (
	MailSent        MailOutcome = "sent"
	MailDeferred    MailOutcome = "deferred"    // Not sent; it is tried again.
	MailRefused     MailOutcome = "refused"     // Refused for good.
	MailUnconfirmed MailOutcome = "unconfirmed" // The mail server has it, or may have it, and did not answer.
	MailSuperseded  MailOutcome = "superseded"  // Not to be sent any more, or by another process.
)

// RequestOutcome is the result of one request of an own step.
type RequestOutcome string

// The outcomes of requests.
const (
	RequestCompleted RequestOutcome = "completed"
	RequestAccepted  RequestOutcome = "accepted" // 202: to be asked again.
	RequestRetried   RequestOutcome = "retried"  // No answer, or one after which it is sent again.
	RequestFailed    RequestOutcome = "failed"   // It is not sent again.
)

// The values of labels, so that each series exists from the start.
var (
	mailOutcomes    = []MailOutcome{MailSent, MailDeferred, MailRefused, MailUnconfirmed, MailSuperseded}
	requestOutcomes = []RequestOutcome{RequestCompleted, RequestAccepted, RequestRetried, RequestFailed}
	requestKinds    = []string{"step", "undo"}
	migrationResult = []string{"migrated", "failed"}
)

// NewRuns creates the metrics and registers them:
//
//	healthcare_runs_total{outcome}
//	healthcare_rollbacks_total{target}               FAILED or ARCHIVED: what the tenant became
//	healthcare_leases_taken_over_total               of runs that ended without a release
//	healthcare_jobs_total{kind, outcome}             attempts of jobs
//	healthcare_mails_total{kind, outcome}
//	healthcare_webhook_requests_total{request, outcome}
//	healthcare_webhook_duration_seconds{request}
//	healthcare_tenant_migrations_total{outcome}      by this process, so without those of a command
//	provisioning_jobs_total{status}                  success or failure, as in the replaced system
//
// jobKinds are the kinds of jobs.
func NewRuns(r prometheus.Registerer, jobKinds []string) *Runs {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &Runs{
		runs:       counter("healthcare_runs_total", "Runs of tenants that ended, by outcome.", "outcome"),
		rollbacks:  counter("healthcare_rollbacks_total", "Attempts that were rolled back, by the tenant's status afterwards.", "target"),
		takenOver:  prometheus.NewCounter(prometheus.CounterOpts{Name: "healthcare_leases_taken_over_total", Help: "Runs that took over a tenant whose lease had expired without a release."}),
		jobs:       counter("healthcare_jobs_total", "Attempts of jobs that ended, by kind and outcome.", "kind", "outcome"),
		mails:      counter("healthcare_mails_total", "Conversations about mails, by kind and outcome.", "kind", "outcome"),
		requests:   counter("healthcare_webhook_requests_total", "Requests of blueprints' own steps and of their undo, by outcome.", "request", "outcome"),
		migrations: counter("healthcare_tenant_migrations_total", "Tenants that this process migrated, or could not migrate.", "outcome"),
		jobsOld:    counter("provisioning_jobs_total", "Provisioning jobs that ended: success or failure. Same as healthcare_jobs_total{kind=\"provision\"}.", "status"),
		requestDurations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "healthcare_webhook_duration_seconds", Help: "Duration of requests of blueprints' own steps and of their undo.", Buckets: []float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"request"}),
	}
	r.MustRegister(m.runs, m.rollbacks, m.takenOver, m.jobs, m.mails, m.requests, m.migrations, m.jobsOld, m.requestDurations)
	m.initialize(jobKinds)
	return m
}

// initialize makes each series with 0: a rate needs a value before the first event.
func (m *Runs) initialize(jobKinds []string) {
	for _, outcome := range provisioning.RunOutcomes() {
		m.runs.WithLabelValues(string(outcome))
	}
	for _, target := range []provisioning.Rollback{provisioning.RollbackToFailed, provisioning.RollbackToArchived} {
		m.rollbacks.WithLabelValues(string(target))
	}
	for _, kind := range jobKinds {
		for _, outcome := range monitoring.JobOutcomes() {
			m.jobs.WithLabelValues(kind, string(outcome))
		}
	}
	for _, status := range oldJobStatuses {
		m.jobsOld.WithLabelValues(status)
	}
	for _, kind := range monitoring.MailKinds() {
		for _, outcome := range mailOutcomes {
			m.mails.WithLabelValues(string(kind), string(outcome))
		}
	}
	for _, request := range requestKinds {
		for _, outcome := range requestOutcomes {
			m.requests.WithLabelValues(request, string(outcome))
		}
		m.requestDurations.WithLabelValues(request)
	}
	for _, outcome := range migrationResult {
		m.migrations.WithLabelValues(outcome)
	}
}

// ObserveRun is a provisioning.RunObserver.
func (m *Runs) ObserveRun(e provisioning.RunEnd) {
	m.runs.WithLabelValues(string(e.Outcome)).Inc()
	switch e.Outcome {
	case provisioning.RunFailed:
		m.rollbacks.WithLabelValues(string(provisioning.RollbackToFailed)).Inc()
	case provisioning.RunAborted:
		m.rollbacks.WithLabelValues(string(provisioning.RollbackToArchived)).Inc()
	case provisioning.RunActivated, provisioning.RunRetried, provisioning.RunPostponed, provisioning.RunStopped, provisioning.RunSuperseded, provisioning.RunInterrupted:
	}
	if e.TookOver {
		m.takenOver.Inc()
	}
}

// oldJobStatuses are the outcomes that the replaced system counted, in its words, which its alerts have.
var oldJobStatuses = map[monitoring.JobOutcome]string{monitoring.JobCompleted: "success", monitoring.JobFailed: "failure"}

// ObserveJob counts the end of an attempt of a job. kind is one of those of NewRuns.
func (m *Runs) ObserveJob(kind string, outcome monitoring.JobOutcome) {
	m.jobs.WithLabelValues(kind, string(outcome)).Inc()
	if status, ended := oldJobStatuses[outcome]; ended && kind == monitoring.KindProvision {
		m.jobsOld.WithLabelValues(status).Inc()
	}
}

// ObserveMigration counts the migration of one tenant.
func (m *Runs) ObserveMigration(err error) {
	result := "migrated"
	if err != nil {
		result = "failed"
	}
	m.migrations.WithLabelValues(result).Inc()
}

// Mailer returns a mailer that counts what becomes of the mails of next.
func (m *Runs) Mailer(next provisioning.Mailer) provisioning.Mailer {
	return countedMailer{next, m.mails}
}

type countedMailer struct {
	next  provisioning.Mailer
	mails *prometheus.CounterVec
}

// SendWelcome implements provisioning.Mailer.
func (c countedMailer) SendWelcome(ctx context.Context, w provisioning.WelcomeMail, wait provisioning.MailWait) error {
	kind := monitoring.MailWelcome
	if w.Reminder {
		kind = monitoring.MailReminder
	}
	return c.count(kind, wait, func(wait provisioning.MailWait) error { return c.next.SendWelcome(ctx, w, wait) })
}

// SendFailure implements provisioning.Mailer.
func (c countedMailer) SendFailure(ctx context.Context, f provisioning.FailureMail, wait provisioning.MailWait) error {
	return c.count(monitoring.MailFailure, wait, func(wait provisioning.MailWait) error { return c.next.SendFailure(ctx, f, wait) })
}

// count counts the outcome of a mail: that of send or, when its caller goes on, that of the end.
func (c countedMailer) count(kind monitoring.MailKind, wait provisioning.MailWait, send func(provisioning.MailWait) error) error {
	record := func(err error) { c.mails.WithLabelValues(string(kind), string(mailOutcomeOf(err))).Inc() }
	ended := wait.Ended
	wait.Ended = func(err error) {
		record(err)
		if ended != nil {
			ended(err)
		}
	}
	err := send(wait)
	if !errors.Is(err, provisioning.ErrMailUnderWay) {
		record(err)
	}
	return err
}

func mailOutcomeOf(err error) MailOutcome {
	switch kind := errs.KindOf(err); {
	case err == nil:
		return MailSent
	case errors.Is(err, provisioning.ErrMailUnconfirmed):
		return MailUnconfirmed
	case kind == errs.KindConflict, kind == errs.KindFenced:
		return MailSuperseded
	case kind == errs.KindTransient, kind == errs.KindCancelled:
		return MailDeferred
	}
	return MailRefused
}

// StepSender returns a sender that counts the requests of next.
func (m *Runs) StepSender(next provisioning.StepSender) provisioning.StepSender {
	return countedSender{next, m}
}

type countedSender struct {
	provisioning.StepSender
	m *Runs
}

// SendStep implements provisioning.StepSender.
func (c countedSender) SendStep(ctx context.Context, r provisioning.StepRequest) (provisioning.StepAnswer, error) {
	request := "step"
	if r.Undo {
		request = "undo"
	}
	started := time.Now()
	answer, err := c.StepSender.SendStep(ctx, r)
	outcome := RequestFailed
	switch kind := errs.KindOf(err); {
	case err == nil && answer.Pending:
		outcome = RequestAccepted
	case err == nil:
		outcome = RequestCompleted
	case kind == errs.KindTransient, kind == errs.KindCancelled:
		outcome = RequestRetried
	}
	c.m.requests.WithLabelValues(request, string(outcome)).Inc()
	c.m.requestDurations.WithLabelValues(request).Observe(time.Since(started).Seconds())
	return answer, err
}
