package blueprint

import (
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// What a blueprint.yaml begins with.
const (
	apiVersion = "healthcare-platform/v1"
	kind       = "Blueprint"
)

// Limits of lists in blueprint.yaml.
const (
	MaxRoles      = 64
	MaxSteps      = 16
	maxGrants     = 64
	maxTables     = 1000
	maxIgnore     = 64
	maxExtensions = 32
)

// Limits and defaults of a step's requests.
const (
	minTimeout      = time.Second
	maxTimeout      = 2 * time.Minute
	defaultTimeout  = 30 * time.Second
	minDeadline     = time.Minute
	maxDeadline     = 24 * time.Hour
	defaultDeadline = 15 * time.Minute
)

const defaultLocale = "en"

// auditHead is the table with the end of the chain of audit logs. Only the trigger of the
// standard blueprint reads and writes it.
const auditHead = "audit_head"

// standardTables are the tables of the standard blueprint.
var standardTables = []string{"roles", "users", "audit_logs", auditHead}

// parseConfig reads blueprint.yaml into b.
func parseConfig(c *collector, content []byte, own bool, b *Blueprint) {
	d := &document{c: c, file: configFile}
	root, ok := d.parse(content)
	if !ok {
		return
	}
	root.require("apiVersion", "kind", "name")
	root.field("apiVersion", "", oneOf(apiVersion))
	root.field("kind", "", oneOf(kind))
	b.Name = root.field("name", "", tenant.CheckBlueprint)
	if b.Name == apiOperation {
		d.problem(root.fields["name"], "is %q, which is an operation of the REST API; choose another", apiOperation)
	}
	if b.Name == StandardName && !own {
		d.problem(root.fields["name"], "is %q, the name of the embedded blueprint; choose another", StandardName)
	}
	b.Extends = Base(root.field("extends", string(BaseStandard), oneOf(string(BaseStandard), string(BaseNone))))
	b.Contract = Contract(root.field("contract", string(ContractStandard), oneOf(string(ContractStandard), string(ContractNone))))
	b.Mail = Mail{Locale: defaultLocale}
	root.roles(b)
	root.variables(b)
	root.privileges(b)
	root.grants(b)
	if v, ok := root.fields["extensions"]; ok {
		b.Extensions = d.texts(v, maxExtensions, checkExtension)
	}
	root.mail(b)
	root.steps(b)
	root.ignore(b) // Last: it is compared with the tables that others name.
}

func (o object) roles(b *Blueprint) {
	v, ok := o.fields["roles"]
	switch {
	case b.Extends == BaseNone && ok:
		o.doc.problem(v, "cannot be with extends: none, where there is no table of roles; remove it, or fill the platform's own table in a migration")
		return
	case b.Extends == BaseNone:
		return
	case !ok:
		b.Roles = DefaultRoles()
		return
	}
	items := o.doc.list(v, MaxRoles)
	if items != nil && len(items) == 0 {
		o.doc.problem(v, "is an empty list; name at least the administrator's role, or remove the key for admin, user and viewer")
	}
	names := map[string]bool{}
	for _, item := range items {
		r, ok := o.doc.object(item, "roles[]")
		if !ok {
			continue
		}
		r.require("name")
		role := Role{r.field("name", "", plainText(1, maxText)), r.field("description", "", plainText(0, maxLongText))}
		if names[role.Name] && role.Name != "" {
			o.doc.problem(item, "has the name %q, as a role before it; choose another", role.Name)
		}
		names[role.Name] = true
		b.Roles = append(b.Roles, role)
	}
}

func (o object) privileges(b *Blueprint) {
	v, ok := o.fields["privileges"]
	if !ok {
		return
	}
	p, ok := o.doc.object(v, "privileges")
	if !ok {
		return
	}
	if v, ok := p.fields["append_only"]; ok {
		b.Privileges.AppendOnly = o.tableNames(v, b)
	}
	if v, ok := p.fields["read_only"]; ok {
		b.Privileges.ReadOnly = o.tableNames(v, b)
		for _, table := range b.Privileges.ReadOnly {
			if slices.Contains(b.Privileges.AppendOnly, table) {
				o.doc.problem(v, "names %q, as append_only does; remove it from one", table)
			}
		}
	}
}

func (o object) grants(b *Blueprint) {
	v, ok := o.fields["grants"]
	if !ok {
		return
	}
	roles := map[string]bool{}
	for _, item := range o.doc.list(v, maxGrants) {
		g, ok := o.doc.object(item, "grants[]")
		if !ok {
			continue
		}
		g.require("role")
		grant := Grant{Role: g.field("role", "", checkRole), Read: g.tables("read", b), Write: g.tables("write", b)}
		if _, reads := g.fields["read"]; !reads {
			if _, writes := g.fields["write"]; !writes {
				o.doc.problem(item, "says neither read nor write; add one: all, or a list of tables")
			}
		}
		if roles[grant.Role] && grant.Role != "" {
			o.doc.problem(item, "is for the role %q, as a grant before it; put them together", grant.Role)
		}
		roles[grant.Role] = true
		b.Grants = append(b.Grants, grant)
	}
}

// tableNames reads a list of tables.
func (o object) tableNames(v value, b *Blueprint) []string {
	names := o.doc.texts(v, maxTables, checkTable)
	if b.Extends == BaseStandard && slices.Contains(names, auditHead) {
		o.doc.problem(v, "names %s, which has the end of the audit logs' chain and which nobody may reach; remove it", auditHead)
	}
	return names
}

// tables reads "all" or a list of tables.
func (o object) tables(key string, b *Blueprint) Tables {
	v, ok := o.fields[key]
	if !ok {
		return Tables{}
	}
	if kindOf(v.node) == "a list" {
		return Tables{Names: o.tableNames(v, b)}
	}
	if text, ok := o.doc.text(v); ok && text != "all" {
		o.doc.problem(v, "is %q; write all, or a list of tables", shorten(text))
	}
	return Tables{All: true}
}

func (o object) mail(b *Blueprint) {
	v, ok := o.fields["mail"]
	if !ok {
		return
	}
	if m, ok := o.doc.object(v, "mail"); ok {
		b.Mail.ProductName = m.field("product_name", "", plainText(1, maxText))
		b.Mail.Support = m.field("support", "", tenant.CheckEmail)
		b.Mail.Locale = m.field("locale", defaultLocale, tenant.CheckLocale)
	}
}

// ignore reads the patterns, none of which may match a table that the blueprint manages.
func (o object) ignore(b *Blueprint) {
	v, ok := o.fields["ignore"]
	if !ok {
		return
	}
	b.Ignore = o.doc.texts(v, maxIgnore, checkPattern)
	managed := map[string]string{}
	for _, table := range slices.Concat(b.Privileges.AppendOnly, b.Privileges.ReadOnly) {
		managed[table] = "privileges names"
	}
	for _, g := range b.Grants {
		for _, table := range slices.Concat(g.Read.Names, g.Write.Names) {
			managed[table] = "grants names"
		}
	}
	if b.Extends == BaseStandard {
		for _, table := range standardTables {
			managed[table] = "the standard blueprint has"
		}
	}
	for _, pattern := range b.Ignore {
		for _, table := range slices.Sorted(maps.Keys(managed)) {
			if matched, err := path.Match(pattern, table); err == nil && matched {
				o.doc.problem(v, "has the pattern %q, which matches the table %s that %s; narrow it", pattern, table, managed[table])
				break
			}
		}
	}
}

func (o object) variables(b *Blueprint) {
	v, ok := o.fields["variables"]
	if !ok {
		return
	}
	m, ok := o.doc.mapping(v)
	if !ok {
		return
	}
	if len(m.fields) > tenant.MaxVariables {
		o.doc.problem(v, "has %d entries; at most %d are possible", len(m.fields), tenant.MaxVariables)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(m.fields)) {
		b.Variables = append(b.Variables, o.variable(name, m.fields[name]))
	}
}

func (o object) variable(name string, v value) Variable {
	variable := Variable{Name: name}
	if err := tenant.CheckVariableName(name); err != nil {
		o.doc.problem(value{path: "variables", line: v.line}, "has a name that %s", strings.Replace(err.Error(), "is ", "reads ", 1))
	}
	if kindOf(v.node) == "empty" { // A variable of which nothing is said.
		return variable
	}
	m, ok := o.doc.object(v, "variables.*")
	if !ok {
		return variable
	}
	variable.Description = m.field("description", "", plainText(0, maxLongText))
	variable.Pattern = m.field("pattern", "", checkExpression)
	if d, ok := m.fields["default"]; ok {
		if text, ok := o.doc.text(d); ok {
			variable.Default = &text
			if fault := variable.check(text); fault != "" {
				o.doc.problem(d, "%s", fault)
			}
		}
	}
	return variable
}
