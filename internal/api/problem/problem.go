// Package problem has the problem document (RFC 9457) and maps the kinds of errors to HTTP
// statuses. The server reads the map to write a problem, and package apiclient reads it to
// restore the error, so that both always agree.
//
// The document is not huma.ErrorModel: it has a request id, one error per field that never
// quotes the value, and headers such as Retry-After.
package problem

import (
	"net/http"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// ContentType is the media type of a problem document.
const ContentType = "application/problem+json"

// mapping has one row per kind of error and per status. Several kinds can share a
// status and several statuses can share a kind; the first row with a value is the one
// that a lookup of that value returns.
var mapping = []struct {
	kind   errs.Kind
	status int
}{
	{errs.KindInvalid, http.StatusBadRequest},
	{errs.KindNotFound, http.StatusNotFound},
	{errs.KindConflict, http.StatusConflict},
	{errs.KindFenced, http.StatusConflict},
	{errs.KindStale, http.StatusPreconditionFailed},
	{errs.KindReused, http.StatusUnprocessableEntity},
	{errs.KindTransient, http.StatusServiceUnavailable},
	{errs.KindCancelled, http.StatusServiceUnavailable},
	{errs.KindPermanent, http.StatusInternalServerError},
	{errs.KindNoWorker, http.StatusNotImplemented},
	// Statuses of the rate limiter and of a proxy in front of the server.
	{errs.KindTransient, http.StatusTooManyRequests},
	{errs.KindTransient, http.StatusBadGateway},
	{errs.KindTransient, http.StatusGatewayTimeout},
}

// Status returns the HTTP status for errors of a kind: 500 for an unknown kind.
func Status(kind errs.Kind) int {
	for _, row := range mapping {
		if row.kind == kind {
			return row.status
		}
	}
	return http.StatusInternalServerError
}

// Kind returns the kind of error that an HTTP status stands for: errs.KindPermanent for
// a status that is not in the map.
func Kind(status int) errs.Kind {
	for _, row := range mapping {
		if row.status == status {
			return row.kind
		}
	}
	return errs.KindPermanent
}
