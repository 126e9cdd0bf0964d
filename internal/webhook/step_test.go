package webhook_test

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/webhook"
)

const (
	variable = "BLUEPRINT_SECRET_TEST"
	secret   = "whsec_dGhlIHNlY3JldCBvZiB0aGUgdGVzdHMsIDMyIGJ5dGVz"

	otherSecret = "whsec_YW5vdGhlciBzZWNyZXQgb2YgdGhlIHRlc3RzLCAzMiBi"
)

var loopback = config.Hosts{Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}

// newClient has the secret, and may reach what allow names.
func newClient(allow config.Hosts, roots ...*httptest.Server) *webhook.Client {
	o := webhook.Options{Webhook: config.Webhook{Allow: allow, Secret: func(name string) (config.Secret, error) {
		if name == "BLUEPRINT_SECRET_FILE_FAULT" {
			return "", &config.ValidationError{Variable: name + "_FILE", Message: "names a file that does not exist"}
		}
		return map[string]config.Secret{variable: secret, "BLUEPRINT_SECRET_SHORT": "whsec_c2hvcnQ=", "BLUEPRINT_SECRET_TEXT": "notbase64!", "BLUEPRINT_SECRET_TWO": otherSecret + " " + secret, "BLUEPRINT_SECRET_THREE": secret + " " + secret + " " + secret}[name], nil
	}}}
	for _, s := range roots {
		o.RootCAs = x509.NewCertPool()
		o.RootCAs.AddCert(s.Certificate())
	}
	return webhook.New(o)
}

func stepRequest(url string) provisioning.StepRequest {
	return provisioning.StepRequest{
		Step: provisioning.OwnStep{
			WebhookID: uuid.MustParse("01a21acc-6039-777b-87bc-0d52c931b538"), UndoID: uuid.MustParse("01a21acc-6039-777b-87bc-0d52c931b539"), Attempt: 2, CreatedAt: time.Unix(1800000000, 0),
			Definition: blueprint.Step{
				Name: "REGISTER", Webhook: blueprint.Endpoint{URL: url, Secret: variable, Timeout: 2 * time.Second},
				Undo: &blueprint.Endpoint{URL: url + "/undo", Secret: variable, Timeout: 2 * time.Second},
			},
		},
		Tenant: tenant.Tenant{ID: uuid.MustParse("01a21acc-6039-777b-87bc-0d52c931b53a"), Name: "Clinic \u00fc \"x\"", Blueprint: "clinic", SchemaName: "clinic_1"},
	}
}

