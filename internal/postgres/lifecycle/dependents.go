package lifecycle

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/dbroles"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// maxNamed is how many objects an error names.
const maxNamed = 40

// dependent is an object outside of a tenant's schema that goes with it.
type dependent struct {
	Object    string // Kind and name.
	Owner     string
	Ours      bool   // A tenant's login made it.
	Statement string // That drops it.
}

// dependentsSQL lists what DROP SCHEMA ... CASCADE drops outside of the schema of parameter 1: it
// follows pg_depend from the schema, from the rule of a view to the view. Indexes, row types, rules and
// triggers of the system belong to something that is listed itself.
const dependentsSQL = `WITH RECURSIVE found (classid, objid) AS (
		SELECT 'pg_namespace'::regclass::oid, oid FROM pg_namespace WHERE nspname = $1
		UNION
		SELECT coalesce(w.classid, d.classid), coalesce(w.objid, d.objid) FROM found f
		JOIN pg_depend d ON d.refclassid = f.classid AND d.refobjid = f.objid AND d.deptype NOT IN ('p', 'e', 'x')
		LEFT JOIN LATERAL (SELECT 'pg_class'::regclass::oid AS classid, ev_class AS objid FROM pg_rewrite WHERE d.classid = 'pg_rewrite'::regclass AND oid = d.objid) w ON true
	), placed AS (
		SELECT f.classid, f.objid, r.oid AS relation, coalesce(r.relowner, p.proowner, y.typowner) AS owner, coalesce(r.relnamespace, p.pronamespace, y.typnamespace) AS namespace,
		       c.conname, t.tgname, l.polname, a.attname
		FROM found f
		LEFT JOIN pg_constraint c ON f.classid = 'pg_constraint'::regclass AND c.oid = f.objid
		LEFT JOIN pg_trigger t ON f.classid = 'pg_trigger'::regclass AND t.oid = f.objid AND NOT t.tgisinternal
		LEFT JOIN pg_policy l ON f.classid = 'pg_policy'::regclass AND l.oid = f.objid
		LEFT JOIN pg_attrdef e ON f.classid = 'pg_attrdef'::regclass AND e.oid = f.objid
		LEFT JOIN pg_attribute a ON a.attrelid = e.adrelid AND a.attnum = e.adnum
		LEFT JOIN pg_class r ON r.oid = coalesce(c.conrelid, t.tgrelid, l.polrelid, e.adrelid, CASE WHEN f.classid = 'pg_class'::regclass THEN f.objid END)
		LEFT JOIN pg_proc p ON f.classid = 'pg_proc'::regclass AND p.oid = f.objid
		LEFT JOIN pg_type y ON f.classid = 'pg_type'::regclass AND y.oid = f.objid AND y.typrelid = 0 AND y.typelem = 0
	)
	SELECT i.type || ' ' || i.identity, o.rolname, ` + dbroles.MadeByLogins + `,
	       CASE WHEN conname IS NOT NULL THEN format('ALTER TABLE %s DROP CONSTRAINT %I', relation::regclass, conname)
	            WHEN tgname IS NOT NULL THEN format('DROP TRIGGER %I ON %s', tgname, relation::regclass)
	            WHEN polname IS NOT NULL THEN format('DROP POLICY %I ON %s', polname, relation::regclass)
	            WHEN attname IS NOT NULL THEN format('ALTER TABLE %s ALTER COLUMN %I DROP DEFAULT', relation::regclass, attname)
	            ELSE 'DROP ' || upper(i.type) || ' ' || i.identity END
	FROM placed x JOIN pg_roles o ON o.oid = x.owner JOIN pg_namespace n ON n.oid = x.namespace, pg_identify_object(x.classid, x.objid, 0) i
	WHERE n.nspname <> $1 AND n.nspname NOT LIKE 'pg\_%'
	  AND NOT EXISTS (SELECT FROM found v WHERE v.classid = 'pg_class'::regclass AND v.objid = x.relation AND x.classid <> 'pg_class'::regclass)
	  AND NOT EXISTS (SELECT FROM found v JOIN pg_index k ON k.indrelid = v.objid WHERE v.classid = 'pg_class'::regclass AND k.indexrelid = x.objid AND x.classid = 'pg_class'::regclass)
	ORDER BY 1`

