package provisioning

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// withDefaultBlueprint names the default blueprint if the inputs name none.
func (s *Service) withDefaultBlueprint(in tenant.Inputs) tenant.Inputs {
	if in.Blueprint == "" {
		in.Blueprint = s.pipeline.opts.DefaultBlueprint
	}
	return in
}

// newDraft makes the draft of a new tenant. KindInvalid for broken rules, for a blueprint that
// makes no tenants, and for values that its variables do not permit.
func (s *Service) newDraft(ctx context.Context, in tenant.Inputs) (tenant.Draft, error) {
	draft, err := tenant.NewDraft(s.withDefaultBlueprint(in), s.pipeline.opts.Clock.Now())
	if err == nil && s.pipeline.opts.OpaqueSchemaNames {
		draft.HideName()
	}
	if err == nil {
		err = s.checkBlueprint(ctx, &draft)
	}
	if in.Blueprint == "" {
		err = nameDefault(err)
	}
	return draft, err
}

// nameDefault adds the source of the blueprint to an error about it.
func nameDefault(err error) error {
	fields := slices.Clone(errs.FieldsOf(err))
	at := slices.IndexFunc(fields, func(f errs.FieldError) bool { return f.Field == "blueprint" })
	if at < 0 {
		return err
	}
	fields[at].Message += "; the request names none, so it is that of DEFAULT_BLUEPRINT"
	return &errs.Error{Kind: errs.KindOf(err), Op: "create tenant", Fields: fields}
}

// checkBlueprint checks what a draft says of its blueprint, and notes what that does without.
func (s *Service) checkBlueprint(ctx context.Context, d *tenant.Draft) error {
	in := d.Inputs
	active, err := s.blueprints.ActiveBlueprint(ctx, in.Blueprint)
	if err != nil {
		return err
	}
	if _, err := active.ResolveVariables(in.Variables); err != nil {
		return err
	}
	if in.AdminPassword != "" && active.Extends == blueprint.BaseNone {
		return errNoUsers(in.Blueprint)
	}
	d.WithoutContract, d.WithoutUsers = active.Contract == blueprint.ContractNone, active.Extends == blueprint.BaseNone
	return nil
}

// errNoUsers is the error for a password of an administrator that a tenant does not have.
func errNoUsers(blueprint string) error {
	return &errs.Error{Kind: errs.KindInvalid, Op: "set password", Fields: []errs.FieldError{{Field: "adminPassword",
		Message: "has no meaning with the blueprint " + blueprint + ", whose tenants have no table users; remove it"}}}
}

// checkUpdate checks what the new inputs of a tenant say of its blueprint. Variables that stay as
// they are are not checked again: a later revision may not permit them any more.
func (s *Service) checkUpdate(ctx context.Context, id uuid.UUID, in tenant.Inputs) error {
	if in.Blueprint == tenant.StandardBlueprint && len(in.Variables) == 0 {
		return nil // The store compares the blueprint with the tenant's.
	}
	t, err := s.tenants.Get(ctx, id)
	switch {
	case err != nil:
		return err
	case in.Blueprint != "" && in.Blueprint != t.Blueprint:
		return ErrOtherBlueprint(t, in.Blueprint)
	case in.AdminPassword != "" && t.WithoutUsers:
		return errNoUsers(t.Blueprint)
	case maps.Equal(in.Variables, t.Variables):
		return nil
	}
	used, err := s.blueprints.UsedBlueprint(ctx, t.Blueprint)
	if err != nil {
		return err
	}
	_, err = used.ResolveVariables(in.Variables)
	return err
}

// ErrTenantExists returns the KindConflict of an existing tenant that has the wanted external id
// or name. The error names the external id if that is equal, else the name, and a blueprint that is
// not the tenant's.
func ErrTenantExists(t tenant.Tenant, wanted tenant.Inputs) *errs.Error {
	field, words, value := "name", "name", t.Name
	if wanted.ExternalID != "" && wanted.ExternalID == t.ExternalID {
		field, words, value = "externalId", "external id", t.ExternalID
	}
	err := &errs.Error{
		Kind: errs.KindConflict, Op: "create tenant",
		Message: "a tenant with this " + words + " exists already: " + t.Name + " (" + t.ID.String() + "), " + string(t.Status),
		Fields:  []errs.FieldError{{Field: field, Message: "is taken: " + value}},
	}
	if wanted.Blueprint != "" && wanted.Blueprint != t.Blueprint {
		err.Fields = append(err.Fields, ErrOtherBlueprint(t, wanted.Blueprint).Fields...)
	}
	return err
}

// ErrOtherBlueprint returns the KindConflict of a tenant that was made from another blueprint than
// the wanted one.
func ErrOtherBlueprint(t tenant.Tenant, wanted string) *errs.Error {
	return &errs.Error{
		Kind: errs.KindConflict, Op: "change blueprint",
		Fields: []errs.FieldError{{Field: "blueprint", Message: fmt.Sprintf(
			"is %q, and tenant %s (%s) was made from %q, which never changes; create another tenant, with a name and an external id of its own", wanted, t.Name, t.ID, t.Blueprint)}},
	}
}
