package api

import (
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
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
func problemFromHuma(status int, message string, errs []error) *Problem {
	if status >= http.StatusInternalServerError {
		return problemFrom(errors.Join(errs...))
	}
	if status == http.StatusUnprocessableEntity {
		status = http.StatusBadRequest
	}
	return newProblem(status, message)
}
