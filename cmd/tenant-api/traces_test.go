package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

const (
	callersTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	callersSpan  = "00f067aa0ba902b7"
	traceparent  = "00-" + callersTrace + "-" + callersSpan + "-01"
)

// traced starts a collector to which all programs of the test export.
func (w *testEnv) traced() *testenv.TraceCollector {
	w.t.Helper()
	traces := testenv.Traces(w.t)
	w.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = traces.URL
	return traces
}

// receiver is a receiver of own steps that notes what it gets.
type receiver struct {
	mu     sync.Mutex
	header http.Header
	event  map[string]any
}

func (w *testEnv) newReceiver(status int) (*receiver, *directory) {
	w.t.Helper()
	r, d := &receiver{}, w.newDirectory()
	d.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, request *http.Request) {
		body, _ := io.ReadAll(request.Body) // What cannot be read is missed below.
		r.mu.Lock()
		defer r.mu.Unlock()
		r.header, r.event = request.Header.Clone(), nil
		_ = json.Unmarshal(body, &r.event)
		rw.WriteHeader(status)
	})
	w.publishSteps(d)
	return r, d
}

// TestTraces: the whole way of a tenant is one trace, that of the request that created it: HTTP, queue,
// steps, SQL, RPC, mail and webhook, through a server and a worker. Its id is in the log, in the log rows, in
// events and problems.
func TestTraces(t *testing.T) {
	w := setup(t)
	w.env["LOG_LEVEL"] = "debug"
	traces := w.traced()
	got, _ := w.newReceiver(http.StatusOK)
	server := w.start(w.createKey("tenants:write"), "serve", "--worker=false")
	worker := w.start("", "worker")
	body := clinic("Clinic")
	body["blueprint"] = "clinic"
	created := server.call(http.MethodPost, "/admin/tenants", body, "traceparent", traceparent).want(t, http.StatusAccepted)
	w.waitFor("the tenant", w.hasActive(1))
	path := "/admin/tenants/" + created.str("tenantId")

	t.Run("LogRows", func(t *testing.T) {
		var rows struct {
			Logs []struct{ Step, TraceID string }
		}
		text := server.call(http.MethodGet, path+"/provisioning-status", nil).want(t, http.StatusOK).text
		if err := json.Unmarshal([]byte(text), &rows); err != nil || len(rows.Logs) != len(tenant.Steps())+1 {
			t.Fatalf("%v: %s", err, text)
		}
		for _, row := range rows.Logs {
			if row.TraceID != callersTrace {
				t.Errorf("%s has the trace %q", row.Step, row.TraceID)
			}
		}
		w.mustRun("tenants", "show", "name:Clinic").want(t, 0, callersTrace)
	})
	t.Run("Problems", func(t *testing.T) {
		missing := server.call(http.MethodGet, "/admin/tenants/0199a1f0-5f0b-7c2e-9d35-3f6f1a1e7b11", nil, "traceparent", "00-11111111111111111111111111111111-2222222222222222-01").want(t, http.StatusNotFound)
		if missing.str("traceId") != strings.Repeat("1", 32) {
			t.Error(missing.text)
		}
		missing = server.call(http.MethodGet, "/admin/nowhere", nil).want(t, http.StatusNotFound)
		if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(missing.str("traceId")) {
			t.Error(missing.text)
		}
	})
	t.Run("Events", func(t *testing.T) {
		response := server.call(http.MethodGet, path+"/events", nil, "Last-Event-ID", "0").want(t, http.StatusOK)
		if n := strings.Count(response.text, `"traceId":"`+callersTrace+`"`); n < len(tenant.Steps()) {
			t.Errorf("%d events have the trace: %s", n, response.text)
		}
		got.mu.Lock()
		defer got.mu.Unlock()
		header, extension := got.header.Get("traceparent"), got.event["traceparent"]
		if of, _ := extension.(string); !strings.HasPrefix(header, "00-"+callersTrace+"-") || !strings.HasPrefix(of, "00-"+callersTrace+"-") || of == header {
			t.Errorf("the step got the header %q and the event %q", header, extension)
		}
	})
	for _, p := range []*process{server, worker} {
		if code := p.terminate(); code != 0 {
			t.Errorf("exit code %d", code)
		}
	}
	t.Run("Log", func(t *testing.T) {
		for text, log := range map[string]string{"msg=request ": server.log.String(), "tenant_id=" + created.str("tenantId"): worker.log.String()} {
			if !hasLine(log, text, "trace_id="+callersTrace) {
				t.Errorf("no line with %q has the trace:\n%s", text, log)
			}
		}
	})
	t.Run("Tree", func(t *testing.T) { checkTree(t, traces) })
	t.Run("NothingPersonal", func(t *testing.T) {
		all := fmt.Sprint(traces.Spans())
		for _, secret := range []string{"ada@", "Ada", "Lovelace", "Clinic", server.token, w.env["SOROBAN_CONTRACT_DEPLOYER_SECRET"], "whsec_", "$argon2id"} {
			if strings.Contains(all, secret) {
				t.Errorf("%.8q is in a span", secret)
			}
		}
	})
}