// TestClient_SendStep_Answers: what each answer means for a step.
func TestClient_SendStep_Answers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status       int
		header, body string
		undo         bool
		kind         errs.Kind
		message      string
		want         provisioning.StepAnswer
	}{
		"Empty":           {status: 204},
		"Text":            {status: 200, header: "Content-Type: text/plain", body: "OK"},
		"Outputs":         {status: 201, body: `{"outputs": {"id": "7", "_x": ""}, "other": [1]}`, want: provisioning.StepAnswer{Outputs: tenant.Outputs{"id": "7", "_x": ""}}},
		"VendorJSON":      {status: 200, header: "Content-Type: application/vnd.x+json; charset=utf-8", body: `{"outputs": {"id": "7"}}`, want: provisioning.StepAnswer{Outputs: tenant.Outputs{"id": "7"}}},
		"Accepted":        {status: 202},
		"Pending":         {status: 202, header: "Retry-After: 7", want: provisioning.StepAnswer{Pending: true, RetryAfter: 7 * time.Second}},
		"PendingNow":      {status: 202, header: "Retry-After: 0", want: provisioning.StepAnswer{Pending: true, RetryAfter: time.Millisecond}},
		"PendingPast":     {status: 202, header: "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT", want: provisioning.StepAnswer{Pending: true, RetryAfter: time.Millisecond}},
		"PendingNonsense": {status: 202, header: "Retry-After: soon", want: provisioning.StepAnswer{Pending: true}},
		"PendingHuge":     {status: 202, header: "Retry-After: 99999999999", want: provisioning.StepAnswer{Pending: true, RetryAfter: (1<<31 - 1) * time.Second}},
		"PendingNegative": {status: 202, header: "Retry-After: -1", want: provisioning.StepAnswer{Pending: true}},
		"Busy":            {status: 503, header: "Retry-After: 9", kind: errs.KindTransient, message: "the answer was Service Unavailable (503)", want: provisioning.StepAnswer{RetryAfter: 9 * time.Second}},
		"TooMany":         {status: 429, kind: errs.KindTransient, message: "Too Many Requests (429)"},
		"TimedOut":        {status: 408, kind: errs.KindTransient, message: "Request Timeout (408)"},
		"Unknown5xx":      {status: 599, kind: errs.KindTransient, message: "the answer was (599)"},
		"Redirect":        {status: 302, header: "Location: https://127.0.0.1/other", kind: errs.KindPermanent, message: "the answer was Found (302), and redirects are not followed"},
		"BadRequest":      {status: 400, body: "secret things", kind: errs.KindPermanent, message: "the answer was Bad Request (400)"},
		"NotFound":        {status: 404, kind: errs.KindPermanent, message: "Not Found (404)"},
		"Garbage":         {status: 200, body: "{nonsense", kind: errs.KindPermanent, message: "its body is not a JSON object"},
		"List":            {status: 200, body: "[]", kind: errs.KindPermanent, message: "its body is not a JSON object"},
		"Number":          {status: 200, body: `{"outputs": {"n": 7}}`, kind: errs.KindPermanent, message: "the output n is not a string"},
		"Null":            {status: 200, body: `{"outputs": {"n": "a\u0000b"}}`, kind: errs.KindPermanent, message: "null character"},
		"Name":            {status: 200, body: `{"outputs": {"1 x": "7"}}`, kind: errs.KindPermanent, message: "an invalid name"},
		"ManyBytes":       {status: 200, body: `{"outputs": {"n": "` + strings.Repeat("x", tenant.MaxOutputBytes) + `"}}`, kind: errs.KindPermanent, message: "at most 16384 are kept"},
		"TenMB":           {status: 200, body: `{"outputs": {"n": "` + strings.Repeat("x", 10<<20) + `"}}`, kind: errs.KindPermanent, message: "its body has more than 65536 bytes"},
		"TenMBOfText":     {status: 500, header: "Content-Type: text/html", body: strings.Repeat("x", 10<<20), kind: errs.KindTransient, message: "(500)"},
		"Undone":          {status: 200, undo: true, body: `{"outputs": {"n": 7}}`},
		"UndoUnknown":     {status: 404, undo: true},
		"UndoGone":        {status: 410, undo: true},
		"UndoRefused":     {status: 403, undo: true, kind: errs.KindPermanent, message: "Forbidden (403)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				if name, value, ok := strings.Cut(c.header, ": "); ok {
					w.Header().Set(name, value)
				}
				if (r.URL.Path == "/undo") != c.undo {
					t.Errorf("path %s", r.URL.Path)
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			}))
			defer server.Close()
			r := stepRequest(server.URL)
			r.Undo = c.undo
			got, err := newClient(loopback, server).SendStep(t.Context(), r)
			if errs.KindOf(err) != c.kind || !strings.Contains(errs.SafeMessage(err), c.message) || strings.Contains(errs.SafeMessage(err), "secret") {
				t.Errorf("%v", err)
			}
			if got.Pending != c.want.Pending || got.RetryAfter != c.want.RetryAfter || len(got.Outputs) != len(c.want.Outputs) {
				t.Errorf("%+v, %d outputs", got, len(got.Outputs))
			}
			for name, value := range c.want.Outputs {
				if got.Outputs[name] != value {
					t.Errorf("output %s is %q", name, got.Outputs[name])
				}
			}
		})
	}
}

