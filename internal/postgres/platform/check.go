package platform

import (
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantschema"
)

// pageSize is how many tenants one page of a check has.
const pageSize = 250

// Progress is called with the number of tenants that are done, and of all that are to be done.
type Progress func(done, total int)

// Check finds what is wrong with the platform, the causes before what follows from them. It
// changes nothing. An error means that the check was not done.
func (p *Platform) Check(ctx context.Context, progress Progress) (Result, error) {
	const op = "check platform"
	r, err := readPrivileges(ctx, p.db.Pool())
	if err != nil {
		return Result{}, pgdb.Classify(err, op)
	}
	c := &checker{pool: p.db.Pool(), schemas: p.schemas, privileges: r, findings: r.findings(), progress: progress}
	if !r.Registry {
		if len(c.findings) == 0 {
			return Result{}, errs.Errorf(errs.KindPermanent, op, "the database %s has no registry; run tenant-api migrate up", r.Database)
		}
		return c.incomplete(), nil
	}
	// The registry's table comes again, with its other objects.
	c.findings = slices.DeleteFunc(c.findings, func(f Finding) bool { return f.Check == RegistryOwner })
	if err := c.registryObjects(ctx); err != nil {
		return Result{}, pgdb.Classify(err, op)
	}
	unreadable, err := c.unreadable(ctx)
	switch {
	case err != nil:
		return Result{}, pgdb.Classify(err, op)
	case len(unreadable) > 0 && len(c.findings) == 0:
		return Result{}, errs.Errorf(errs.KindPermanent, op, "the role %s may not read %s, so nothing was checked; have a DBA grant it SELECT on them, and USAGE on the schema public", c.privileges.User, strings.Join(unreadable, ", "))
	case len(unreadable) > 0:
		return c.incomplete(), nil
	}
	// A registry that is to be migrated can lack the privileges for that.
	if _, err := p.db.ReadyPool(ctx); err != nil {
		if errs.KindOf(err) == errs.KindPermanent && len(c.findings) > 0 {
			return c.incomplete(), nil
		}
		return Result{}, err
	}
	if err := c.tenants(ctx); err != nil {
		return Result{}, pgdb.Classify(err, op)
	}
	return Result{Findings: c.findings}, nil
}

// checker is one check.
type checker struct {
	pool       *pgxpool.Pool
	schemas    *tenantschema.Schemas
	privileges privileges
	findings   []Finding
	progress   Progress
}

func (c *checker) add(f Finding) { c.findings = append(c.findings, f) }

func (c *checker) incomplete() Result { return Result{Findings: c.findings, TenantsUnchecked: true} }

