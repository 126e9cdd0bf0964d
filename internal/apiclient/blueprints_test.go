package apiclient_test

import (
	"context"
	"errors"
	"io/fs"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/apiclient"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// blueprintService has the operations on blueprints; both sides implement it.
type blueprintService interface {
	Validate(ctx context.Context, files fs.FS) (blueprint.Revision, error)
	Publish(ctx context.Context, files fs.FS, activate bool) (blueprint.Revision, error)
	Activate(ctx context.Context, name string, revision int) error
	Retire(ctx context.Context, name string) error
	List(ctx context.Context) ([]blueprint.Status, error)
	Get(ctx context.Context, name string) (blueprint.Status, error)
}

func clinicBlueprint(migrations ...string) fstest.MapFS {
	files := fstest.MapFS{"blueprint.yaml": {Data: []byte("apiVersion: healthcare-platform/v1\nkind: Blueprint\nname: clinic\n")}}
	for i, text := range migrations {
		files["migrations/000"+string(rune('1'+i))+"_x.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + text + "\n")}
	}
	return files
}

const patients = "CREATE TABLE patients (id bigint PRIMARY KEY, phone text);"

// blueprintResult is all that the operations returned, without times and callers.
type blueprintResult struct {
	revisions []blueprint.Revision
	statuses  []blueprint.Status
	errors    []string
}

// TestBlueprints_Conformance: the registry and the client do the same and return the same, the
// text of errors included.
func TestBlueprints_Conformance(t *testing.T) {
	t.Parallel()
	results := map[string]blueprintResult{}
	for name, implementation := range map[string]func(w *testServer) blueprintService{
		"Registry": func(w *testServer) blueprintService { return w.db.Blueprints },
		"Client":   func(w *testServer) blueprintService { return w.client(w.server.URL).Blueprints() },
	} {
		results[name] = useBlueprints(t, implementation(newTestServer(t, 0)))
	}
	registry, client := results["Registry"], results["Client"]
	if len(registry.revisions) != 4 || len(registry.statuses) != 4 || len(registry.errors) != 8 || !reflect.DeepEqual(registry, client) {
		t.Errorf("the registry returned %+v\nthe client %+v", registry, client)
	}
}

// useBlueprints calls each operation, as far as possible twice and with what is refused.
func useBlueprints(t *testing.T, all blueprintService) (result blueprintResult) {
	t.Helper()
	ctx := t.Context()
	revision := func(r blueprint.Revision, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		r.PublishedAt, r.PublishedBy = time.Time{}, ""
		result.revisions = append(result.revisions, r)
	}
	refused := func(kind errs.Kind, err error) {
		t.Helper()
		wantKind(t, err, kind)
		result.errors = append(result.errors, errs.SafeMessage(err))
	}
	status := func() {
		t.Helper()
		listed, err := all.List(ctx)
		if err != nil || len(listed) != 1 {
			t.Fatalf("%v, %v", listed, err)
		}
		got, err := all.Get(ctx, "clinic")
		if err != nil || got.RetiredAt.IsZero() != listed[0].RetiredAt.IsZero() {
			t.Fatalf("%v, %v", got, err)
		}
		got.RetiredAt = time.Time{}
		for i := range got.Revisions {
			if got.Revisions[i].PublishedAt.IsZero() || got.Revisions[i].PublishedBy == "" {
				t.Errorf("%+v", got.Revisions[i])
			}
			got.Revisions[i].PublishedAt, got.Revisions[i].PublishedBy = time.Time{}, ""
		}
		result.statuses = append(result.statuses, got)
	}
	first, second := clinicBlueprint(patients), clinicBlueprint(patients, "ALTER TABLE patients DROP COLUMN phone;")
	revision(all.Validate(ctx, first))
	revision(all.Publish(ctx, first, false))
	status()
	revision(all.Publish(ctx, first, true))
	revision(all.Publish(ctx, second, true))
	status()
	for _, err := range []error{all.Activate(ctx, "clinic", 1), all.Retire(ctx, "clinic"), all.Retire(ctx, "clinic")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	status()
	if err := all.Activate(ctx, "clinic", 2); err != nil {
		t.Fatal(err)
	}
	status()

	broken := clinicBlueprint(patients, "SELECT nothing(;")
	broken["blueprint.yaml"] = &fstest.MapFile{Data: []byte("apiVersion: healthcare-platform/v1\nkind: Blueprint\nname: clinic\nrolls: []\n")}
	_, err := all.Validate(ctx, broken)
	refused(errs.KindInvalid, err)
	var problems blueprint.Problems
	if !errors.As(err, &problems) || len(problems) != 2 || problems[0].File != "blueprint.yaml" || problems[0].Line != 4 || problems[1].Line != 2 {
		t.Errorf("%+v", problems)
	}
	_, err = all.Publish(ctx, clinicBlueprint("CREATE TABLE visits (id bigint);"), true)
	refused(errs.KindInvalid, err)
	if !strings.Contains(err.Error(), "migrations/0001_x.sql: differs from the published file") {
		t.Errorf("%v", err)
	}
	_, err = all.Get(ctx, "hospital")
	refused(errs.KindNotFound, err)
	_, err = all.Get(ctx, "../tenants")
	refused(errs.KindNotFound, err)
	refused(errs.KindNotFound, all.Retire(ctx, "hospital"))
	refused(errs.KindNotFound, all.Retire(ctx, "standard"))
	refused(errs.KindNotFound, all.Activate(ctx, "hospital", 1))
	refused(errs.KindNotFound, all.Activate(ctx, "clinic", 7))
	return result
}

// TestBlueprints_ServerWithoutWorker: what cannot be done there is an error that says where.
func TestBlueprints_ServerWithoutWorker(t *testing.T) {
	t.Parallel()
	w := newTestServer(t, 0)
	_, err := w.client(w.queueing.URL).Blueprints().Publish(t.Context(), clinicBlueprint(patients), true)
	wantKind(t, err, errs.KindNoWorker)
	if !strings.Contains(errs.SafeMessage(err), "send the request to a server with a worker") {
		t.Errorf("%v", err)
	}
}

// TestBlueprints_Waits: while the server tries another blueprint, the client waits for it.
func TestBlueprints_Waits(t *testing.T) {
	t.Parallel()
	w := newTestServer(t, 0)
	c := w.client(w.server.URL).Blueprints()
	var failed []error
	ended := make(chan error)
	const clients = 3
	for range clients {
		go func() {
			_, err := c.Validate(t.Context(), clinicBlueprint(patients))
			ended <- err
		}()
	}
	for range clients {
		if err := <-ended; err != nil {
			failed = append(failed, err)
		}
	}
	if failed != nil {
		t.Error(failed)
	}
}

var _ blueprintService = (*apiclient.Blueprints)(nil)