// ownedSQL lists what the role of parameter 1 owns in this database, outside of the schema of
// parameter 2, but for parts of other objects.
const ownedSQL = `SELECT i.type || ' ' || i.identity FROM pg_shdepend s JOIN pg_database d ON d.oid = s.dbid AND d.datname = current_database(), pg_identify_object(s.classid, s.objid, 0) i
	WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = (SELECT oid FROM pg_roles WHERE rolname = $1) AND s.deptype = 'o' AND i.schema IS DISTINCT FROM $2
	  AND NOT EXISTS (SELECT FROM pg_depend p WHERE p.classid = s.classid AND p.objid = s.objid AND p.deptype IN ('a', 'i'))
	ORDER BY 1`

// policiesSQL lists the policies of tables outside of the schema of parameter 2 that name the role of parameter 1: DROP
// OWNED takes the role out of them, and drops those that name no other.
const policiesSQL = `SELECT i.type || ' ' || i.identity, o.rolname, ` + dbroles.MadeByLogins + `, format('DROP POLICY %I ON %s', l.polname, r.oid::regclass)
	FROM pg_policy l JOIN pg_class r ON r.oid = l.polrelid JOIN pg_namespace n ON n.oid = r.relnamespace JOIN pg_roles o ON o.oid = r.relowner,
		pg_identify_object('pg_policy'::regclass, l.oid, 0) i
	WHERE (SELECT oid FROM pg_roles WHERE rolname = $1) = ANY(l.polroles) AND n.nspname <> $2
	ORDER BY 1`

// checkDependents refuses a purge that would drop what others made outside of the tenant's schema.
// What tenants' logins made, and what the tenant's role owns, is dropped, and goes into the certificate.
func checkDependents(ctx context.Context, tx pgx.Tx, t tenant.Tenant, c *provisioning.PurgeCertificate) error {
	rows, _ := tx.Query(ctx, dependentsSQL, t.SchemaName)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[dependent])
	if err != nil {
		return err
	}
	rows, _ = tx.Query(ctx, policiesSQL, t.DatabaseRole, t.SchemaName)
	policies, err := pgx.CollectRows(rows, pgx.RowToStructByPos[dependent])
	if err != nil {
		return err
	}
	for _, p := range policies {
		if !slices.ContainsFunc(found, func(d dependent) bool { return d.Object == p.Object }) {
			found = append(found, p)
		}
	}
	foreign := slices.DeleteFunc(slices.Clone(found), func(d dependent) bool { return d.Ours || d.Owner == t.DatabaseRole })
	if len(foreign) > 0 {
		return errForeignObjects(t.SchemaName, foreign)
	}
	rows, _ = tx.Query(ctx, ownedSQL, t.DatabaseRole, t.SchemaName)
	if c.OtherObjects, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		return err
	}
	for _, d := range found {
		if !slices.Contains(c.OtherObjects, d.Object) {
			c.OtherObjects = append(c.OtherObjects, d.Object)
		}
	}
	return nil
}

func errForeignObjects(schema string, foreign []dependent) error {
	var objects, statements []string
	for _, d := range foreign[:min(len(foreign), maxNamed)] {
		objects = append(objects, d.Object+" of "+d.Owner)
		statements = append(statements, d.Statement)
	}
	more := ""
	if n := len(foreign) - maxNamed; n > 0 {
		more = fmt.Sprintf(", and %d more", n)
	}
	err := errs.Errorf(errs.KindConflict, "purge tenant", "others made objects that depend on the schema %s, or on its role, and would be dropped with it: %s%s; nothing was purged. Have their owners or a DBA drop them, and purge again: %s",
		schema, strings.Join(objects, ", "), more, strings.Join(statements, "; "))
	err.Lists = true
	return err
}
