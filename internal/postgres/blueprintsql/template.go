// Package blueprintsql turns blueprints into the SQL that makes and changes the schemas of tenants:
// what runs as which role, the guard around it, and privileges.
package blueprintsql

import (
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
)

// Template is what the schema of a tenant is made from and compared with.
type Template struct {
	// Blueprints are in the order in which their migrations run: standard, and the one that
	// extends it.
	Blueprints []blueprint.Blueprint
	Objects    Objects              // What the migrations make.
	Privileges blueprint.Privileges // Of the tenant's role on objects: of all blueprints.
	Grants     []blueprint.Grant
	// ExtensionSchemas are the schemas of the extensions that the blueprint names.
	ExtensionSchemas []string
	// Trusted says that the SQL is this program's: the guard is left out.
	Trusted bool
}

// Standard is the one of the blueprint standard alone.
var Standard = NewStandard(blueprint.Standard())

// NewStandard is the template of a version of the blueprint standard.
func NewStandard(standard blueprint.Blueprint) *Template {
	return &Template{Blueprints: []blueprint.Blueprint{standard}, Objects: standardObjects, Privileges: standard.Privileges, Trusted: true}
}

// New is the template of a published blueprint. objects are what its migrations and those of
// standard make, as publishing found them.
func New(b blueprint.Blueprint, objects Objects) *Template {
	return &Template{
		Blueprints: b.Layers(), Objects: objects, Privileges: b.TenantPrivileges(), Grants: b.Grants, ExtensionSchemas: objects.ExtensionSchemas,
		Trusted: b.Name == blueprint.StandardName,
	}
}

// HasUsers reports whether the tenants have the tables of standard, with an administrator.
func (t *Template) HasUsers() bool { return t.Blueprints[0].Name == blueprint.StandardName }

// Version is the newest schema version of the template's own blueprint, which is the last.
func (t *Template) Version() int { return t.Own().SchemaVersion() }

// Own is the template's own blueprint, the last.
func (t *Template) Own() blueprint.Blueprint { return t.Blueprints[len(t.Blueprints)-1] }

// standardObjects are what the migrations of standard make.
var standardObjects = Objects{
	Tables:    []Table{{Name: "audit_head"}, {Name: "audit_logs"}, {Name: "roles"}, {Name: "users"}},
	Functions: []Function{{Signature: "audit_chain" + digestPlaceholder + "()", Trigger: true}},
}

// Part is a migration, or what comes before or after its line for the seed rows.
type Part struct {
	Migration  blueprint.Migration
	Statements []blueprint.Statement
	Trusted    bool // Of standard: no guard after each statement.
}

// AroundSeed are the migrations before and after the rows that a tenant begins with. Without a
// line for these rows they go in last.
func (t *Template) AroundSeed() (before, after []Part) {
	seed := t.seedLayer()
	target := &before
	for i, p := range t.Blueprints {
		trusted := p.Name == blueprint.StandardName
		for _, m := range p.Migrations {
			if m.Seed < 0 || i != seed {
				*target = append(*target, Part{m, m.Up, trusted})
				continue
			}
			*target = append(*target, Part{m, m.Up[:m.Seed], trusted})
			target = &after
			*target = append(*target, Part{m, m.Up[m.Seed:], trusted})
		}
	}
	return before, after
}

// seedLayer is the index of the blueprint whose line for the seed rows counts: its own, if it has
// one.
func (t *Template) seedLayer() int {
	last := len(t.Blueprints) - 1
	for _, m := range t.Own().Migrations {
		if m.Seed >= 0 {
			return last
		}
	}
	return 0
}
