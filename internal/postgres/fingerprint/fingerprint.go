// Package fingerprint reads the structure of a schema, and compares two: that of a tenant with
// the one that its blueprint makes. It does not depend on the schema's name, nor on the digest of
// that in the names of functions, nor on the numbers of columns, of which a migrated table has others
// than a new one.
package fingerprint

import (
	"context"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/blueprintsql"
)

// Fingerprint has the definition of each object of a schema by its kind and name, such as
// "column users.email". The text is as PostgreSQL prints it, and differs between major versions.
// Both are general, see blueprintsql.GeneralSQL.
type Fingerprint map[string]string

// Read reads the structure of a schema in a transaction. It sets the transaction's search_path,
// on which what PostgreSQL prints depends, and sets it back.
func Read(ctx context.Context, tx pgx.Tx, schema string) (found Fingerprint, err error) {
	var before string
	if err = tx.QueryRow(ctx, `SELECT current_setting('search_path')`).Scan(&before); err != nil {
		return nil, err
	}
	if _, err = tx.Exec(ctx, `SET LOCAL search_path = pg_catalog`); err != nil {
		return nil, err
	}
	if err = tx.QueryRow(ctx, query, schema).Scan(&found); err != nil {
		return nil, err
	}
	_, err = tx.Exec(ctx, `SELECT set_config('search_path', $1, true)`, before)
	return found, err
}

// query reads everything from indexes: the cost does not grow with the number of schemas. Objects
// whose kind and name read alike are one with all their definitions, so that none is hidden.
var query = `WITH n AS (SELECT oid, nspname, quote_ident(nspname) || '.' AS prefix FROM pg_namespace WHERE nspname = $1::name),
	rel AS MATERIALIZED (SELECT c.* FROM n JOIN pg_depend d ON d.refclassid = 'pg_namespace'::regclass AND d.refobjid = n.oid AND d.classid = 'pg_class'::regclass
		JOIN pg_class c ON c.oid = d.objid),
	made AS (
	SELECT CASE relkind WHEN 'v' THEN 'view ' WHEN 'm' THEN 'materialized view ' WHEN 'f' THEN 'foreign table ' WHEN 'c' THEN 'type ' ELSE 'table ' END || relname AS object,
		concat_ws(' ', CASE relkind WHEN 'p' THEN 'PARTITION BY ' || pg_get_partkeydef(oid) WHEN 'v' THEN pg_get_viewdef(oid) WHEN 'm' THEN pg_get_viewdef(oid) END,
			CASE WHEN relispartition THEN pg_get_expr(relpartbound, oid) || ' OF ' || (SELECT i.inhparent::regclass::text FROM pg_inherits i WHERE i.inhrelid = rel.oid) END,
			CASE WHEN relrowsecurity THEN 'ROW LEVEL SECURITY' END, CASE WHEN relforcerowsecurity THEN 'FORCED' END, CASE relpersistence WHEN 'u' THEN 'UNLOGGED' END,
			array_to_string(reloptions, ',')) AS definition
		FROM rel WHERE relkind NOT IN ('S', 'i', 'I')
	UNION ALL SELECT 'column ' || r.relname || '.' || a.attname,
		concat_ws(' ', format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'NOT NULL' END,
			CASE a.attidentity WHEN 'a' THEN 'IDENTITY ALWAYS' WHEN 'd' THEN 'IDENTITY' END,
			CASE WHEN a.attgenerated <> '' THEN 'GENERATED ' || a.attgenerated::text ELSE 'DEFAULT' END || ' ' || pg_get_expr(f.adbin, f.adrelid),
			CASE WHEN a.attcollation <> t.typcollation THEN 'COLLATE ' || a.attcollation::regcollation END)
		FROM rel r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped JOIN pg_type t ON t.oid = a.atttypid
		LEFT JOIN pg_attrdef f ON f.adrelid = r.oid AND f.adnum = a.attnum WHERE r.relkind IN ('r', 'p', 'f', 'c')
	UNION ALL SELECT 'constraint ' || r.relname || '.' || k.conname, pg_get_constraintdef(k.oid) || CASE WHEN k.convalidated THEN '' ELSE ' NOT VALID' END
		FROM rel r JOIN pg_constraint k ON k.conrelid = r.oid WHERE k.contype <> 'n' -- From PostgreSQL 18 on, NOT NULL is one, too.
	UNION ALL SELECT 'index ' || r.relname || '.' || x.relname, pg_get_indexdef(i.indexrelid) || CASE WHEN i.indisvalid THEN '' ELSE ' INVALID' END
		FROM rel r JOIN pg_index i ON i.indrelid = r.oid JOIN pg_class x ON x.oid = i.indexrelid WHERE r.relkind <> 'i'
	UNION ALL SELECT 'trigger ' || r.relname || '.' || g.tgname, pg_get_triggerdef(g.oid) || CASE g.tgenabled WHEN 'O' THEN '' ELSE ' ' || g.tgenabled::text END
		FROM rel r JOIN pg_trigger g ON g.tgrelid = r.oid WHERE NOT g.tgisinternal
	UNION ALL SELECT 'policy ' || r.relname || '.' || p.polname, concat_ws(' ', p.polcmd, CASE WHEN p.polpermissive THEN '' ELSE 'RESTRICTIVE' END,
			pg_get_expr(p.polqual, p.polrelid), 'CHECK ' || pg_get_expr(p.polwithcheck, p.polrelid))
		FROM rel r JOIN pg_policy p ON p.polrelid = r.oid
	UNION ALL SELECT 'rule ' || r.relname || '.' || u.rulename, pg_get_ruledef(u.oid)
		FROM rel r JOIN pg_rewrite u ON u.ev_class = r.oid WHERE u.rulename <> '_RETURN'
	UNION ALL SELECT 'sequence ' || r.relname, concat_ws(' ', format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle)
		FROM rel r JOIN pg_sequence s ON s.seqrelid = r.oid
	UNION ALL SELECT CASE p.prokind WHEN 'a' THEN 'aggregate ' WHEN 'p' THEN 'procedure ' ELSE 'function ' END || p.proname || '(' || replace(pg_get_function_identity_arguments(p.oid), n.prefix, '') || ')',
		CASE WHEN p.prokind = 'a' THEN pg_get_function_result(p.oid) ELSE pg_get_functiondef(p.oid) END
		FROM n JOIN pg_depend d ON d.refclassid = 'pg_namespace'::regclass AND d.refobjid = n.oid AND d.classid = 'pg_proc'::regclass JOIN pg_proc p ON p.oid = d.objid
	UNION ALL SELECT 'type ' || t.typname, CASE t.typtype
			WHEN 'e' THEN 'ENUM ' || (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid)
			WHEN 'd' THEN concat_ws(' ', 'DOMAIN', format_type(t.typbasetype, t.typtypmod), CASE WHEN t.typnotnull THEN 'NOT NULL' END, t.typdefault,
				(SELECT string_agg(pg_get_constraintdef(k.oid), ' ' ORDER BY k.conname) FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c'))
			ELSE t.typtype::text END
		FROM n JOIN pg_depend d ON d.refclassid = 'pg_namespace'::regclass AND d.refobjid = n.oid AND d.classid = 'pg_type'::regclass JOIN pg_type t ON t.oid = d.objid
		WHERE t.typtype <> 'm'
	)
	SELECT coalesce(jsonb_object_agg(object, definition), '{}') FROM (
		SELECT ` + blueprintsql.GeneralSQL("object", "nspname") + ` COLLATE "C" AS object,
			string_agg(` + blueprintsql.GeneralSQL("replace(coalesce(definition, ''), n.prefix, '')", "nspname") + `, E'\n' ORDER BY definition COLLATE "C") AS definition
		FROM made, n GROUP BY 1) found`

