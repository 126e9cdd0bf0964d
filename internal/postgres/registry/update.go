package registry

import (
	"cmp"
	"context"
	"maps"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/auditlog"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/blueprintsql"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/passwordhash"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/welcome"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Update changes the inputs of a tenant.
func (s *Registry) Update(ctx context.Context, id uuid.UUID, in tenant.Inputs, version int64) (tenant.Tenant, error) {
	var t tenant.Tenant
	hash, err := passwordhash.Hash(ctx, in.AdminPassword)
	if err != nil {
		return t, err
	}
	var password *string
	if hash != "" {
		password = &hash
	}
	err = s.db.InTx(ctx, "update tenant", func(tx pgx.Tx) error {
		locked, err := tenantrow.Lock(ctx, tx, id)
		if err != nil {
			return err
		}
		t = locked.Tenant
		in.Blueprint = cmp.Or(in.Blueprint, t.Blueprint)
		switch {
		case t.Status == tenant.StatusArchived && !onlyProtection(t, in, password):
			return errs.Errorf(errs.KindConflict, "update tenant", "the tenant is ARCHIVED and cannot be changed")
		case version != 0 && version != t.Version:
			return errs.Errorf(errs.KindStale, "update tenant",
				"the tenant was changed concurrently (version %d, expected %d); read it again", t.Version, version)
		case password == nil && in.Equal(t.Inputs()) && !changesProtection(t, in):
			return nil
		}
		t, err = writeInputs(ctx, tx, locked.Run, in, password)
		return err
	})
	return t, err
}

// ChangeInputs gives a locked live tenant new inputs, with the hash of a new password or "".
func ChangeInputs(ctx context.Context, tx pgx.Tx, locked tenantrow.Row, in tenant.Inputs, hash string) (tenant.Tenant, error) {
	var password *string
	if hash != "" {
		password = &hash
	}
	if password == nil && in.Equal(locked.Tenant.Inputs()) && !changesProtection(locked.Tenant, in) {
		return locked.Tenant, nil
	}
	return writeInputs(ctx, tx, locked.Run, in, password)
}

func changesProtection(t tenant.Tenant, in tenant.Inputs) bool {
	return in.DeletionProtection != nil && *in.DeletionProtection != t.DeletionProtection
}

// onlyProtection reports whether new inputs change the deletion protection alone, which an archived
// tenant has as well.
func onlyProtection(t tenant.Tenant, in tenant.Inputs, password *string) bool {
	return password == nil && in.Equal(t.Inputs()) && changesProtection(t, in) && t.PurgedAt.IsZero()
}

// writeInputs writes new inputs to the registry and to the admin user of the tenant's
// schema, if it exists. password is the hash of a new password, "" to remove it, nil to
// keep it. The registry only has it until the tenant is live.
func writeInputs(ctx context.Context, tx pgx.Tx, run provisioning.Run, in tenant.Inputs, password *string) (tenant.Tenant, error) {
	if wanted := cmp.Or(in.Blueprint, tenant.StandardBlueprint); wanted != run.Tenant.Blueprint {
		return run.Tenant, provisioning.ErrOtherBlueprint(run.Tenant, wanted)
	}
	look := tenant.LookOf(in.Name)
	rows, _ := tx.Query(ctx, `UPDATE tenants SET name = @name, name_key = @name_key, name_skeleton = @name_skeleton, name_scripts = @name_scripts,
			allow_confusable_name = @allow_confusable_name, admin_email = @admin_email,
			admin_first_name = @admin_first_name, admin_last_name = @admin_last_name,
			external_id = nullif(@external_id::text, ''), metadata = @metadata, managed_by = nullif(@managed_by::text, ''),
			locale = nullif(@locale::text, ''), variables = @variables,
			deletion_protection = coalesce(@deletion_protection::boolean, deletion_protection),
			admin_password_hash = CASE WHEN @password::text IS NULL OR status IN ('ACTIVE', 'SUSPENDED') THEN admin_password_hash
			                           ELSE nullif(@password::text, '') END,
			updated_at = now(), version = version + 1
		WHERE id = @id RETURNING `+tenantrow.Columns,
		pgx.StrictNamedArgs{
			"id": run.Tenant.ID, "name": in.Name, "name_key": tenant.NameKey(in.Name), "name_skeleton": look.Skeleton, "name_scripts": look.Scripts,
			"allow_confusable_name": in.AllowConfusableName, "admin_email": in.AdminEmail,
			"admin_first_name": in.AdminFirstName, "admin_last_name": in.AdminLastName, "external_id": in.ExternalID,
			"metadata": notNil(in.Metadata), "managed_by": in.ManagedBy, "locale": in.Locale, "variables": notNil(in.Variables), "password": password,
			"deletion_protection": in.DeletionProtection,
		})
	t, err := pgx.CollectExactlyOneRow(rows, tenantrow.Scan)
	if err == nil {
		err = auditlog.Append(ctx, tx, t.ID, audit.ActionUpdate, auditedChanges(run.Tenant, in, password))
	}
	before := run.Tenant
	if err == nil && t.WasLive() && (t.AdminEmail != before.AdminEmail || password != nil) {
		t, err = endInvitations(ctx, tx, t, t.AdminEmail != before.AdminEmail && password == nil)
	}
	sameAdmin := password == nil && t.AdminEmail == before.AdminEmail && t.AdminFirstName == before.AdminFirstName && t.AdminLastName == before.AdminLastName
	// A server without a worker can change the rest of a tenant with a blueprint.
	if err != nil || run.AdminUser == uuid.Nil || sameAdmin && t.Blueprint != tenant.StandardBlueprint {
		return t, err
	}
	return t, updateAdmin(ctx, tx, t, run.AdminUser, password)
}

// endInvitations ends the invitations of a tenant that was live: the reader of mail to the old
// address, or of an old mail, must not choose the password. With invite, another one follows.
func endInvitations(ctx context.Context, tx pgx.Tx, t tenant.Tenant, invite bool) (tenant.Tenant, error) {
	_, err := welcome.RevokeInvitations(ctx, tx, t.ID)
	if err == nil && invite && t.Status == tenant.StatusActive && !t.WithoutUsers && t.WelcomeEmail != tenant.WelcomeEmailSkipped {
		err = welcome.InviteSoon(ctx, tx, t.ID)
	}
	if err != nil {
		return t, err
	}
	locked, err := tenantrow.Lock(ctx, tx, t.ID)
	return locked.Tenant, err
}

// updateAdminSQL changes the administrator's row; parameter 5 is the hash of a new password: NULL
// keeps the old one, ” removes it.
const updateAdminSQL = `UPDATE users SET email = $2::text, first_name = $3::text, last_name = $4::text, updated_at = now(),
		password_hash = CASE WHEN $5::text IS NULL THEN password_hash ELSE nullif($5::text, '') END
	WHERE id = $1::uuid AND ($5::text IS NOT NULL OR (email, first_name, last_name) IS DISTINCT FROM ($2::text, $3::text, $4::text))`

// updateAdmin changes the administrator in the tenant's own table. A blueprint can have triggers on
// it, so there this runs as the schema owner and under the guard. The user of a server without a
// worker cannot do that: its function, which runs as the registry owner, refuses a table with triggers.
func updateAdmin(ctx context.Context, tx pgx.Tx, t tenant.Tenant, admin uuid.UUID, password *string) error {
	if t.Blueprint != tenant.StandardBlueprint {
		var (
			owner  string
			member bool
		)
		err := tx.QueryRow(ctx, `SELECT r.schema_owner, pg_has_role(current_user, r.schema_owner, 'MEMBER') FROM registry r`).Scan(&owner, &member)
		if err != nil {
			return err
		}
		if member {
			return updateAdminGuarded(ctx, tx, t, owner, admin, password)
		}
	}
	_, err := tx.Exec(ctx, `SELECT tenant_update_admin($1, $2::text)`, t.ID, password)
	return err
}

// updateAdminGuarded does so as the schema owner.
func updateAdminGuarded(ctx context.Context, tx pgx.Tx, t tenant.Tenant, owner string, admin uuid.UUID, password *string) error {
	template := &blueprintsql.Template{Blueprints: []blueprint.Blueprint{{Name: t.Blueprint}}}
	change := blueprintsql.Statement{
		SQL: updateAdminSQL, Args: []any{admin, t.AdminEmail, t.AdminFirstName, t.AdminLastName, password},
		Origin: blueprintsql.Origin{File: "the triggers of the blueprint " + t.Blueprint},
	}
	failed, err := blueprintsql.Run(ctx, tx, template.Begin(t, owner, ""))
	if err == nil {
		var done pgconn.CommandTag
		failed = change.Origin
		done, err = tx.Exec(ctx, change.SQL, append([]any{pgx.QueryExecModeExec}, change.Args...)...)
		if err == nil && done.RowsAffected() == 0 && password != nil { // As tenant_update_admin does.
			return errs.Errorf(errs.KindPermanent, "update tenant", "the password is not set: %s.users has no row with the id of the administrator, %s, or a trigger keeps it from being changed; put that right", t.SchemaName, admin)
		}
	}
	if err == nil {
		failed, err = blueprintsql.Run(ctx, tx, template.End(t, ""))
	}
	return blueprintsql.OriginError(failed, err, "update tenant")
}

// auditedChanges is the detail of an update's audit event: each changed field with both
// values; of a password only that it was set or removed.
func auditedChanges(before tenant.Tenant, to tenant.Inputs, password *string) map[string]any {
	changed, from := map[string]any{}, before.Inputs()
	if changesProtection(before, to) {
		changed["deletionProtection"] = *to.DeletionProtection
	}
	for _, field := range []struct{ name, from, to string }{
		{"name", from.Name, to.Name}, {"adminEmail", from.AdminEmail, to.AdminEmail},
		{"adminFirstName", from.AdminFirstName, to.AdminFirstName}, {"adminLastName", from.AdminLastName, to.AdminLastName},
		{"externalId", from.ExternalID, to.ExternalID}, {"managedBy", from.ManagedBy, to.ManagedBy},
		{"locale", from.Locale, to.Locale},
	} {
		if field.from != field.to {
			changed[field.name] = map[string]string{"from": field.from, "to": field.to}
		}
	}
	if from.AllowConfusableName != to.AllowConfusableName {
		changed["allowConfusableName"] = map[string]bool{"from": from.AllowConfusableName, "to": to.AllowConfusableName}
	}
	if !maps.Equal(from.Metadata, to.Metadata) {
		changed["metadata"] = map[string]any{"from": from.Metadata, "to": to.Metadata}
	}
	if !maps.Equal(from.Variables, to.Variables) {
		changed["variables"] = map[string]any{"from": from.Variables, "to": to.Variables}
	}
	switch {
	case password == nil:
	case *password == "":
		changed["adminPassword"] = "removed"
	default:
		changed["adminPassword"] = "set"
	}
	return map[string]any{"changed": changed}
}
