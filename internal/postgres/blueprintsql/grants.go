package blueprintsql

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
)

// Grants are what one role may do: privileges by object, sorted.
type Grants map[Object][]string

var (
	mayWrite  = []string{"DELETE", "INSERT", "SELECT", "UPDATE"}
	mayAppend = []string{"INSERT", "SELECT"}
	mayRead   = []string{"SELECT"}
)

// TenantGrants are what the tenant's role gets.
func (t *Template) TenantGrants() Grants {
	o, p := t.Objects, t.Privileges
	g := Grants{{Kind: KindSchema}: {"USAGE"}}
	for _, t := range o.Tables {
		switch name := (Object{KindTable, t.Name}); {
		case slices.Contains(p.Private, t.Name):
		case t.View, slices.Contains(p.ReadOnly, t.Name):
			g[name] = mayRead
		case slices.Contains(p.AppendOnly, t.Name):
			g[name] = mayAppend
		default:
			g[name] = mayWrite
		}
	}
	g.addUse(o)
	return g
}

// addUse adds the use of sequences and functions. A trigger runs its function for every role.
func (g Grants) addUse(o Objects) {
	for _, name := range o.Sequences {
		g[Object{KindSequence, name}] = []string{"SELECT", "USAGE"}
	}
	for _, f := range o.Functions {
		if !f.Trigger {
			g[Object{KindFunction, f.Signature}] = []string{"EXECUTE"}
		}
	}
}

// RoleGrants are what a role of the platform gets.
func (t *Template) RoleGrants(p blueprint.Grant) Grants {
	o, private := t.Objects, t.Privileges.Private
	g := Grants{{Kind: KindSchema}: {"USAGE"}}
	for _, t := range o.Tables {
		switch name := (Object{KindTable, t.Name}); {
		case slices.Contains(private, t.Name):
		case !t.View && includes(p.Write, t.Name):
			g[name] = mayWrite
		case includes(p.Read, t.Name):
			g[name] = mayRead
		}
	}
	g.addUse(o)
	return g
}

func includes(t blueprint.Tables, name string) bool { return t.All || slices.Contains(t.Names, name) }

// GrantStatements give a schema's new objects their privileges, and take from PUBLIC what
// PostgreSQL gives it. {{schema}} and {{role}} stand for quoted names.
func (t *Template) GrantStatements() []string {
	var statements []string
	if len(t.Objects.Functions) > 0 {
		var names []string
		for _, f := range t.Objects.Functions {
			names = append(names, Object{KindFunction, f.Signature}.Quoted())
		}
		statements = append(statements, `REVOKE ALL ON FUNCTION `+strings.Join(names, ", ")+` FROM PUBLIC`)
	}
	statements = append(statements, t.TenantGrants().Statements("{{role}}")...)
	return append(statements, t.PlatformGrants()...)
}

// PlatformGrants are the GRANT statements for the roles of the platform.
func (t *Template) PlatformGrants() (statements []string) {
	for _, g := range t.Grants {
		statements = append(statements, t.RoleGrants(g).Statements(pgx.Identifier{g.Role}.Sanitize())...)
	}
	return statements
}

// Missing describes what a role lacks of these privileges.
func (g Grants) Missing(actual Grants) (missing []string) {
	for _, o := range slices.SortedFunc(maps.Keys(g), CompareObjects) {
		var lacks []string
		for _, privilege := range g[o] {
			if !slices.Contains(actual[o], privilege) {
				lacks = append(lacks, privilege)
			}
		}
		if len(lacks) > 0 {
			missing = append(missing, strings.Join(lacks, ", ")+" on the "+o.String())
		}
	}
	return missing
}

// RegrantStatements bring the privileges of a schema from those of another template to these. What
// others granted on other objects, or to other roles, stays.
func (t *Template) RegrantStatements(before *Template) []string {
	roles := []string{"{{role}}"}
	for _, g := range append(slices.Clone(before.Grants), t.Grants...) {
		if quoted := (pgx.Identifier{g.Role}).Sanitize(); !slices.Contains(roles, quoted) {
			roles = append(roles, quoted)
		}
	}
	var statements []string
	for _, o := range t.Objects.All() {
		statements = append(statements, `REVOKE ALL ON `+string(o.Kind)+` `+o.Quoted()+` FROM `+strings.Join(roles, ", ")+` CASCADE`)
	}
	return append(statements, t.GrantStatements()...)
}

// Statements are the GRANT statements for a quoted role, one for the objects of one kind with the
// same privileges.
func (g Grants) Statements(role string) (statements []string) {
	type key struct {
		kind       ObjectKind
		privileges string
	}
	byKey := map[key][]string{}
	var order []key
	for _, o := range slices.SortedFunc(maps.Keys(g), CompareObjects) {
		k := key{o.Kind, strings.Join(g[o], ", ")}
		if byKey[k] == nil {
			order = append(order, k)
		}
		byKey[k] = append(byKey[k], o.Quoted())
	}
	for _, k := range order {
		statements = append(statements, `GRANT `+k.privileges+` ON `+string(k.kind)+` `+strings.Join(byKey[k], ", ")+` TO `+role)
	}
	return statements
}

// Diff describes how a role's privileges differ from those that it has to have.
func (g Grants) Diff(actual Grants) (diffs []string) {
	objects := maps.Clone(g)
	maps.Copy(objects, actual)
	for _, o := range slices.SortedFunc(maps.Keys(objects), CompareObjects) {
		if !slices.Equal(g[o], actual[o]) {
			diffs = append(diffs, fmt.Sprintf("has %s on its %s instead of %s", formatPrivileges(actual[o]), o, formatPrivileges(g[o])))
		}
	}
	return diffs
}

func formatPrivileges(privileges []string) string {
	if len(privileges) == 0 {
		return "nothing"
	}
	return strings.Join(privileges, ", ")
}
