package api_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// clinicBlueprint are the files of a blueprint. Each migration is a number and the file's text.
func clinicBlueprint(migrations ...string) fstest.MapFS {
	files := fstest.MapFS{"blueprint.yaml": {Data: []byte("apiVersion: healthcare-platform/v1\nkind: Blueprint\nname: clinic\n")}}
	for i, text := range migrations {
		files["migrations/000"+string(rune('1'+i))+"_x.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + text + "\n")}
	}
	return files
}

// tarOf is a blueprint as the body of a request.
func tarOf(t *testing.T, files fs.FS) string {
	t.Helper()
	var text bytes.Buffer
	if err := blueprint.WriteTar(files, &text); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

const patients = "CREATE TABLE patients (id bigint PRIMARY KEY, phone text);"

// asTar are the headers of a body that is a tar.
var asTar = []string{"Content-Type", "application/x-tar"}

func TestServer_Blueprints(t *testing.T) {
	b := setup(t)
	const path = "/admin/blueprints"
	one, two := tarOf(t, clinicBlueprint(patients)), tarOf(t, clinicBlueprint(patients, "ALTER TABLE patients DROP COLUMN phone;"))

	tried := b.do(http.MethodPost, path+"/validate", one, asTar...).want(http.StatusOK)
	if tried.json["revision"] != nil || tried.json["schemaVersion"] != 1.0 || tried.json["publishedBy"] != nil {
		t.Errorf("%s", tried.text)
	}
	b.do(http.MethodGet, path+"/clinic", nil).want(http.StatusNotFound)
	created := b.do(http.MethodPost, path, one, asTar...).want(http.StatusCreated)
	if created.json["revision"] != 1.0 || created.json["active"] != false || created.header.Get("Location") != path+"/clinic" || !strings.HasPrefix(created.str("publishedBy"), "apikey admin") {
		t.Errorf("%s, %v", created.text, created.header)
	}
	if shown := b.do(http.MethodGet, path+"/clinic", nil).want(http.StatusOK); shown.json["activeRevision"] != nil || shown.json["schemaVersion"] != nil {
		t.Errorf("%s", shown.text)
	}
	if again := b.do(http.MethodPost, path+"?activate=true", one, asTar...).want(http.StatusOK); again.json["revision"] != 1.0 || again.json["active"] != true {
		t.Errorf("%s", again.text)
	}
	in := clinic()
	in["blueprint"] = "clinic"
	if made := b.createActive(in); made["blueprint"] != "clinic" || made["schemaVersion"] != 1.0 {
		t.Errorf("%v", made)
	}

	var compressed bytes.Buffer
	w := gzip.NewWriter(&compressed)
	_, _ = w.Write([]byte(two)) // A buffer takes everything.
	_ = w.Close()
	next := b.do(http.MethodPost, path+"?activate=true", compressed.String(), "Content-Type", "application/gzip").want(http.StatusCreated)
	migrations := as[[]any](next.json["migrations"])
	if next.json["revision"] != 2.0 || len(migrations) != 2 || !strings.Contains(next.text, `"deletesData":["column patients.phone"]`) {
		t.Errorf("%s", next.text)
	}
	if list := b.do(http.MethodGet, path, nil).want(http.StatusOK); !strings.Contains(list.text, `"activeRevision":2`) || !strings.Contains(list.text, `"tenantsBehind":1`) || strings.Contains(list.text, `"revisions"`) {
		t.Errorf("%s", list.text)
	}
	back := b.do(http.MethodPost, path+"/clinic/activate", map[string]any{"revision": 1}).want(http.StatusOK)
	if back.json["activeRevision"] != 1.0 || len(as[[]any](back.json["revisions"])) != 2 {
		t.Errorf("%s", back.text)
	}
	for range 2 {
		if retired := b.do(http.MethodDelete, path+"/clinic", nil).want(http.StatusOK); retired.json["retiredAt"] == nil {
			t.Errorf("%s", retired.text)
		}
	}
	in["name"] = "Another"
	b.do(http.MethodPost, "/admin/tenants", in).wantFieldErrors("blueprint")
	if back := b.do(http.MethodPost, path+"/clinic/activate", map[string]any{"revision": 2}).want(http.StatusOK); back.json["retiredAt"] != nil {
		t.Errorf("%s", back.text)
	}
	b.do(http.MethodPost, "/admin/tenants", in).want(http.StatusAccepted)
}

func TestServer_Blueprints_Refuses(t *testing.T) {
	b := setup(t)
	const path = "/admin/blueprints"
	send := func(body string, status int, texts ...string) {
		t.Helper()
		for _, target := range []string{path, path + "/validate"} {
			got := b.do(http.MethodPost, target, body, asTar...).want(status)
			for _, text := range texts {
				if !strings.Contains(got.str("detail"), text) {
					t.Errorf("%q is missing in %s", text, got.text)
				}
			}
		}
	}
	broken := clinicBlueprint(patients, "SELECT nothing(;", "SET ROLE postgres;")
	broken["blueprint.yaml"] = &fstest.MapFile{Data: []byte("apiVersion: healthcare-platform/v1\nkind: Blueprint\nname: clinic\nrolls: []\n")}
	send(tarOf(t, broken), http.StatusBadRequest, "blueprint.yaml:4: ", "migrations/0002_x.sql:2: ", "migrations/0003_x.sql:2: ")
	b.do(http.MethodPost, path, tarOf(t, broken), asTar...).wantFieldErrors("blueprint.yaml:4", "migrations/0002_x.sql:2", "migrations/0003_x.sql:2")
	send(tarOf(t, clinicBlueprint("CREATE TABLE visits (id bigint REFERENCES nowhere);")), http.StatusBadRequest, "migrations/0001_x.sql:2: ", "nowhere")
	send("no tar", http.StatusBadRequest, "the file is no complete tar")
	send("", http.StatusBadRequest, "body is missing; it has to be a tar of the blueprint's folder")
	send(strings.Repeat("x", blueprint.MaxBytes+1), http.StatusRequestEntityTooLarge, "larger than this server takes")

	b.do(http.MethodPost, path, map[string]any{}).want(http.StatusUnsupportedMediaType)
	b.do(http.MethodPost, path+"?activate=yes", tarOf(t, clinicBlueprint(patients)), asTar...).wantFieldErrors("activate")
	if n := len(as[[]any](b.do(http.MethodGet, path, nil).json["blueprints"])); n != 0 {
		t.Errorf("%d blueprints", n)
	}

	b.do(http.MethodPost, path+"?activate=true", tarOf(t, clinicBlueprint(patients)), asTar...).want(http.StatusCreated)
	changed := tarOf(t, clinicBlueprint(patients+"\nCREATE TABLE visits (id bigint);"))
	send(changed, http.StatusBadRequest, "migrations/0001_x.sql: differs from the published file")
	send(tarOf(t, clinicBlueprint(patients, "CREATE INDEX ON patients (phone);")), http.StatusBadRequest, "migrations/0002_x.sql: ", "-- +blueprint allow: scans")
	for _, call := range []string{"GET ", "DELETE ", "POST /activate "} {
		method, suffix, _ := strings.Cut(strings.TrimSpace(call), " ")
		for _, name := range []string{"hospital", "No%20Name", "%00", strings.Repeat("a", 64), "standard"} {
			var body any
			if method == http.MethodPost {
				body = map[string]any{"revision": 1}
			}
			b.do(method, path+"/"+name+suffix, body).want(http.StatusNotFound)
		}
	}
	activate := path + "/clinic/activate"
	b.do(http.MethodPost, activate, map[string]any{"revision": 7}).want(http.StatusNotFound)
	for _, body := range []any{map[string]any{}, map[string]any{"revision": 0}, map[string]any{"revision": "1"}, map[string]any{"revision": 1.5}} {
		b.do(http.MethodPost, activate, body).wantFieldErrors("revision")
	}
	writer := b.createKey("writer", access.ScopeWrite)
	b.do(http.MethodPost, path, one(t), "Authorization", "Bearer "+writer, "Content-Type", "application/x-tar").want(http.StatusForbidden)
	publisher := b.createKey("publisher", access.ScopeBlueprints)
	b.do(http.MethodGet, path, nil, "Authorization", "Bearer "+publisher).want(http.StatusForbidden)
	b.do(http.MethodPost, path, one(t), "Authorization", "Bearer "+publisher, "Content-Type", "application/x-tar").want(http.StatusOK)
}

func one(t *testing.T) string { t.Helper(); return tarOf(t, clinicBlueprint(patients)) }

// heldTrial holds each trial until it is released or cancelled.
type heldTrial struct {
	api.Blueprints
	running chan struct{}
	release chan struct{}
}

func (h *heldTrial) Validate(ctx context.Context, files fs.FS) (blueprint.Revision, error) {
	h.running <- struct{}{}
	select {
	case <-h.release:
		return h.Blueprints.Validate(ctx, files)
	case <-ctx.Done():
		return blueprint.Revision{}, errs.Wrap(ctx.Err(), errs.KindCancelled, "try blueprint", "the trial was stopped")
	}
}

// TestServer_Blueprints_OneTrialAtATime: a second one is told when to come back; the end of the
// server ends a trial.
func TestServer_Blueprints_OneTrialAtATime(t *testing.T) {
	held := &heldTrial{running: make(chan struct{}), release: make(chan struct{})}
	b := setupWith(t, serverOptions{wrapBlueprints: func(all api.Blueprints) api.Blueprints { held.Blueprints = all; return held }})
	const path = "/admin/blueprints"
	begin := func() <-chan response {
		ended := make(chan response, 1)
		r := b.request(http.MethodPost, path+"/validate", one(t), asTar...)
		go func() { ended <- b.send(r) }()
		<-held.running
		return ended
	}
	first := begin()
	for _, target := range []string{path, path + "/validate"} {
		if got := b.do(http.MethodPost, target, one(t), asTar...).want(http.StatusTooManyRequests); got.header.Get("Retry-After") != "5" || !strings.Contains(got.str("detail"), "one at a time") {
			t.Errorf("%s, %v", got.text, got.header)
		}
	}
	b.do(http.MethodGet, path, nil).want(http.StatusOK)
	close(held.release)
	(<-first).want(http.StatusOK)
	b.do(http.MethodPost, path, one(t), asTar...).want(http.StatusCreated)

	held.release = make(chan struct{})
	second := begin()
	b.handler.Drain()
	(<-second).want(http.StatusServiceUnavailable)
}
