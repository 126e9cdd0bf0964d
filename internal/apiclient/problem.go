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
	"strconv"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// problem is the API's word for an error (RFC 9457).
type problem struct {
	Title     string       `json:"title"`
	Status    int          `json:"status"`
	Detail    string       `json:"detail"`
	RequestID string       `json:"requestId"`
	Errors    []fieldError `json:"errors"`
	// Of a problem that ends a stream:
	Kind     provisioning.Kind `json:"kind"`
	Tenant   *view             `json:"tenant"`
	Standing *view             `json:"standing"`
}

type fieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// kinds are the statuses that stand for a kind of error; a status that is not here
// is permanent.
var kinds = map[int]provisioning.Kind{
	http.StatusBadRequest:          provisioning.KindInvalid,
	http.StatusNotFound:            provisioning.KindNotFound,
	http.StatusConflict:            provisioning.KindConflict,
	http.StatusPreconditionFailed:  provisioning.KindStale,
	http.StatusUnprocessableEntity: provisioning.KindReused,
	http.StatusTooManyRequests:     provisioning.KindTransient,
	http.StatusBadGateway:          provisioning.KindTransient,
	http.StatusServiceUnavailable:  provisioning.KindTransient,
	http.StatusGatewayTimeout:      provisioning.KindTransient,
}

// refused is an answer that is no success. after is how long the server wants
// not to be asked again.
type refused struct {
	err    *provisioning.Error
	status int
	after  time.Duration
}

func (r *refused) Error() string { return r.err.Error() }

func (r *refused) Unwrap() error { return r.err }

// maxProblem is more than any problem of ours has.
const maxProblem = 1 << 20

// refusal reads an answer that is no success.
func refusal(op string, answer *http.Response) error {
	r := &refused{status: answer.StatusCode, after: retryAfter(answer)}
	// What cannot be parsed is not ours.
	media, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	var p problem
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxProblem))
	if err == nil && media == "application/problem+json" {
		err = json.Unmarshal(body, &p)
	} else {
		err = errors.Join(err, fmt.Errorf("%s with content type %q", answer.Status, media))
	}
	switch {
	case err != nil && kinds[answer.StatusCode] == provisioning.KindTransient:
		r.err = provisioning.Wrap(err, provisioning.KindTransient, op, "the server in front of tenant-api answered %d; tenant-api may be starting or stopping", answer.StatusCode)
	case err != nil:
		r.err = provisioning.Wrap(err, provisioning.KindPermanent, op, "what answers at the given address is not tenant-api (status %d); check the URL", answer.StatusCode)
	case answer.StatusCode == http.StatusUnauthorized:
		r.err = provisioning.Errorf(provisioning.KindPermanent, op,
			"tenant-api did not accept the token (request %s); it may be mistyped, expired or revoked. Create another one with: tenant-api apikey create", p.RequestID)
	case answer.StatusCode == http.StatusForbidden:
		r.err = provisioning.Errorf(provisioning.KindPermanent, op,
			"tenant-api does not permit this to the token: %s (request %s)", p.Detail, p.RequestID)
	default:
		p.Status = answer.StatusCode
		r.err = p.error(op)
	}
	return r
}

// error gives back the error that the server had.
func (p problem) error(op string) *provisioning.Error {
	e := &provisioning.Error{Kind: p.Kind, Op: op, Message: p.Detail}
	if e.Kind == "" {
		e.Kind = kinds[p.Status]
	}
	if e.Kind == "" {
		e.Kind = provisioning.KindPermanent
	}
	for _, f := range p.Errors {
		e.Fields = append(e.Fields, provisioning.FieldError{Field: f.Field, Message: f.Message})
	}
	if e.Kind == provisioning.KindInvalid && len(e.Fields) > 0 || e.Message == "" && len(e.Fields) > 0 {
		e.Message = "" // The fields say it all, in the words of the rules.
	} else if e.Message == "" {
		e.Message = p.Title
	}
	if e.Kind == provisioning.KindPermanent && p.RequestID != "" {
		e.Message += " (request " + p.RequestID + ")"
	}
	return e
}

func retryAfter(answer *http.Response) time.Duration {
	seconds, err := strconv.Atoi(answer.Header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, time.Minute)
}

// unanswered classifies a request that got no answer.
func unanswered(ctx context.Context, op string, err error) error {
	var (
		certificate *tls.CertificateVerificationError
		authority   x509.UnknownAuthorityError
		record      tls.RecordHeaderError
	)
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return provisioning.Wrap(context.Cause(ctx), provisioning.KindTransient, op, "tenant-api did not answer in the time that was allowed")
	case ctx.Err() != nil:
		return provisioning.Wrap(context.Cause(ctx), provisioning.KindCancelled, op, "the operation was cancelled")
	case errors.As(err, &certificate), errors.As(err, &authority):
		return provisioning.Wrap(err, provisioning.KindPermanent, op, "the certificate of tenant-api cannot be verified; check the URL and the authorities that this machine trusts")
	case errors.As(err, &record):
		return provisioning.Wrap(err, provisioning.KindPermanent, op, "tenant-api does not speak TLS at this address; check the URL")
	}
	return provisioning.Wrap(err, provisioning.KindTransient, op, "tenant-api does not answer; check that it runs and that its URL is right")
}