// openDefault stands in a column's definition for a default value that each tenant's variables
// shape. PostgreSQL prints none like it.
const openDefault = " DEFAULT *"

// OpenDefaults returns f without the default values that differ in other, which was made with other
// values of the variables. Compare accepts any value there.
func (f Fingerprint) OpenDefaults(other Fingerprint) Fingerprint {
	open := maps.Clone(f)
	for object, definition := range f {
		before, after, ok := cutDefault(definition)
		if found := other[object]; ok && found != definition && strings.HasPrefix(object, "column ") {
			if b, a, ok := cutDefault(found); ok && b == before && a == after {
				open[object] = before + openDefault + after
			}
		}
	}
	return open
}

// cutDefault returns what a column's definition has before and after its default value.
func cutDefault(definition string) (before, after string, ok bool) {
	before, rest, ok := strings.Cut(definition, " DEFAULT ")
	if i := strings.LastIndex(rest, " COLLATE "); i >= 0 {
		after = rest[i:]
	}
	return before, after, ok
}

// matches reports whether a definition is the wanted one.
func matches(wanted, found string) bool {
	if before, after, open := strings.Cut(wanted, openDefault); open {
		b, a, ok := cutDefault(found)
		return ok && b == before && a == after
	}
	return found == wanted
}

// isPart reports whether an object belongs to a table that is unmanaged itself and listed.
func isPart(object string, f, actual Fingerprint) bool {
	kind, name, _ := strings.Cut(object, " ")
	table, _, inTable := strings.Cut(name, ".")
	if !inTable || kind == "function" {
		return false
	}
	for _, kind := range []string{"table ", "materialized view ", "foreign table ", "type "} {
		_, expected := f[kind+table]
		if _, exists := actual[kind+table]; exists && !expected {
			return true
		}
	}
	return false
}

// isIgnored reports whether a table, or what is on it, matches one of the patterns.
func isIgnored(object string, ignore []string) bool {
	if isRoutine(object) {
		return false
	}
	_, name, _ := strings.Cut(object, " ")
	if i := strings.LastIndexByte(name, ' '); i >= 0 { // "materialized view x".
		name = name[i+1:]
	}
	table, _, _ := strings.Cut(name, ".")
	return slices.ContainsFunc(ignore, func(pattern string) bool {
		matches, err := path.Match(pattern, table)
		return err == nil && matches
	})
}
