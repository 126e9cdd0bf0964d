package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/openapi"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/validate"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Blueprints tries, publishes and reads what tenants are made from. postgres.DB has one.
type Blueprints interface {
	Validate(ctx context.Context, files fs.FS) (blueprint.Revision, error)
	Publish(ctx context.Context, files fs.FS, activate bool) (blueprint.Revision, error)
	Activate(ctx context.Context, name string, revision int) error
	Retire(ctx context.Context, name string) error
	List(ctx context.Context) ([]blueprint.Status, error)
	Get(ctx context.Context, name string) (blueprint.Status, error)
}

const (
	blueprintsPath = "/admin/blueprints"
	blueprintPath  = blueprintsPath + "/{name}"

	// trialTimeout is longer than a trial may take, so that its own error is returned.
	trialTimeout = 11 * time.Minute
	// trialReadTimeout is how long the body of a trial may take to arrive.
	trialReadTimeout = time.Minute
	// trialRetryAfter is the Retry-After, in seconds, while another trial runs.
	trialRetryAfter = "5"
	// maxProblems is how many problems of a blueprint are returned.
	maxProblems = 50

	blueprintsRemedy = "send the request to a server with a worker, which may make the objects of a blueprint"
	trialDoc         = " The body is a tar of the blueprint's folder. The trial can take ten minutes, so a proxy has to wait as long; the server runs one at a time (429)."
)

var tarTypes = []string{"application/x-tar", "application/gzip"}

// registerBlueprintRoutes registers the operations on blueprints.
func (s *Server) registerBlueprintRoutes() {
	registerEndpoint(s, &endpoint{
		id: "publish-blueprint", method: http.MethodPost, path: blueprintsPath, tag: "blueprints",
		summary: "Publish a blueprint", description: "Tries the blueprint out and stores it as a revision. Equal files are the same revision (200)." + trialDoc,
		scope: access.ScopeBlueprints, mutating: true, timeout: trialTimeout, workerRemedy: blueprintsRemedy, contentTypes: tarTypes, body: tarSchema, trial: true,
		status: http.StatusCreated, errorStatuses: []int{http.StatusConflict}, responses: publishedResponses,
	}, s.publishBlueprint)
	registerEndpoint(s, &endpoint{
		id: "validate-blueprint", method: http.MethodPost, path: blueprintsPath + "/validate", tag: "blueprints",
		summary: "Try a blueprint out and publish nothing", description: "Returns the revision that publishing would make, with what each migration does to a tenant that is in use." + trialDoc,
		scope: access.ScopeBlueprints, mutating: true, timeout: trialTimeout, workerRemedy: blueprintsRemedy, contentTypes: tarTypes, body: tarSchema, trial: true,
	}, s.validateBlueprint)
	registerEndpoint(s, &endpoint{
		id: "list-blueprints", method: http.MethodGet, path: blueprintsPath, tag: "blueprints",
		summary: "List blueprints", description: "All published blueprints by name, without their revisions. The blueprint standard is part of the program and is not among them.",
		scope: access.ScopeRead,
	}, s.listBlueprints)
	registerEndpoint(s, &endpoint{
		id: "get-blueprint", method: http.MethodGet, path: blueprintPath, tag: "blueprints",
		summary: "Show a blueprint and its revisions", description: "The newest revision first, each with what its trial found out.", scope: access.ScopeRead,
	}, s.getBlueprint)
	registerEndpoint(s, &endpoint{
		id: "activate-blueprint", method: http.MethodPost, path: blueprintPath + "/activate", tag: "blueprints",
		summary: "Give a revision to new tenants", description: "Also an older revision; a retired blueprint is in use again. Tenants that exist stay as they are until tenant-api tenants migrate.",
		scope: access.ScopeBlueprints, mutating: true, workerRemedy: blueprintsRemedy, contentTypes: jsonOnly, body: openapi.SchemaRef[activateBody], example: map[string]any{"revision": 2},
	}, s.activateBlueprint)
	registerEndpoint(s, &endpoint{
		id: "retire-blueprint", method: http.MethodDelete, path: blueprintPath, tag: "blueprints",
		summary: "Make no new tenants from a blueprint", description: "Its tenants stay. Repeating the request succeeds; activating a revision brings the blueprint back.",
		scope: access.ScopeBlueprints, mutating: true, workerRemedy: blueprintsRemedy,
	}, s.retireBlueprint)
}

// tarSchema is the schema of a body that is a tar.
func tarSchema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "binary", Description: "A tar of the blueprint's folder, plain or compressed by gzip, at most 8 MiB."}
}

func publishedResponses(r huma.Registry) map[string]*huma.Response {
	return map[string]*huma.Response{"200": openapi.JSONResponse("The revision that has these files already.", openapi.SchemaRef[dto.BlueprintRevision](r))}
}

// takeTrial takes the server's only place for a trial until leave is called: a trial costs the
// database much, and its body the server up to 8 MiB.
func (s *Server) takeTrial() (leave func(), refused *problem.Problem) {
	select {
	case s.trialSlot <- struct{}{}:
		return func() { <-s.trialSlot }, nil
	default:
		return nil, problem.New(http.StatusTooManyRequests, "this server tries another blueprint, and one at a time; send the request again when that has ended").
			WithHeader("Retry-After", trialRetryAfter)
	}
}