// unreadable are the tables with what is known of tenants that the user may not read.
func (c *checker) unreadable(ctx context.Context) ([]string, error) {
	rows, _ := c.pool.Query(ctx, `SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = 'public' AND c.relname IN ('registry', 'tenants', 'tenant_credentials', 'tenant_migrations', 'healthcare_migrations')
		  AND NOT (has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE')) ORDER BY 1`)
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// tenants checks all tenants that have a schema, in pages.
func (c *checker) tenants(ctx context.Context) error {
	var total int
	if err := c.pool.QueryRow(ctx, `SELECT count(*) FROM tenants WHERE purged_at IS NULL`).Scan(&total); err != nil {
		return err
	}
	done, after := 0, uuid.Nil
	for {
		page, err := c.schemas.RoleStates(ctx, after, pageSize)
		if err != nil {
			return err
		}
		if err := c.tenantPage(ctx, page); err != nil {
			return err
		}
		if len(page) < pageSize {
			done = total // Others have no schema.
		} else {
			done, after = min(done+len(page), total), page[len(page)-1].Tenant.ID
		}
		if c.progress != nil {
			c.progress(done, total)
		}
		if len(page) < pageSize {
			return nil
		}
	}
}

func (c *checker) tenantPage(ctx context.Context, page []tenantschema.RoleState) error {
	ids := make([]uuid.UUID, len(page))
	for i, state := range page {
		ids[i] = state.Tenant.ID
	}
	without, err := c.rolesWithoutAdmin(ctx, ids)
	if err != nil {
		return err
	}
	missing, err := c.missingLogins(ctx, ids)
	if err != nil {
		return err
	}
	drifted, err := driftedLogins(ctx, c.pool, ids)
	if err != nil {
		return err
	}
	for _, state := range page {
		id := state.Tenant.ID
		c.owners(state)
		c.role(state, without[id])
		for _, name := range without[id] {
			if name != state.Tenant.DatabaseRole {
				c.addAdmin(LoginAdmin, id, name, "no login of it can be ended")
			}
		}
		for _, name := range missing[id] {
			c.add(Finding{Check: LoginMissing, TenantID: id, Object: "role " + quote(name),
				Message: "does not exist, although the registry has it as an open login: its password is not known, so it cannot be made again; repair ends it, and the application opens another one", Repairable: true})
		}
		for _, login := range drifted[id] {
			if login.isEmpty() && slices.ContainsFunc(login.Missing, func(role string) bool { return !c.mayGrant(role, without[id]) }) {
				continue // It shows once the user may grant the role.
			}
			c.add(c.loginDrift(id, login, !slices.Contains(without[id], login.Name)))
		}
	}
	return nil
}

// rolesWithoutAdmin are the roles and logins of tenants that the user may not change, by
// tenant. Before PostgreSQL 16 it may change all. A superuser may as well.
func (c *checker) rolesWithoutAdmin(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID][]string, error) {
	if c.privileges.Version < 16 || c.privileges.Superuser {
		return nil, nil
	}
	// Not pg_has_role, which goes through all roles of which the user is a member each time.
	return c.namesByTenant(ctx, `WITH RECURSIVE memberships AS (SELECT oid FROM pg_roles WHERE rolname = current_user UNION SELECT m.roleid FROM pg_auth_members m JOIN memberships ON m.member = memberships.oid),
		named AS (SELECT t.id, `+roleName+` AS role FROM tenants t WHERE t.id = ANY ($1) UNION ALL SELECT tenant_id, username::name FROM tenant_credentials WHERE tenant_id = ANY ($1))
		SELECT n.id, n.role::text FROM named n JOIN pg_roles g ON g.rolname = n.role
		WHERE NOT EXISTS (SELECT FROM pg_auth_members a WHERE a.roleid = g.oid AND a.admin_option AND a.member IN (SELECT oid FROM memberships)) ORDER BY n.id, n.role`, ids)
}

// missingLogin is a condition on a row c of tenant_credentials: an open login without a role.
const missingLogin = `c.closed_at IS NULL AND NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = c.username::name)`

// missingLogins are the open logins without a role, by tenant.
func (c *checker) missingLogins(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID][]string, error) {
	return c.namesByTenant(ctx, `SELECT c.tenant_id, c.username FROM tenant_credentials c
		WHERE c.tenant_id = ANY ($1) AND `+missingLogin+` ORDER BY c.opened_at`, ids)
}

func (c *checker) namesByTenant(ctx context.Context, query string, ids []uuid.UUID) (map[uuid.UUID][]string, error) {
	rows, _ := c.pool.Query(ctx, query, ids)
	var (
		id   uuid.UUID
		name string
	)
	names := map[uuid.UUID][]string{}
	_, err := pgx.ForEachRow(rows, []any{&id, &name}, func() error {
		names[id] = append(names[id], name)
		return nil
	})
	return names, err
}

// owners adds the schema and the tables of a tenant that do not belong to the schema owner.
func (c *checker) owners(s tenantschema.RoleState) {
	for _, o := range s.ForeignOwned {
		f := foreignOwner(SchemaOwner, o.Kind, o.Name, o.Owner, c.privileges.SchemaOwner)
		f.TenantID, f.Repairable = s.Tenant.ID, o.Usable && c.privileges.SchemaOwnerUsable
		if !o.Usable && !o.Superuser && o.Owner != c.privileges.RegistryOwner {
			f = unknownOwner(f)
		}
		c.add(f)
	}
}
