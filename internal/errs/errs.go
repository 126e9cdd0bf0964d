// Package errs defines the one error type that packages return to each other. The kind
// says what a caller can do about an error, the message is for people, and the cause is
// for the log. One table maps kinds to HTTP statuses, another to Terraform diagnostics.
package errs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Kind says what a caller can do about an error.
type Kind string

// The kinds of errors.
const (
	KindTransient Kind = "transient" // A retry may succeed: connection, timeout, overload.
	KindPermanent Kind = "permanent" // A retry fails until an operator acts.
	KindConflict  Kind = "conflict"  // The tenant's state, or another tenant, does not allow it.
	KindCancelled Kind = "cancelled" // The caller asked to stop; the tenant can be resumed.
	KindFenced    Kind = "fenced"    // A newer run superseded this one, which must not change anything.
	KindNotFound  Kind = "not found" // The tenant does not exist.
	KindInvalid   Kind = "invalid"   // The input breaks a rule; Fields says which.
	KindStale     Kind = "stale"     // The caller's version of the tenant is outdated.
	KindNoWorker  Kind = "no worker" // This server may not do it; one with a worker can.
	KindReused    Kind = "reused"    // An idempotency key was used for a different request before.
)

// FieldError is one broken rule of the input. Field is the API's name of the field
// (adminEmail); Message names the fault of the value and the remedy.
type FieldError struct {
	Field   string
	Message string
}

// Error is the error type that all packages return to each other.
type Error struct {
	Kind    Kind
	Op      string       // What was tried, for the log: "create schema".
	Message string       // For people: no SQL, secret, address or stack.
	Fields  []FieldError // With KindInvalid and some conflicts: the fields at fault.
	Lease   *LeaseInfo   // With a KindConflict because another run holds the tenant.
	Audited bool         // The refusal is in the audit log already, under its own action.
	Lists   bool         // Message has a list, and may have MaxListLength characters. It is displayed and not stored.
	Err     error        // The cause, only for the log.
}

// LeaseInfo describes the run that holds a tenant.
type LeaseInfo struct {
	Epoch int64
	Until time.Time // By the registry's clock.
}

// Error joins operation, message and cause. It is for logs; SafeMessage is for people.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Op != "" {
		b.WriteString(e.Op + ": ")
	}
	b.WriteString(e.text())
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func (e *Error) text() string {
	if e.Message != "" || len(e.Fields) == 0 {
		return e.Message
	}
	parts := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		parts[i] = f.Field + " " + f.Message
	}
	return strings.Join(parts, "; ")
}

// Errorf makes an Error without a cause; only Wrap sets one, so that a cause never gets
// into a message by accident.
func Errorf(kind Kind, op, format string, args ...any) *Error {
	return &Error{Kind: kind, Op: op, Message: fmt.Sprintf(format, args...)}
}

// Wrap makes an Error with a cause, which only the log contains.
func Wrap(err error, kind Kind, op, format string, args ...any) *Error {
	return &Error{Kind: kind, Op: op, Message: fmt.Sprintf(format, args...), Err: err}
}

// KindOf returns the kind of any error: KindCancelled for a cancelled context,
// KindTransient for an exceeded deadline, KindPermanent for an unclassified error.
func KindOf(err error) Kind {
	var e *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Kind
	case errors.Is(err, context.Canceled):
		return KindCancelled
	case errors.Is(err, context.DeadlineExceeded):
		return KindTransient
	default:
		return KindPermanent
	}
}

// FieldsOf returns the fields at fault, nil when the error names none.
func FieldsOf(err error) []FieldError {
	var e *Error
	if errors.As(err, &e) {
		return e.Fields
	}
	return nil
}

// IsAudited reports whether the error is a refusal that the audit log has under its own action.
func IsAudited(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Audited
}

// LeaseOf returns the lease of the run that holds the tenant, nil when the error has none.
func LeaseOf(err error) *LeaseInfo {
	var e *Error
	if errors.As(err, &e) {
		return e.Lease
	}
	return nil
}

// MaxErrorLength is the length of the column provisioning_error in characters.
const MaxErrorLength = 500

// OpOf returns what was tried, as in "create schema": words of this program without names and values; "" if
// the error does not say.
func OpOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Op
	}
	return ""
}

// MaxListLength is the length of the text of an error with Lists, in characters.
const MaxListLength = 8000

// SafeMessage returns the part of an error that may be stored and displayed: at most
// MaxErrorLength characters, MaxListLength for an error with Lists, and nothing of an error that was not written for people.
func SafeMessage(err error) string {
	var e *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e) && e.text() != "":
		limit := MaxErrorLength
		if e.Lists {
			limit = MaxListLength
		}
		return Truncate(printable(e.text()), limit)
	case errors.Is(err, context.Canceled):
		return "the operation was cancelled"
	case errors.Is(err, context.DeadlineExceeded):
		return "the operation timed out"
	default:
		return "an internal error; the log has the cause"
	}
}

// printable returns s as one line that every database column can store: some messages
// quote a foreign server.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// Truncate shortens s to at most limit characters, of which the last is then an ellipsis.
func Truncate(s string, limit int) string {
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	runes := []rune(s)
	return string(runes[:limit-1]) + "…"
}
