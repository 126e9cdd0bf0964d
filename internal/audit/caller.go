package audit

import (
	"context"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/processid"
)

// CallerKind says how somebody was recognised.
type CallerKind string

// The kinds of callers.
const (
	CallerAPIKey    CallerKind = "apikey"    // By an API key.
	CallerToken     CallerKind = "oidc"      // By a token of the configured issuer.
	CallerAnonymous CallerKind = "anonymous" // Not at all.
	CallerTerraform CallerKind = "terraform" // Whoever runs the provider with the database's credentials.
	CallerCommand   CallerKind = "command"   // Whoever runs the command line with them.
	CallerProcess   CallerKind = "process"   // Nobody: a worker or the reconciler by itself.
)

// Caller is who wants something, and from where; the audit log keeps it.
type Caller struct {
	Kind      CallerKind `json:"kind"`
	ID        string     `json:"id,omitempty"`        // A key's prefix, a token's subject.
	Name      string     `json:"name,omitempty"`      // A key's name, a host and process.
	Address   string     `json:"address,omitempty"`   // The network address of a request.
	RequestID string     `json:"requestId,omitempty"` // Finds the request in the server's log.
}

type callerKey struct{}

// WithCaller gives a context in whose name everything happens that is done with it.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerOf tells in whose name a context acts: this process's own unless
// WithCaller said otherwise.
func CallerOf(ctx context.Context) Caller {
	if c, ok := ctx.Value(callerKey{}).(Caller); ok {
		return c
	}
	return Caller{Kind: CallerProcess, Name: processid.HostAndPID()}
}