func hasLine(log string, texts ...string) bool {
	for line := range strings.Lines(log) {
		if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(line, text) }) {
			return true
		}
	}
	return false
}

// checkTree compares the tree with what it must have, in this order and depth.
func checkTree(t *testing.T, traces *testenv.TraceCollector) {
	t.Helper()
	tree := traces.Tree(callersTrace)
	rest := tree
	for _, line := range []string{
		"POST /admin/tenants", "  INSERT ", "  INSERT river_job", "  job provision_tenant", "    provision",
		"      CREATE_TENANT_RECORD", "      prepare schema", "        CREATE_SCHEMA", "        RUN_MIGRATIONS", "        SEED_ROLES_AND_USER",
		"      REGISTER", "        POST healthcare.tenant.step",
		"      DEPLOY_SOROBAN_CONTRACT", "        simulateTransaction", "        sendTransaction", "        getTransaction",
		"      STORE_CONTRACT_ADDRESS", "        UPDATE ",
		"      SEND_WELCOME_EMAIL", "        send welcome mail", "        UPDATE ",
	} {
		end := "\n"
		if strings.HasSuffix(line, " ") { // Of any table.
			end = ""
		}
		_, after, found := strings.Cut("\n"+rest, "\n"+line+end)
		if !found {
			t.Fatalf("no %q in the rest of the trace:\n%s\nAll of it:\n%s", line, rest, tree)
		}
		rest = after
	}
	if !strings.Contains(tree, "        batch of a tenant's schema\n") {
		t.Errorf("no batch:\n%s", tree)
	}
	for _, s := range traces.Spans() {
		switch {
		case s.TraceID != callersTrace:
		case s.Service != "tenant-api":
			t.Errorf("%s is of the service %q", s.Name, s.Service)
		case s.Name == "POST /admin/tenants" && s.Parent != callersSpan:
			t.Errorf("the request is below %q", s.Parent)
		case s.Ended < s.Began:
			t.Errorf("%s ended before it began", s.Name)
		case s.Failed != "":
			t.Errorf("%s failed: %s", s.Name, s.Failed)
		}
	}
}

// TestTraces_LaterRun: a run that a command starts goes on in the tenant's trace, with a link to that of the
// command. The command's own trace is that of the program around it.
func TestTraces_LaterRun(t *testing.T) {
	w := setup(t)
	traces := w.traced()
	w.env["OTEL_EXPORTER_OTLP_HEADERS"] = "api-key=s3cret"
	_, d := w.newReceiver(http.StatusForbidden)
	server := w.start(w.createKey("tenants:write"), "serve")
	body := clinic("Clinic")
	body["blueprint"] = "clinic"
	server.call(http.MethodPost, "/admin/tenants", body, "traceparent", traceparent).want(t, http.StatusAccepted)
	w.waitFor("the rollback", func() bool { return w.registry.Named("Clinic").Status == tenant.StatusFailed })
	d.Config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	server.terminate()
	const around = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	w.env["TRACEPARENT"] = "00-" + around + "-bbbbbbbbbbbbbbbb-01"
	w.mustRun("tenants", "retry", "name:Clinic", "--skip-undo", "REGISTER", "--reason", "tried by hand")
	var failed, later int
	for _, s := range traces.Spans() {
		if s.TraceID == callersTrace && s.Name == "REGISTER" && s.Failed != "" {
			failed++
		}
		if s.TraceID == callersTrace && s.Name == "provision" && slices.Contains(s.Links, around) {
			later++
		}
	}
	if tree := traces.Tree(around); failed != 1 || later != 1 || !strings.HasPrefix(tree, "tenant-api tenants retry\n") {
		t.Errorf("%d failed steps, %d later runs; the command:\n%s\nthe tenant:\n%s", failed, later, tree, traces.Tree(callersTrace))
	}
	if got := traces.Header("api-key"); got != "s3cret" {
		t.Errorf("the collector got the key %q", got)
	}
}