// TestClient_SendStep_Request: the request is signed by the secret and a CloudEvent, and the login
// is in the one of a step that has one.
func TestClient_SendStep_Request(t *testing.T) {
	t.Parallel()
	var (
		header http.Header
		body   []byte
	)
	server := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		header, body = r.Header, nil
		body, _ = io.ReadAll(r.Body)
	}))
	defer server.Close()
	client, r := newClient(loopback, server), stepRequest(server.URL)
	r.Login = &credentials.Credential{Username: "u", Password: "p", Host: "db", Port: 5432, Database: "d", SchemaName: "s", ExpiresAt: time.Unix(1800000060, 0)}
	if _, err := client.SendStep(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	verifier, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	if err := verifier.Verify(body, header); err != nil || header.Get("Content-Type") != "application/cloudevents+json" || header.Get("Webhook-Id") != r.Step.WebhookID.String() {
		t.Errorf("%v, %v", header, err)
	}
	if err := verifier.Verify(append(body, ' '), header); err == nil {
		t.Error("a changed body verifies")
	}
	var got, want any
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(`{"specversion": "1.0", "id": "01a21acc-6039-777b-87bc-0d52c931b538", "source": "/blueprints/clinic/steps/REGISTER", "type": "healthcare.tenant.step",
		"subject": "01a21acc-6039-777b-87bc-0d52c931b53a", "time": "2027-01-15T08:00:00Z", "datacontenttype": "application/json", "data": {"step": "REGISTER", "attempt": 2,
		"tenant": {"id": "01a21acc-6039-777b-87bc-0d52c931b53a", "name": "Clinic ü \"x\"", "schemaName": "clinic_1", "blueprint": "clinic", "revision": 0, "admin": {"email": "", "firstName": "", "lastName": ""}},
		"database": {"host": "db", "port": 5432, "name": "d", "schemaName": "s", "username": "u", "password": "p", "expiresAt": "2027-01-15T08:01:00Z"}}}`), &want); err != nil {
		t.Fatal(err)
	}
	if a, b := fmt.Sprint(got), fmt.Sprint(want); a != b {
		t.Errorf("got  %s\nwant %s", a, b)
	}
	r.Step.Definition.Webhook.Secret = "BLUEPRINT_SECRET_TWO" // While it is replaced, each receiver knows one.
	if _, err := client.SendStep(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	for _, known := range []string{secret, otherSecret} {
		if verifier, err := standardwebhooks.NewWebhook(known); err != nil || verifier.Verify(body, header) != nil {
			t.Errorf("a request with two signatures does not verify: %v", err)
		}
	}
	r.Step.Definition.Webhook.Secret = variable
	first := string(body)
	if _, err := client.SendStep(t.Context(), r); err != nil || string(body) != first {
		t.Errorf("a repeated request differs: %v", err)
	}
	r.Undo = true
	if _, err := client.SendStep(t.Context(), r); err != nil || header.Get("Webhook-Id") != r.Step.UndoID.String() || !strings.Contains(string(body), `"healthcare.tenant.step.undo"`) {
		t.Errorf("%v, %v", header, err)
	}
}

// TestClient_SendStep_NoAnswer: a server that does not answer holds nobody longer than the
// timeout, and what must not be reached is not.
func TestClient_SendStep_NoAnswer(t *testing.T) {
	t.Parallel()
	reached := make(chan string, 100)
	stop := make(chan struct{})
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached <- r.URL.Path
		switch r.URL.Path {
		case "/hang":
			<-stop
		case "/drip": // Headers, and then a body without an end.
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			<-stop
		case "/break":
			panic(http.ErrAbortHandler)
		case "/headers":
			for i := range 2000 {
				w.Header().Set("X-"+strconv.Itoa(i), strings.Repeat("x", 100))
			}
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(stop) })
	for name, c := range map[string]struct {
		path    string
		client  *webhook.Client
		change  func(e *blueprint.Endpoint)
		kind    errs.Kind
		message string
		reached bool
	}{
		"Hangs":     {path: "/hang", kind: errs.KindTransient, message: "there was no answer within 300ms", reached: true},
		"Drips":     {path: "/drip", kind: errs.KindTransient, message: "there was no answer within 300ms", reached: true},
		"Breaks":    {path: "/break", kind: errs.KindTransient, message: "broke off", reached: true},
		"Headers":   {path: "/headers", kind: errs.KindTransient, message: "broke off", reached: true},
		"Private":   {client: newClient(config.Hosts{}, server), kind: errs.KindPermanent, message: "the host has an address that is not public, so nothing was sent; if it is meant, name the host or its network in WEBHOOK_ALLOW"},
		"OtherHost": {client: newClient(config.Hosts{Names: []string{"directory.internal"}}, server), kind: errs.KindPermanent, message: "not public"},
		"Localhost": {client: newClient(config.Hosts{}, server), change: func(e *blueprint.Endpoint) { e.URL = strings.Replace(e.URL, "127.0.0.1", "localhost", 1) }, kind: errs.KindPermanent, message: "not public"},
		"Mapped":    {client: newClient(config.Hosts{}, server), change: func(e *blueprint.Endpoint) { e.URL = strings.Replace(e.URL, "127.0.0.1", "[::ffff:127.0.0.1]", 1) }, kind: errs.KindPermanent, message: "not public"},
		"Metadata":  {client: newClient(config.Hosts{}, server), change: func(e *blueprint.Endpoint) { e.URL = "http://169.254.169.254/" }, kind: errs.KindPermanent, message: "not public"},
		"Untrusted": {client: newClient(loopback), kind: errs.KindPermanent, message: "the certificate of the server is not trusted"},
		"Refused":   {change: func(e *blueprint.Endpoint) { e.URL = "http://127.0.0.1:1/" }, kind: errs.KindTransient, message: "the connection failed"},
		"Unset":     {change: func(e *blueprint.Endpoint) { e.Secret = "BLUEPRINT_SECRET_OTHER" }, kind: errs.KindPermanent, message: "BLUEPRINT_SECRET_OTHER is not set where this program runs"},
		"FileFault": {change: func(e *blueprint.Endpoint) { e.Secret = "BLUEPRINT_SECRET_FILE_FAULT" }, kind: errs.KindPermanent, message: "BLUEPRINT_SECRET_FILE_FAULT_FILE names a file that does not exist"},
		"Short":     {change: func(e *blueprint.Endpoint) { e.Secret = "BLUEPRINT_SECRET_SHORT" }, kind: errs.KindPermanent, message: "BLUEPRINT_SECRET_SHORT is no secret of Standard Webhooks"},
		"Three":     {change: func(e *blueprint.Endpoint) { e.Secret = "BLUEPRINT_SECRET_THREE" }, kind: errs.KindPermanent, message: "BLUEPRINT_SECRET_THREE has 3 secrets; give one"},
		"NoBase64":  {change: func(e *blueprint.Endpoint) { e.Secret = "BLUEPRINT_SECRET_TEXT" }, kind: errs.KindPermanent, message: "24 to 64 random bytes in base64"},
	} {
		t.Run(name, func(t *testing.T) {
			client := c.client
			if client == nil {
				client = newClient(loopback, server)
			}
			r := stepRequest(server.URL + c.path)
			r.Step.Definition.Webhook.Timeout = time.Minute
			if c.path == "/hang" || c.path == "/drip" {
				r.Step.Definition.Webhook.Timeout = 300 * time.Millisecond
			}
			if c.change != nil {
				c.change(&r.Step.Definition.Webhook)
			}
			_, err := client.SendStep(t.Context(), r)
			if errs.KindOf(err) != c.kind || !strings.Contains(errs.SafeMessage(err), c.message) || strings.Contains(errs.SafeMessage(err), "127.0.0.1") {
				t.Errorf("%v; safe: %s", err, errs.SafeMessage(err))
			}
			select {
			case path := <-reached:
				if !c.reached {
					t.Errorf("%s was reached", path)
				}
			default:
				if c.reached {
					t.Error("the server was not reached")
				}
			}
		})
	}
}

