// Package events defines the changes of a tenant's log that followers receive, and the
// notifications that signal them.
package events

import (
	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Changes is what changed in a tenant's log after a position.
type Changes struct {
	Tenant  tenant.Tenant     // As it is now.
	Entries []tenant.LogEntry // Log rows that changed since, in the order of their last change.
}

// ChangeNotifier notifies of changes of a tenant. Notifications may be repeated and, when
// the connection to the registry is lost, may be missed, so callers must poll as well.
type ChangeNotifier interface {
	// Watch returns a channel that receives a value after each change of the tenant, and
	// a function that ends the notifications.
	Watch(tenant uuid.UUID) (changed <-chan struct{}, stop func())
}