// ByName is the path parameter of operations on one blueprint.
type ByName struct {
	Name string `path:"name" maxLength:"63" doc:"The blueprint's name." example:"clinic"`
}

// parseIDs runs before the handler. KindNotFound for what is no name.
func (b *ByName) parseIDs() error {
	if tenant.CheckBlueprint(b.Name) != nil {
		return errs.Errorf(errs.KindNotFound, "read blueprint", "the blueprint does not exist; GET /admin/blueprints lists all")
	}
	return nil
}

type publishInput struct {
	Activate string `query:"activate" enum:"true,false" default:"false" doc:"true gives the revision to new tenants at once."`
}

type publishedOutput struct {
	Status   int
	Location string `header:"Location" doc:"The blueprint."`
	Body     dto.BlueprintRevision
}

func (s *Server) publishBlueprint(ctx context.Context, in *publishInput) (*publishedOutput, error) {
	r, err := s.try(ctx, func(ctx context.Context, files fs.FS) (blueprint.Revision, error) {
		return s.opts.Blueprints.Publish(ctx, files, in.Activate == "true")
	})
	if err != nil {
		return nil, err
	}
	status := http.StatusOK
	if r.Created {
		status = http.StatusCreated
	}
	return &publishedOutput{status, blueprintsPath + "/" + r.Blueprint, dto.NewBlueprintRevision(r)}, nil
}

func (s *Server) validateBlueprint(ctx context.Context, _ *struct{}) (*bodyOutput[dto.BlueprintRevision], error) {
	r, err := s.try(ctx, s.opts.Blueprints.Validate)
	if err != nil {
		return nil, err
	}
	return newBodyOutput(dto.NewBlueprintRevision(r)), nil
}

// try calls f with the files of the request's body. The trial ends when the server drains.
func (s *Server) try(ctx context.Context, f func(context.Context, fs.FS) (blueprint.Revision, error)) (blueprint.Revision, error) {
	files, err := blueprint.ReadTar(bytes.NewReader(requestContextFrom(ctx).body))
	if err != nil {
		return blueprint.Revision{}, problemOfBlueprint(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.drainCtx, cancel)()
	r, err := f(ctx, files)
	return r, problemOfBlueprint(err)
}

// problemOfBlueprint names file and line in each field of the 400 for a blueprint's problems.
// Other errors are returned as they are.
func problemOfBlueprint(err error) error {
	var problems blueprint.Problems
	if !errors.As(err, &problems) {
		return err
	}
	lines, fields := []string{}, []problem.FieldError{}
	for _, p := range problems[:min(len(problems), maxProblems)] {
		lines = append(lines, p.String())
		fields = append(fields, problem.FieldError{Field: p.Place(), Message: p.Message})
	}
	if more := len(problems) - len(fields); more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return problem.New(http.StatusBadRequest, strings.Join(lines, "; "), fields...)
}

type blueprintPage struct {
	Blueprints []dto.Blueprint `json:"blueprints" nullable:"false"`
}

func (s *Server) listBlueprints(ctx context.Context, _ *struct{}) (*bodyOutput[blueprintPage], error) {
	all, err := s.opts.Blueprints.List(ctx)
	if err != nil {
		return nil, err
	}
	page := blueprintPage{Blueprints: make([]dto.Blueprint, len(all))}
	for i, b := range all {
		page.Blueprints[i] = dto.NewBlueprint(b)
	}
	return newBodyOutput(page), nil
}

func (s *Server) getBlueprint(ctx context.Context, in *ByName) (*bodyOutput[dto.Blueprint], error) {
	b, err := s.opts.Blueprints.Get(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	return newBodyOutput(dto.NewBlueprint(b)), nil
}

type activateBody struct {
	Revision        int64 `json:"revision" minimum:"1" maximum:"2147483647" doc:"The number of the revision." example:"2"`
	validate.Errors `json:"-"`
}

// FieldReaders implements the interface of package validate.
func (b *activateBody) FieldReaders() map[string]validate.FieldReader {
	return map[string]validate.FieldReader{"revision": validate.Int(&b.Revision, 1, math.MaxInt32, "has to be the number of a revision; give a whole number from 1")}
}

type activateInput struct {
	ByName
	Body activateBody
}

func (s *Server) activateBlueprint(ctx context.Context, in *activateInput) (*bodyOutput[dto.Blueprint], error) {
	if in.Body.Revision == 0 && len(in.Body.Errors) == 0 {
		return nil, problem.Invalid(problem.FieldError{Field: "revision", Message: "is missing; give the number of a revision"})
	}
	if err := in.Body.Problem(); err != nil {
		return nil, err
	}
	if err := s.opts.Blueprints.Activate(ctx, in.Name, int(in.Body.Revision)); err != nil {
		return nil, err
	}
	return s.getBlueprint(ctx, &in.ByName)
}

func (s *Server) retireBlueprint(ctx context.Context, in *ByName) (*bodyOutput[dto.Blueprint], error) {
	if err := s.opts.Blueprints.Retire(ctx, in.Name); err != nil {
		return nil, err
	}
	return s.getBlueprint(ctx, in)
}
