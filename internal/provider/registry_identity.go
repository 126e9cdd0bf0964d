package provider

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/google/uuid"
	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/inspection"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// registryKey is the private-data key of what the state knows of the registry that has the tenant. A
// tenant that is not in another registry, or not in one that was restored from a backup, must not
// leave the state: the plan would make it again, empty.
const registryKey = "registry"

// knownRegistry is the value of registryKey.
type knownRegistry struct {
	ID       uuid.UUID `json:"id"`
	Timeline int       `json:"timeline"`
	Version  int64     `json:"version"` // Of the tenant.
}

// privateData is the private data of a request or response.
type privateData interface {
	GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
}

type privateWriter interface {
	SetKey(ctx context.Context, key string, value []byte) diag.Diagnostics
}

// readKnownRegistry returns a zero id for a state that has none yet, as after an import.
func readKnownRegistry(ctx context.Context, private privateData) (known knownRegistry) {
	if text, _ := private.GetKey(ctx, registryKey); len(text) > 0 {
		_ = json.Unmarshal(text, &known) // It was written by this provider.
	}
	return known
}

// registryIdentity returns which registry this is, and reads it once.
func (b *backend) registryIdentity(ctx context.Context) (provisioning.RegistryIdentity, error) {
	service, err := b.open(ctx)
	if err != nil {
		return provisioning.RegistryIdentity{}, err
	}
	b.registryMu.Lock()
	defer b.registryMu.Unlock()
	if b.registry.ID == uuid.Nil {
		b.registry, err = service.RegistryIdentity(ctx)
	}
	return b.registry, err
}

// recordRegistry stores which registry has a tenant, if that or the state has changed: a later version
// alone is no reason to write a state again.
func (b *backend) recordRegistry(ctx context.Context, before privateData, private privateWriter, t tenant.Tenant, changed bool, diags *diag.Diagnostics) {
	identity, err := b.registryIdentity(ctx)
	if err != nil {
		return
	}
	known := knownRegistry{identity.ID, identity.Timeline, t.Version}
	if before != nil && !changed {
		if stored := readKnownRegistry(ctx, before); stored.ID == known.ID && stored.Timeline == known.Timeline {
			return
		}
	}
	text, err := json.Marshal(known)
	if err == nil {
		diags.Append(private.SetKey(ctx, registryKey, text)...)
	}
}

// errOtherRegistry is the cause of errors about another registry, or an older one.
var errOtherRegistry = errors.New("another registry")

func registryError(format string, args ...any) error {
	return errs.Wrap(errOtherRegistry, errs.KindConflict, "read registry", format, args...)
}

// checkRegistry returns an error if the state knows the tenant from another registry. The identity is
// zero if there is no registry yet.
func (b *backend) checkRegistry(ctx context.Context, known knownRegistry) (identity provisioning.RegistryIdentity, err error) {
	identity, err = b.registryIdentity(ctx)
	switch {
	case errs.KindOf(err) == errs.KindNotFound && known.ID == uuid.Nil:
		return identity, nil
	case errs.KindOf(err) == errs.KindNotFound:
		return identity, registryError("it is in the registry %s, and the provider is configured with a database that has none", known.ID)
	case err != nil || known.ID == uuid.Nil:
		return identity, err
	case known.ID != identity.ID:
		return identity, registryError("it is in the registry %s, and the provider is configured with another one, %s", known.ID, identity.ID)
	case known.Timeline > identity.Timeline:
		return identity, registryError("the state knows timeline %d of the registry %s, which is at timeline %d: it was restored from a backup", known.Timeline, identity.ID, identity.Timeline)
	}
	return identity, nil
}

// openKnown returns the tenant service if its registry is the one that the state knows.
func (b *backend) openKnown(ctx context.Context, private privateData) (tenantService, error) {
	service, err := b.open(ctx)
	if err == nil {
		_, err = b.checkRegistry(ctx, readKnownRegistry(ctx, private))
	}
	return service, err
}

// inspectKnown reads a tenant of the state. Besides the errors of inspect, errOtherRegistry if the state
// knows another registry, or a later version of the tenant in the same timeline: no tenant is ever
// removed from a registry.
func (b *backend) inspectKnown(ctx context.Context, private privateData, id uuid.UUID) (found inspection.Inspection, err error) {
	known := readKnownRegistry(ctx, private)
	identity, err := b.checkRegistry(ctx, known)
	if err != nil {
		return found, err
	}
	found, err = b.inspect(ctx, id)
	switch missing := errs.KindOf(err) == errs.KindNotFound; {
	case err != nil && !missing, known.ID == uuid.Nil, known.Timeline < identity.Timeline:
	case missing:
		err = registryError("the registry %s had it, and does not have it any more: it was restored from a backup, or rows were deleted", identity.ID)
	case known.Version > found.Tenant.Version:
		err = registryError("the state knows version %d of it, and the registry %s has version %d: it was restored from a backup, or rows were deleted", known.Version, identity.ID, found.Tenant.Version)
	}
	return found, err
}

// registryRemedy says what to do about another registry, or a restored one.
const registryRemedy = "If the configuration names the wrong registry, correct it: database.url or DATABASE_URL, api.url or TENANT_API_URL, or the resource's provider argument, if another alias was written there: " +
	"a tenant does not move between registries by that. If this registry was restored and is the one to go on with, run tenant-api platform accept-restore --reason TEXT, and plan again. " +
	"If the tenant is to leave this state: terraform state rm ADDRESS."
