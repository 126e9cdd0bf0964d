// Package blueprint reads blueprints: folders that say what each tenant made after them has,
// its tables and their later versions, privileges, user roles, mails, and steps of the
// platform's own. It checks what can be seen in the files alone and returns plain values; it
// connects to nothing.
//
// A blueprint that Parse returns is complete and within all limits. Every problem of the files
// is reported at once, with file, line and remedy. The authors of blueprints are trusted;
// their mistakes are not. So what the checks of SQL refuse is what would break other tenants
// or the run: text alone cannot show everything (SQL that a function puts together, for
// instance), and the database has a guard for the rest.
package blueprint

import (
	"slices"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Base is the blueprint that another one extends.
type Base string

// The bases.
const (
	BaseStandard Base = "standard" // The three tables of the standard blueprint come first.
	BaseNone     Base = "none"     // The platform has users of its own.
)

// Contract says whether tenants have a contract.
type Contract string

// The kinds of contracts.
const (
	ContractStandard Contract = "standard"
	ContractNone     Contract = "none"
)

// StandardName is the name of the embedded blueprint, which no other can have.
const StandardName = tenant.StandardBlueprint

// apiOperation is where the REST API would have a blueprint of that name: /admin/blueprints/validate.
const apiOperation = "validate"

// Blueprint is what a tenant is made after.
type Blueprint struct {
	Name       string
	Extends    Base       // Of the standard blueprint itself: BaseStandard.
	Roles      []Role     // Rows of the table roles at birth; the first is the administrator's. None with BaseNone.
	Variables  []Variable // By name.
	Privileges Privileges
	Grants     []Grant
	Ignore     []string // Patterns (path.Match) of tables that are neither compared nor changed.
	Extensions []string
	Mail       Mail
	Contract   Contract
	Steps      []Step // In the order of the file.
	Migrations []Migration
	Samples    []Sample
	Mails      []MailFile
	SHA256     string // Of all files, in hex; equal on systems with other line ends.
}

// Role is an application role in a tenant's schema.
type Role struct {
	Name        string // 1 to 255 characters.
	Description string // At most 1024 characters.
}

// DefaultRoles are the roles of a blueprint that names none.
func DefaultRoles() []Role {
	return []Role{
		{"admin", "Manages the organisation, its users and their roles"},
		{"user", "Works with the organisation's records"},
		{"viewer", "Reads the organisation's records"},
	}
}

// Privileges are those of the tenant's role, by tables; other tables may be read and written.
type Privileges struct {
	AppendOnly []string // SELECT and INSERT.
	ReadOnly   []string // SELECT.
	Private    []string // None at all. Only the standard blueprint has some.
}

// Grant is what a role of the platform may do in every tenant's schema.
type Grant struct {
	Role        string
	Read, Write Tables
}

// Tables are the tables of a grant. The zero value is none.
type Tables struct {
	All   bool
	Names []string // Without All.
}

// Mail is what all mails of a blueprint have.
type Mail struct {
	ProductName string // Empty: the product's.
	Support     string // An e-mail address; empty: none.
	Locale      string // A BCP 47 tag, of the mails without one in their names; "en" by default.
}

// StepDatabase says what a step gets of the tenant's database.
type StepDatabase string

// What a step can get.
const (
	StepDatabaseNone   StepDatabase = "none"
	StepDatabaseTenant StepDatabase = "tenant" // A login for the tenant's schema that ends with the step.
)

// Step is a provisioning step of the platform's own.
type Step struct {
	Name     string
	After    string // One of the seven steps: SEED_ROLES_AND_USER or STORE_CONTRACT_ADDRESS.
	Webhook  Endpoint
	Undo     *Endpoint // Nil: nothing to undo.
	Database StepDatabase
}

// Step returns the step of that name.
func (b Blueprint) Step(name string) (Step, bool) {
	i := slices.IndexFunc(b.Steps, func(s Step) bool { return s.Name == name })
	if i < 0 {
		return Step{}, false
	}
	return b.Steps[i], true
}

// Endpoint is where a step sends its requests.
type Endpoint struct {
	URL      string        // http or https, without user information.
	Secret   string        // The name of the variable with the secret: BLUEPRINT_SECRET_...
	Timeout  time.Duration // Of one request, 1 s to 2 min.
	Deadline time.Duration // For all its repetitions, 1 min to 24 h.
}

// Migration is one file of a blueprint's migrations.
type Migration struct {
	Version       int    // From 1, without gaps.
	File          string // "migrations/0001_patients.sql".
	Checksum      string // SHA-256 of the file with line feeds alone, in hex.
	NoTransaction bool
	Up            []Statement
	Seed          int     // The index in Up before which the seed rows are inserted; -1: not in this file.
	Allow         []Class // What the file permits itself, in the order of severity.
}

// Class says what a migration does to a tenant that is in use.
type Class string

// The classes, from harmless to severe. The first needs no permission.
const (
	ClassOnline   Class = "online"
	ClassLocks    Class = "locks"
	ClassScans    Class = "scans"
	ClassRewrites Class = "rewrites"
)

// Sample is a file of rows for the trial of the migration after its version.
type Sample struct {
	Version    int
	File       string
	Statements []Statement
}

// MailFile is a file of the folder mail: a template, or the logo.
type MailFile struct {
	File    string // "mail/welcome.de.txt".
	Content []byte // With line feeds alone, but for logo.png.
}

// SchemaVersion is the number of the last migration, 0 without migrations.
func (b Blueprint) SchemaVersion() int { return len(b.Migrations) }

// TenantPrivileges are those of the tenant's role on all tables of its schema: the blueprint's
// own, and those of the standard blueprint's tables that it does not name.
func (b Blueprint) TenantPrivileges() Privileges {
	all := Privileges{slices.Clone(b.Privileges.AppendOnly), slices.Clone(b.Privileges.ReadOnly), slices.Clone(b.Privileges.Private)}
	if len(b.Layers()) == 1 {
		return all
	}
	base := Standard().Privileges
	for _, table := range base.AppendOnly {
		if !slices.Contains(all.AppendOnly, table) && !slices.Contains(all.ReadOnly, table) {
			all.AppendOnly = append(all.AppendOnly, table)
		}
	}
	all.Private = append(all.Private, base.Private...)
	return all
}

// Layers are the blueprints whose migrations make a tenant's schema, in their order: the
// standard blueprint, if this one extends it, and this one.
func (b Blueprint) Layers() []Blueprint {
	if b.Extends == BaseNone || b.Name == StandardName {
		return []Blueprint{b}
	}
	return []Blueprint{Standard(), b}
}
