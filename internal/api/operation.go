package api

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/openapi"
)

// OpenAPI returns the document of the API as indented JSON. The output is deterministic.
func OpenAPI(version string) ([]byte, error) {
	s := &Server{opts: Options{Version: version}.withDefaults()}
	s.buildRoutes()
	return openapi.Marshal(s.api, "  ")
}

// commonErrorStatuses are the errors that every operation can return.
var commonErrorStatuses = []int{http.StatusBadRequest, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusInternalServerError}

// operation is the endpoint as huma and the OpenAPI document know it.
func (e *endpoint) operation(api huma.API) huma.Operation {
	op := huma.Operation{
		OperationID: e.id, Method: e.method, Path: e.path, Tags: []string{e.tag}, Summary: e.summary, Description: e.description,
		DefaultStatus: e.status, Parameters: e.parameters, Responses: map[string]*huma.Response{},
		// This package validates both, with its own messages.
		SkipValidateParams: true, SkipValidateBody: true,
		// The body is already read. huma's default of five seconds would stay set on the
		// connection and cancel longer requests.
		BodyReadTimeout: -1,
	}
	errorStatuses := append(slices.Clone(commonErrorStatuses), e.errorStatuses...)
	op.Security = []map[string][]string{{}} // None is needed.
	if e.scope != "" {
		op.Security = []map[string][]string{{"bearer": {string(e.scope)}}}
		errorStatuses = append(errorStatuses, http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusServiceUnavailable)
	}
	if e.workerRemedy != "" {
		errorStatuses = append(errorStatuses, http.StatusNotImplemented)
	}
	if strings.Contains(e.path, "{") {
		errorStatuses = append(errorStatuses, http.StatusNotFound)
	}
	if len(e.contentTypes) > 0 {
		errorStatuses = append(errorStatuses, http.StatusUnsupportedMediaType)
		op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{}}
		for _, contentType := range e.contentTypes {
			op.RequestBody.Content[contentType] = &huma.MediaType{Schema: e.body(api.OpenAPI().Components.Schemas), Example: e.example}
		}
	}
	for _, status := range errorStatuses {
		op.Responses[strconv.Itoa(status)] = openapi.ProblemResponse(api, status)
	}
	if e.responses != nil {
		maps.Copy(op.Responses, e.responses(api.OpenAPI().Components.Schemas))
	}
	return op
}
