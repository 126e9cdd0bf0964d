// Package events has the changes of a tenant's log as followers see them, and the
// notifications that say when to read them.
package events

import (
	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Changes is what happened to a tenant since a point of its log.
type Changes struct {
	Tenant  tenant.Tenant     // As it is now.
	Entries []tenant.LogEntry // Rows of the log that changed since, in the order of their last change.
}

// ChangeNotifier tells when to look for changes of a tenant again. It may tell too
// often and, when the connection to the registry is lost, too late; so whoever
// watches looks by himself now and then, too.
type ChangeNotifier interface {
	// Watch gives a channel that receives a value after each change of the tenant,
	// and a function that ends it.
	Watch(tenant uuid.UUID) (changed <-chan struct{}, stop func())
}
