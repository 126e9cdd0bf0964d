package credentials

import (
	"time"
)

// Login is a login that was opened for a tenant, with what the registry knows of it beside its
// audit events.
type Login struct {
	Access // EndedAt: since when it has no session any more.

	ClosedAt time.Time // Since when it cannot connect; zero: it can.
}
