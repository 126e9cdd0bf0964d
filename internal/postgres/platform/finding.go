// Package platform checks what all tenants of a registry depend on, and repairs it: the
// privileges of the current user, the connect role, who may connect, and owners, roles and logins
// of all tenants. A major upgrade, a dump restored elsewhere, another owner or a DBA changes
// these without the registry's knowledge.
//
// The current user is the registry owner: current_user and not session_user. What its privileges do
// not permit is reported with the statement for a DBA. Check changes nothing and is a
// few queries for each page of tenants. Repair can be interrupted and repeated at any time,
// also by several processes at once: each tenant has a transaction of its own, under the lock
// that every change of a tenant takes.
package platform

import (
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/logins"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantschema"
)

// Finding is one thing that is wrong with a platform.
type Finding struct {
	Check    Check
	TenantID uuid.UUID // uuid.Nil: the platform itself.
	Object   string    // As PostgreSQL's messages have it: role "x".
	Message  string    // What is wrong with it.
	// Statements repair it, in this order. Empty: Repair does it without SQL, or a person has to.
	Statements []string
	// Repairable says that the current user may repair it: Repair does. If not, a DBA may
	// run Statements.
	Repairable bool
}

// Check is what a finding is about. The words are for programs, and do not change.
type Check string

// The checks.
const (
	CreateRoleMissing    Check = "createrole_missing"          // The user has no CREATEROLE.
	NoInherit            Check = "noinherit"                   // The user is NOINHERIT, before PostgreSQL 16.
	DatabaseCreate       Check = "database_create_missing"     // The user may not create schemas.
	PublicSchemaMissing  Check = "public_schema_missing"       // There is no schema public.
	PublicSchemaCreate   Check = "public_create_missing"       // The user may not create tables in public.
	PublicSchemaOpen     Check = "public_schema_open"          // Every role may create tables in public.
	DatabaseOpen         Check = "database_open"               // Every role may connect.
	ConnectRoleMissing   Check = "connect_role_missing"        // It does not exist.
	ConnectMissing       Check = "connect_missing"             // The connect role may not connect.
	ConnectRoleDrift     Check = "connect_role_drift"          // It has attributes or groups that it must not have.
	ConnectRoleAdmin     Check = "connect_role_admin"          // The user may not grant it, from PostgreSQL 16 on.
	SchemaOwnerMissing   Check = "schema_owner_missing"        // It does not exist.
	SchemaOwnerMember    Check = "schema_owner_member"         // The user may not become it.
	SchemaOwnerDrift     Check = "schema_owner_drift"          // It has attributes, groups or privileges that it must not have.
	RegistryOwner        Check = "registry_owner"              // A table or function belongs to another role.
	RegistryPrivileges   Check = "registry_privileges_missing" // The user owns a table of the registry and lacks privileges on it.
	RegistryFunctionOpen Check = "registry_function_open"      // Every role may execute a function of the registry.
	RegistryCopied       Check = "registry_copied"             // Another database of the server has the same registry.
	SchemaMissing        Check = "schema_missing"              // A tenant's schema or table does not exist.
	SchemaOwner          Check = "schema_owner"                // It belongs to another role than the schema owner.
	RoleMissing          Check = "role_missing"                // A tenant's role does not exist.
	RoleDrift            Check = "role_drift"                  // It differs from the baseline.
	RoleManual           Check = "role_manual"                 // It differs, and only a person knows why.
	RoleAdmin            Check = "role_admin"                  // The user may not change it, from PostgreSQL 16 on.
	LoginMissing         Check = "login_missing"               // An open login has no role.
	LoginDrift           Check = "login_drift"                 // An open login has less than it needs, or more.
	LoginAdmin           Check = "login_admin"                 // The user may not end a login, from PostgreSQL 16 on.
)

// Platform checks and repairs the platform of one registry.
type Platform struct {
	db      *pgdb.DB
	schemas *tenantschema.Schemas
	logins  *logins.Logins
}

// Result is what a check found.
type Result struct {
	Findings []Finding
	// TenantsUnchecked says that the findings kept it from checking the tenants. There is a
	// finding then: after it was repaired, check again.
	TenantsUnchecked bool
}

// New returns the platform of a database.
func New(db *pgdb.DB, schemas *tenantschema.Schemas, logins *logins.Logins) *Platform {
	return &Platform{db, schemas, logins}
}

func quote(names ...string) string { return pgx.Identifier(names).Sanitize() }

// grantAdmin is the statement that gives a user what PostgreSQL 16 and later give to the one
// who creates a role.
func grantAdmin(role, user string) string {
	return `GRANT ` + quote(role) + ` TO ` + quote(user) + ` WITH ADMIN TRUE, INHERIT FALSE, SET FALSE`
}
