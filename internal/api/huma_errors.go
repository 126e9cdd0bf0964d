package api

import (
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
)

// huma creates all its errors through these two global variables. Errors of handlers and of
// huma itself become problems in the same way.
func init() {
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return problemFromHuma(status, message, errs)
	}
	huma.NewErrorWithContext = func(_ huma.Context, status int, message string, errs ...error) huma.StatusError {
		return problemFromHuma(status, message, errs)
	}
}

// problemFromHuma converts an error of huma. A handler's error arrives as the cause of a
// 500.
func problemFromHuma(status int, message string, errs []error) *problem.Problem {
	if status >= http.StatusInternalServerError {
		return problem.From(errors.Join(errs...))
	}
	if status == http.StatusUnprocessableEntity {
		status = http.StatusBadRequest
	}
	return problem.New(status, message)
}
