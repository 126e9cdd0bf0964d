package provider

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
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

// recordRegistry stores which registry has a tenant, if that or the tenant's version has changed.
func (b *backend) recordRegistry(ctx context.Context, before privateData, private privateWriter, t tenant.Tenant, diags *diag.Diagnostics) {
	identity, err := b.registryIdentity(ctx)
	known := knownRegistry{identity.ID, identity.Timeline, t.Version}
	if err != nil || before != nil && readKnownRegistry(ctx, before) == known {
		return
	}
	text, err := json.Marshal(known)
	if err == nil {
		diags.Append(private.SetKey(ctx, registryKey, text)...)
	}
}

// checkRegistry returns an error if the state knows the tenant from another registry.
func (b *backend) checkRegistry(ctx context.Context, private privateData) (known knownRegistry, identity provisioning.RegistryIdentity, err error) {
	known = readKnownRegistry(ctx, private)
	if identity, err = b.registryIdentity(ctx); err != nil || known.ID == uuid.Nil {
		return known, identity, err
	}
	if known.ID != identity.ID {
		return known, identity, errs.Errorf(errs.KindConflict, "read registry",
			"it is in the registry %s, and the provider is configured with another one, %s", known.ID, identity.ID)
	}
	if known.Timeline > identity.Timeline {
		return known, identity, restoredError(fmt.Sprintf("the state knows timeline %d of the registry %s, which is at timeline %d", known.Timeline, identity.ID, identity.Timeline))
	}
	return known, identity, nil
}

// checkRestored returns an error if the state knows a later version of the tenant than the registry
// has, in the same timeline. found is zero for a tenant that the registry does not have: no tenant is
// ever removed from it.
func checkRestored(known knownRegistry, identity provisioning.RegistryIdentity, found tenant.Tenant) error {
	switch {
	case known.ID == uuid.Nil || known.Timeline < identity.Timeline:
		return nil
	case found.ID == uuid.Nil:
		return restoredError(fmt.Sprintf("the registry %s had it, and does not have it any more", identity.ID))
	case known.Version > found.Version:
		return restoredError(fmt.Sprintf("the state knows version %d of it, and the registry %s has version %d", known.Version, identity.ID, found.Version))
	}
	return nil
}

func restoredError(what string) error {
	return errs.Errorf(errs.KindConflict, "read registry", "%s: it was restored from a backup, or rows were deleted", what)
}

// registryRemedy says what to do about another registry, or a restored one.
const registryRemedy = "If the configuration names the wrong registry, correct it: database.url or DATABASE_URL, api.url or TENANT_API_URL, or the resource's provider argument, if another alias was written there: " +
	"a tenant does not move between registries by that. If this registry was restored and is the one to go on with, run tenant-api platform accept-restore --reason TEXT, and plan again. " +
	"If the tenant is to leave this state: terraform state rm ADDRESS."