// TestClient_SendStep_NamedHost: a host that is named may have any address.
func TestClient_SendStep_NamedHost(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	r := stepRequest(strings.Replace(server.URL, "127.0.0.1", "LOCALHOST", 1))
	if _, err := newClient(config.Hosts{Names: []string{"localhost"}}).SendStep(t.Context(), r); err != nil {
		t.Error(err)
	}
}

// TestClient_NoProxy: a proxy of the environment would be sent what is for the receiver alone.
func TestClient_NoProxy(t *testing.T) { //nolint:paralleltest // It sets the environment.
	var requests atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	defer proxy.Close()
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("http_proxy", proxy.URL)
	if _, err := newClient(loopback).SendStep(t.Context(), stepRequest("http://directory.invalid/")); errs.KindOf(err) != errs.KindTransient || requests.Load() != 0 {
		t.Errorf("%d requests through the proxy: %v", requests.Load(), err)
	}
}

// TestClient_StepPassword: it depends on secret and delivery, and is the same each time.
func TestClient_StepPassword(t *testing.T) {
	t.Parallel()
	client, s := newClient(loopback), stepRequest("https://x.example").Step
	first, err := client.StepPassword(s)
	again, _ := client.StepPassword(s)
	s.WebhookID = uuid.New()
	other, _ := client.StepPassword(s)
	if err != nil || first.Reveal() != again.Reveal() || first.Reveal() == other.Reveal() || len(first.Reveal()) != 52 {
		t.Errorf("%d characters, %v", len(first.Reveal()), err)
	}
	s.Definition.Webhook.Secret = "BLUEPRINT_SECRET_OTHER"
	if _, err := client.StepPassword(s); errs.KindOf(err) != errs.KindPermanent {
		t.Error(err)
	}
}

// TestMissingSecrets: those that are not set are named once.
func TestMissingSecrets(t *testing.T) {
	t.Parallel()
	b := blueprint.Blueprint{Steps: []blueprint.Step{
		{Webhook: blueprint.Endpoint{Secret: "BLUEPRINT_SECRET_A"}, Undo: &blueprint.Endpoint{Secret: "BLUEPRINT_SECRET_B"}},
		{Webhook: blueprint.Endpoint{Secret: "BLUEPRINT_SECRET_B"}}, {Webhook: blueprint.Endpoint{Secret: "BLUEPRINT_SECRET_C"}},
	}}
	got := webhook.MissingSecrets(b, func(name string) (config.Secret, error) {
		return map[string]config.Secret{"BLUEPRINT_SECRET_A": "x"}[name], nil
	})
	if strings.Join(got, " ") != "BLUEPRINT_SECRET_B BLUEPRINT_SECRET_C" {
		t.Error(got)
	}
}
