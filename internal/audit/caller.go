package audit

import (
	"cmp"
	"context"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/processid"
)

// CallerKind says how a caller was authenticated.
type CallerKind string

// The kinds of callers.
const (
	CallerAPIKey    CallerKind = "apikey"    // By an API key.
	CallerToken     CallerKind = "oidc"      // By a token of the configured issuer.
	CallerInvited   CallerKind = "invited"   // By the token of an invitation.
	CallerAnonymous CallerKind = "anonymous" // Not at all.
	CallerTerraform CallerKind = "terraform" // By running the provider with database credentials.
	CallerCommand   CallerKind = "command"   // By running the command line with database credentials.
	CallerProcess   CallerKind = "process"   // No caller: a worker or the reconciler.
	CallerRedacted  CallerKind = "redacted"  // A purge deleted caller and detail of the event.
)

// Caller identifies the author of an action, and where the request came from; the audit
// log stores it.
type Caller struct {
	Kind      CallerKind `json:"kind"`
	ID        string     `json:"id,omitempty"`        // A key's prefix, a token's subject.
	Name      string     `json:"name,omitempty"`      // A key's name, a host and process.
	Address   string     `json:"address,omitempty"`   // The network address of a request.
	RequestID string     `json:"requestId,omitempty"` // Finds the request in the server's log.
}

// String names the caller for people: its name, or id, and how it was authenticated.
func (c Caller) String() string {
	if name := cmp.Or(c.Name, c.ID); name != "" {
		return name + " (" + string(c.Kind) + ")"
	}
	return string(c.Kind)
}

type callerKey struct{}

// WithCaller returns a context that carries the caller.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerOf returns the caller of a context; without one, this process.
func CallerOf(ctx context.Context) Caller {
	if c, ok := ctx.Value(callerKey{}).(Caller); ok {
		return c
	}
	return Caller{Kind: CallerProcess, Name: processid.HostAndPID()}
}
