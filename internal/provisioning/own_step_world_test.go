package provisioning_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/webhook"
)

const stepSecret = "whsec_dGhlIHNlY3JldCBvZiB0aGUgdGVzdHMsIDMyIGJ5dGVz"

// stepEvent is a request of an own step, as its receiver reads it.
type stepEvent struct {
	ID      string `json:"id"`
	Type    string `json:"type"`
	Source  string `json:"source"`
	Subject string `json:"subject"`
	Data    struct {
		Step     string            `json:"step"`
		Attempt  int               `json:"attempt"`
		Tenant   map[string]any    `json:"tenant"`
		Outputs  map[string]string `json:"outputs"`
		Database *struct {
			Host, Name, SchemaName, Username, Password string
			Port                                       int
		} `json:"database"`
	} `json:"data"`
}

// directory is a program of the platform that own steps call. It has an entry for each step that was
// done and not undone, whatever it answers.
type directory struct {
	t      *testing.T
	server *httptest.Server

	mu      sync.Mutex
	entries map[string]bool // By tenant and step.
	events  []stepEvent     // In the order in which they came.
	answer  func(e stepEvent) (status int, header, body string)
}

// newDirectory starts a directory that does what it is asked, until answer says something else.
func newDirectory(t *testing.T) *directory {
	t.Helper()
	d := &directory{t: t, entries: map[string]bool{}}
	d.server = httptest.NewTLSServer(d)
	t.Cleanup(d.server.Close)
	return d
}

func (d *directory) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		d.t.Error(err)
	}
	verifier, err := standardwebhooks.NewWebhook(stepSecret)
	if err != nil {
		d.t.Error(err)
	}
	var e stepEvent
	if err := verifier.Verify(body, r.Header); err != nil {
		d.t.Errorf("signature: %v", err)
	} else if err := json.Unmarshal(body, &e); err != nil || e.ID != r.Header.Get("Webhook-Id") {
		d.t.Errorf("event %s, webhook-id %s: %v", body, r.Header.Get("Webhook-Id"), err)
	}
	d.mu.Lock()
	d.events = append(d.events, e)
	if key := e.Subject + " " + e.Data.Step; e.Type == webhook.TypeStepUndo {
		delete(d.entries, key)
	} else {
		d.entries[key] = true
	}
	answer := d.answer
	d.mu.Unlock()
	status, header, text := 200, "", ""
	if answer != nil {
		status, header, text = answer(e)
	}
	if name, value, ok := strings.Cut(header, ": "); ok {
		w.Header().Set(name, value)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

// log lists the requests that came: the steps' names, with ! for an undo.
func (d *directory) log() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []string
	for _, e := range d.events {
		name := e.Data.Step
		if e.Type == webhook.TypeStepUndo {
			name = "!" + name
		}
		all = append(all, name)
	}
	return strings.Join(all, " ")
}

func (d *directory) setAnswer(answer func(e stepEvent) (status int, header, body string)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answer = answer
}

// refuseAfter answers 409 to the step AFTER, and 200 to all else.
func (d *directory) refuseAfter() {
	d.setAnswer(func(e stepEvent) (int, string, string) {
		if e.Data.Step == "AFTER" {
			return 409, "", ""
		}
		return 200, "", ""
	})
}

func (d *directory) entryCount() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.entries)
}

// sender is a client that may reach the directory.
func (d *directory) sender() *webhook.Client {
	settings, err := config.ReadWebhook(func(variable string) string {
		return map[string]string{"BLUEPRINT_SECRET_DIRECTORY": stepSecret}[variable]
	})
	if err != nil {
		d.t.Fatal(err)
	}
	settings.Allow.Networks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	roots := x509.NewCertPool()
	roots.AddCert(d.server.Certificate())
	return webhook.New(webhook.Options{Webhook: settings, RootCAs: roots})
}

// publish publishes a blueprint with two own steps: BEFORE, which gets a login, comes after
// SEED_ROLES_AND_USER, and AFTER comes after STORE_CONTRACT_ADDRESS.
func (d *directory) publish(w *world) {
	d.t.Helper()
	postgrestest.PublishBlueprint(d.t, w.db, fstest.MapFS{"blueprint.yaml": {Data: fmt.Appendf(nil, `apiVersion: healthcare-platform/v1
kind: Blueprint
name: clinic
variables:
  region: {default: eu}
steps:
  - name: BEFORE
    after: SEED_ROLES_AND_USER
    database: tenant
    webhook: {url: "%[1]s/before", secret: BLUEPRINT_SECRET_DIRECTORY, timeout: 30s, deadline: 1h}
    undo: {url: "%[1]s/before/undo"}
  - name: AFTER
    after: STORE_CONTRACT_ADDRESS
    webhook: {url: "%[1]s/after", secret: BLUEPRINT_SECRET_DIRECTORY, timeout: 30s, deadline: 1h}
    undo: {url: "%[1]s/after/undo"}
`, d.server.URL)}, "migrations/0001_cards.sql": {Data: []byte("-- +goose Up\nCREATE TABLE cards (id int PRIMARY KEY);\n")}})
}

