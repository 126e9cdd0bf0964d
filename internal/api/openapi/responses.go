package openapi

import (
	"github.com/danielgtaylor/huma/v2"
)

// OpenAPI 3.1 does not define streams. By a convention of tools, the schema of a stream is
// that of each event: an object with the event's fields, whose data is JSON in a string.

// Event is one type of event.
type Event struct {
	Name, Description string
	Data              *huma.Schema
}

// EventStream describes a stream of these events.
func EventStream(events ...Event) *huma.MediaType {
	s := &huma.Schema{
		Type: huma.TypeObject, Description: "Each event of the stream.", Required: []string{"event", "data"},
		Properties: map[string]*huma.Schema{"id": {Type: huma.TypeString}, "event": {Type: huma.TypeString}, "data": {Type: huma.TypeString}},
	}
	for _, e := range events {
		s.OneOf = append(s.OneOf, &huma.Schema{Description: e.Description, Properties: map[string]*huma.Schema{
			"event": {Extensions: map[string]any{"const": e.Name}},
			"data":  {Extensions: map[string]any{"contentMediaType": "application/json", "contentSchema": e.Data}},
		}})
	}
	return &huma.MediaType{Schema: s}
}

// JSONResponse is a response with a JSON body.
func JSONResponse(description string, schema *huma.Schema) *huma.Response {
	return &huma.Response{Description: description, Content: map[string]*huma.MediaType{"application/json": {Schema: schema}}}
}
