package api

import (
	"github.com/danielgtaylor/huma/v2"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/openapi"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/stream"
)

// provisionStreamContent is the stream of a run inside a request.
func provisionStreamContent(r huma.Registry) *huma.MediaType {
	return openapi.EventStream(
		openapi.Event{Name: "tenant", Description: "The tenant that the run is about, once, before its first step.", Data: openapi.SchemaRef[dto.Tenant](r)},
		openapi.Event{Name: "step", Description: "A change of a step, as it happens.", Data: openapi.SchemaRef[dto.StepEvent](r)},
		openapi.Event{Name: "outcome", Description: "The last event of a run that succeeded.", Data: openapi.SchemaRef[dto.OutcomeEvent](r)},
		openapi.Event{Name: "problem", Description: "The last event of a run that did not.", Data: openapi.SchemaRef[stream.ProblemEvent](r)},
	)
}

func queuedResponses(r huma.Registry) map[string]*huma.Response {
	stringSchema := &huma.Schema{Type: huma.TypeString}
	queued := openapi.JSONResponse("Queued.", openapi.SchemaRef[submissionView](r))
	queued.Headers = map[string]*huma.Param{
		"Location":             {Description: "The tenant.", Schema: stringSchema},
		"Idempotency-Replayed": {Description: "true when this is the answer to an earlier request.", Schema: stringSchema},
	}
	queued.Links = map[string]*huma.Link{"get-job": {OperationID: "get-job", Parameters: map[string]any{"jobId": "$response.body#/jobId"}}}
	for _, operation := range []string{
		"get-tenant", "update-tenant", "archive-tenant", "get-provisioning-status", "stream-tenant-events", "list-audit-events",
		"retry-tenant", "provision-existing-tenant", "unarchive-tenant", "invite-admin", "purge-tenant",
	} {
		queued.Links[operation] = &huma.Link{OperationID: operation, Parameters: map[string]any{"id": "$response.body#/tenantId"}}
	}
	return map[string]*huma.Response{"202": queued}
}

func provisionStreamResponses(r huma.Registry) map[string]*huma.Response {
	return map[string]*huma.Response{"200": {
		Description: "The event stream of the provisioning.",
		Content:     map[string]*huma.MediaType{stream.ContentType: provisionStreamContent(r)},
	}}
}

func notModifiedResponses(huma.Registry) map[string]*huma.Response {
	return map[string]*huma.Response{"304": {Description: "The tenant is still at the version of If-None-Match."}}
}

func eventStreamResponses(r huma.Registry) map[string]*huma.Response {
	return map[string]*huma.Response{
		"200": {
			Description: "The stream. It ends when the provisioning has ended.",
			Content: map[string]*huma.MediaType{stream.ContentType: openapi.EventStream(
				openapi.Event{Name: "status", Description: "The tenant's status: first, and whenever it changes.", Data: openapi.SchemaRef[stream.StatusEvent](r)},
				openapi.Event{Name: "step", Description: "A change of a step, with an id for Last-Event-ID.", Data: openapi.SchemaRef[dto.LogEntry](r)},
				openapi.Event{Name: "end", Description: "The provisioning has ended; the stream ends.", Data: openapi.SchemaRef[stream.StatusEvent](r)},
			)},
		},
		"204": {Description: "The provisioning has ended, without a change since Last-Event-ID."},
	}
}

func feedStreamResponses(r huma.Registry) map[string]*huma.Response {
	return map[string]*huma.Response{"200": {
		Description: "The stream. It does not end.",
		Content: map[string]*huma.MediaType{stream.ContentType: openapi.EventStream(
			openapi.Event{Name: "event", Description: "An event, with its position as id.", Data: openapi.SchemaRef[dto.FeedEvent](r)},
		)},
	}}
}
