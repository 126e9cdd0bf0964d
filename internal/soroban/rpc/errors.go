package rpc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// statusError is a response with an HTTP status other than 200. Its body is dropped: it
// is a gateway's error page.
type statusError struct {
	code  int
	after time.Duration // From Retry-After.
}

func (e *statusError) Error() string {
	return fmt.Sprintf("HTTP status %d %s", e.code, http.StatusText(e.code))
}

// remoteError is a JSON-RPC error in the response.
type remoteError struct {
	code    int
	message string
}

func (e *remoteError) Error() string { return fmt.Sprintf("JSON-RPC error %d: %s", e.code, e.message) }

// malformedError is a response that is not valid JSON-RPC.
type malformedError struct{ err error }

func (e *malformedError) Error() string { return fmt.Sprintf("malformed response: %v", e.err) }
func (e *malformedError) Unwrap() error { return e.err }

// JSON-RPC error codes for requests that never succeed.
const (
	codeParse          = -32700
	codeInvalidRequest = -32600
	codeNoMethod       = -32601
	codeInvalidParams  = -32602
)

// classifyCallError classifies a failed call. After KindTransient the server may or may
// not have acted on the call.
func classifyCallError(ctx context.Context, method string, err error) error {
	var (
		op     = "call " + method
		status *statusError
		remote *remoteError
		broken *malformedError
	)
	wrap := func(kind errs.Kind, format string, args ...any) error {
		return errs.Wrap(withoutURL(err), kind, op, format, args...)
	}
	switch {
	case ctx.Err() != nil:
		return ContextError(ctx, op, withoutURL(err))
	case errors.As(err, &status):
		return classifyStatus(status, wrap)
	case errors.As(err, &remote):
		switch remote.code {
		case codeParse, codeInvalidRequest, codeNoMethod, codeInvalidParams:
			return wrap(errs.KindPermanent,
				"the Stellar RPC server refuses the call %s (JSON-RPC error %d); check that SOROBAN_RPC_URL is a current stellar-rpc", method, remote.code)
		}
		return wrap(errs.KindTransient, "the Stellar RPC server reports an internal error (JSON-RPC error %d)", remote.code)
	case errors.As(err, &broken):
		return wrap(errs.KindTransient, "the response is not from a Stellar RPC server; check SOROBAN_RPC_URL")
	}
	return wrap(errs.KindTransient, "the Stellar RPC server does not answer; check SOROBAN_RPC_URL")
}

func classifyStatus(e *statusError, wrap func(errs.Kind, string, ...any) error) error {
	switch {
	case e.code == http.StatusTooManyRequests:
		return wrap(errs.KindTransient, "the Stellar RPC server limits requests (HTTP status 429); use one with a higher limit in SOROBAN_RPC_URL")
	case e.code == http.StatusUnauthorized, e.code == http.StatusForbidden:
		return wrap(errs.KindPermanent, "the Stellar RPC server refuses access (HTTP status %d); check the key in SOROBAN_RPC_URL", e.code)
	case e.code >= 500, e.code == http.StatusRequestTimeout, e.code == http.StatusTooEarly:
		return wrap(errs.KindTransient, "the Stellar RPC server fails (HTTP status %d); check SOROBAN_RPC_URL", e.code)
	}
	if e.code >= 300 && e.code < 400 {
		return wrap(errs.KindPermanent, "the address redirects to another one (HTTP status %d), which is not followed, because transactions and the key would go there; give the Stellar RPC server's own address in SOROBAN_RPC_URL", e.code)
	}
	return wrap(errs.KindPermanent, "the address has no Stellar RPC server (HTTP status %d); check SOROBAN_RPC_URL", e.code)
}

// IsInvalidParams reports whether the server could not read the call's parameters.
func IsInvalidParams(err error) bool {
	var remote *remoteError
	return errors.As(err, &remote) && remote.code == codeInvalidParams
}

// withoutURL removes the URL from an error, because it can hold a key.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// ContextError is the error of a wait or a call that ctx ended.
func ContextError(ctx context.Context, op string, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return errs.Wrap(err, errs.KindTransient, op,
			"the deployment reached its time limit before the Stellar network was done; the next run checks the result")
	}
	return errs.Wrap(err, errs.KindCancelled, op, "the deployment was cancelled; the next run checks the result")
}

// MalformedXDR is the error of data that cannot be decoded. KindTransient: a server may be
// faulty for a time; if it stays, the network has a newer protocol than this program, and
// an open transaction is resolved by a newer one.
func MalformedXDR(err error, op string) error {
	return errs.Wrap(err, errs.KindTransient, op,
		"the Stellar network's data cannot be decoded; if that stays, this program is too old for the network's protocol: install a newer release")
}

// MalformedValue is the error of a value that no honest server returns.
func MalformedValue(op, format string, args ...any) error {
	return errs.Errorf(errs.KindTransient, op, "the Stellar RPC server is faulty: "+format+"; if that stays, use another server in SOROBAN_RPC_URL", args...)
}
