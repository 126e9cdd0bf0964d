package apiclient

import (
	"bytes"
	"compress/gzip"
	"context"
	"io/fs"
	"net/http"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Blueprints are the blueprints of a tenant-api. The methods return the same errors as those of
// the registry.
type Blueprints struct{ client *Client }

// Blueprints returns the blueprints of the server.
func (c *Client) Blueprints() *Blueprints { return &Blueprints{c} }

var blueprintsPath = []string{"admin", "blueprints"}

// Validate tries the files out and returns the revision that publishing them would make; its
// number is 0 unless equal content is published. KindInvalid, whose cause can be
// blueprint.Problems, for files that cannot be published.
func (b *Blueprints) Validate(ctx context.Context, files fs.FS) (blueprint.Revision, error) {
	return b.try(ctx, request{op: "try blueprint", path: append(blueprintsPath[:2:2], "validate")}, files)
}

// Publish does the same and stores the revision. Equal content is the same revision. With
// activate, new tenants get it from then on.
func (b *Blueprints) Publish(ctx context.Context, files fs.FS, activate bool) (blueprint.Revision, error) {
	r := request{op: "publish blueprint", path: blueprintsPath}
	if activate {
		r.query = map[string]string{"activate": "true"}
	}
	return b.try(ctx, r, files)
}

// try sends a request with the files as its body. It waits while the server tries another
// blueprint.
func (b *Blueprints) try(ctx context.Context, r request, files fs.FS) (blueprint.Revision, error) {
	var compressed bytes.Buffer
	w := gzip.NewWriter(&compressed)
	if err := blueprint.WriteTar(files, w); err != nil {
		return blueprint.Revision{}, err
	}
	if err := w.Close(); err != nil {
		return blueprint.Revision{}, errs.Wrap(err, errs.KindPermanent, r.op, "the tar cannot be written")
	}
	r.method, r.tar = http.MethodPost, compressed.Bytes()
	status, text, err := b.client.exchange(ctx, r)
	if err != nil {
		return blueprint.Revision{}, problemsOf(r.op, err)
	}
	var v dto.BlueprintRevision
	err = decode(r.op, text, &v)
	revision := v.Domain()
	revision.Created = status == http.StatusCreated
	return revision, err
}

// problemsOf restores the problems of a blueprint from the fields of a problem document.
func problemsOf(op string, err error) error {
	fields := errs.FieldsOf(err)
	if errs.KindOf(err) != errs.KindInvalid || len(fields) == 0 {
		return err
	}
	problems := make(blueprint.Problems, len(fields))
	for i, f := range fields {
		problems[i] = blueprint.ProblemAt(f.Field, f.Message)
	}
	return problems.AsError(op)
}

// Activate makes a revision the one that new tenants get; a retired blueprint is in use again.
// KindNotFound for one that is not published.
func (b *Blueprints) Activate(ctx context.Context, name string, revision int) error {
	const op = "activate blueprint"
	if err := checkName(op, name); err != nil {
		return err
	}
	return b.client.call(ctx, request{op: op, method: http.MethodPost, path: append(blueprintsPath[:2:2], name, "activate"), body: map[string]int{"revision": revision}}, nil)
}

// Retire ends that new tenants are made from a blueprint. Its tenants stay as they are.
// KindNotFound for a name that is not published.
func (b *Blueprints) Retire(ctx context.Context, name string) error {
	const op = "retire blueprint"
	if err := checkName(op, name); err != nil {
		return err
	}
	return b.client.call(ctx, request{op: op, method: http.MethodDelete, path: append(blueprintsPath[:2:2], name)}, nil)
}

// List returns all published blueprints by name, without their revisions.
func (b *Blueprints) List(ctx context.Context) ([]blueprint.Status, error) {
	var page struct {
		Blueprints []dto.Blueprint `json:"blueprints"`
	}
	err := b.client.call(ctx, request{op: "list blueprints", method: http.MethodGet, path: blueprintsPath}, &page)
	var all []blueprint.Status
	for _, v := range page.Blueprints {
		all = append(all, v.Status())
	}
	return all, err
}

// Get returns one blueprint with its revisions. KindNotFound for a name that is not published.
func (b *Blueprints) Get(ctx context.Context, name string) (blueprint.Status, error) {
	const op = "read blueprint"
	if err := checkName(op, name); err != nil {
		return blueprint.Status{}, err
	}
	var v dto.Blueprint
	err := b.client.call(ctx, request{op: op, method: http.MethodGet, path: append(blueprintsPath[:2:2], name)}, &v)
	return v.Status(), err
}

// checkName refuses what is no segment of a path, and no name.
func checkName(op, name string) error {
	if tenant.CheckBlueprint(name) != nil {
		return errs.Errorf(errs.KindNotFound, op, "the blueprint %s is not published in this registry", name)
	}
	return nil
}
