package tenant

import (
	"slices"
	"strings"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// Status is the status of a tenant.
type Status string

// The statuses.
const (
	StatusPending      Status = "PENDING"      // Recorded; no run has claimed it yet.
	StatusProvisioning Status = "PROVISIONING" // A run is, or was, taking it through the steps.
	StatusActive       Status = "ACTIVE"       // Live.
	StatusSuspended    Status = "SUSPENDED"    // Live, but out of service for a time.
	StatusFailed       Status = "FAILED"       // The last attempt ended and was rolled back.
	StatusArchived     Status = "ARCHIVED"     // Out of service; what it stored is kept.
)

// transitions holds every permitted move.
var transitions = map[Status][]Status{
	StatusPending:      {StatusProvisioning, StatusArchived},
	StatusProvisioning: {StatusActive, StatusFailed, StatusArchived},
	StatusFailed:       {StatusProvisioning, StatusArchived},
	StatusActive:       {StatusSuspended, StatusArchived},
	StatusSuspended:    {StatusActive, StatusArchived},
	StatusArchived:     {StatusActive},
}

// Statuses lists all statuses in the order of a tenant's life.
func Statuses() []Status {
	return []Status{StatusPending, StatusProvisioning, StatusActive, StatusSuspended, StatusFailed, StatusArchived}
}

// Known reports whether s is a status at all.
func (s Status) Known() bool { return slices.Contains(Statuses(), s) }

// Terminal reports whether nothing more happens to the tenant by itself.
func (s Status) Terminal() bool { return s != StatusPending && s != StatusProvisioning }

// OccupiesName reports whether the tenant holds its name against others.
func (s Status) OccupiesName() bool {
	return s == StatusPending || s == StatusProvisioning || s == StatusActive || s == StatusSuspended
}

// CanBecome reports whether a tenant in status s may move to next.
func (s Status) CanBecome(next Status) bool { return slices.Contains(transitions[s], next) }

// TransitionError is the refusal of a move: it says which moves are possible. what is
// what was asked for, as "archiving".
func (s Status) TransitionError(op, what string) *errs.Error {
	names := make([]string, 0, len(transitions[s]))
	for _, next := range transitions[s] {
		names = append(names, string(next))
	}
	return errs.Errorf(errs.KindConflict, op, "%s is not possible while the tenant is %s; from there it can become %s",
		what, s, strings.Join(names, " or "))
}

// WelcomeEmailStatus is the fate of the welcome mail.
type WelcomeEmailStatus string

// The fates of a welcome mail.
const (
	WelcomeEmailPending WelcomeEmailStatus = "PENDING" // Not sent yet, or worth trying again.
	WelcomeEmailSent    WelcomeEmailStatus = "SENT"    // Accepted by the mail server.
	WelcomeEmailFailed  WelcomeEmailStatus = "FAILED"  // Refused for good.
)