// withSteps are the inputs of a tenant with own steps.
func withSteps() tenant.Inputs {
	in := clinic()
	in.Blueprint = "clinic"
	return in
}

// stepProcess is a process whose own steps go to a directory. It can die at each call for them.
type stepProcess struct {
	*process
	sender provisioning.StepSender
	clock  clock.Clock // Nil: the system's.
}

func (w *world) stepProcess(d *directory) *stepProcess {
	return &stepProcess{w.process(), d.sender(), nil}
}

// dieAfter provisions a tenant by a process that dies after a call.
func (w *world) dieAfter(call string, d *directory, in tenant.Inputs) {
	w.t.Helper()
	p := w.stepProcess(d)
	p.after = func(made string, err error) error {
		if made == call {
			p.dead = true
			return errDead
		}
		return err
	}
	if _, err := p.service().Provision(w.t.Context(), in); err == nil {
		w.t.Fatal("the process did not die")
	}
}

// reconciler makes the passes of the process over all tenants.
func (p *stepProcess) reconciler() *provisioning.Reconciler {
	p.t.Helper()
	r, err := provisioning.NewReconciler(p.DB, p.service(), provisioning.ReconcilerOptions{})
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

func (p *stepProcess) service() *provisioning.Service {
	p.t.Helper()
	_, service := p.build()
	return service
}

func (p *stepProcess) build() (*provisioning.Pipeline, *provisioning.Service) {
	p.t.Helper()
	pipeline, err := provisioning.NewPipeline(p, p, p, provisioning.PipelineOptions{StepSender: p, Retry: quickRetry, Clock: p.clock})
	if err != nil {
		p.t.Fatal(err)
	}
	service, err := provisioning.NewService(p, pipeline)
	if err != nil {
		p.t.Fatal(err)
	}
	return pipeline, service
}

func (p *stepProcess) SendStep(ctx context.Context, r provisioning.StepRequest) (a provisioning.StepAnswer, err error) {
	err = p.call(func() (err error) { a, err = p.sender.SendStep(ctx, r); return err })
	return a, p.answer("SendStep", err)
}

func (p *stepProcess) StepPassword(s provisioning.OwnStep) (tenant.Password, error) {
	return p.sender.StepPassword(s)
}

func (p *stepProcess) BeginDelivery(ctx context.Context, r provisioning.Run, s provisioning.OwnStep) (d provisioning.Delivery, err error) {
	err = p.call(func() (err error) { d, err = p.DB.BeginDelivery(ctx, r, s); return err })
	return d, p.answer("BeginDelivery", err)
}

func (p *stepProcess) CompleteStep(ctx context.Context, r provisioning.Run, s provisioning.OwnStep, o tenant.Outputs, records ...tenant.StepRecord) (t tenant.Tenant, err error) {
	err = p.call(func() (err error) { t, err = p.DB.CompleteStep(ctx, r, s, o, records...); return err })
	return t, p.answer("CompleteStep", err)
}

func (p *stepProcess) OpenStepLogin(ctx context.Context, r provisioning.Run, s provisioning.OwnStep, password tenant.Password, ttl time.Duration) (c credentials.Credential, err error) {
	err = p.call(func() (err error) { c, err = p.DB.OpenStepLogin(ctx, r, s, password, ttl); return err })
	return c, p.answer("OpenStepLogin", err)
}

func (p *stepProcess) CloseStepLogins(ctx context.Context, id uuid.UUID) error {
	return p.answer("CloseStepLogins", p.call(func() error { return p.DB.CloseStepLogins(ctx, id) }))
}

func (p *stepProcess) BeginUndo(ctx context.Context, r provisioning.Run, s provisioning.OwnStep) (d provisioning.Delivery, err error) {
	err = p.call(func() (err error) { d, err = p.DB.BeginUndo(ctx, r, s); return err })
	return d, p.answer("BeginUndo", err)
}

func (p *stepProcess) EndUndo(ctx context.Context, r provisioning.Run, s provisioning.OwnStep, failure string) error {
	return p.answer("EndUndo", p.call(func() error { return p.DB.EndUndo(ctx, r, s, failure) }))
}
