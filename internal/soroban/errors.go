package soroban

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// statusError is an answer with another HTTP status than 200. Its body is dropped:
// it is a gateway's page.
type statusError struct {
	code  int
	after time.Duration // What Retry-After asked for.
}

func (e *statusError) Error() string {
	return fmt.Sprintf("HTTP status %d %s", e.code, http.StatusText(e.code))
}

// remoteError is an error in the answer itself.
type remoteError struct {
	code    int
	message string
}

func (e *remoteError) Error() string { return fmt.Sprintf("JSON-RPC error %d: %s", e.code, e.message) }

// malformedError is an answer that is none.
type malformedError struct{ err error }

func (e *malformedError) Error() string { return fmt.Sprintf("malformed answer: %v", e.err) }
func (e *malformedError) Unwrap() error { return e.err }

// The codes of JSON-RPC for requests that will never be right.
const (
	codeParse          = -32700
	codeInvalidRequest = -32600
	codeNoMethod       = -32601
	codeInvalidParams  = -32602
)

// classifyCallError classifies what went wrong with a call. A KindTransient says nothing
// about whether the server acted on it.
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
		return contextError(ctx, op, withoutURL(err))
	case errors.As(err, &status):
		return classifyStatus(status, wrap)
	case errors.As(err, &remote):
		switch remote.code {
		case codeParse, codeInvalidRequest, codeNoMethod, codeInvalidParams:
			return wrap(errs.KindPermanent,
				"the Stellar RPC server refuses the call %s (JSON-RPC error %d); check that SOROBAN_RPC_URL is a current stellar-rpc", method, remote.code)
		}
		return wrap(errs.KindTransient, "the Stellar RPC server reports a fault of its own (JSON-RPC error %d)", remote.code)
	case errors.As(err, &broken):
		return wrap(errs.KindTransient, "the answer is not one of a Stellar RPC server; check SOROBAN_RPC_URL")
	}
	return wrap(errs.KindTransient, "the Stellar RPC server does not answer; check SOROBAN_RPC_URL")
}

func classifyStatus(e *statusError, wrap func(errs.Kind, string, ...any) error) error {
	switch {
	case e.code == http.StatusTooManyRequests:
		return wrap(errs.KindTransient, "the Stellar RPC server limits requests (HTTP status 429); use one with more room in SOROBAN_RPC_URL")
	case e.code == http.StatusUnauthorized, e.code == http.StatusForbidden:
		return wrap(errs.KindPermanent, "the Stellar RPC server refuses access (HTTP status %d); check the key in SOROBAN_RPC_URL", e.code)
	case e.code >= 500, e.code == http.StatusRequestTimeout, e.code == http.StatusTooEarly:
		return wrap(errs.KindTransient, "the Stellar RPC server does not work (HTTP status %d); check SOROBAN_RPC_URL", e.code)
	}
	return wrap(errs.KindPermanent, "there is no Stellar RPC server at that address (HTTP status %d); check SOROBAN_RPC_URL", e.code)
}

// withoutURL takes the address out of an error, because it can hold a key.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// contextError is what ends a wait or a call when ctx ends.
func contextError(ctx context.Context, op string, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return errs.Wrap(err, errs.KindTransient, op,
			"the time for the deployment was over before the Stellar network was done; the next run finds out what became of it")
	}
	return errs.Wrap(err, errs.KindCancelled, op, "the deployment was cancelled; the next run finds out what became of it")
}

// malformedXDR is an encoding that failed: a defect here, or XDR of a protocol that
// this program is too old for.
func malformedXDR(err error, op string) error {
	return errs.Wrap(err, errs.KindPermanent, op,
		"the Stellar network's data cannot be understood; this program may be too old for the network's protocol")
}

// xlm writes stroops as people count them.
func xlm(stroops int64) string {
	s := strings.TrimRight(fmt.Sprintf("%d.%07d", stroops/stroopsPerXLM, stroops%stroopsPerXLM), "0")
	return strings.TrimSuffix(s, ".") + " XLM"
}

const stroopsPerXLM = 10_000_000
