package problem

import (
	"errors"
	"net/http"
	"strings"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// Problem is an error response (RFC 9457).
type Problem struct { //nolint:errname // RFC 9457 calls it a problem.
	Type      string       `json:"type" doc:"Always about:blank: the status defines the type of the problem." example:"about:blank"`
	Title     string       `json:"title" doc:"The status in words." example:"Bad Request"`
	Status    int          `json:"status" doc:"The HTTP status." minimum:"400" maximum:"599" example:"400"`
	Detail    string       `json:"detail" doc:"The fault and the remedy, for display." example:"adminEmail needs exactly one @, as in admin@clinic.example"`
	RequestID string       `json:"requestId" doc:"Identifies the request in the server's log." example:"0199a1f0-5f0b-7c2e-9d35-3f6f1a1e7b11"`
	TraceID   *string      `json:"traceId" doc:"Identifies the trace of the request; null: the server makes no traces." pattern:"^[0-9a-f]{32}$" example:"4bf92f3577b34da6a3ce929d0e0e4736"`
	Errors    []FieldError `json:"errors" nullable:"false" doc:"One entry for each field at fault; empty when no field is."`

	cause       error // Only logged.
	header      http.Header
	skipAudit   bool           // An earlier audit event covers it.
	auditDetail map[string]any // Details of the audit event besides route and status.
}

// FieldError is the error of one field.
type FieldError struct {
	Field   string `json:"field" doc:"The field, parameter or header; body for the whole body." example:"adminEmail"`
	Message string `json:"message" doc:"The fault and the remedy." example:"needs exactly one @, as in admin@clinic.example"`
}

// BodyField is the field name of an error that concerns the whole body.
const BodyField = "body"

// RetryAfterSeconds is the Retry-After of a 503, and of a 429 whose end is not known.
const RetryAfterSeconds = "2"

// New returns a problem. A 503 gets a Retry-After header.
func New(status int, detail string, fieldErrs ...FieldError) *Problem {
	p := &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail, Errors: fieldErrs, header: http.Header{}}
	if fieldErrs == nil {
		p.Errors = []FieldError{}
	}
	if status == http.StatusServiceUnavailable {
		p.header.Set("Retry-After", RetryAfterSeconds)
	}
	return p
}

// From converts any error into a problem. It contains only messages that are safe to
// show.
func From(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	var fieldErrs []FieldError
	for _, f := range errs.FieldsOf(err) {
		fieldErrs = append(fieldErrs, FieldError{f.Field, f.Message})
	}
	p = New(Status(errs.KindOf(err)), errs.SafeMessage(err), fieldErrs...)
	p.cause = err
	p.skipAudit = errs.IsAudited(err)
	return p
}

// Invalid returns the 400 for invalid fields.
func Invalid(fieldErrs ...FieldError) *Problem {
	messages := make([]string, len(fieldErrs))
	for i, f := range fieldErrs {
		messages[i] = f.Field + " " + f.Message
	}
	return New(http.StatusBadRequest, strings.Join(messages, "; "), fieldErrs...)
}

// IsServerError reports whether a status is a failure of the server. 501 is none: another server can do it.
func IsServerError(status int) bool {
	return status >= http.StatusInternalServerError && status != http.StatusNotImplemented
}

// WithHeader adds a header.
func (p *Problem) WithHeader(name, value string) *Problem {
	p.header.Set(name, value)
	return p
}

// Error is for logs.
func (p *Problem) Error() string { return p.Detail }

// Unwrap returns the cause, which is never sent to a caller.
func (p *Problem) Unwrap() error { return p.cause }

// GetStatus returns the status to huma.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType returns the content type to huma.
func (p *Problem) ContentType(string) string { return ContentType }

// Header returns the headers of the response.
func (p *Problem) Header() http.Header { return p.header }

// WithAudit adds details to the audit event.
func (p *Problem) WithAudit(detail map[string]any) *Problem {
	p.auditDetail = detail
	return p
}

// WithoutAudit marks a problem that an earlier audit event covers.
func (p *Problem) WithoutAudit() *Problem {
	p.skipAudit = true
	return p
}

// Audit returns the details of the audit event, and whether an event must be recorded.
func (p *Problem) Audit() (detail map[string]any, wanted bool) { return p.auditDetail, !p.skipAudit }
