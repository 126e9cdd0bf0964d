package tenant

import (
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
)

// Limits of a page of tenants.
const (
	DefaultPage = 20
	MaxPage     = 100
)

// ListQuery selects a page of tenants, newest first. Zero values do not filter.
type ListQuery struct {
	Status    Status
	Text      string // A part of the name or of the admin's e-mail, ignoring case.
	Blueprint string // That the tenant was made from.
	// Invitation is the status of the administrator's newest invitation.
	Invitation invitation.Status
	Metadata   MetadataFilter
	ManagedBy  string
	// CreatedAfter and CreatedBefore are themselves not in the range.
	CreatedAfter, CreatedBefore time.Time
	Held                        *bool // Whether the tenant is under a legal hold.
	Suspended                   *bool // Whether the tenant is suspended, or was when it was archived; false for purged ones.
	// Behind is whether the tenant was live, is not purged, and is at an older revision of its
	// blueprint, or schema version, than new tenants get.
	Behind *bool
	ID     uuid.UUID // Only this tenant; uuid.Nil: all.

	Visible MetadataFilter // The tenants that the caller sees.
	Limit   int            // 1 to MaxPage; 0: DefaultPage.
	After   *Position      // The last tenant of the page before.
}

// Matches reports whether a tenant passes all filters but Text and Behind.
func (q ListQuery) Matches(t Tenant) bool {
	return (q.ID == uuid.Nil || q.ID == t.ID) && (q.Status == "" || q.Status == t.Status) && (q.Blueprint == "" || q.Blueprint == t.Blueprint) &&
		(q.Invitation == "" || q.Invitation == t.Invitation.Status) && (q.ManagedBy == "" || q.ManagedBy == t.ManagedBy) &&
		(q.CreatedAfter.IsZero() || t.CreatedAt.After(q.CreatedAfter)) && (q.CreatedBefore.IsZero() || t.CreatedAt.Before(q.CreatedBefore)) &&
		(q.Held == nil || *q.Held == t.Hold.Active()) && (q.Suspended == nil || *q.Suspended == (!t.SuspendedAt.IsZero() && t.PurgedAt.IsZero())) && q.Metadata.Matches(t.Metadata) && q.Visible.Matches(t.Metadata)
}

// Position is a position in the order of tenants.
type Position struct {
	CreatedAt time.Time
	ID        uuid.UUID
}

// Page is one page of the list.
type Page struct {
	Tenants []Tenant
	Total   int64     // Of all pages of the query.
	Next    *Position // Nil on the last page.
}
