package tenant

import (
	"slices"
	"strings"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// Status is the status of a tenant.
type Status string

// The statuses.
const (
	StatusPending      Status = "PENDING"      // Recorded; no run has claimed it yet.
	StatusProvisioning Status = "PROVISIONING" // A run executes its steps, or was interrupted.
	StatusActive       Status = "ACTIVE"       // Live.
	StatusSuspended    Status = "SUSPENDED"    // Live, but out of service for a time.
	StatusFailed       Status = "FAILED"       // The last attempt ended and was rolled back.
	StatusArchived     Status = "ARCHIVED"     // Out of service; its data is kept.
)

// transitions are the permitted changes of status.
var transitions = map[Status][]Status{
	StatusPending:      {StatusProvisioning, StatusArchived},
	StatusProvisioning: {StatusActive, StatusFailed, StatusArchived},
	StatusFailed:       {StatusProvisioning, StatusArchived},
	StatusActive:       {StatusSuspended, StatusArchived},
	StatusSuspended:    {StatusActive, StatusArchived},
	StatusArchived:     {StatusActive, StatusSuspended},
}

// Statuses lists all statuses in the order of a tenant's life.
func Statuses() []Status {
	return []Status{StatusPending, StatusProvisioning, StatusActive, StatusSuspended, StatusFailed, StatusArchived}
}

// Known reports whether s is a valid status.
func (s Status) Known() bool { return slices.Contains(Statuses(), s) }

// Terminal reports whether the status changes only on request.
func (s Status) Terminal() bool { return s != StatusPending && s != StatusProvisioning }

// OccupiesName reports whether the tenant holds its name, so no other tenant can have it.
func (s Status) OccupiesName() bool {
	return s == StatusPending || s == StatusProvisioning || s == StatusActive || s == StatusSuspended
}

// Live reports whether a tenant in this status has a schema with data in use: it is ACTIVE or
// SUSPENDED.
func (s Status) Live() bool { return s == StatusActive || s == StatusSuspended }

// CanBecome reports whether a tenant in status s may move to next.
func (s Status) CanBecome(next Status) bool { return slices.Contains(transitions[s], next) }

// TransitionError is the error for a move that the status does not permit; it lists the
// permitted ones. what names the requested move, as in "archiving".
func (s Status) TransitionError(op, what string) *errs.Error {
	names := make([]string, 0, len(transitions[s]))
	for _, next := range transitions[s] {
		names = append(names, string(next))
	}
	return errs.Errorf(errs.KindConflict, op, "%s is not possible while the tenant is %s; from there it can become %s",
		what, s, strings.Join(names, " or "))
}

// TransitionError is the error for a move that a tenant's status does not permit, and PurgedError for a
// purged one, which can become nothing.
func (t Tenant) TransitionError(op, what string) *errs.Error {
	if !t.PurgedAt.IsZero() {
		return t.PurgedError(op)
	}
	return t.Status.TransitionError(op, what)
}

// PurgedError is the error for a move of a tenant that was purged.
func (t Tenant) PurgedError(op string) *errs.Error {
	return errs.Errorf(errs.KindConflict, op, "the tenant was purged on %s: its data are deleted for good", t.PurgedAt.UTC().Format(time.DateOnly))
}

// WelcomeEmailStatus is the status of the welcome mail.
type WelcomeEmailStatus string

// The statuses of a welcome mail.
const (
	WelcomeEmailPending WelcomeEmailStatus = "PENDING" // Not sent yet, or to be retried.
	WelcomeEmailSent    WelcomeEmailStatus = "SENT"    // Accepted by the mail server.
	WelcomeEmailFailed  WelcomeEmailStatus = "FAILED"  // Refused permanently.
	WelcomeEmailSkipped WelcomeEmailStatus = "SKIPPED" // None was wanted: the tenant was adopted.
)

// Due reports whether a welcome mail of a live tenant has to be sent, or sent again.
func (s WelcomeEmailStatus) Due() bool { return s != WelcomeEmailSent && s != WelcomeEmailSkipped }
