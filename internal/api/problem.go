package api

import (
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// Problem is an error as callers see it (RFC 9457).
type Problem struct { //nolint:errname // the name that the RFC gives it
	Type      string  `json:"type" doc:"Always about:blank: the status says what sort of problem it is." example:"about:blank"`
	Title     string  `json:"title" doc:"The status in words." example:"Bad Request"`
	Status    int     `json:"status" doc:"The HTTP status." minimum:"400" maximum:"599" example:"400"`
	Detail    string  `json:"detail" doc:"What is wrong and what to do, for people." example:"adminEmail needs exactly one @, as in admin@clinic.example"`
	RequestID string  `json:"requestId" doc:"Finds the request in the server's log." example:"0199a1f0-5f0b-7c2e-9d35-3f6f1a1e7b11"`
	Errors    []Fault `json:"errors" nullable:"false" doc:"One entry for each field at fault; empty when no field is."`

	kind   provisioning.Kind
	cause  error // For the log alone.
	header http.Header
	quiet  bool // Not for the audit log, which has events like it already.
	note   map[string]any
}

// Fault is what is wrong with one field.
type Fault struct {
	Field   string `json:"field" doc:"The field, parameter or header; body for the body as a whole." example:"adminEmail"`
	Message string `json:"message" doc:"The fault and the remedy." example:"needs exactly one @, as in admin@clinic.example"`
}

// statuses is the one table from kinds of errors to answers.
var statuses = map[provisioning.Kind]int{
	provisioning.KindInvalid:   http.StatusBadRequest,
	provisioning.KindNotFound:  http.StatusNotFound,
	provisioning.KindConflict:  http.StatusConflict,
	provisioning.KindFenced:    http.StatusConflict,
	provisioning.KindStale:     http.StatusPreconditionFailed,
	provisioning.KindReused:    http.StatusUnprocessableEntity,
	provisioning.KindTransient: http.StatusServiceUnavailable,
	provisioning.KindCancelled: http.StatusServiceUnavailable,
	provisioning.KindPermanent: http.StatusInternalServerError,
}

// retryAfter is what callers wait before they ask again, in seconds.
const retryAfter = "2"

func newProblem(status int, detail string, faults ...Fault) *Problem {
	p := &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail, Errors: faults, header: http.Header{}}
	if faults == nil {
		p.Errors = []Fault{}
	}
	if status == http.StatusServiceUnavailable {
		p.header.Set("Retry-After", retryAfter)
	}
	return p
}

// problemOf turns any error into an answer. What was not written for people does
// not get into it.
func problemOf(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	kind := provisioning.KindOf(err)
	var faults []Fault
	for _, f := range provisioning.FieldsOf(err) {
		faults = append(faults, Fault{f.Field, f.Message})
	}
	status, known := statuses[kind]
	if !known {
		status = http.StatusInternalServerError
	}
	p = newProblem(status, provisioning.SafeMessage(err), faults...)
	p.kind, p.cause = kind, err
	return p
}

// invalid is the problem of a request that breaks rules.
func invalid(faults ...Fault) *Problem {
	words := make([]string, len(faults))
	for i, f := range faults {
		words[i] = f.Field + " " + f.Message
	}
	p := newProblem(http.StatusBadRequest, strings.Join(words, "; "), faults...)
	p.kind = provisioning.KindInvalid
	return p
}

// with adds a header.
func (p *Problem) with(name, value string) *Problem {
	p.header.Set(name, value)
	return p
}

// Error is for logs.
func (p *Problem) Error() string { return p.Detail }

// Unwrap gives the cause, which is for logs and for code, and never for callers.
func (p *Problem) Unwrap() error { return p.cause }

// GetStatus is how huma learns the status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is how huma learns the content type.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// huma makes its errors through these two, which are the same for all its
// servers in a process. So the errors that handlers return, and its own, become
// problems in the same way.
func init() {
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return adopt(status, message, errs)
	}
	huma.NewErrorWithContext = func(_ huma.Context, status int, message string, errs ...error) huma.StatusError {
		return adopt(status, message, errs)
	}
}

// adopt makes a problem of an error of huma's. One of a handler's comes as the
// cause of a 500.
func adopt(status int, message string, errs []error) *Problem {
	if status >= http.StatusInternalServerError {
		return problemOf(errors.Join(errs...))
	}
	if status == http.StatusUnprocessableEntity {
		status = http.StatusBadRequest
	}
	return newProblem(status, message)
}
