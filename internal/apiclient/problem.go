package apiclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/retry"
)

// problemDocument is an error of the API (RFC 9457).
type problemDocument struct {
	Title     string       `json:"title"`
	Status    int          `json:"status"`
	Detail    string       `json:"detail"`
	RequestID string       `json:"requestId"`
	Errors    []fieldError `json:"errors"`
	// Only in a problem that ends a stream.
	Kind              errs.Kind   `json:"kind"`
	Tenant            *dto.Tenant `json:"tenant"`
	ConflictingTenant *dto.Tenant `json:"conflictingTenant"`
}

type fieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// responseError is a response without a success status. retryAfter is how long the server
// asks the client to wait.
type responseError struct {
	err        *errs.Error
	status     int
	retryAfter time.Duration
}

func (r *responseError) Error() string { return r.err.Error() }

func (r *responseError) Unwrap() error { return r.err }

// maxProblemSize exceeds every problem of this API, in bytes.
const maxProblemSize = 1 << 20

// errorFromResponse reads the error of a response without a success status.
func errorFromResponse(op string, response *http.Response) error {
	r := &responseError{status: response.StatusCode, retryAfter: retryAfter(response)}
	// A response that cannot be parsed is not from tenant-api.
	mediaType, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	var p problemDocument
	body, err := io.ReadAll(io.LimitReader(response.Body, maxProblemSize))
	if err == nil && mediaType == problem.ContentType {
		err = json.Unmarshal(body, &p)
	} else {
		err = errors.Join(err, fmt.Errorf("%s with content type %q", response.Status, mediaType))
	}
	switch {
	case err != nil && problem.Kind(response.StatusCode) == errs.KindTransient:
		r.err = errs.Wrap(err, errs.KindTransient, op, "the server in front of tenant-api returned %d; tenant-api may be starting or stopping", response.StatusCode)
	case err != nil:
		r.err = errs.Wrap(err, errs.KindPermanent, op, "the server at the given address is not tenant-api (status %d); check the URL", response.StatusCode)
	case response.StatusCode == http.StatusUnauthorized:
		r.err = errs.Errorf(errs.KindPermanent, op,
			"tenant-api did not accept the token (request %s); it may be mistyped, expired or revoked. Create another one with: tenant-api apikey create", p.RequestID)
	case response.StatusCode == http.StatusForbidden:
		r.err = errs.Errorf(errs.KindPermanent, op,
			"tenant-api does not permit this operation with the token: %s (request %s)", p.Detail, p.RequestID)
	default:
		p.Status = response.StatusCode
		r.err = p.asError(op)
	}
	return r
}

// asError restores the error of the server.
func (p problemDocument) asError(op string) *errs.Error {
	e := &errs.Error{Kind: p.Kind, Op: op, Message: p.Detail}
	if e.Kind == "" {
		e.Kind = problem.Kind(p.Status)
	}
	for _, f := range p.Errors {
		e.Fields = append(e.Fields, errs.FieldError{Field: f.Field, Message: f.Message})
	}
	if e.Kind == errs.KindInvalid && len(e.Fields) > 0 || e.Message == "" && len(e.Fields) > 0 {
		e.Message = "" // The field errors have the complete text.
	} else if e.Message == "" {
		e.Message = p.Title
	}
	if e.Kind == errs.KindPermanent && p.RequestID != "" {
		e.Message += " (request " + p.RequestID + ")"
	}
	e.Lists = utf8.RuneCountInString(e.Message) > errs.MaxErrorLength
	return e
}

func retryAfter(response *http.Response) time.Duration {
	pause, _ := retry.After(response.Header.Get("Retry-After"), time.Now())
	return min(pause, time.Minute)
}

// transportError classifies a request without a response. Its text names the server: who sets several
// variables may have forgotten this one.
func (c *Client) transportError(ctx context.Context, op string, err error) error {
	var (
		certErr      *tls.CertificateVerificationError
		authorityErr x509.UnknownAuthorityError
		recordErr    tls.RecordHeaderError
	)
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return errs.Wrap(context.Cause(ctx), errs.KindTransient, op, "tenant-api at %s did not answer within the timeout", c.baseURL.Redacted())
	case ctx.Err() != nil:
		return errs.Wrap(context.Cause(ctx), errs.KindCancelled, op, "the operation was cancelled")
	case errors.As(err, &certErr), errors.As(err, &authorityErr):
		return errs.Wrap(err, errs.KindPermanent, op, "the certificate of tenant-api at %s cannot be verified; check %s and the authorities that this machine trusts", c.baseURL.Redacted(), urlSetting)
	case errors.As(err, &recordErr):
		return errs.Wrap(err, errs.KindPermanent, op, "tenant-api does not speak TLS at %s; check %s", c.baseURL.Redacted(), urlSetting)
	}
	return errs.Wrap(err, errs.KindTransient, op, "tenant-api does not answer at %s; check that it runs there and that %s is correct", c.baseURL.Redacted(), urlSetting)
}

// urlSetting names the setting with the address of tenant-api, and the provider's attribute.
const urlSetting = "TENANT_API_URL (api.url)"
