package publish

import (
	"context"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
)

// Activate makes a revision the one that new tenants get; a retired blueprint is in use again.
// Going back to an older revision is the same. KindNotFound for one that is not published.
func (p *Blueprints) Activate(ctx context.Context, name string, revision int) error {
	return p.store.Activate(ctx, name, revision)
}

// Active returns the active revision of a blueprint. See provisioning.BlueprintStore.
func (p *Blueprints) Active(ctx context.Context, name string) (blueprint.Active, error) {
	return p.store.ActiveBlueprint(ctx, name)
}

// Used returns the active revision of a blueprint that may be retired.
func (p *Blueprints) Used(ctx context.Context, name string) (blueprint.Active, error) {
	return p.store.UsedBlueprint(ctx, name)
}

// MailBlueprint returns the blueprint whose mails the tenants of all its revisions get. See
// mail.Blueprints.
func (p *Blueprints) MailBlueprint(ctx context.Context, name string) (blueprint.Blueprint, error) {
	used, err := p.store.UsedBlueprint(ctx, name)
	return used.Blueprint, err
}

// Retire ends that new tenants are made from a blueprint. Its tenants stay as they are.
// KindNotFound for a name that is not published.
func (p *Blueprints) Retire(ctx context.Context, name string) error {
	return p.store.Retire(ctx, name)
}

// List returns all published blueprints by name, without their revisions.
func (p *Blueprints) List(ctx context.Context) ([]blueprint.Status, error) {
	return p.store.List(ctx, "")
}

// Get returns one blueprint with its revisions. KindNotFound for a name that is not published.
func (p *Blueprints) Get(ctx context.Context, name string) (blueprint.Status, error) {
	return p.store.Get(ctx, name)
}
