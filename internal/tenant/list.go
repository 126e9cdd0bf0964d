package tenant

import (
	"time"

	"github.com/google/uuid"
)

// Limits of a page of tenants.
const (
	DefaultPage = 20
	MaxPage     = 100
)

// ListQuery asks for a page of tenants, newest first. Zero values filter nothing.
type ListQuery struct {
	Status Status
	Text   string    // A part of the name or of the admin's e-mail, ignoring case.
	Limit  int       // 1 to MaxPage; 0: DefaultPage.
	After  *Position // The page's predecessor ends here.
}

// Position is a place in the order of tenants.
type Position struct {
	CreatedAt time.Time
	ID        uuid.UUID
}

// Page is a part of the list.
type Page struct {
	Tenants []Tenant
	Total   int64     // Of all pages of the query.
	Next    *Position // Nil on the last page.
}
