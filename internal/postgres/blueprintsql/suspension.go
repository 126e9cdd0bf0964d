package blueprintsql

import (
	"maps"
	"strings"

	"github.com/jackc/pgx/v5"
)

// WithoutSchema are the privileges without those on the schema itself. A role with these reaches
// nothing: it is what roles have while the tenant is suspended.
func (g Grants) WithoutSchema() Grants {
	g = maps.Clone(g)
	delete(g, Object{Kind: KindSchema})
	return g
}

// SuspendStatement takes the use of the schema from the tenant's role and from the roles of the
// platform. Each member of these loses it with its next statement.
func (t *Template) SuspendStatement() string {
	return `REVOKE USAGE ON SCHEMA {{schema}} FROM ` + t.users() + ` CASCADE`
}

// ResumeStatement gives it back.
func (t *Template) ResumeStatement() string {
	return `GRANT USAGE ON SCHEMA {{schema}} TO ` + t.users()
}

// users are the roles that use a tenant's schema, for GRANT and REVOKE.
func (t *Template) users() string {
	roles := []string{"{{role}}"}
	for _, g := range t.Grants {
		roles = append(roles, pgx.Identifier{g.Role}.Sanitize())
	}
	return strings.Join(roles, ", ")
}
