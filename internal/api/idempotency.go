package api

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// maxIdempotencyScope is the longest name of whose key it is that the registry can store.
const maxIdempotencyScope = 255

// idempotency is what an Idempotency-Key means for this caller and request, nil
// without one.
func idempotency(c *call, key string, in provisioning.Inputs) (*provisioning.Idempotency, error) {
	const header = "Idempotency-Key"
	switch {
	case key == "":
		return nil, nil //nolint:nilnil // documented
	case c.streams:
		return nil, invalid(Fault{header, "has no meaning together with Accept: text/event-stream; leave it out, the call continues a tenant of the same name anyway"})
	}
	// Without the password, which is in no encoding: a fast hash of it would be kept
	// for a day, and could be tried against word lists. So a request that differs in the
	// password alone is answered as the first was.
	normalised, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	scope := string(c.caller.Kind) + " " + c.caller.ID
	if len(scope) > maxIdempotencyScope {
		sum := sha256.Sum256([]byte(scope))
		scope = hex.EncodeToString(sum[:])
	}
	return &provisioning.Idempotency{Scope: scope, Key: key, Hash: sha256.Sum256(normalised)}, nil
}