// rotateTracesKey replaces the key of the collector, in a file.
func rotateTracesKey(t *testing.T) {
	w := setup(t)
	traces := w.traced()
	write := w.secretFile("OTEL_EXPORTER_OTLP_HEADERS", "api-key=first")
	for _, key := range []string{"first", "second"} {
		write("api-key=" + key)
		w.mustRun("tenants", "list")
		if got := traces.Header("api-key"); got != key {
			t.Errorf("the collector got the key %q, want %q", got, key)
		}
	}
}

// TestTraces_CollectorAway: no work waits for a collector that does not answer, and a stop waits for it for a
// stated time at most.
func TestTraces_CollectorAway(t *testing.T) {
	w := setup(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0") // It accepts connections, and answers nothing.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	w.env["OTEL_EXPORTER_OTLP_ENDPOINT"], w.env["OTEL_EXPORTER_OTLP_TIMEOUT"] = "http://"+listener.Addr().String(), "1000"
	server := w.start(w.createKey("tenants:write"), "serve")
	server.call(http.MethodPost, "/admin/tenants", clinic("Clinic")).want(t, http.StatusAccepted)
	w.waitFor("the tenant", w.hasActive(1))
	w.waitFor("the warning", func() bool {
		return strings.Contains(server.log.String(), "traces are not exported; the work goes on without them")
	})
	if code := server.terminate(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if n := strings.Count(server.log.String(), "traces are not exported"); n > 2 {
		t.Errorf("%d warnings:\n%s", n, server.log.String())
	}
}

// TestTraces_WithoutCollector: there are ids of traces, except with OTEL_SDK_DISABLED.
func TestTraces_WithoutCollector(t *testing.T) {
	w := setup(t)
	server := w.start(w.createKey("tenants:write"), "serve")
	id := server.call(http.MethodPost, "/admin/tenants", clinic("Clinic")).want(t, http.StatusAccepted).str("tenantId")
	w.waitFor("the tenant", w.hasActive(1))
	if text := server.call(http.MethodGet, "/admin/tenants/"+id+"/provisioning-status", nil).text; !regexp.MustCompile(`"traceId":"[0-9a-f]{32}"`).MatchString(text) {
		t.Error(text)
	}
	w.env["OTEL_SDK_DISABLED"] = "true"
	server = w.start(server.token, "serve")
	id = server.call(http.MethodPost, "/admin/tenants", clinic("Hospice")).want(t, http.StatusAccepted).str("tenantId")
	w.waitFor("the tenant", w.hasActive(2))
	if text := server.call(http.MethodGet, "/admin/tenants/"+id+"/provisioning-status", nil).text; strings.Count(text, `"traceId":null`) != len(tenant.Steps()) {
		t.Error(text)
	}
}

// TestTraces_Settings: errors are reported with those of all other settings, before anything is done.
func TestTraces_Settings(t *testing.T) {
	w := setup(t)
	w.env["OTEL_EXPORTER_OTLP_ENDPOINT"], w.env["OTEL_TRACES_SAMPLER"], w.env["MAIL_PORT"] = "collector:4318", "most", "x"
	w.run("serve").want(t, 2, "OTEL_EXPORTER_OTLP_ENDPOINT is not a URL", `OTEL_TRACES_SAMPLER is "most"`, `MAIL_PORT is "x"`)
	w.run("version").want(t, 0, "tenant-api")
}

// TestTraces_Strangers: a caller without a key does not choose the trace, and sends no kilobytes.
func TestTraces_Strangers(t *testing.T) {
	w := setup(t)
	traces := w.traced()
	server := w.start("", "serve")
	server.call(http.MethodGet, "/admin/tenants", nil, "traceparent", traceparent).want(t, http.StatusUnauthorized)
	server.call(strings.Repeat("X", 10_000), "/admin/tenants", nil, "traceparent", traceparent).want(t, http.StatusMethodNotAllowed)
	server.call(http.MethodPost, "/invitations/inspect", map[string]any{"token": "x"}, "traceparent", traceparent)
	server.call(http.MethodGet, "/livez", nil, "traceparent", traceparent).want(t, http.StatusOK)
	server.terminate()
	for _, s := range traces.Spans() {
		if s.TraceID == callersTrace || s.Name == "GET /livez" || len(fmt.Sprint(s)) > 2000 {
			t.Errorf("%s of the trace %s", s.Name, s.TraceID)
		}
	}
	linked := slices.DeleteFunc(traces.Spans(), func(s testenv.Span) bool { return s.Links == nil || s.Links[0] != callersTrace })
	if len(linked) != 3 {
		t.Errorf("%d spans have a link to the stranger's trace: %v", len(linked), linked)
	}
}

// TestTraces_OneSide: a process without a collector does not keep others from recording. It sends no decision of
// its own, and hands on a caller's.
func TestTraces_OneSide(t *testing.T) {
	w := setup(t)
	got, d := w.newReceiver(http.StatusForbidden)
	server := w.start(w.createKey("tenants:write"), "serve")
	create := func(name string, headers ...string) {
		t.Helper()
		body := clinic(name)
		body["blueprint"] = "clinic"
		server.call(http.MethodPost, "/admin/tenants", body, headers...).want(t, http.StatusAccepted)
		w.waitFor("the rollback of "+name, func() bool { return w.registry.Named(name).Status == tenant.StatusFailed })
	}
	sent := func() (header string, attribute any) {
		got.mu.Lock()
		defer got.mu.Unlock()
		return got.header.Get("traceparent"), got.event["traceparent"]
	}
	create("Clinic")
	if header, attribute := sent(); header != "" || attribute != nil {
		t.Errorf("without traces the receiver got %q and %v", header, attribute)
	}
	create("Hospice", "traceparent", traceparent)
	if header, attribute := sent(); header != traceparent || attribute != traceparent {
		t.Errorf("the receiver got %q and %v in place of the caller's trace", header, attribute)
	}
	server.terminate()
	d.Config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	traces := w.traced()
	w.mustRun("tenants", "retry", "name:Clinic", "--skip-undo", "REGISTER", "--reason", "tried by hand")
	shown := regexp.MustCompile(`Trace +([0-9a-f]{32})`).FindStringSubmatch(w.mustRun("tenants", "show", "name:Clinic").out)
	if shown == nil {
		t.Fatal("the tenant has no trace")
	}
	if tree := traces.Tree(shown[1]); !strings.HasPrefix(tree, "provision\n") || !strings.Contains(tree, "  SEND_WELCOME_EMAIL\n") {
		t.Errorf("the run was not recorded in the tenant's trace:\n%s", tree)
	}
}

// TestTraces_FailuresHaveNoNames: neither what a mail server says nor whose name is taken is in a span.
func TestTraces_FailuresHaveNoNames(t *testing.T) {
	w := setup(t)
	traces := w.traced()
	w.mail.RejectRecipients(550, "5.1.1 Ada Lovelace is not in our directory", 100)
	server := w.start(w.createKey("tenants:write"), "serve")
	server.call(http.MethodPost, "/admin/tenants", clinic("Dr. Ada Lovelace")).want(t, http.StatusAccepted)
	w.waitFor("the tenant", w.hasActive(1))
	server.call(http.MethodPost, "/admin/tenants", clinic("Dr. Ada Lovelace")).want(t, http.StatusConflict)
	w.run("tenants", "create", "--name", "Dr. Ada Lovelace", "--admin-email", "ada@clinic.example", "--admin-first-name", "Ada", "--admin-last-name", "Lovelace").want(t, 1, "Ada Lovelace")
	w.run("tenants", "archive", "name:Nobody Lovelace").want(t, 1, "Nobody")
	server.terminate()
	failed := 0
	for _, s := range traces.Spans() {
		if text := fmt.Sprint(s); strings.Contains(text, "Lovelace") || strings.Contains(text, "lovelace") || strings.Contains(text, "directory") {
			t.Errorf("a name is in the span %s: %q", s.Name, s.Failed)
		}
		if s.Attributes["error.type"] != "" {
			failed++
		}
	}
	if failed < 3 {
		t.Errorf("%d failed spans", failed)
	}
}
